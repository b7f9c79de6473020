//! Real stores of traces: Jaeger and Zipkin, each in memory, on ports of its own.

use std::{
    net::TcpListener,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::LazyLock,
};

use prometheus_http_query::reqwest;

use super::until;

/// A running Jaeger.
pub struct Jaeger {
    _process: Ended,
    query: u16,
    collector: u16,
}

/// A running Zipkin.
pub struct Zipkin {
    _process: Ended,
    port: u16,
}

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

/// The port is free again when the program takes it; nothing else here asks for one by number.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
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
        let [query, collector] = [free_port(), free_port()];
        let mut arguments = vec![
            format!("--query.http-server.host-port=127.0.0.1:{query}"),
            format!("--collector.otlp.http.host-port=127.0.0.1:{collector}"),
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
        arguments.extend(unused.map(|flag| format!("--{flag}=127.0.0.1:{}", free_port())));
        let jaeger = Self { _process: start(&folder().join("jaeger"), &arguments), query, collector };
        answers(&format!("{}/api/services", jaeger.url())).await;
        jaeger
    }

    /// Where it is asked.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.query)
    }

    /// Sends it an OTLP export request.
    pub async fn take(&self, request: Vec<u8>) {
        let url = format!("http://127.0.0.1:{}/v1/traces", self.collector);
        let send = async || {
            let post = reqwest::Client::new().post(&url).header("content-type", "application/x-protobuf");
            post.body(request.clone()).send().await.ok().filter(|answer| answer.status().is_success())
        };
        until("Jaeger takes spans", send).await;
    }
}

impl Zipkin {
    pub async fn start() -> Self {
        let port = free_port();
        let arguments = [
            "-Xmx160m".to_owned(),
            "-XX:TieredStopAtLevel=1".to_owned(),
            "-jar".to_owned(),
            folder().join("zipkin.jar").display().to_string(),
            format!("--armeria.ports[0].port={port}"),
            "--armeria.ports[0].protocols=HTTP".to_owned(),
            "--armeria.ports[0].ip=127.0.0.1".to_owned(),
        ];
        let zipkin = Self { _process: start(Path::new("java"), &arguments), port };
        answers(&format!("{}/health", zipkin.url())).await;
        zipkin
    }

    /// Where it is asked.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Sends it spans as its API v2 takes them.
    pub async fn take(&self, spans: &serde_json::Value) {
        let post = reqwest::Client::new().post(format!("{}/api/v2/spans", self.url()));
        let answer = post.header("content-type", "application/json").body(spans.to_string()).send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.status());
    }
}
