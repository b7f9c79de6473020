//! `weft demo`, driven as a script drives it.

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use serde_json::Value;

use crate::process::{Process, program, root};

/// How long a demo may take to end at once.
const LIMIT: Duration = Duration::from_secs(8);

/// A running demo. Dropping it ends it as an impatient person does, without its proxies' draining.
pub struct Demo {
    /// The line that it printed when all was ready.
    pub ready: Value,
    process: Process,
    /// Its log; also its cache unless another was named.
    _dir: tempfile::TempDir,
}

/// Ports of demos: below those that the system gives to connections, of which one could be taken between a look and a start.
const PORTS: std::ops::Range<u16> = 10_000..32_000;
/// From one base to the next.
const STEP: u16 = 8;

/// A port base whose console and Prometheus ports are free now, another one at each call.
pub fn free_base() -> u16 {
    static CALLS: AtomicU32 = AtomicU32::new(0);
    let bases = u32::from((PORTS.end - PORTS.start) / STEP);
    loop {
        // Suites that run side by side begin at different places.
        let place = std::process::id().wrapping_mul(97).wrapping_add(CALLS.fetch_add(1, Ordering::Relaxed)) % bases;
        let base = PORTS.start + u16::try_from(place).expect("below a port") * STEP;
        if (base..base + 3).all(|port| TcpListener::bind(("127.0.0.1", port)).is_ok()) {
            return base;
        }
    }
}

impl Demo {
    /// Starts one at a free port base and waits until it is ready.
    pub fn start(flags: &[&str]) -> Self {
        Self::start_at(free_base(), flags)
    }

    /// Starts one at a port base.
    pub fn start_at(base: u16, flags: &[&str]) -> Self {
        Self::launch(None, base, flags)
    }

    /// Starts one at a port base with its directory below `cache`, which outlives it.
    pub fn start_in(cache: &Path, base: u16, flags: &[&str]) -> Self {
        Self::launch(Some(cache), base, flags)
    }

    fn launch(cache: Option<&Path>, base: u16, flags: &[&str]) -> Self {
        let dir = tempfile::Builder::new().prefix("weft-demo-test-").tempdir().expect("temporary directory");
        let mut args = vec![
            "demo".to_owned(),
            "--output=json".into(),
            format!("--port-base={base}"),
            format!("--manifests={}", root().join("demo").display()),
            format!("--assets={}", root().join("frontend/dist").display()),
        ];
        // Most tests are about something else; those about signing in say so.
        if !flags.iter().any(|flag| flag.starts_with("--sign-in") || flag.starts_with("--oidc")) {
            args.push("--sign-in=none".into());
        }
        args.extend(flags.iter().map(|flag| (*flag).to_owned()));
        let mut command = Command::new(program("weft"));
        command.args(args).env("XDG_CACHE_HOME", cache.unwrap_or(dir.path()));
        let mut process = Process::spawn("demo", &mut command, dir.path());
        let ready = loop {
            process.assert_running();
            let output = process.output();
            if let Some(line) = output.lines().find(|line| line.starts_with('{')) {
                break serde_json::from_str(line).expect("the ready line is JSON");
            }
            std::thread::sleep(Duration::from_millis(50));
        };
        Self { ready, process, _dir: dir }
    }

    /// An address or path from the ready line, by JSON pointer.
    pub fn text(&self, pointer: &str) -> String {
        let value = self.ready.pointer(pointer).and_then(Value::as_str);
        value.unwrap_or_else(|| panic!("no {pointer} in {}", self.ready)).to_owned()
    }

    /// The address behind `http://…` at a JSON pointer.
    pub fn address(&self, pointer: &str) -> std::net::SocketAddr {
        self.text(pointer).trim_start_matches("http://").parse().expect("an address")
    }

    /// The manifests' directory.
    pub fn manifests(&self) -> PathBuf {
        self.text("/manifests").into()
    }

    /// Process ids by workload and role.
    pub fn pids(&self) -> Vec<(String, String, u32)> {
        let list = self.ready["processes"].as_array().expect("processes");
        list.iter()
            .map(|process| {
                let text = |key: &str| process[key].as_str().expect("text").to_owned();
                (text("workload"), text("role"), process["pid"].as_u64().expect("pid") as u32)
            })
            .collect()
    }

    /// The process itself.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // The second one hurries it; two of a kind could count as one.
        self.process.signal(libc::SIGINT);
        self.process.signal(libc::SIGTERM);
        self.process.wait(LIMIT);
    }
}
