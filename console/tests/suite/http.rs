//! The whole server over HTTP, on a directory of its own.

mod apart;
mod described;
mod edits;
mod events;
mod hang_up;
mod listeners;
mod probes;
mod proxy_page;
mod refused;
mod several;
mod spans;
mod weights;

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use clap::Parser;
use prometheus_http_query::reqwest::{self, Method, RequestBuilder, Response, StatusCode, header};
use serde_json::{Value, json};
use weft_console::{Args, Console};
use weft_runtime::{Shutdown, StartupError};

use crate::parts::{SOON, until};

const ORDERS: &str = "# The canary.
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: order-service
  namespace: shop
spec:
  hosts: [order-service]
  http:
  - match:
    - headers: {x-canary: {exact: 'true'}}
    route:
    - destination: {host: order-service, subset: v2}
  - route:
    - destination: {host: order-service, subset: v1}
      weight: 90 # most
    - destination: {host: order-service, subset: v2}
      weight: 10
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: order-service, namespace: shop}
spec:
  host: order-service
  subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}]
";

const WORKLOADS: &str = "apiVersion: v1
kind: Service
metadata: {name: order-service, namespace: shop}
spec: {selector: {app: order-service}, ports: [{name: http, port: 8080}]}
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: order-service-v1, namespace: shop}
spec: {address: 127.0.0.2, labels: {app: order-service, version: v1, security.istio.io/tlsMode: istio}}
---
apiVersion: v1
kind: Secret
metadata: {name: api-tls-cert, namespace: istio-ingress}
stringData: {tls.key: hunter2}
";

/// A console on a directory of its own.
pub struct Running {
    pub dir: tempfile::TempDir,
    address: SocketAddr,
    otlp: Option<SocketAddr>,
    shutdown: Shutdown,
    task: tokio::task::JoinHandle<anyhow::Result<()>>,
    http: reqwest::Client,
}

fn args(dir: &tempfile::TempDir, more: &[&str]) -> Args {
    let path = |name: &str| dir.path().join(name).display().to_string();
    let own = [
        "--listen=127.0.0.1:0".to_owned(),
        format!("--config-dir={}", path("config")),
        format!("--data-dir={}", path("data")),
        format!("--assets={}", path("assets")),
    ];
    let flag = |arg: &str| arg.split('=').next().unwrap_or_default().to_owned();
    // What a test gives replaces what is usual.
    let usual = own.into_iter().filter(|arg| more.iter().all(|other| flag(other) != flag(arg)));
    let given = more.iter().map(|arg| (*arg).to_owned());
    Args::parse_from(std::iter::once("weft-console".to_owned()).chain(usual).chain(given))
}

fn directory() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("config")).unwrap();
    std::fs::write(dir.path().join("config/orders.yaml"), ORDERS).unwrap();
    std::fs::write(dir.path().join("config/workloads.yaml"), WORKLOADS).unwrap();
    dir
}

impl Running {
    pub async fn start(more: &[&str]) -> Self {
        let dir = directory();
        let shutdown = Shutdown::new();
        let console = Console::start(args(&dir, more), shutdown.clone()).await.unwrap();
        let address = console.address();
        let otlp = console.otlp_address();
        let task = tokio::spawn(console.run());
        let http = reqwest::Client::builder().no_proxy().timeout(SOON).build().unwrap();
        Self { dir, address, otlp, shutdown, task, http }
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("http://{}{path}", self.address))
    }

    pub async fn get(&self, path: &str) -> Response {
        self.request(Method::GET, path).send().await.unwrap()
    }

    pub async fn json(&self, path: &str) -> Value {
        let response = self.get(path).await;
        assert_eq!(response.status(), 200, "{path}");
        serde_json::from_str(&response.text().await.unwrap()).unwrap()
    }

    pub async fn post(&self, path: &str, body: &Value) -> (StatusCode, Value) {
        let request = self.request(Method::POST, path).header("x-weft-request", "1");
        let sent =
            request.header(header::CONTENT_TYPE, "application/json").body(body.to_string()).send().await.unwrap();
        let status = sent.status();
        (status, serde_json::from_str(&sent.text().await.unwrap()).unwrap())
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join("config").join(name)
    }

    pub fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.file(name)).unwrap()
    }

    pub async fn stop(self) {
        self.shutdown.begin();
        tokio::time::timeout(SOON, self.task).await.expect("stops").unwrap().unwrap();
    }
}

pub async fn problem(response: Response) -> (u16, Value) {
    let status = response.status().as_u16();
    assert_eq!(response.headers()[header::CONTENT_TYPE], "application/problem+json");
    let problem: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
    assert_eq!(problem["status"], status);
    for part in ["type", "title", "detail"] {
        assert!(problem[part].as_str().is_some_and(|text| !text.is_empty()), "{problem}");
    }
    (status, problem)
}

#[tokio::test]
async fn strangers_are_refused_with_reasons() {
    let console = Running::start(&[]).await;
    for host in ["evil.example", "evil.example:20001", "127.0.0.1.evil.example"] {
        let response = console.request(Method::GET, "/api/v1/meta").header(header::HOST, host).send().await.unwrap();
        assert_eq!(problem(response).await.0, 421, "{host}");
    }
    let localhost = format!("localhost:{}", console.address.port());
    let response = console.request(Method::GET, "/api/v1/meta").header(header::HOST, localhost).send().await.unwrap();
    assert_eq!(response.status(), 200);

    let write = || console.request(Method::POST, "/api/v1/canaries/apply").body("{}");
    let json_type = |request: RequestBuilder| request.header(header::CONTENT_TYPE, "application/json");
    assert_eq!(problem(json_type(write()).send().await.unwrap()).await.0, 403);
    assert_eq!(problem(write().header("x-weft-request", "1").send().await.unwrap()).await.0, 415, "no JSON");
    let foreign = json_type(write()).header("x-weft-request", "1").header(header::ORIGIN, "http://evil.example");
    assert_eq!(problem(foreign.send().await.unwrap()).await.1["type"], "cross-site");
    let own =
        json_type(write()).header("x-weft-request", "1").header(header::ORIGIN, format!("http://{}", console.address));
    assert_eq!(problem(own.send().await.unwrap()).await.0, 422, "let in, and found wanting");
    let spans =
        console.request(Method::POST, "/v1/traces").header(header::ORIGIN, format!("http://{}", console.address));
    assert_eq!(problem(spans.send().await.unwrap()).await.0, 403);

    let long = json_type(write()).header("x-weft-request", "1").body("x".repeat(100_000));
    assert_eq!(problem(long.send().await.unwrap()).await.0, 413);
    let undo = console.request(Method::POST, "/api/v1/edits/none/undo").header("x-weft-request", "1");
    assert_eq!(problem(undo.send().await.unwrap()).await.0, 404, "what has no body needs no type");
    assert_eq!(problem(console.get("/api/v1/nothing").await).await.0, 404);
    assert_eq!(problem(console.get("/api/v2/meta").await).await.0, 404);
    assert_eq!(problem(console.get("/api/v1/canaries/apply").await).await.0, 405);
    for (method, path, status) in [
        (Method::GET, "/api/", 404),
        (Method::PUT, "/api/v2/meta", 404),
        (Method::GET, "/auth/nope", 404),
        (Method::DELETE, "/auth/login", 405),
        (Method::POST, "/metrics", 405),
        (Method::GET, "/api/v1/traces/%ff", 400),
    ] {
        let (told, problem) = problem(console.request(method, path).send().await.unwrap()).await;
        assert_eq!(told, status, "{path}");
        assert!(problem["title"].as_str().unwrap().starts_with(path), "the whole path: {problem}");
    }
    for query in ["whom=ada", "limit=0", "limit=99999999", "format=csv&naem=cart"] {
        let (told, problem) = problem(console.get(&format!("/api/v1/audit?{query}")).await).await;
        assert_eq!(told, 400, "{query}: {problem}");
    }
    let history = "/api/v1/canaries/history?apiVersion=networking.istio.io/v1&kind=VirtualService&namespace=shop\
                   &name=order-service&limit=";
    for limit in [0, 201] {
        assert_eq!(problem(console.get(&format!("{history}{limit}")).await).await.0, 400, "{limit}");
    }
    assert_eq!(problem(console.get("/api/v1/graph?window=soon").await).await.0, 400);
    assert_eq!(problem(console.get("/api/v1/graph?window=1").await).await.0, 400);
    assert_eq!(problem(console.get("/api/v1/traces/xyz").await).await.0, 400);

    let headers = console.get("/").await.headers().clone();
    let policy = headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
    assert!(policy.contains("script-src 'self' 'wasm-unsafe-eval'") && policy.contains("frame-ancestors 'none'"));
    assert!(!policy.contains("unsafe-inline") && !policy.contains("'unsafe-eval'"), "{policy}");
    assert_eq!(headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
    console.stop().await;
}

#[tokio::test]
async fn without_prometheus_and_operator_the_rest_is_there() {
    let console = Running::start(&[]).await;
    assert_eq!(console.get("/healthz/ready").await.status(), 200);
    let meta = console.json("/api/v1/meta").await;
    assert_eq!((&meta["name"], &meta["signIn"]), (&json!("config"), &json!(false)));
    assert_eq!(meta["namespaces"], json!(["istio-ingress", "shop"]));
    let graph = console.json("/api/v1/graph").await;
    assert_eq!(graph["nodes"][0]["id"], "shop/order-service-v1");
    assert_eq!(graph["nodes"][0]["health"], "unknown");
    assert_eq!(graph["sources"]["answered"], 0);
    assert!(graph["sources"]["problem"].as_str().unwrap().contains("--prometheus"));
    let status = console.json("/api/v1/status").await;
    assert_eq!((&status["prometheus"]["up"], &status["operator"]["up"]), (&json!(false), &json!(false)));
    let canaries = console.json("/api/v1/canaries").await;
    let canary = &canaries["canaries"][0];
    assert_eq!((&canary["verdict"], &canary["route"]), (&json!("unknown"), &json!("http[1]")));
    assert_eq!(canary["shares"][0]["configuredPercent"], 90.0);
    assert_eq!(canary["testers"][0]["matches"], "x-canary: true");
    let metrics = console.get("/metrics").await.text().await.unwrap();
    assert!(metrics.contains("weft_console_requests_total{code=\"200\"}"), "{metrics}");
    console.stop().await;
}

#[tokio::test]
async fn configuration_is_listed_with_what_is_wrong() {
    let console = Running::start(&[]).await;
    let list = console.json("/api/v1/config").await;
    let kinds: Vec<_> = list["rows"].as_array().unwrap().iter().map(|row| row["object"]["kind"].clone()).collect();
    assert_eq!(kinds, ["DestinationRule", "Secret", "Service", "VirtualService", "WorkloadEntry"]);
    let path = "/api/v1/config/object?apiVersion=networking.istio.io/v1beta1&kind=VirtualService&namespace=shop&name=order-service";
    let object = console.json(path).await;
    assert!(object["yaml"].as_str().unwrap().contains("weight: 90 # most"), "{object}");
    assert_eq!(object["command"], "kubectl get virtualservices.networking.istio.io order-service -n shop -o yaml");
    let secret = "/api/v1/config/object?apiVersion=v1&kind=Secret&namespace=istio-ingress&name=api-tls-cert";
    let yaml = console.json(secret).await["yaml"].as_str().unwrap().to_owned();
    assert!(yaml.contains("tls.key") && !yaml.contains("hunter2"), "{yaml}");
    assert_eq!(problem(console.get(&path.replace("order-service", "nobody")).await).await.0, 404);

    // A subset that nobody defines: found by lint, placed in its file, marked on the workloads behind the host.
    let wrong = ORDERS.replace("subset: v2}\n      weight: 10", "subset: v9}\n      weight: 10");
    std::fs::write(console.file("orders.yaml"), wrong).unwrap();
    let finding = until("lint has seen it", async || {
        let list = console.json("/api/v1/config").await;
        let row =
            list["rows"].as_array().unwrap().iter().find(|row| row["object"]["kind"] == "VirtualService").cloned();
        row.and_then(|row| row["findings"].get(0).cloned())
    })
    .await;
    assert_eq!((&finding["severity"], &finding["line"]), (&json!("error"), &json!(17)), "{finding}");
    assert_eq!(finding["field"], "spec.http[1].route[1].destination.subset");
    let node = console.json("/api/v1/graph").await["nodes"][0].clone();
    let badges = node["badges"].as_array().unwrap();
    let lint = badges.iter().find(|badge| badge["kind"] == "lint").unwrap_or_else(|| panic!("{node}"));
    assert_eq!(lint["severity"], "error");
    assert_eq!(console.json("/api/v1/status").await["findings"][0], 1);

    // A broken file keeps its last good version in force and says where it breaks.
    std::fs::write(console.file("orders.yaml"), ORDERS.replace("weight: 90", "weight: [90")).unwrap();
    let list = until("the broken file is listed", async || {
        let list = console.json("/api/v1/config").await;
        (list["fileFindings"].as_array().unwrap().len() == 1).then_some(list)
    })
    .await;
    let finding = &list["fileFindings"][0];
    assert!(finding["file"].as_str().unwrap().ends_with("orders.yaml") && finding["line"].is_u64(), "{finding}");
    assert_eq!(list["rows"].as_array().unwrap().len(), 5);
    console.stop().await;
}

#[tokio::test]
async fn the_page_is_served_as_it_was_built() {
    let console = Running::start(&[]).await;
    let missing = console.get("/").await;
    assert_eq!(missing.status(), 503);
    assert!(missing.text().await.unwrap().contains("cargo xtask frontend"));

    // A page built later needs no restart.
    let assets = console.dir.path().join("assets");
    std::fs::create_dir(&assets).unwrap();
    let files =
        [("index.html", "<p>page"), ("app-0a1b2c3d4e5f6071.js", "plain"), ("app-0a1b2c3d4e5f6071.js.br", "brotli")];
    for (name, text) in files {
        std::fs::write(assets.join(name), text).unwrap();
    }
    let page = console.get("/").await;
    assert_eq!(page.headers()[header::CACHE_CONTROL], "no-cache");
    assert_eq!(page.text().await.unwrap(), "<p>page");
    assert_eq!(console.get("/nowhere").await.status(), 404);
    let script = console
        .request(Method::GET, "/app-0a1b2c3d4e5f6071.js")
        .header(header::ACCEPT_ENCODING, "br, gzip")
        .send()
        .await
        .unwrap();
    assert_eq!(script.headers()[header::CONTENT_ENCODING], "br");
    assert!(script.headers()[header::CACHE_CONTROL].to_str().unwrap().contains("immutable"));
    assert!(script.headers()[header::CONTENT_TYPE].to_str().unwrap().contains("javascript"));
    assert_eq!(script.text().await.unwrap(), "brotli");
    let plain = console.get("/app-0a1b2c3d4e5f6071.js").await;
    assert_eq!(plain.text().await.unwrap(), "plain");
    assert_eq!(console.get("/nothing.js").await.status(), 404);
    assert_eq!(console.get("/..%2fdata%2fconsole.db").await.status(), 404);
    console.stop().await;
}

#[tokio::test]
async fn a_method_that_nothing_takes_is_refused_before_its_body() {
    let console = Running::start(&[]).await;
    for body in ["", "x"] {
        let answer = console.request(Method::PUT, "/api/v1/graph").body(body).send().await.unwrap();
        assert_eq!(answer.status(), 405, "{body:?}");
        assert!(answer.headers().contains_key(header::ALLOW));
    }
    console.stop().await;
}

async fn refused(args: Args) -> String {
    let error = Console::start(args, Shutdown::new()).await.err().expect("does not start");
    assert!(error.is::<StartupError>(), "{error:#}");
    let line = format!("{error:#}");
    assert!(!line.contains('\n'), "{line}");
    line
}

#[tokio::test]
async fn what_keeps_it_from_starting_is_said_in_one_line() {
    let dir = directory();
    assert!(refused(args(&dir, &["--listen=0.0.0.0:0"])).await.contains("--listen"));
    assert!(refused(args(&dir, &["--config-dir=/nonexistent/weft"])).await.contains("--config-dir"));
    assert!(refused(args(&dir, &["--prometheus=nowhere"])).await.contains("--prometheus"));
    assert!(refused(args(&dir, &["--data-dir=/proc/weft"])).await.contains("--data-dir"));
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let listen = format!("--listen={}", taken.local_addr().unwrap());
    assert!(refused(args(&dir, &[&listen])).await.contains("--listen"));
    // Prometheus and the operator may come later.
    let away = ["--prometheus=http://127.0.0.1:1", "--operator-admin=http://127.0.0.1:1"];
    let shutdown = Shutdown::new();
    let console = Console::start(args(&dir, &away), shutdown.clone()).await.unwrap();
    let task = tokio::spawn(console.run());
    shutdown.begin();
    tokio::time::timeout(Duration::from_secs(10), task).await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn pages_of_other_programs_are_told() {
    let template = "https://jaeger.example.org/search?service={workload}.{namespace}";
    let console = Running::start(&[&format!("--node-link=Jaeger={template}")]).await;
    let meta = console.json("/api/v1/meta").await;
    assert_eq!(meta["nodeLinks"], json!([{ "name": "Jaeger", "template": template }]));
    console.stop().await;
}

#[tokio::test]
async fn commands_are_told_where_the_manifests_are() {
    let console = Running::start(&[]).await;
    let meta = console.json("/api/v1/meta").await;
    let directory = std::path::Path::new(meta["directory"].as_str().unwrap_or_default());
    assert!(directory.is_absolute() && directory.is_dir(), "{meta}");
    console.stop().await;
}
