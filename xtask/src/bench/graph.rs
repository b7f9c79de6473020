//! The console's graph over 1,000 workloads and 10,000 edges of Istio's metrics in a real Prometheus.

mod series;

use std::{net::TcpListener, path::Path, process::Command, time::Instant};

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use super::process::{Process, resident};

/// The rules that the chart ships.
const RULES: &str = include_str!("../../../charts/weft/files/recording-rules.yaml");
/// Moments that are asked for once each.
const ROUNDS: u64 = 5;

/// What was measured.
pub struct Numbers {
    cold_ms: Vec<f64>,
    warm_ms: Vec<f64>,
    filled_ms: Vec<f64>,
    queries: u64,
    bytes: u64,
    bytes_filled: u64,
    resident: u64,
    peak: u64,
    series: u64,
    rules_s: f64,
}

/// Fills Prometheus, then measures the release build of the console.
pub fn run(console: &Path) -> anyhow::Result<Numbers> {
    let dir = tempfile::Builder::new().prefix("weft-bench-graph-").tempdir()?;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_secs();
    // Blocks of the past, well before what a running Prometheus keeps in its head.
    let at = (now - 4 * 3600) / 60 * 60;
    let data = dir.path().join("data");
    let text = dir.path().join("series.txt");
    eprintln!("graph: writing series");
    let series = series::write(&text, at)?;
    eprintln!("graph: {series} series become blocks");
    promtool(&["create-blocks-from", "openmetrics"], &[text.as_os_str(), data.as_os_str()])?;
    std::fs::remove_file(&text)?;
    let rules = dir.path().join("rules.yaml");
    std::fs::write(&rules, RULES)?;
    let started = Instant::now();
    {
        let (_prometheus, url) = prometheus(dir.path(), &data)?;
        eprintln!("graph: evaluating the recording rules");
        // Rules have their own places on the clock: one evaluation of those with an interval of 60 s falls in here.
        let range = [format!("--start={}", at - 59), format!("--end={at}")];
        let own = [format!("--url={url}"), format!("--output-dir={}", data.display())];
        let args: Vec<&std::ffi::OsStr> =
            range.iter().chain(&own).map(AsRef::as_ref).chain([rules.as_os_str()]).collect();
        promtool(&["create-blocks-from", "rules"], &args)?;
    }
    let rules_s = started.elapsed().as_secs_f64();
    let (prometheus, url) = prometheus(dir.path(), &data)?;
    let config = dir.path().join("config");
    std::fs::create_dir(&config)?;
    let listen = free_address()?;
    let args = [
        format!("--config-dir={}", config.display()),
        format!("--data-dir={}", dir.path().join("console").display()),
        format!("--listen={listen}"),
        format!("--prometheus={url}"),
    ];
    let console = Process::start("console", console, args, dir.path())?;
    wait(&format!("http://{listen}/healthz/ready"))?;
    let graph =
        |end: u64, more: &str| fetch(&format!("http://{listen}/api/v1/graph?window=60&at={}{more}", end * 1000));
    // Prometheus maps its blocks at the first query; that is not the console's time.
    graph(at + 20, "&wait=true")?;
    let mut numbers = Numbers {
        cold_ms: Vec::new(),
        warm_ms: Vec::new(),
        filled_ms: Vec::new(),
        queries: 0,
        bytes: 0,
        bytes_filled: 0,
        resident: 0,
        peak: 0,
        series,
        rules_s,
    };
    for round in 1..=ROUNDS {
        let end = at + round;
        let started = Instant::now();
        let first = graph(end, "")?;
        numbers.cold_ms.push(first.ms);
        numbers.bytes = numbers.bytes.max(first.bytes);
        let filled = graph(end, "&wait=true")?;
        numbers.filled_ms.push(started.elapsed().as_secs_f64() * 1000.0);
        numbers.bytes_filled = numbers.bytes_filled.max(filled.bytes);
        graph(end, "")?;
        numbers.warm_ms.push(graph(end, "")?.ms);
        if round == ROUNDS {
            let graph = &filled.json;
            let edges = graph["edges"].as_array().context("no edges")?;
            let nodes = graph["nodes"].as_array().context("no nodes")?;
            ensure!(edges.len() == series::EDGES && nodes.len() == series::WORKLOADS, "{} edges", edges.len());
            ensure!(graph["quantiles"]["recorded"] == true, "not from the recording rules: {}", graph["quantiles"]);
            let complete = |edge: &&Value| edge["p99Ms"].is_number() && edge["lock"] != "unknown";
            ensure!(edges.iter().filter(complete).count() == edges.len(), "edges without p99 or lock");
            numbers.queries = graph["sources"]["asked"].as_u64().context("no number of queries")?;
        }
    }
    numbers.resident = resident(console.pid())?;
    numbers.peak = super::process::peak(console.pid())?;
    drop((console, prometheus));
    Ok(numbers)
}

fn promtool(command: &[&str], args: &[&std::ffi::OsStr]) -> anyhow::Result<()> {
    let output = Command::new("promtool").arg("tsdb").args(command).args(args).output();
    let output = output.context("promtool: run scripts/bootstrap bench")?;
    ensure!(output.status.success(), "promtool: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

fn free_address() -> anyhow::Result<std::net::SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

fn prometheus(dir: &Path, data: &Path) -> anyhow::Result<(Process, String)> {
    let config = dir.join("prometheus.yml");
    std::fs::write(&config, "scrape_configs: []\n")?;
    let address = free_address()?;
    let args = [
        format!("--config.file={}", config.display()),
        format!("--storage.tsdb.path={}", data.display()),
        format!("--web.listen-address={address}"),
    ];
    let process = Process::start("prometheus", "prometheus", args, dir)?;
    wait(&format!("http://{address}/-/ready"))?;
    Ok((process, format!("http://{address}")))
}

fn wait(url: &str) -> anyhow::Result<()> {
    let args = ["-sf", "-o", "/dev/null", "--retry", "120", "--retry-delay", "1", "--retry-all-errors", url];
    ensure!(Command::new("curl").args(args).status()?.success(), "{url} does not answer");
    Ok(())
}

struct Fetched {
    ms: f64,
    /// As they went over the wire.
    bytes: u64,
    json: Value,
}

/// As a page asks: compressed.
fn fetch(url: &str) -> anyhow::Result<Fetched> {
    let form = "\n%{time_total} %{size_download}";
    let output = Command::new("curl").args(["-sf", "--compressed", "-w", form, url]).output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "{url}: {text}");
    let (body, figures) = text.rsplit_once('\n').context("curl printed no figures")?;
    let (seconds, bytes) = figures.split_once(' ').context("curl printed no size")?;
    Ok(Fetched { ms: seconds.parse::<f64>()? * 1000.0, bytes: bytes.parse()?, json: serde_json::from_str(body)? })
}

impl Numbers {
    /// The table, with the limits.
    pub fn table(&self) -> String {
        let worst = |values: &[f64]| values.iter().copied().fold(0.0, f64::max);
        let time = |values: &[f64]| format!("{:.0} ms (worst {:.0})", super::median(values), worst(values));
        let mib = |bytes: u64| format!("{:.0} MiB", bytes as f64 / 1048576.0);
        let kb = |bytes: u64| format!("{:.0} kB", bytes as f64 / 1000.0);
        let rows = [
            ("rates, errors and locks, cold", time(&self.cold_ms), "800 ms"),
            ("the same, warm", time(&self.warm_ms), "50 ms"),
            ("quantiles filled in", time(&self.filled_ms), "2 s"),
            ("queries", self.queries.to_string(), "8"),
            ("on the wire, with quantiles", kb(self.bytes_filled), "300 kB"),
            ("resident, and at most", format!("{}, {}", mib(self.resident), mib(self.peak)), "150 MiB"),
        ];
        let mut text = format!(
            "The graph of {} workloads and {} edges, {} series in Prometheus; the rules took it {:.1} s\n\n\
             | what | measured | at most |\n|---|---|---|\n",
            series::WORKLOADS,
            series::EDGES,
            self.series,
            self.rules_s
        );
        for (what, measured, limit) in rows {
            text.push_str(&format!("| {what} | {measured} | {limit} |\n"));
        }
        text
    }

    /// The same for machines.
    pub fn json(&self) -> Value {
        json!({
            "coldMilliseconds": super::median(&self.cold_ms),
            "warmMilliseconds": super::median(&self.warm_ms),
            "filledMilliseconds": super::median(&self.filled_ms),
            "queries": self.queries,
            "bytes": self.bytes,
            "bytesWithQuantiles": self.bytes_filled,
            "residentBytes": self.resident,
            "peakBytes": self.peak,
            "series": self.series,
        })
    }
}
