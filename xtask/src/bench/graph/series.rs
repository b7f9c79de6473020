use std::{
    fs::File,
    io::{BufWriter, Write},
    path::Path,
};

/// Workloads, each calling ten others.
pub const WORKLOADS: usize = 1_000;
/// Edges.
pub const EDGES: usize = 10_000;
/// Scrapes, 15 seconds apart: what a rate over a minute reads, and what rules read that ran up to a minute before.
const SCRAPES: u64 = 11;
const INTERVAL_S: u64 = 15;
/// Istio's default buckets, in milliseconds.
const BUCKETS: [&str; 20] = [
    "0.5", "1", "5", "10", "25", "50", "100", "250", "500", "1000", "2500", "5000", "10000", "30000", "60000",
    "300000", "600000", "1800000", "3600000", "+Inf",
];

struct Stream {
    labels: String,
    /// Requests per second.
    rate: u64,
    /// The bucket that half of the requests fall into.
    middle: usize,
}

/// Writes what proxies would have exported around `at` (seconds since the epoch), both reporters, and counts the series.
pub fn write(path: &Path, at: u64) -> std::io::Result<u64> {
    let streams = streams();
    let mut out = BufWriter::with_capacity(1 << 20, File::create(path)?);
    let mut series = 0;
    let first = at - INTERVAL_S * (SCRAPES - 3);
    let mut line = |name: &str, stream: &Stream, more: &str, per_second: u64| -> std::io::Result<()> {
        series += 1;
        for scrape in 0..SCRAPES {
            let value = per_second * INTERVAL_S * (scrape + 100);
            writeln!(out, "{name}{{{}{more}}} {value} {}", stream.labels, first + scrape * INTERVAL_S)?;
        }
        Ok(())
    };
    for stream in &streams {
        line("istio_requests_total", stream, "", stream.rate)?;
    }
    for stream in &streams {
        for (at, bound) in BUCKETS.iter().enumerate() {
            let part = if at < stream.middle {
                0
            } else if at == stream.middle {
                stream.rate / 2
            } else {
                stream.rate
            };
            line("istio_request_duration_milliseconds_bucket", stream, &format!(",le=\"{bound}\""), part)?;
        }
    }
    for name in ["istio_request_bytes", "istio_response_bytes"] {
        for stream in &streams {
            line(&format!("{name}_sum"), stream, "", stream.rate * (stream.middle as u64 + 3) * 117)?;
        }
    }
    writeln!(out, "# EOF")?;
    out.flush()?;
    Ok(series)
}

fn streams() -> Vec<Stream> {
    let mut streams = Vec::new();
    for edge in 0..EDGES {
        let (source, step) = (edge / 10, edge % 10);
        let destination = (source + 1 + step * step * 7) % WORKLOADS;
        // Every edge answers well, every fifth with some 404, every tenth with some 503.
        let codes = [("200", "-", true), ("404", "-", edge % 5 == 0), ("503", "UF", edge % 10 == 3)];
        for (code, flags, _) in codes.iter().filter(|(_, _, there)| *there) {
            let all = 20 + (edge * 7919 % 997) as u64;
            let rate = if *code == "200" { all } else { 2 + all / 20 };
            let middle = 3 + edge * 31 % 7;
            for reporter in ["source", "destination"] {
                let policy = match reporter {
                    "source" => "unknown",
                    _ if edge % 40 == 7 => "none",
                    _ => "mutual_tls",
                };
                let labels = labels(reporter, source, destination, code, flags, policy);
                streams.push(Stream { labels, rate, middle });
            }
        }
    }
    streams
}

fn labels(reporter: &str, source: usize, destination: usize, code: &str, flags: &str, policy: &str) -> String {
    let namespace = |workload: usize| format!("team-{}", workload % 50);
    let app = |workload: usize| format!("service-{workload}");
    let end = |side: &str, workload: usize| {
        let (namespace, app) = (namespace(workload), app(workload));
        format!(
            "{side}_workload=\"{app}-v1\",{side}_workload_namespace=\"{namespace}\",{side}_app=\"{app}\",\
             {side}_version=\"v1\",{side}_canonical_service=\"{app}\",{side}_cluster=\"Kubernetes\",\
             {side}_principal=\"spiffe://cluster.local/ns/{namespace}/sa/{app}\""
        )
    };
    let (host, own) = (app(destination), namespace(destination));
    format!(
        "reporter=\"{reporter}\",{},{},destination_service=\"{host}.{own}.svc.cluster.local\",\
         destination_service_name=\"{host}\",destination_service_namespace=\"{own}\",request_protocol=\"http\",\
         response_code=\"{code}\",response_flags=\"{flags}\",connection_security_policy=\"{policy}\"",
        end("source", source),
        end("destination", destination)
    )
}
