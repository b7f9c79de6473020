//! The operator under measurement: its process, its pages, what it uses.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use serde::de::DeserializeOwned;
use weft_model::ports;
use weft_tests::{
    cluster::Cluster,
    http::get,
    process::Process,
    wait::{ensure, until},
};

/// What becoming ready may take before it counts as never.
const PATIENCE: Duration = Duration::from_secs(180);

/// A running control plane.
pub struct Operator {
    process: Process,
    address: Ipv4Addr,
}

/// Memory of a process, in bytes.
#[derive(Clone, Copy)]
pub struct Memory {
    /// Resident now.
    pub resident: u64,
    /// The most that was resident.
    pub peak: u64,
}

impl Operator {
    /// Starts it on `cluster` and waits until it is in sync; gives how long that took.
    pub async fn start(program: &Path, cluster: &Cluster) -> (Self, Duration) {
        let address = cluster.outside();
        let mut command = Command::new(program);
        command.args(["serve", "--source", "kubernetes"]).env("KUBECONFIG", cluster.kubeconfig());
        for (flag, address, port) in [
            ("--listen", address, ports::CONTROL_PLANE),
            // Its debug pages are for whoever is on its own machine.
            ("--admin", Ipv4Addr::LOCALHOST, ports::CONTROL_PLANE_ADMIN),
            ("--webhooks", address, ports::WEBHOOKS),
        ] {
            command.arg(flag).arg(format!("{address}:{port}"));
        }
        let started = Instant::now();
        let process = Process::spawn("operator", &mut command, cluster.dir());
        let mut operator = Self { process, address };
        let admin = operator.admin();
        until("the operator is in sync", PATIENCE, || {
            operator.process.assert_running();
            async move {
                let answer = get(admin, "operator", "/healthz/ready", &[]).await?;
                ensure(answer.status == 200, || answer.text())
            }
        })
        .await;
        (operator, started.elapsed())
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Where proxies connect.
    pub fn proxies(&self) -> SocketAddr {
        (self.address, ports::CONTROL_PLANE).into()
    }

    /// Where the API server calls.
    pub fn webhooks(&self) -> SocketAddr {
        (self.address, ports::WEBHOOKS).into()
    }

    fn admin(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, ports::CONTROL_PLANE_ADMIN).into()
    }

    /// A page of the admin port.
    ///
    /// # Errors
    /// When it does not answer so.
    pub async fn page<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        let answer = get(self.admin(), "operator", path, &[]).await.map_err(anyhow::Error::msg)?;
        serde_json::from_slice(&answer.body).with_context(|| format!("{path}: {}", answer.text()))
    }

    /// What it uses of memory.
    ///
    /// # Errors
    /// When it is gone.
    pub fn memory(&self) -> Result<Memory> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).context("the operator is gone")?;
        let bytes = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
            line.trim().trim_end_matches(" kB").parse::<u64>().map(|kib| kib * 1024).context("/proc/PID/status")
        };
        Ok(Memory { resident: bytes("VmRSS:")?, peak: bytes("VmHWM:")? })
    }

    /// What it has used of processors.
    ///
    /// # Errors
    /// When it is gone.
    pub fn cpu(&self) -> Result<Duration> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid())).context("the operator is gone")?;
        // The second field is the program's name in parentheses; user and system time are the 14th and 15th.
        let (_, fields) = stat.rsplit_once(')').context("/proc/PID/stat")?;
        let ticks: u64 = fields.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
        // The kernel counts in hundredths here, whatever its own clock.
        Ok(Duration::from_millis(ticks * 10))
    }
}
