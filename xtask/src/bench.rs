//! `cargo xtask bench`: our proxy beside HAProxy and Envoy, one route over HTTP/1.1 keep-alive, one run on one machine.
//! Only the ratios mean anything elsewhere. Then the console's graph over a large mesh.

mod graph;
mod peers;
mod process;

use std::{fmt::Write as _, net::Ipv4Addr, process::Command, time::Duration};

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use self::{peers::Peer, process::cpu_time};

/// Flags of `bench`.
#[derive(clap::Args)]
pub struct BenchArgs {
    /// Seconds that each proxy is loaded in each round.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Rounds; the proxies take turns in each, so that a noisy neighbour hits all of them.
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// Connections that stay open.
    #[arg(long, default_value_t = 32)]
    connections: u32,
    /// Measures the console's graph only.
    #[arg(long)]
    graph: bool,
    /// Where the results go as JSON, beside the table on standard output.
    #[arg(long)]
    json: Option<std::path::PathBuf>,
}

/// Addresses that nothing else of Weft uses.
fn ip(host: u8) -> Ipv4Addr {
    Ipv4Addr::new(127, 4, 1, host)
}

#[derive(Default)]
struct Tally {
    requests: u64,
    seconds: f64,
    cpu: Duration,
    /// Of each round, in milliseconds.
    p50: Vec<f64>,
    p99: Vec<f64>,
    resident: u64,
}

impl Tally {
    fn cpu_per_request_us(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.requests.max(1) as f64
    }
}

/// Runs the benchmark and prints its table.
pub fn run(args: &BenchArgs) -> anyhow::Result<()> {
    let graph = graph::run(&peers::release_dir("weft-console")?.join("weft-console")).context("the graph")?;
    println!("{}", graph.table());
    if args.graph {
        return args.write(&json!({ "graph": graph.json() }));
    }
    let dir = tempfile::Builder::new().prefix("weft-bench-").tempdir()?;
    let origin = peers::origin(dir.path())?;
    let peers = [peers::direct(), peers::haproxy(dir.path())?, peers::envoy(dir.path())?, peers::weft(dir.path())?];
    for peer in &peers {
        peer.warm_up().with_context(|| peer.name)?;
    }
    let mut tallies: [Tally; 4] = Default::default();
    for round in 1..=args.rounds {
        for (peer, tally) in peers.iter().zip(&mut tallies) {
            eprintln!("round {round} of {}: {}", args.rounds, peer.name);
            load(args, peer, tally).with_context(|| peer.name)?;
        }
    }
    drop(origin);
    println!("{}", table(args, &peers, &tallies));
    args.write(&json!({ "graph": graph.json(), "proxies": results(&peers, &tallies) }))
}

impl BenchArgs {
    fn write(&self, results: &Value) -> anyhow::Result<()> {
        if let Some(path) = &self.json {
            std::fs::write(path, serde_json::to_vec_pretty(results)?)?;
        }
        Ok(())
    }
}

fn load(args: &BenchArgs, peer: &Peer, tally: &mut Tally) -> anyhow::Result<()> {
    let before = peer.pid.map(cpu_time).transpose()?;
    let output = Command::new("wrk")
        .args(["-t1", "--latency"])
        .arg(format!("-c{}", args.connections))
        .arg(format!("-d{}s", args.seconds))
        .args(["-H", "Host: origin:8080"])
        .arg(format!("http://{}/1k", peer.address))
        .output()
        .context("wrk: run scripts/bootstrap bench")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(output.status.success(), "wrk failed: {text}");
    ensure!(!text.contains("Non-2xx"), "some answers were errors: {text}");
    ensure!(!text.contains("Socket errors"), "some connections failed: {text}");
    let field = |name: &str| -> anyhow::Result<String> {
        let line = text.lines().find_map(|line| line.trim().strip_prefix(name));
        Ok(line.with_context(|| format!("wrk printed no {name}: {text}"))?.trim().to_owned())
    };
    let total = text.lines().find(|line| line.contains(" requests in ")).context("wrk printed no total")?;
    tally.requests += total.split_whitespace().next().unwrap_or_default().parse::<u64>()?;
    tally.seconds += args.seconds as f64;
    tally.p50.push(milliseconds(&field("50%")?)?);
    tally.p99.push(milliseconds(&field("99%")?)?);
    if let (Some(pid), Some(before)) = (peer.pid, before) {
        tally.cpu += cpu_time(pid)?.saturating_sub(before);
        tally.resident = process::resident(pid)?;
    }
    Ok(())
}

fn milliseconds(text: &str) -> anyhow::Result<f64> {
    let split = text.find(|c: char| c.is_alphabetic()).context("a duration has a unit")?;
    let value: f64 = text[..split].parse()?;
    Ok(value
        * match &text[split..] {
            "us" => 0.001,
            "ms" => 1.0,
            "s" => 1000.0,
            unit => anyhow::bail!("unknown unit {unit}"),
        })
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

fn table(args: &BenchArgs, peers: &[Peer], tallies: &[Tally]) -> String {
    let mut text = format!(
        "One route, HTTP/1.1 keep-alive, {} connections, 1 KiB answers from nginx, one worker each, 1 % of requests logged, {} rounds of {} s\n\n\
         | path | requests/s | CPU per request | p50 | p99 | resident |\n|---|---|---|---|---|---|\n",
        args.connections, args.rounds, args.seconds
    );
    for (peer, tally) in peers.iter().zip(tallies) {
        let rate = tally.requests as f64 / tally.seconds;
        let (p50, p99) = (median(&tally.p50), median(&tally.p99));
        let (cpu, resident) = match peer.pid {
            Some(_) => (
                format!("{:.1} µs", tally.cpu_per_request_us()),
                format!("{:.1} MiB", tally.resident as f64 / 1048576.0),
            ),
            None => ("–".into(), "–".into()),
        };
        writeln!(text, "| {} | {rate:.0} | {cpu} | {p50:.2} ms | {p99:.2} ms | {resident} |", peer.name).ok();
    }
    let weft = &tallies[3];
    for (peer, tally) in peers.iter().zip(tallies).skip(1).take(2) {
        writeln!(
            text,
            "\nWeft / {}: CPU per request {:.2}, p99 {:.2}",
            peer.name,
            weft.cpu_per_request_us() / tally.cpu_per_request_us(),
            median(&weft.p99) / median(&tally.p99),
        )
        .ok();
    }
    text
}

fn results(peers: &[Peer], tallies: &[Tally]) -> Value {
    let rows = peers.iter().zip(tallies).map(|(peer, tally)| {
        json!({
            "path": peer.name,
            "requestsPerSecond": tally.requests as f64 / tally.seconds,
            "cpuPerRequestMicroseconds": peer.pid.map(|_| tally.cpu_per_request_us()),
            "p50Milliseconds": median(&tally.p50),
            "p99Milliseconds": median(&tally.p99),
            "residentBytes": peer.pid.map(|_| tally.resident),
        })
    });
    rows.collect()
}
