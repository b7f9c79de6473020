//! Real stores of traces: Jaeger and Zipkin, each in memory, on ports of its own.

use std::{
    net::{Ipv4Addr, SocketAddr},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::LazyLock,
};

use prometheus_http_query::reqwest;

use super::until;

#[path = "../../../../tests/harness/zipkin/java.rs"]
mod zipkin_java;

/// A running Jaeger.
pub struct Jaeger {
    _process: Ended,
    at: Ipv4Addr,
}

/// A running Zipkin.
pub struct Zipkin {
    _process: Ended,
    at: Ipv4Addr,
}

/// Their usual ports, below those that a system hands out by itself.
const JAEGER_QUERY: u16 = 16686;
const JAEGER_COLLECTOR: u16 = 4318;
const ZIPKIN: u16 = 9411;

/// A program that ends with the test.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The folder with the programs; installed by the first test that asks, unless `make test` did.
fn folder() -> &'static Path {
    static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/trace-servers");
        let output = Command::new(script).stderr(Stdio::inherit()).output().expect("scripts/trace-servers runs");
        assert!(output.status.success(), "scripts/trace-servers says above what is missing");
        String::from_utf8(output.stdout).unwrap().trim().into()
    });
    &FOLDER
}

/// A loopback address that no other process of the tests has: they cannot take port 0, and a port that was free a moment
/// ago may be another test's by now.
fn own_address() -> Ipv4Addr {
    let [high, a, b, c] = std::process::id().to_be_bytes();
    debug_assert_eq!(high, 0, "process ids have 22 bits");
    Ipv4Addr::new(127, 64 | (a & 0x3f), b, c)
}

fn start(program: &Path, arguments: &[String]) -> Ended {
    let mut command = Command::new("setpriv");
    command.arg("--pdeathsig=KILL").arg(program).args(arguments).process_group(0);
    Ended(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
}

async fn answers(url: &str) {
    until(url, async || reqwest::get(url).await.ok().filter(|answer| answer.status().is_success())).await;
}

impl Jaeger {
    pub async fn start() -> Self {
        let at = own_address();
        let mut arguments = vec![
            format!("--query.http-server.host-port={at}:{JAEGER_QUERY}"),
            format!("--collector.otlp.http.host-port={at}:{JAEGER_COLLECTOR}"),
        ];
        let unused = [
            "query.grpc-server.host-port",
            "collector.otlp.grpc.host-port",
            "collector.http-server.host-port",
            "collector.grpc-server.host-port",
            "admin.http.host-port",
            "http-server.host-port",
            "processor.jaeger-binary.server-host-port",
            "processor.jaeger-compact.server-host-port",
            "processor.zipkin-compact.server-host-port",
        ];
        arguments.extend((20_000..).zip(unused).map(|(port, flag)| format!("--{flag}={at}:{port}")));
        let jaeger = Self { _process: start(&folder().join("jaeger"), &arguments), at };
        answers(&format!("{}/api/services", jaeger.url())).await;
        jaeger
    }

    /// Where it is asked.
    pub fn url(&self) -> String {
        format!("http://{}:{JAEGER_QUERY}", self.at)
    }

    /// Sends it an OTLP export request.
    pub async fn take(&self, request: Vec<u8>) {
        let url = format!("http://{}:{JAEGER_COLLECTOR}/v1/traces", self.at);
        let send = async || {
            let post = reqwest::Client::new().post(&url).header("content-type", "application/x-protobuf");
            post.body(request.clone()).send().await.ok().filter(|answer| answer.status().is_success())
        };
        until("Jaeger takes spans", send).await;
    }
}

impl Zipkin {
    pub async fn start() -> Self {
        let at = own_address();
        let arguments = zipkin_java::arguments(folder(), SocketAddr::from((at, ZIPKIN)));
        let zipkin = Self { _process: start(Path::new("java"), &arguments), at };
        answers(&format!("{}/health", zipkin.url())).await;
        zipkin
    }

    /// Where it is asked.
    pub fn url(&self) -> String {
        format!("http://{}:{ZIPKIN}", self.at)
    }

    /// Sends it spans as its API v2 takes them.
    pub async fn take(&self, spans: &serde_json::Value) {
        let post = reqwest::Client::new().post(format!("{}/api/v2/spans", self.url()));
        let answer = post.header("content-type", "application/json").body(spans.to_string()).send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.status());
    }
}
