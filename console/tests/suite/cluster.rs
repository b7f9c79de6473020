//! The console on a cluster, whose API server is played by a few routes: what is read with its own account, and what is
//! written with whose token. A real API server is asked in the end-to-end suite.

mod api;

use std::net::SocketAddr;

use clap::Parser;
use prometheus_http_query::reqwest::{self, Method};
use serde_json::{Value, json};
use weft_console::{Args, Console};
use weft_runtime::Shutdown;

use self::api::{FakeCluster, OWN, READER, WRITER};
use crate::parts::{SOON, until};

struct Running {
    cluster: FakeCluster,
    address: SocketAddr,
    http: reqwest::Client,
    _dir: tempfile::TempDir,
}

impl Running {
    async fn start(annotations: Value) -> Self {
        let cluster = FakeCluster::start(annotations).await;
        let dir = tempfile::tempdir().unwrap();
        let kubeconfig = dir.path().join("kubeconfig");
        let text = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: test\nclusters: [{{name: test, cluster: {{server: 'http://{}'}}}}]\n\
             users: [{{name: console, user: {{token: {OWN}}}}}]\ncontexts: [{{name: test, context: {{cluster: test, user: console}}}}]\n",
            cluster.address
        );
        std::fs::write(&kubeconfig, text).unwrap();
        let args = Args::parse_from([
            "weft-console".to_owned(),
            "--source=kubernetes".into(),
            "--listen=127.0.0.1:0".into(),
            format!("--kubeconfig={}", kubeconfig.display()),
            format!("--data-dir={}", dir.path().join("data").display()),
            format!("--assets={}", dir.path().join("assets").display()),
        ]);
        let console = Console::start(args, Shutdown::new()).await.unwrap();
        let address = console.address();
        tokio::spawn(console.run());
        let http = reqwest::Client::builder().no_proxy().timeout(SOON).build().unwrap();
        let running = Self { cluster, address, http, _dir: dir };
        until("the canary is listed", async || {
            let list = running.get("/api/v1/canaries", None).await.1;
            (!list["canaries"].as_array().unwrap().is_empty()).then_some(())
        })
        .await;
        running
    }

    async fn send(&self, method: Method, path: &str, token: Option<&str>, body: Option<&Value>) -> (u16, Value) {
        let mut request =
            self.http.request(method, format!("http://{}{path}", self.address)).header("x-weft-request", "1");
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        (status, serde_json::from_slice(&response.bytes().await.unwrap()).unwrap_or_default())
    }

    async fn get(&self, path: &str, token: Option<&str>) -> (u16, Value) {
        self.send(Method::GET, path, token, None).await
    }

    async fn canary(&self) -> Value {
        self.get("/api/v1/canaries", None).await.1["canaries"][0].clone()
    }

    async fn edit(&self, step: &str, weights: Value, token: Option<&str>) -> (u16, Value) {
        let canary = self.canary().await;
        let edit =
            json!({"object": canary["object"], "routeIndex": 0, "weights": weights, "revision": canary["revision"]});
        self.send(Method::POST, &format!("/api/v1/canaries/{step}"), token, Some(&edit)).await
    }
}

#[tokio::test]
async fn weights_move_with_the_users_token_and_no_other() {
    let console = Running::start(json!({})).await;
    let meta = console.get("/api/v1/meta", None).await.1;
    assert_eq!((&meta["writes"], &meta["signIn"]), (&json!("token"), &json!(false)));
    let canary = console.canary().await;
    assert_eq!(canary["shares"][1]["configuredPercent"], json!(10.0), "{canary}");

    // A look needs no token; a change does, and the console's own account is never used for one.
    let (status, preview) = console.edit("preview", json!([50, 50]), None).await;
    assert_eq!(status, 200, "{preview}");
    assert!(preview["diff"].as_str().unwrap().contains("+"), "{preview}");
    let (status, refused) = console.edit("apply", json!([50, 50]), None).await;
    assert_eq!((status, &refused["type"]), (401, &json!("no-token")), "{refused}");
    let (status, refused) = console.edit("apply", json!([50, 50]), Some("nonsense")).await;
    assert_eq!((status, &refused["type"]), (401, &json!("bad-token")), "{refused}");
    let (status, refused) = console.edit("apply", json!([50, 50]), Some(READER)).await;
    assert_eq!((status, &refused["type"]), (403, &json!("forbidden")), "{refused}");
    assert!(refused["title"].as_str().unwrap().contains("cannot patch"), "the API server's words: {refused}");
    assert_eq!(console.cluster.weights(), [90, 10]);

    let (status, done) = console.edit("apply", json!([50, 50]), Some(WRITER)).await;
    assert_eq!(status, 200, "{done}");
    assert_eq!(console.cluster.weights(), [50, 50]);
    let seen = console.canary().await;
    assert_eq!(seen["shares"][1]["configuredPercent"], json!(50.0), "the answer comes when the change shows");
    let patches = console.cluster.patches();
    assert!(patches.iter().all(|(token, _)| token != OWN), "{patches:?}");
    let (_, last) = patches.last().unwrap();
    assert!(last.contains(r#""op":"test""#) && last.contains("/metadata/resourceVersion"), "{last}");

    let undo = format!("/api/v1/edits/{}/undo", done["id"].as_str().unwrap());
    assert_eq!(console.send(Method::POST, &undo, None, Some(&json!({}))).await.0, 401);
    let (status, back) = console.send(Method::POST, &undo, Some(WRITER), Some(&json!({}))).await;
    assert_eq!(status, 200, "{back}");
    assert_eq!(console.cluster.weights(), [90, 10]);
}

#[tokio::test]
async fn what_changed_meanwhile_is_shown_and_not_overwritten() {
    let console = Running::start(json!({})).await;
    let canary = console.canary().await;
    console.cluster.set_weights([70, 30]);
    let edit =
        json!({"object": canary["object"], "routeIndex": 0, "weights": [50, 50], "revision": canary["revision"]});
    let (status, conflict) = console.send(Method::POST, "/api/v1/canaries/apply", Some(WRITER), Some(&edit)).await;
    assert_eq!((status, &conflict["type"]), (409, &json!("conflict")), "{conflict}");
    assert_eq!(console.cluster.weights(), [70, 30]);
}

#[tokio::test]
async fn what_gitops_owns_gets_a_patch_to_commit() {
    let console =
        Running::start(json!({"argocd.argoproj.io/tracking-id": "shop:networking.istio.io/VirtualService:shop/order"}))
            .await;
    let (status, preview) = console.edit("preview", json!([50, 50]), Some(WRITER)).await;
    assert_eq!((status, &preview["command"]), (200, &json!("")), "what would be taken back is not offered: {preview}");
    assert!(preview["diff"].as_str().unwrap().contains("+"), "{preview}");
    let (status, managed) = console.edit("apply", json!([50, 50]), Some(WRITER)).await;
    assert_eq!((status, &managed["type"]), (409, &json!("managed")), "{managed}");
    assert!(managed["title"].as_str().unwrap().contains("Argo CD (application shop)"), "{managed}");
    assert!(managed["patch"].as_str().unwrap().contains("+"), "{managed}");
    assert_eq!(console.cluster.weights(), [90, 10]);
}

#[tokio::test]
async fn one_learns_who_one_is_and_what_one_may() {
    let console = Running::start(json!({})).await;
    assert_eq!(console.get("/api/v1/who", None).await.0, 401);
    assert_eq!(console.get("/api/v1/who", Some("nonsense")).await.1["type"], "bad-token");
    let (status, who) = console.get("/api/v1/who", Some(READER)).await;
    assert_eq!((status, &who["user"]), (200, &json!("reader")), "{who}");
    assert_eq!(who["rights"], json!([{"namespace": "shop", "allowed": false, "reason": "no role allows it"}]));
    let (_, who) = console.get("/api/v1/who", Some(WRITER)).await;
    assert_eq!(who["rights"][0]["allowed"], true);
    // An object is shown as the API server has it.
    let query = "apiVersion=networking.istio.io/v1&kind=VirtualService&namespace=shop&name=order";
    let (status, object) = console.get(&format!("/api/v1/config/object?{query}"), None).await;
    assert_eq!(status, 200, "{object}");
    assert!(object["yaml"].as_str().unwrap().contains("weight: 90"), "{object}");
}
