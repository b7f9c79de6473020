//! Machines outside of the cluster: each a network namespace of its own beside the node, linked to it, with the real proxy
//! and the demo's application. What `weft vm join` wrote is obeyed as systemd would.

use std::{
    collections::BTreeMap,
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::{
        Mutex,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, Result};

use super::{Cluster, daemon::Daemon, network};
use crate::process::{program, tool};

/// A machine; it goes with this value.
pub struct Machine {
    cluster: &'static Cluster,
    number: u8,
    dir: PathBuf,
    /// The proxy and the applications, by name.
    running: Mutex<BTreeMap<&'static str, Daemon>>,
}

/// Where the bootstrap directory lies on the machine, below its own folder.
const BOOTSTRAP: &str = "weft";
static COUNT: AtomicU8 = AtomicU8::new(0);

impl Cluster {
    /// Puts a machine beside the node.
    pub fn machine(&'static self) -> Machine {
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let machine = Machine {
            cluster: self,
            number,
            dir: self.dir().join(format!("machine-{number}")),
            running: Mutex::default(),
        };
        machine.bring_up().unwrap_or_else(|error| panic!("machine {number}: {error:#}"));
        machine
    }
}

impl Machine {
    fn bring_up(&self) -> Result<()> {
        fs::create_dir(&self.dir).with_context(|| format!("cannot create {}", self.dir.display()))?;
        let (sandbox, addresses) = (&self.cluster.sandbox, self.cluster.addresses());
        network::connect_machine(addresses, self.number, sandbox)?;
        // Who runs a program by the name that cargo gave it would need the way there, which is its builder's alone.
        for name in ["weft-proxy", "weft-demo-app"] {
            let here = self.dir.join(name);
            fs::write(&here, "")?;
            let mut mount = sandbox.command(&tool("mount", "mount"));
            mount.arg("--bind").arg(program(name)).arg(&here);
            sandbox.run(mount)?;
        }
        Ok(())
    }

    /// Its address, which pods and the machine of the tests reach.
    pub fn address(&self) -> Ipv4Addr {
        self.cluster.addresses().machine(self.number)
    }

    /// One of its ports.
    pub fn at(&self, port: u16) -> SocketAddr {
        (self.address(), port).into()
    }

    /// Where the bootstrap directory lies there: `--machine-dir`.
    pub fn bootstrap(&self) -> PathBuf {
        self.dir.join(BOOTSTRAP)
    }

    /// Copies a bootstrap directory there, with its group as `weft vm join` says.
    pub fn install(&self, bootstrap: &Path) {
        let target = self.bootstrap();
        fs::create_dir_all(&target).expect("bootstrap directory");
        for entry in fs::read_dir(bootstrap).expect("bootstrap directory").flatten() {
            fs::copy(entry.path(), target.join(entry.file_name())).expect("copy");
        }
        let target = target.display().to_string();
        self.run("chown", &["-R", "root:1337", &target]).expect("chown");
        self.run("chmod", &["-R", "g+rX", &target]).expect("chmod");
    }

    /// The certificate that the proxy keeps: `/var/lib/weft` is the machine's own.
    pub fn identity(&self) -> PathBuf {
        self.state().join("identity.pem")
    }

    fn state(&self) -> PathBuf {
        self.dir.join("state")
    }

    /// Starts the proxy as `weft-proxy.service` says: first what is for root, then the program in its user's name.
    pub fn start_proxy(&self) {
        let unit = fs::read_to_string(self.bootstrap().join("weft-proxy.service")).expect("unit");
        let value = |name: &str| unit.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        let settings = fs::read_to_string(value("EnvironmentFile").expect("EnvironmentFile")).expect("settings");
        let settings = settings.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
        let here = |command: &str| -> Vec<String> {
            command
                .split(' ')
                .map(|word| word.replace("/usr/local/bin/", &format!("{}/", self.dir.display())))
                .collect()
        };
        if let Some(first) = value("ExecStartPre").and_then(|command| command.strip_prefix('+')) {
            let words = here(first);
            let words: Vec<_> = words.iter().map(String::as_str).collect();
            self.run(words[0], &words[1..]).unwrap_or_else(|error| panic!("{error}"));
        }
        let user = value("User").expect("User");
        assert_eq!(value("StateDirectory"), Some("weft"));
        let state = self.state().display().to_string();
        fs::create_dir_all(&state).expect("state directory");
        self.run("chown", &[user, &state]).expect("chown");
        let mut words = vec![
            "setpriv".to_owned(),
            format!("--reuid={user}"),
            format!("--regid={}", value("Group").expect("Group")),
            "--clear-groups".to_owned(),
            "env".to_owned(),
        ];
        words.extend(settings.map(|setting| setting.replace("/var/lib/weft", &state)));
        words.extend(here(value("ExecStart").expect("ExecStart")));
        self.start("weft-proxy", words);
    }

    /// Stops the proxy as systemd does.
    pub fn stop_proxy(&self) {
        if let Some(proxy) = self.running.lock().expect("machine").remove("weft-proxy") {
            proxy.stop(Duration::from_secs(20));
        }
    }

    /// What the proxy has logged since the machine is there.
    pub fn proxy_log(&self) -> String {
        fs::read_to_string(self.dir.join("weft-proxy.log")).unwrap_or_default()
    }

    /// Starts the demo's application with these arguments.
    pub fn serve(&self, args: &[&str]) {
        let mut words = vec![self.dir.join("weft-demo-app").display().to_string(), "serve".to_owned()];
        words.extend(args.iter().map(|arg| (*arg).to_owned()));
        self.start("weft-demo-app", words);
    }

    fn start(&self, name: &'static str, words: Vec<String>) {
        let words = [vec!["netns".into(), "exec".into(), network::machine(self.number)], words].concat();
        let daemon = Daemon::start(&self.cluster.sandbox, name, tool("ip", "iproute2"), words, &self.dir);
        self.running.lock().expect("machine").insert(name, daemon.unwrap_or_else(|error| panic!("{error:#}")));
    }

    /// Runs a program there as root, to its end; what it printed, or what went wrong.
    pub fn run(&self, program: &str, args: &[&str]) -> Result<String, String> {
        let mut command = self.cluster.sandbox.command(&tool("ip", "iproute2"));
        command.args(["netns", "exec", &network::machine(self.number), program]).args(args);
        self.cluster.sandbox.run(command).map_err(|error| format!("{error:#}"))
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        for (_, daemon) in std::mem::take(&mut *self.running.lock().expect("machine")) {
            // Nobody is left to drain for.
            daemon.stop(Duration::ZERO);
        }
        if std::thread::panicking() {
            let log = self.proxy_log();
            let lines: Vec<_> = log.lines().collect();
            eprintln!("--- proxy of machine {}\n{}", self.number, lines[lines.len().saturating_sub(40)..].join("\n"));
        }
        network::disconnect_machine(self.cluster.addresses(), self.number, &self.cluster.sandbox);
    }
}
