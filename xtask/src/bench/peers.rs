//! What is measured: nginx as the origin, and one worker each of HAProxy, Envoy and our proxy in front of it.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};

use super::{ip, process::Process};

/// One path to the origin.
pub struct Peer {
    /// Name in the table.
    pub name: &'static str,
    /// Where wrk connects.
    pub address: SocketAddr,
    /// The proxy's process; `None` for the direct path.
    pub pid: Option<u32>,
    _processes: Vec<Process>,
}

/// One request of a hundred goes to each proxy's access log, as in production. In percent.
const LOGGED: u32 = 1;
const PATIENCE: Duration = Duration::from_secs(20);

impl Peer {
    fn new(name: &'static str, host: u8, process: Process) -> Self {
        Self { name, address: (ip(host), 8080).into(), pid: Some(process.pid()), _processes: vec![process] }
    }

    /// Waits until a request is answered with 200.
    pub fn warm_up(&self) -> anyhow::Result<()> {
        until("no 200", || {
            let mut stream = TcpStream::connect(self.address)?;
            stream.write_all(b"GET /1k HTTP/1.1\r\nhost: origin:8080\r\nconnection: close\r\n\r\n")?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer)?;
            ensure!(answer.starts_with("HTTP/1.1 200"), "{}", answer.lines().next().unwrap_or("nothing"));
            Ok(())
        })
    }
}

fn until(what: &str, mut ready: impl FnMut() -> anyhow::Result<()>) -> anyhow::Result<()> {
    let started = Instant::now();
    loop {
        match ready() {
            Ok(()) => return Ok(()),
            Err(error) if started.elapsed() > PATIENCE => {
                return Err(error.context(format!("{what} after {PATIENCE:?}")));
            }
            Err(_) => std::thread::sleep(Duration::from_millis(50)),
        }
    }
}

fn tool(name: &str) -> PathBuf {
    let sbin = Path::new("/usr/sbin").join(name);
    if sbin.is_file() { sbin } else { PathBuf::from(name) }
}

/// nginx with a 1 KiB answer.
pub fn origin(dir: &Path) -> anyhow::Result<Process> {
    let config = dir.join("nginx.conf");
    let text = format!(
        "daemon off; worker_processes 1; pid {0}/nginx.pid; error_log {0}/nginx.err;\n\
         events {{ worker_connections 4096; }}\n\
         http {{ access_log off; keepalive_requests 100000000; client_body_temp_path {0}; proxy_temp_path {0};\n\
         fastcgi_temp_path {0}; uwsgi_temp_path {0}; scgi_temp_path {0};\n\
         server {{ listen {1}:8080; location / {{ return 200 '{2}'; }} }} }}\n",
        dir.display(),
        ip(20),
        "x".repeat(1024)
    );
    std::fs::write(&config, text)?;
    Process::start("nginx", tool("nginx"), [Path::new("-c"), &config], dir)
}

/// No proxy at all.
pub fn direct() -> Peer {
    Peer { name: "direct", address: (ip(20), 8080).into(), pid: None, _processes: Vec::new() }
}

/// HAProxy in HTTP mode; every hundredth request of its log goes to its standard output.
pub fn haproxy(dir: &Path) -> anyhow::Result<Peer> {
    let config = dir.join("haproxy.cfg");
    let text = format!(
        "global\n  nbthread 1\n  maxconn 4096\n  log stdout format raw sample {logged}:100 local0\ndefaults\n  mode http\n  \
         log global\n  option httplog\n  timeout connect 5s\n  timeout client 30s\n  timeout server 30s\n  \
         option http-keep-alive\n  http-reuse always\n  retries 2\n\
         frontend in\n  bind {}:8080\n  default_backend origin\nbackend origin\n  server origin {}:8080\n",
        ip(3),
        ip(20),
        logged = LOGGED
    );
    std::fs::write(&config, text)?;
    // -db: in the foreground and without a master, so that the process that is measured is the one that works.
    let process = Process::start("haproxy", tool("haproxy"), [Path::new("-db"), Path::new("-f"), &config], dir)?;
    Ok(Peer::new("HAProxy", 3, process))
}

/// Envoy with one route, its retry policy and a sampled access log.
pub fn envoy(dir: &Path) -> anyhow::Result<Peer> {
    let config = dir.join("envoy.json");
    let address =
        |ip: std::net::Ipv4Addr| serde_json::json!({ "socket_address": { "address": ip, "port_value": 8080 } });
    let access_log = serde_json::json!([{
        "name": "envoy.access_loggers.file",
        "filter": { "runtime_filter": {
            "runtime_key": "access_log",
            "percent_sampled": { "numerator": LOGGED, "denominator": "HUNDRED" },
            "use_independent_randomness": true
        } },
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
            "path": dir.join("envoy-access.log")
        }
    }]);
    let json = serde_json::json!({ "static_resources": {
        "listeners": [{ "name": "in", "address": address(ip(4)), "filter_chains": [{ "filters": [{
            "name": "envoy.filters.network.http_connection_manager",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
                "stat_prefix": "in",
                "access_log": access_log,
                "route_config": { "virtual_hosts": [{ "name": "origin", "domains": ["*"], "routes": [{
                    "match": { "prefix": "/" },
                    "route": { "cluster": "origin", "retry_policy": { "retry_on": "connect-failure,refused-stream", "num_retries": 2 } }
                }] }] },
                "http_filters": [{
                    "name": "envoy.filters.http.router",
                    "typed_config": { "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router" }
                }]
            }
        }] }] }],
        "clusters": [{ "name": "origin", "type": "STATIC", "connect_timeout": "5s", "lb_policy": "LEAST_REQUEST",
            "load_assignment": { "cluster_name": "origin", "endpoints": [{ "lb_endpoints": [
                { "endpoint": { "address": address(ip(20)) } }
            ] }] } }]
    } });
    std::fs::write(&config, serde_json::to_vec(&json)?)?;
    let args = [
        Path::new("--concurrency"),
        Path::new("1"),
        Path::new("--base-id"),
        Path::new("777"),
        Path::new("-c"),
        &config,
    ];
    Ok(Peer::new("Envoy", 4, Process::start("envoy", envoy_program()?, args, dir)?))
}

/// The binary that `scripts/bootstrap bench` installed, or the one on the PATH.
fn envoy_program() -> anyhow::Result<PathBuf> {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| std::env::var_os("HOME").map(|home| Path::new(&home).join(".cache")));
    let installed = cache.map(|dir| dir.join("weft/venv/bin/envoy")).filter(|path| path.is_file());
    Ok(installed.unwrap_or_else(|| PathBuf::from("envoy")))
}

/// Our proxy under a real operator: routing, metrics and a sampled access log, as in a mesh.
pub fn weft(dir: &Path) -> anyhow::Result<Peer> {
    let bin = release_dir("weft-proxy")?;
    let (config, state) = (dir.join("config"), dir.join("state"));
    std::fs::create_dir(&config)?;
    std::fs::write(config.join("mesh.yaml"), manifests())?;
    let operator_args = [
        format!("--config-dir={}", config.display()),
        format!("--state-dir={}", state.display()),
        format!("--listen={}:15012", ip(2)),
        format!("--admin={}:15014", ip(2)),
    ];
    let operator = Process::start("operator", bin.join("weft-operator"), operator_args, dir)?;
    until("the operator does not listen", || {
        TcpStream::connect((ip(2), 15014))?;
        Ok(())
    })?;
    let token = Command::new(bin.join("weft"))
        .args(["ca", "token", "create", "--namespace=default", "--service-account=client", "--state-dir"])
        .arg(&state)
        .output()?;
    if !token.status.success() {
        bail!("weft ca token create: {}", String::from_utf8_lossy(&token.stderr));
    }
    let token_file = dir.join("token");
    std::fs::write(&token_file, token.stdout)?;
    let proxy_args = [
        format!("--control-plane={}:15012", ip(2)),
        "--workload=client".into(),
        "--namespace=default".into(),
        "--service-account=client".into(),
        format!("--address={}", ip(10)),
        "--role=sidecar".into(),
        format!("--join-token-file={}", token_file.display()),
        format!("--access-log={}", dir.join("weft-access.log").display()),
        format!("--access-log-sampling={LOGGED}"),
        "--concurrency=1".into(),
    ];
    let proxy = Process::start("proxy", bin.join("weft-proxy"), proxy_args, dir)?;
    let pid = proxy.pid();
    // The proxy first: it is stopped before the operator.
    Ok(Peer { name: "Weft", address: (ip(110), 8080).into(), pid: Some(pid), _processes: vec![proxy, operator] })
}

/// Where the release build of `program` is.
pub fn release_dir(program: &str) -> anyhow::Result<PathBuf> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from);
    let dir = target.join("release");
    ensure!(dir.join(program).is_file(), "{} has no {program}: run make bench", dir.display());
    dir.canonicalize().context("target directory")
}

fn manifests() -> String {
    format!(
        "apiVersion: v1\nkind: Service\nmetadata: {{name: origin}}\nspec: {{selector: {{app: origin}}, ports: [{{name: http, port: 8080}}]}}\n---\n\
         apiVersion: networking.istio.io/v1\nkind: WorkloadEntry\nmetadata: {{name: origin}}\n\
         spec: {{address: {}, serviceAccount: origin, labels: {{app: origin}}}}\n---\n\
         apiVersion: networking.istio.io/v1\nkind: WorkloadEntry\nmetadata: {{name: client}}\n\
         spec: {{address: {}, serviceAccount: client, labels: {{app: client, security.istio.io/tlsMode: istio}}}}\n---\n\
         apiVersion: networking.istio.io/v1\nkind: Sidecar\nmetadata: {{name: client}}\nspec:\n  workloadSelector: {{labels: {{app: client}}}}\n  \
         egress: [{{port: {{number: 8080, protocol: HTTP, name: http}}, bind: {}, captureMode: NONE, hosts: ['./*']}}]\n---\n\
         apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: origin}}\n\
         spec: {{hosts: [origin], http: [{{retries: {{attempts: 2, retryOn: 'connect-failure,refused-stream'}}, route: [{{destination: {{host: origin}}}}]}}]}}\n",
        ip(20),
        ip(10),
        ip(110)
    )
}
