//! A real Kubernetes of one node, started once for a run of the suite: etcd, API server, controllers, scheduler, kubelet,
//! kube-proxy, CoreDNS and containerd, in namespaces of their own with addresses of their own. [`Cluster::get`] starts it;
//! it goes when the process ends, and what a crash leaves of files and control groups the next one removes.

mod address;
mod cgroup;
mod command;
mod credentials;
mod daemon;
pub mod forward;
mod images;
mod look;
mod machine;
pub mod mesh;
mod namespace;
mod network;
mod node;
pub mod object;
mod parts;
mod programs;
mod sandbox;
pub mod shop;
mod slot;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::OnceLock,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

use self::{
    address::Addresses, credentials::Credentials, daemon::Daemon, programs::Programs, sandbox::Sandbox, slot::Slot,
};
pub use self::{machine::Machine, namespace::TestNamespace};
use crate::process::tool;

/// A running cluster.
pub struct Cluster {
    slot: Slot,
    sandbox: Sandbox,
    programs: Programs,
    daemons: Vec<Daemon>,
}

/// How long each part has to come up.
const LIMIT: Duration = Duration::from_secs(90);

static CLUSTER: OnceLock<Result<Cluster, String>> = OnceLock::new();

impl Cluster {
    /// The run's cluster, started when nobody asked before. `None` on a machine that cannot run one, after saying so on
    /// standard error; where `CI` is set that is a failure.
    pub async fn get() -> Option<&'static Cluster> {
        if let Some(reason) = unable() {
            assert!(std::env::var_os("CI").is_none(), "no Kubernetes cluster here: {reason}");
            slot::say(&format!("SKIPPED: no Kubernetes cluster here: {reason}"));
            return None;
        }
        let started = tokio::task::spawn_blocking(|| {
            CLUSTER.get_or_init(|| {
                slot::at_exit(|| {
                    if let Some(Ok(cluster)) = CLUSTER.get() {
                        cluster.tear_down();
                    }
                });
                Self::start().map_err(|error| format!("{error:#}"))
            })
        });
        match started.await.expect("the cluster's start does not panic") {
            Ok(cluster) => Some(cluster),
            Err(reason) => panic!("the Kubernetes cluster did not start: {reason}"),
        }
    }

    /// Starts one. Blocks until pods can run.
    pub fn start() -> Result<Self> {
        let programs = Programs::ready()?;
        let archives = images::build("--test")?;
        Self::start_with(programs, |cluster| cluster.bring_up(&archives))
    }

    /// Starts the API server alone, for objects that nothing acts on: no pod runs, no Service leads anywhere, and there is
    /// room for thousands of them. It begins with the objects that [`Self::keep_objects`] put into `objects`, if there are
    /// any. Blocks until it answers.
    pub fn start_api_server(objects: Option<&Path>) -> Result<Self> {
        Self::start_with(Programs::ready()?, |cluster| cluster.bring_up_api_server(objects))
    }

    /// Copies every object into the folder `objects`, which must not be there yet; the API server is away meanwhile.
    pub fn keep_objects(&self, objects: &Path) -> Result<()> {
        self.stop("kube-apiserver");
        self.stop("etcd");
        // Whole or not at all: an interrupted copy is not taken for one, and two runs do not mix theirs.
        let partial = objects.with_extension(format!("partial-{}", std::process::id()));
        let kept = copy(&parts::etcd_data(self.dir()), &partial)
            .and_then(|()| fs::rename(&partial, objects).context("cannot rename the copy"));
        self.resume("etcd");
        self.resume("kube-apiserver");
        self.wait_for_api_server()?;
        kept
    }

    fn start_with(programs: Programs, bring_up: impl FnOnce(&mut Self) -> Result<()>) -> Result<Self> {
        let slot = Slot::claim()?;
        let sandbox = Sandbox::start(slot.dir())?;
        let mut cluster = Self { slot, sandbox, programs, daemons: Vec::new() };
        match bring_up(&mut cluster) {
            Ok(()) => Ok(cluster),
            Err(error) => {
                let ended: Vec<_> = cluster.daemons.iter().filter_map(Daemon::ended).collect();
                cluster.tear_down();
                Err(error.context(ended.join("\n")))
            }
        }
    }

    fn bring_up(&mut self, archives: &[PathBuf]) -> Result<()> {
        let addresses = self.addresses();
        network::connect(addresses, &self.sandbox)?;
        cgroup::make(&self.slot.name())?;
        node::write(self.dir(), addresses, &self.slot.name())?;
        let credentials = Credentials::make(self.dir(), addresses)?;
        credentials.kubeconfig(&self.kubeconfig(), addresses)?;
        let (dir, kubeconfig) = (self.dir().to_owned(), self.kubeconfig());

        self.daemon("containerd", tool("containerd", "containerd"), parts::containerd(&dir))?;
        self.daemon("etcd", self.programs.etcd(), parts::etcd(&dir))?;
        self.kubernetes("kube-apiserver", parts::api_server(&credentials, addresses, &addresses.services().join(",")))?;
        self.wait("containerd", || images::answers(self))?;
        for archive in archives {
            self.import(archive)?;
        }
        self.wait_for_api_server()?;
        self.kubernetes("kube-controller-manager", parts::controller_manager(&credentials, &kubeconfig, addresses))?;
        self.kubernetes("kube-scheduler", parts::scheduler(&kubeconfig))?;
        self.kubernetes("kubelet", parts::kubelet(&dir, &kubeconfig, addresses))?;
        self.kubernetes("kube-proxy", parts::proxy(&kubeconfig, addresses))?;
        self.daemon("dns", self.programs.kubernetes("dns"), parts::dns(&dir, &kubeconfig, addresses)?)?;
        self.kubectl_now(&["apply", "-f", "-"], Some(&object::dns_service(addresses)))?;
        self.wait("kube-controller-manager", || {
            self.kubectl_now(&["get", "serviceaccount", "default"], None).map(drop)
        })?;
        self.wait("kubelet", || {
            self.kubectl_now(&["wait", "node", node::NAME, "--for=condition=Ready", "--timeout=1s"], None).map(drop)
        })?;
        let dns = (addresses.node(), 53).into();
        let second = Duration::from_secs(1);
        self.wait("dns", || std::net::TcpStream::connect_timeout(&dns, second).map(drop).context("port 53"))
    }

    fn bring_up_api_server(&mut self, objects: Option<&Path>) -> Result<()> {
        let addresses = self.addresses();
        network::connect(addresses, &self.sandbox)?;
        let credentials = Credentials::make(self.dir(), addresses)?;
        credentials.kubeconfig(&self.kubeconfig(), addresses)?;
        if let Some(objects) = objects {
            copy(objects, &parts::etcd_data(self.dir()))?;
        }
        self.daemon("etcd", self.programs.etcd(), parts::etcd(self.slot.dir()))?;
        self.kubernetes("kube-apiserver", parts::api_server(&credentials, addresses, address::MANY_SERVICES))?;
        self.wait_for_api_server()
    }

    fn wait_for_api_server(&self) -> Result<()> {
        self.wait("kube-apiserver", || self.kubectl_now(&["get", "--raw", "/readyz"], None).map(drop))
    }

    fn kubernetes(&mut self, name: &'static str, args: Vec<String>) -> Result<()> {
        self.daemon(name, self.programs.kubernetes(name), args)
    }

    fn daemon(&mut self, name: &'static str, program: PathBuf, args: Vec<String>) -> Result<()> {
        let daemon = Daemon::start(&self.sandbox, name, program, args, self.slot.dir())?;
        self.daemons.push(daemon);
        Ok(())
    }

    /// Waits until `ready`; an error as soon as a program has ended, or with the last words of `name` after the limit.
    fn wait(&self, name: &str, ready: impl Fn() -> Result<()>) -> Result<()> {
        let started = Instant::now();
        while let Err(error) = ready() {
            if let Some(ended) = self.daemons.iter().find_map(Daemon::ended) {
                bail!("{ended}");
            }
            if started.elapsed() > LIMIT {
                let words = self.daemons.iter().find(|daemon| daemon.name() == name).map(Daemon::last_words);
                return Err(error)
                    .context(format!("{name} is not ready after {LIMIT:?}:\n{}", words.unwrap_or_default()));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// Takes a program away, such as `kube-apiserver`, until [`Self::resume`].
    pub fn stop(&self, name: &str) {
        self.part(name).stop(Duration::from_secs(10));
    }

    /// Starts a program that [`Self::stop`] took away.
    pub fn resume(&self, name: &str) {
        self.part(name).resume(&self.sandbox).expect("it has run before");
    }

    fn part(&self, name: &str) -> &Daemon {
        self.daemons.iter().find(|daemon| daemon.name() == name).expect("the name of a part of the cluster")
    }

    /// Where everything of the cluster is kept, logs included.
    pub fn dir(&self) -> &Path {
        self.slot.dir()
    }

    /// The administrator's kubeconfig.
    pub fn kubeconfig(&self) -> PathBuf {
        self.dir().join("kubeconfig")
    }

    /// The `kubectl` of the cluster's version.
    pub fn kubectl_program(&self) -> PathBuf {
        self.programs.kubernetes("kubectl")
    }

    /// The machine's own address as pods see it: something outside of the mesh. Its DNS name is `outside.test`.
    pub fn outside(&self) -> std::net::Ipv4Addr {
        self.addresses().host()
    }

    fn addresses(&self) -> Addresses {
        self.slot.addresses()
    }

    /// Ends everything and removes what is left of it.
    pub fn tear_down(&self) {
        self.sandbox.end();
        self.slot.clean();
    }
}

/// Copies a folder with all below.
fn copy(from: &Path, to: &Path) -> Result<()> {
    let output = std::process::Command::new("cp").arg("-a").args([from, to]).output().context("cannot start cp")?;
    sandbox::checked(&format!("cp -a {} {}", from.display(), to.display()), output).map(drop)
}

/// Why this machine cannot run a cluster.
pub fn unable() -> Option<String> {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().to_owned();
    if line("Uid:").split_whitespace().nth(1) != Some("0") {
        return Some("the kubelet needs root; run make test as root, or in CI".into());
    }
    // CAP_NET_ADMIN is bit 12, CAP_SYS_ADMIN bit 21.
    let capabilities = u64::from_str_radix(line("CapEff:").trim(), 16).unwrap_or_default();
    if capabilities >> 12 & capabilities >> 21 & 1 == 0 {
        return Some("this root may not administer networks and mounts (CAP_NET_ADMIN, CAP_SYS_ADMIN)".into());
    }
    None
}
