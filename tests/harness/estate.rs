//! A standalone mesh of a test's own: addresses, directory, operator, proxies, applications.

pub(crate) mod address;
mod manifest;
mod observe;
mod workload;

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use tokio::net::TcpStream;

use self::address::claim;
pub use self::workload::Workload;
use crate::{
    http::get,
    process::{Process, program},
    prometheus::Prometheus,
    wait::{ensure, until},
};

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
/// Last bytes of instances: the first is 10, their egress addresses are 100 above.
const FIRST_HOST: u8 = 10;

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

    /// The operator's own directory.
    pub fn state_dir(&self) -> PathBuf {
        self.path("state")
    }

    /// The operator's address for proxies.
    pub fn control_plane(&self) -> SocketAddr {
        (self.ip(2), 15012).into()
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
        std::fs::write(&token, join_token(&self.state_dir(), &workload.namespace, &workload.app)).expect("token");
        let log = format!("{}.{}.proxy", workload.namespace, workload.name);
        let args = [
            format!("--control-plane={}", self.control_plane()),
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
}

impl Drop for Estate {
    fn drop(&mut self) {
        // Nobody looks at it any more: proxies would drain for a second and more, one behind the other.
        let running = self.proxies.values_mut().chain(self.apps.values_mut()).chain(&mut self.operator);
        running.for_each(Process::kill);
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
