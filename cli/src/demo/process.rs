//! The demo's processes: what each is started with, and how all are stopped.

use std::{
    ffi::OsString,
    fs::File,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use anyhow::Context;
use tokio::process::{Child, Command};
use weft_runtime::StartupError;

use super::{
    directory::{Directory, write_private},
    plan::{Instance, Plan, ProxyRole},
};

/// Which program a process runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// `weft-operator`
    Operator,
    /// `weft-proxy`
    Proxy,
    /// `weft-console`
    Console,
    /// `weft-demo-app`
    App,
    /// `prometheus`
    Prometheus,
}

/// A join token that a process needs each time it starts.
#[derive(Clone)]
pub struct TokenFor {
    namespace: &'static str,
    service_account: &'static str,
    file: PathBuf,
}

/// How to start one process.
#[derive(Clone)]
pub struct Spec {
    /// `namespace/name` of the workload it belongs to; the program's own name otherwise.
    pub workload: String,
    /// `operator`, `proxy`, `app`, `load`, `prometheus` or `console`.
    pub role: &'static str,
    program: Program,
    args: Vec<OsString>,
    token: Option<TokenFor>,
}

/// Where the programs are.
pub struct Programs {
    dir: PathBuf,
    prometheus: PathBuf,
    weft: PathBuf,
}

impl Programs {
    /// Weft's own programs lie beside this one; Prometheus is looked up on the PATH.
    pub fn find() -> anyhow::Result<Self> {
        let weft = std::env::current_exe().context("cannot tell where this program is")?;
        let dir = weft.parent().map(Path::to_path_buf).unwrap_or_default();
        for name in ["weft-operator", "weft-proxy", "weft-console", "weft-demo-app"] {
            if !dir.join(name).is_file() {
                return Err(StartupError::new(
                    format!("cannot find {name}"),
                    format!("it is not in {}", dir.display()),
                    "build all of Weft with make demo or cargo build",
                )
                .into());
            }
        }
        let prometheus = std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())
            .map(|dir| dir.join("prometheus"))
            .find(|path| path.is_file())
            .ok_or_else(|| {
                StartupError::new(
                    "cannot find prometheus",
                    "it is not on the PATH",
                    "run scripts/bootstrap, or install Debian's package prometheus",
                )
            })?;
        Ok(Self { dir, prometheus, weft })
    }

    fn path(&self, program: Program) -> PathBuf {
        match program {
            Program::Operator => self.dir.join("weft-operator"),
            Program::Proxy => self.dir.join("weft-proxy"),
            Program::Console => self.dir.join("weft-console"),
            Program::App => self.dir.join("weft-demo-app"),
            Program::Prometheus => self.prometheus.clone(),
        }
    }
}

fn spec(workload: impl Into<String>, role: &'static str, program: Program, args: Vec<OsString>) -> Spec {
    Spec { workload: workload.into(), role, program, args, token: None }
}

/// `["--flag", value]` pairs as arguments.
macro_rules! args {
    ($($arg:expr),* $(,)?) => { vec![$(OsString::from(&*$arg)),*] };
}

/// The operator on the demo's directory.
pub fn operator(plan: &Plan, directory: &Directory, cert_ttl: &str) -> Spec {
    let args = args![
        "--config-dir",
        directory.manifests().as_os_str(),
        "--state-dir",
        directory.state().as_os_str(),
        "--listen",
        plan.control_plane().to_string(),
        "--admin",
        plan.operator_admin().to_string(),
        "--cert-ttl",
        cert_ttl,
    ];
    spec("weft-operator", "operator", Program::Operator, args)
}

/// Prometheus, scraping operator and proxies.
pub fn prometheus(plan: &Plan, directory: &Directory) -> Spec {
    let dir = directory.prometheus();
    let args = args![
        format!("--config.file={}", dir.join("prometheus.yml").display()),
        format!("--storage.tsdb.path={}", dir.join("data").display()),
        format!("--web.listen-address={}", plan.prometheus()),
        "--storage.tsdb.retention.time=6h",
        "--log.level=warn",
    ];
    spec("prometheus", "prometheus", Program::Prometheus, args)
}

/// What Prometheus scrapes, every second so that the page is live.
pub fn scrape_config(plan: &Plan) -> String {
    let targets: Vec<_> = plan
        .instances
        .iter()
        .filter(|instance| instance.proxy.is_some())
        .map(|instance| format!("'{}'", plan.metrics(instance)))
        .collect();
    format!(
        "global:\n  scrape_interval: 1s\n  scrape_timeout: 1s\nscrape_configs:\n  - job_name: weft-proxy\n    metrics_path: /stats/prometheus\n    \
         static_configs: [{{targets: [{}]}}]\n  - job_name: weft-operator\n    static_configs: [{{targets: ['{}']}}]\n",
        targets.join(", "),
        plan.operator_admin(),
    )
}

/// One instance's application.
pub fn app(plan: &Plan, instance: &Instance) -> Option<Spec> {
    let flags = instance.app?;
    let mut args =
        args!["serve", "--listen", plan.app(instance).to_string(), "--egress", plan.egress(instance).to_string()];
    args.extend(flags.iter().map(OsString::from));
    Some(spec(format!("{}/{}", instance.namespace, instance.name), "app", Program::App, args))
}

/// One instance's proxy.
pub fn proxy(plan: &Plan, directory: &Directory, instance: &Instance) -> Spec {
    let file = directory.tokens().join(instance.name);
    let role = if instance.proxy == Some(ProxyRole::Gateway) { "gateway" } else { "sidecar" };
    let args = args![
        "--control-plane",
        plan.control_plane().to_string(),
        "--workload",
        instance.name,
        "--namespace",
        instance.namespace,
        "--service-account",
        instance.service_account,
        "--address",
        plan.ip(instance.host).to_string(),
        "--role",
        role,
        "--join-token-file",
        file.as_os_str(),
        "--otlp-endpoint",
        format!("http://{}", plan.console()),
        "--access-log",
        directory.logs().join(format!("{}.access.json", instance.name)).as_os_str(),
    ];
    let mut spec = spec(format!("{}/{}", instance.namespace, instance.name), "proxy", Program::Proxy, args);
    spec.token = Some(TokenFor { namespace: instance.namespace, service_account: instance.service_account, file });
    spec
}

/// The console.
pub fn console(plan: &Plan, directory: &Directory, assets: &Path) -> Spec {
    let args = args![
        "--config-dir",
        directory.manifests().as_os_str(),
        "--listen",
        plan.console().to_string(),
        "--prometheus",
        format!("http://{}", plan.prometheus()),
        "--operator-admin",
        format!("http://{}", plan.operator_admin()),
        "--data-dir",
        directory.console().as_os_str(),
        "--assets",
        assets.as_os_str(),
    ];
    spec("weft-console", "console", Program::Console, args)
}

/// Shoppers at the gateway; every twentieth is a tester.
pub fn load(plan: &Plan, rate: f64) -> Spec {
    let args = args![
        "call",
        "--url",
        format!("http://{}/", plan.gateway_http()),
        "--host",
        "shop.example.com",
        "--rate",
        rate.to_string(),
        "--tester-every",
        "20",
    ];
    spec("load-generator", "load", Program::App, args)
}

/// legacy-billing calls payment-service from its own address, in plaintext.
pub fn legacy(plan: &Plan) -> Spec {
    let args = args![
        "call",
        "--url",
        format!("http://{}/invoice", plan.payment()),
        "--host",
        "payment-service:8080",
        "--rate",
        "3",
        "--local-address",
        plan.ip(17).to_string(),
    ];
    spec("shop/legacy-billing", "app", Program::App, args)
}

struct Running {
    spec: Spec,
    child: Child,
    log: PathBuf,
    /// Restarts so far; a process that keeps ending is not started for ever.
    restarts: u32,
}

/// Starts, watches and stops processes. Dropping it kills what still runs.
pub struct Supervisor {
    programs: Programs,
    logs: PathBuf,
    running: Vec<Running>,
}

const RESTARTS: u32 = 20;
const RESTART_AFTER: Duration = Duration::from_secs(1);
const STOP_PATIENCE: Duration = Duration::from_secs(10);

impl Supervisor {
    /// Nothing runs yet.
    pub fn new(programs: Programs, logs: PathBuf) -> Self {
        Self { programs, logs, running: Vec::new() }
    }

    /// Where the processes' logs are.
    pub fn logs(&self) -> &Path {
        &self.logs
    }

    /// What runs, with process ids.
    pub fn running(&self) -> impl Iterator<Item = (&Spec, u32)> {
        self.running.iter().filter_map(|running| Some((&running.spec, running.child.id()?)))
    }

    /// Starts one process.
    pub async fn spawn(&mut self, spec: Spec, directory: &Directory) -> anyhow::Result<()> {
        let (child, log) = self.start(&spec, directory).await?;
        self.running.push(Running { spec, child, log, restarts: 0 });
        Ok(())
    }

    async fn start(&self, spec: &Spec, directory: &Directory) -> anyhow::Result<(Child, PathBuf)> {
        if let Some(token) = &spec.token {
            write_private(&token.file, &self.join_token(token, directory).await?)?;
        }
        let name = format!("{}.{}.log", spec.workload.replace('/', "."), spec.role);
        let log = self.logs.join(name);
        let output = File::options().create(true).append(true).open(&log)?;
        let program = self.programs.path(spec.program);
        let mut command = Command::new(&program);
        command.args(&spec.args).stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output).kill_on_drop(true);
        // A group of its own, so that Ctrl-C reaches only the demo, which then stops everything in order.
        command.process_group(0);
        die_with_parent(&mut command);
        let child = command.spawn().with_context(|| format!("cannot start {}", program.display()))?;
        Ok((child, log))
    }

    async fn join_token(&self, token: &TokenFor, directory: &Directory) -> anyhow::Result<Vec<u8>> {
        let output = Command::new(&self.programs.weft)
            .args(["ca", "token", "create", "--uses", "3", "--ttl", "10m", "--namespace", token.namespace])
            .args(["--service-account", token.service_account])
            .arg("--state-dir")
            .arg(directory.state())
            .output()
            .await?;
        anyhow::ensure!(
            output.status.success(),
            "cannot make a join token: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
        Ok(output.stdout)
    }

    /// Whether all that was started still runs; an error with the last words of the one that does not.
    pub fn check(&mut self) -> anyhow::Result<()> {
        for running in &mut self.running {
            if let Some(status) = running.child.try_wait()? {
                return Err(ended(running, status));
            }
        }
        Ok(())
    }

    /// Watches for processes that end, and starts them again as a kubelet would. Returns only when one keeps ending.
    pub async fn watch(&mut self, directory: &Directory, say: &impl Fn(&str)) -> anyhow::Error {
        loop {
            tokio::time::sleep(RESTART_AFTER).await;
            for index in 0..self.running.len() {
                let running = &mut self.running[index];
                let status = match running.child.try_wait() {
                    Ok(None) => continue,
                    Ok(Some(status)) => status,
                    Err(error) => return error.into(),
                };
                if running.restarts == RESTARTS {
                    return ended(running, status);
                }
                let spec = running.spec.clone();
                say(&format!("{} ({}) ended with {status}; starting it again.", spec.workload, spec.role));
                match self.start(&spec, directory).await {
                    Ok((child, _)) => self.running[index].child = child,
                    // The operator may be away, without which there is no token: try again next time.
                    Err(error) => say(&format!("{} ({}): {error:#}", spec.workload, spec.role)),
                }
                self.running[index].restarts += 1;
            }
        }
    }

    /// Asks everything to stop, last started first, and kills what has not after ten seconds.
    pub async fn stop(&mut self) {
        for running in self.running.iter().rev() {
            if let Some(pid) = running.child.id() {
                terminate(pid);
            }
        }
        let all = async {
            for running in &mut self.running {
                // An error means that it is gone already.
                drop(running.child.wait().await);
            }
        };
        if tokio::time::timeout(STOP_PATIENCE, all).await.is_err() {
            for running in &mut self.running {
                drop(running.child.kill().await);
            }
        }
    }
}

fn ended(running: &Running, status: ExitStatus) -> anyhow::Error {
    let log = std::fs::read_to_string(&running.log).unwrap_or_default();
    let last = log.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("no output").to_owned();
    let who = format!("{} ({}) ended with {status}", running.spec.workload, running.spec.role);
    StartupError::new(who, last, format!("its log: {}", running.log.display())).into()
}

/// Asks the kernel to kill the child when the demo dies without having stopped it, by SIGKILL for example.
#[allow(unsafe_code)]
fn die_with_parent(command: &mut Command) {
    #[cfg(target_os = "linux")]
    // SAFETY: between fork and exec only prctl is called, which is async-signal-safe and touches no memory of ours.
    unsafe {
        command.pre_exec(|| {
            if libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) == -1 {
                return Err(std::io::Error::last_os_error());
            }
            Ok(())
        });
    }
}

#[allow(unsafe_code)]
fn terminate(pid: u32) {
    let Ok(pid) = libc::pid_t::try_from(pid) else { return };
    // SAFETY: kill takes two integers; the child has not been waited for, so its id is still its own.
    unsafe { libc::kill(pid, libc::SIGTERM) };
}
