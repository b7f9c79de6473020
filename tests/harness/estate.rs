//! A standalone mesh of a test's own: addresses, directory, operator, proxies, applications.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicU16, Ordering},
    time::Duration,
};

use serde_json::Value;
use tokio::net::TcpStream;
use weft_model::sync::{ObjectAck, ProxySync};

use crate::{
    http::get,
    process::{Process, program},
    prometheus::Prometheus,
    wait::{ensure, until},
};

/// One workload instance of an estate.
#[derive(Clone, Debug)]
pub struct Workload {
    /// Namespace.
    pub namespace: String,
    /// WorkloadEntry name.
    pub name: String,
    /// `app` label, service account and Service name.
    pub app: String,
    /// `version` label.
    pub version: String,
    /// Whether it has a proxy.
    pub proxy: bool,
    /// Whether it is an ingress gateway (no application).
    pub gateway: bool,
    /// Further flags of the demo application.
    pub app_flags: Vec<String>,
    /// Whether an application runs behind it.
    pub serves: bool,
    /// Ports beside HTTP on 8080: (name, number). The name tells the protocol; the application's is 1000 above.
    pub ports: Vec<(String, u16)>,
    /// Further egress listeners: (port name, hosts as a Sidecar writes them, port).
    pub calls: Vec<(String, String, u16)>,
}

impl Workload {
    /// A service with a proxy, called `app`, in version `v1`.
    pub fn new(namespace: &str, app: &str) -> Self {
        Self {
            namespace: namespace.into(),
            name: app.into(),
            app: app.into(),
            version: "v1".into(),
            proxy: true,
            gateway: false,
            app_flags: Vec::new(),
            serves: true,
            ports: Vec::new(),
            calls: Vec::new(),
        }
    }

    /// Another version of the same service; the workload is then called `<app>-<version>`.
    pub fn version(mut self, version: &str) -> Self {
        self.version = version.into();
        self.name = format!("{}-{version}", self.app);
        self
    }

    /// Another name for the instance, so that a version can have several.
    pub fn named(mut self, name: &str) -> Self {
        self.name = name.into();
        self
    }

    /// Without a proxy.
    pub fn unmeshed(mut self) -> Self {
        self.proxy = false;
        self
    }

    /// Only calls others: no application behind it, the test itself dials its egress address.
    pub fn client(mut self) -> Self {
        self.serves = false;
        self
    }

    /// A further port; the test itself listens 1000 above it on the instance's address.
    pub fn port(mut self, name: &str, number: u16) -> Self {
        self.ports.push((name.into(), number));
        self
    }

    /// Calls `host` (`namespace/name` or `*/*`) on a further port; `name` tells the protocol.
    pub fn calls(mut self, name: &str, host: &str, port: u16) -> Self {
        self.calls.push((name.into(), host.into(), port));
        self
    }

    /// An ingress gateway with the label `istio: ingressgateway`.
    pub fn ingress(namespace: &str) -> Self {
        Self { gateway: true, serves: false, ..Self::new(namespace, "istio-ingressgateway") }
    }

    /// A flag of the demo application, such as `--fail-every=10`.
    pub fn flag(mut self, flag: &str) -> Self {
        self.app_flags.push(flag.into());
        self
    }
}

/// A running mesh.
pub struct Estate {
    prefix: [u8; 2],
    _claim: TcpListener,
    dir: tempfile::TempDir,
    cert_ttl: String,
    operator: Option<Process>,
    proxies: BTreeMap<String, Process>,
    apps: BTreeMap<String, Process>,
    workloads: Vec<Workload>,
    prometheus: Option<Prometheus>,
}

const START: Duration = Duration::from_secs(30);
const CLAIM_PORT: u16 = 65_001;
/// Last bytes of instances: the first is 10, their egress addresses are 100 above.
const FIRST_HOST: u8 = 10;

/// Claims a /24 of 127.0.0.0/8 that no other test and no demo uses.
fn claim() -> ([u8; 2], TcpListener) {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = (std::process::id() % 8000) as u16;
    loop {
        let number = (start + NEXT.fetch_add(1, Ordering::Relaxed)) % 8000;
        // 127.1.x to 127.3.x are below any demo's (its first byte is a port's, at least 4).
        let prefix = [1 + (number / 250 % 3) as u8, 1 + (number % 250) as u8];
        if let Ok(listener) = TcpListener::bind((Ipv4Addr::new(127, prefix[0], prefix[1], 1), CLAIM_PORT)) {
            return (prefix, listener);
        }
    }
}

impl Estate {
    /// Starts a mesh with these workloads; `manifests` are further objects by file name.
    pub async fn start(workloads: Vec<Workload>, manifests: &[(&str, &str)]) -> Self {
        Self::start_with(workloads, manifests, "24h").await
    }

    /// The same with another lifetime of certificates (at least 60s).
    pub async fn start_with(workloads: Vec<Workload>, manifests: &[(&str, &str)], cert_ttl: &str) -> Self {
        let (prefix, claim) = claim();
        let mut estate = Self {
            prefix,
            _claim: claim,
            dir: tempfile::Builder::new().prefix("weft-test-").tempdir().expect("temporary directory"),
            cert_ttl: cert_ttl.into(),
            operator: None,
            proxies: BTreeMap::new(),
            apps: BTreeMap::new(),
            workloads,
            prometheus: None,
        };
        for name in ["config", "state", "logs", "prometheus"] {
            std::fs::create_dir(estate.path(name)).expect("directory");
        }
        estate.write("workloads.yaml", &estate.workload_yaml());
        for (name, text) in manifests {
            estate.write(name, text);
        }
        estate.start_operator().await;
        for index in 0..estate.workloads.len() {
            estate.start_app(index);
            estate.start_proxy(index);
        }
        estate.ready().await;
        estate
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The directory of manifests.
    pub fn config_dir(&self) -> PathBuf {
        self.path("config")
    }

    /// Logs of all processes, and the proxies' access logs.
    pub fn logs(&self) -> PathBuf {
        self.path("logs")
    }

    /// Writes a manifest as an editor does: whole, then renamed into place.
    pub fn write(&self, name: &str, text: &str) {
        let target = self.config_dir().join(name);
        let temporary = self.dir.path().join(format!("{name}.new"));
        std::fs::write(&temporary, text).expect("manifest");
        std::fs::rename(temporary, target).expect("manifest");
    }

    /// Removes a manifest.
    pub fn remove(&self, name: &str) {
        std::fs::remove_file(self.config_dir().join(name)).expect("manifest");
    }

    fn ip(&self, host: u8) -> Ipv4Addr {
        Ipv4Addr::new(127, self.prefix[0], self.prefix[1], host)
    }

    fn host(&self, name: &str) -> u8 {
        let index =
            self.workloads.iter().position(|workload| format!("{}/{}", workload.namespace, workload.name) == name);
        FIRST_HOST + index.unwrap_or_else(|| panic!("no workload {name}")) as u8
    }

    /// An instance's address with a port, by `namespace/name`.
    pub fn at(&self, name: &str, port: u16) -> SocketAddr {
        (self.ip(self.host(name)), port).into()
    }

    /// Where an instance's application dials what it calls, by `namespace/name`.
    pub fn egress(&self, name: &str) -> SocketAddr {
        (self.ip(self.host(name) + 100), 8080).into()
    }

    /// The operator's admin address.
    pub fn operator_admin(&self) -> SocketAddr {
        (self.ip(2), weft_model::ports::CONTROL_PLANE_ADMIN).into()
    }

    /// An address that nothing of the mesh uses, to dial from or to bind.
    pub fn stranger(&self) -> Ipv4Addr {
        self.ip(250)
    }

    fn workload_yaml(&self) -> String {
        let mut text = String::new();
        let mut services: Vec<(&str, &str)> = Vec::new();
        for workload in &self.workloads {
            let ip = self.ip(self.host(&format!("{}/{}", workload.namespace, workload.name)));
            let Workload { namespace, name, app, version, .. } = workload;
            if !services.contains(&(namespace, app)) && (workload.serves || workload.gateway) {
                services.push((namespace, app));
                let ports = if workload.gateway {
                    "[{name: http, port: 80, targetPort: 8080}, {name: https, port: 443, targetPort: 8443}]".to_owned()
                } else {
                    let further = workload.ports.iter().map(|(name, port)| format!(", {{name: {name}, port: {port}}}"));
                    format!("[{{name: http, port: 8080, targetPort: 8080}}{}]", further.collect::<String>())
                };
                writeln!(
                    text,
                    "apiVersion: v1\nkind: Service\nmetadata: {{name: {app}, namespace: {namespace}}}\n\
                     spec: {{selector: {{app: {app}}}, ports: {ports}}}\n---"
                )
                .expect("text");
            }
            let tls = if workload.proxy { ", security.istio.io/tlsMode: istio" } else { "" };
            let gateway = if workload.gateway { ", istio: ingressgateway" } else { "" };
            writeln!(
                text,
                "apiVersion: networking.istio.io/v1\nkind: WorkloadEntry\nmetadata: {{name: {name}, namespace: {namespace}}}\n\
                 spec: {{address: {ip}, serviceAccount: {app}, labels: {{app: {app}, version: {version}, instance: {name}{tls}{gateway}}}}}\n---"
            )
            .expect("text");
            if workload.proxy && !workload.gateway {
                let egress = self.ip(self.host(&format!("{namespace}/{name}")) + 100);
                let listen = |port: u16, name: &str| {
                    match name.split('-').next() {
                        Some(protocol @ ("http" | "grpc" | "tcp")) => {
                            format!("port: {{number: {port}, protocol: {}, name: {name}}}", protocol.to_uppercase())
                        }
                        // Left undeclared, to be found out by looking.
                        _ => format!("port: {{number: {port}, name: {name}}}"),
                    }
                };
                let mut ingress =
                    format!("{{{}, defaultEndpoint: '0.0.0.0:9080', captureMode: NONE}}", listen(8080, "http"));
                for (name, port) in &workload.ports {
                    let endpoint = port + 1000;
                    write!(
                        ingress,
                        ", {{{}, defaultEndpoint: '0.0.0.0:{endpoint}', captureMode: NONE}}",
                        listen(*port, name)
                    )
                    .expect("text");
                }
                let mut calls =
                    format!("{{{}, bind: {egress}, captureMode: NONE, hosts: ['*/*']}}", listen(8080, "http"));
                for (name, host, port) in &workload.calls {
                    write!(
                        calls,
                        ", {{{}, bind: {egress}, captureMode: NONE, hosts: ['{host}']}}",
                        listen(*port, name)
                    )
                    .expect("text");
                }
                writeln!(
                    text,
                    "apiVersion: networking.istio.io/v1\nkind: Sidecar\nmetadata: {{name: {name}, namespace: {namespace}}}\n\
                     spec:\n  workloadSelector: {{labels: {{instance: {name}}}}}\n  ingress: [{ingress}]\n  egress: [{calls}]\n---"
                )
                .expect("text");
            }
        }
        text
    }

    /// Starts the operator (again).
    pub async fn start_operator(&mut self) {
        let args = [
            "--config-dir".into(),
            self.config_dir().into_os_string(),
            "--state-dir".into(),
            self.path("state").into_os_string(),
            "--listen".into(),
            format!("{}:15012", self.ip(2)).into(),
            "--admin".into(),
            self.operator_admin().to_string().into(),
            "--cert-ttl".into(),
            self.cert_ttl.clone().into(),
        ];
        self.operator = Some(Process::start("operator", &program("weft-operator"), args, &self.logs()));
        let admin = self.operator_admin();
        let operator = self.operator.as_mut().expect("just started");
        until("the operator is ready", START, || {
            operator.assert_running();
            async move {
                let answer = get(admin, "operator", "/healthz/ready", &[]).await?;
                ensure(answer.status == 200, || format!("{answer:?}"))
            }
        })
        .await;
    }

    /// The operator's process.
    pub fn operator(&mut self) -> &mut Process {
        self.operator.as_mut().expect("the operator was started")
    }

    fn start_app(&mut self, index: usize) {
        let workload = &self.workloads[index];
        if !workload.serves {
            return;
        }
        let name = format!("{}/{}", workload.namespace, workload.name);
        let port = if workload.proxy { 9080 } else { 8080 };
        let mut args = vec![
            "serve".to_owned(),
            format!("--name={}", workload.app),
            format!("--version={}", workload.version),
            format!("--listen={}", self.at(&name, port)),
            format!("--egress={}", self.egress(&name)),
            "--jitter-ms=0".into(),
        ];
        if !workload.app_flags.iter().any(|flag| flag.starts_with("--latency-ms")) {
            args.push("--latency-ms=0".into());
        }
        args.extend(workload.app_flags.iter().cloned());
        let log = format!("{}.{}.app", workload.namespace, workload.name);
        let process = Process::start(&log, &program("weft-demo-app"), args, &self.logs());
        self.apps.insert(name, process);
    }

    fn start_proxy(&mut self, index: usize) {
        let workload = &self.workloads[index];
        if !workload.proxy {
            return;
        }
        let name = format!("{}/{}", workload.namespace, workload.name);
        let token = self.path(&format!("{}.{}.token", workload.namespace, workload.name));
        std::fs::write(&token, join_token(&self.path("state"), &workload.namespace, &workload.app)).expect("token");
        let log = format!("{}.{}.proxy", workload.namespace, workload.name);
        let args = [
            format!("--control-plane={}:15012", self.ip(2)),
            format!("--workload={}", workload.name),
            format!("--namespace={}", workload.namespace),
            format!("--service-account={}", workload.app),
            format!("--address={}", self.ip(self.host(&name))),
            format!("--role={}", if workload.gateway { "gateway" } else { "sidecar" }),
            format!("--join-token-file={}", token.display()),
            format!("--access-log={}", self.logs().join(format!("{log}.access.json")).display()),
        ];
        let process = Process::start(&log, &program("weft-proxy"), args, &self.logs());
        self.proxies.insert(name, process);
    }

    /// Waits until every proxy serves and every application listens.
    async fn ready(&mut self) {
        let readiness: BTreeMap<_, _> =
            self.proxies.keys().map(|name| (name.clone(), self.at(name, weft_model::ports::PROXY_READINESS))).collect();
        for (name, process) in &mut self.proxies {
            let readiness = readiness[name];
            until(&format!("the proxy of {name} is ready"), START, || {
                process.assert_running();
                async move {
                    let answer = get(readiness, "proxy", "/healthz/ready", &[]).await?;
                    ensure(answer.status == 200, || format!("{}: {}", answer.status, answer.text()))
                }
            })
            .await;
        }
        let apps: Vec<_> = self.apps.keys().cloned().collect();
        for name in apps {
            let meshed = self.proxies.contains_key(&name);
            let address = self.at(&name, if meshed { 9080 } else { 8080 });
            until(&format!("the application of {name} listens"), START, || async move {
                TcpStream::connect(address).await.map(drop).map_err(|error| format!("{address}: {error}"))
            })
            .await;
        }
    }

    /// One workload's proxy process.
    pub fn proxy(&mut self, name: &str) -> &mut Process {
        self.proxies.get_mut(name).unwrap_or_else(|| panic!("no proxy {name}"))
    }

    /// One workload's application process.
    pub fn app(&mut self, name: &str) -> &mut Process {
        self.apps.get_mut(name).unwrap_or_else(|| panic!("no application {name}"))
    }

    /// Starts a Prometheus that scrapes all proxies.
    pub async fn start_prometheus(&mut self) -> &Prometheus {
        let targets: Vec<_> = self.proxies.keys().map(|name| self.at(name, weft_model::ports::PROXY_METRICS)).collect();
        let address = (self.ip(3), 9090).into();
        let prometheus = Prometheus::start(address, &targets, &self.path("prometheus")).await;
        self.prometheus.insert(prometheus)
    }

    /// What the operator says about connected proxies.
    pub async fn syncz(&self) -> Result<Vec<ProxySync>, String> {
        let answer = get(self.operator_admin(), "operator", "/debug/syncz", &[]).await?;
        serde_json::from_slice(&answer.body).map_err(|error| format!("{error}: {}", answer.text()))
    }

    /// What the operator says about acknowledged VirtualServices.
    pub async fn acks(&self) -> Result<Vec<ObjectAck>, String> {
        let answer = get(self.operator_admin(), "operator", "/debug/acks", &[]).await?;
        serde_json::from_slice(&answer.body).map_err(|error| format!("{error}: {}", answer.text()))
    }

    /// Access log entries of one workload's proxy so far.
    pub fn access_log(&self, namespace: &str, name: &str) -> Vec<Value> {
        let path = self.logs().join(format!("{namespace}.{name}.proxy.access.json"));
        let text = std::fs::read_to_string(path).unwrap_or_default();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// A proxy's own metrics as text.
    pub async fn metrics(&self, name: &str) -> String {
        let address = self.at(name, weft_model::ports::PROXY_METRICS);
        get(address, "proxy", "/stats/prometheus", &[]).await.expect("metrics").text()
    }
}

impl Drop for Estate {
    fn drop(&mut self) {
        // Proxies first: a proxy that drains while its application is gone would count errors nobody made.
        self.proxies.clear();
        self.apps.clear();
        self.operator = None;
        if std::thread::panicking() && std::env::var_os("WEFT_KEEP").is_some() {
            let kept = std::mem::replace(&mut self.dir, tempfile::tempdir().expect("temporary directory"));
            eprintln!("kept {}", kept.keep().display());
        }
    }
}

/// A fresh join token for a workload.
pub fn join_token(state: &Path, namespace: &str, service_account: &str) -> String {
    let output = Command::new(program("weft"))
        .args(["ca", "token", "create", "--namespace", namespace, "--service-account", service_account, "--state-dir"])
        .arg(state)
        .output()
        .expect("weft ca token create");
    assert!(output.status.success(), "weft ca token create: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("a token is text").trim().to_owned()
}
