//! `kubectl port-forward`, as an administrator would reach what only listens on a pod's loopback.

use std::{
    net::SocketAddr,
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use super::Cluster;
use crate::{process::Process, wait::until};

/// An open forward. It ends with the value.
pub struct Forward {
    /// Where it listens on this machine.
    pub address: SocketAddr,
    _process: Process,
}

static COUNT: AtomicU32 = AtomicU32::new(1);

impl Cluster {
    /// Forwards a port of this machine's choice to `port` of `target`, such as `deployment/weft-console`.
    pub async fn forward(&'static self, namespace: &str, target: &str, port: u16) -> Forward {
        let name = format!("port-forward-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let mut command = Command::new(self.kubectl_program());
        command.args(["-n", namespace, "port-forward", target, &format!(":{port}")]);
        command.env("KUBECONFIG", self.kubeconfig()).env("HOME", self.dir());
        let mut process = Process::spawn(&name, &mut command, self.dir());
        let what = format!("{target} is forwarded");
        let address = until(&what, Duration::from_secs(20), || {
            process.assert_running();
            let output = process.output();
            async move {
                let line = output.lines().find_map(|line| line.strip_prefix("Forwarding from 127.0.0.1:"));
                let port = line.and_then(|rest| rest.split(' ').next()).and_then(|port| port.parse::<u16>().ok());
                port.map(|port| SocketAddr::from(([127, 0, 0, 1], port))).ok_or(output)
            }
        })
        .await;
        Forward { address, _process: process }
    }
}
