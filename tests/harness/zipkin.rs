//! A real Zipkin that keeps spans in memory, as `scripts/trace-servers` installs it.

mod java;

use std::{
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    process::{Command, Stdio},
    time::Duration,
};

use crate::{
    estate::address::claim,
    http::get,
    process::{Process, root, tool},
    wait::{ensure, until},
};

/// Its usual port, on an address of the test's own.
const PORT: u16 = 9411;
const START: Duration = Duration::from_secs(90);

/// A running Zipkin. Dropping it ends it.
pub struct Zipkin {
    address: SocketAddr,
    _process: Process,
    _claim: TcpListener,
    /// Its log.
    _dir: tempfile::TempDir,
}

/// The folder with zipkin.jar; installed by the first test that asks, unless `make test` did.
fn folder() -> PathBuf {
    let script = root().join("scripts/trace-servers");
    let output = Command::new(script).stderr(Stdio::inherit()).output().expect("scripts/trace-servers starts");
    assert!(output.status.success(), "scripts/trace-servers says above what is missing");
    String::from_utf8_lossy(&output.stdout).trim().into()
}

impl Zipkin {
    /// Starts one and waits until it answers.
    pub async fn start() -> Self {
        let (prefix, claim) = claim();
        let address = SocketAddr::from(([127, prefix[0], prefix[1], 9], PORT));
        let dir = tempfile::Builder::new().prefix("weft-zipkin-").tempdir().expect("temporary directory");
        let args = java::arguments(&folder(), address);
        let mut process = Process::start("zipkin", &tool("java", "default-jre-headless"), args, dir.path());
        until("Zipkin answers", START, || {
            process.assert_running();
            async move {
                let answer = get(address, "zipkin", "/health", &[]).await?;
                ensure(answer.status == 200, || format!("{answer:?}"))
            }
        })
        .await;
        Self { address, _process: process, _claim: claim, _dir: dir }
    }

    /// Where it takes spans and is asked.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}
