//! The proxy's own metrics and the process's.

use std::{
    sync::atomic::Ordering::Relaxed,
    time::{SystemTime, UNIX_EPOCH},
};

use super::{Text, label};
use crate::state::Shared;

/// Writes them.
pub fn write(text: &mut Text, shared: &Shared, worker_loads: &[usize]) {
    let stats = &shared.stats;
    let one = |name: &str, value: &str| {
        let mut labels = String::new();
        label(&mut labels, name, value);
        labels
    };
    let mut build = one("component", "proxy");
    label(&mut build, "version", env!("CARGO_PKG_VERSION"));
    text.family("weft_build_info", "gauge", "Which program and version this is; always 1.");
    text.sample("weft_build_info", &build, 1);

    text.family("weft_proxy_connections", "gauge", "Downstream connections now open, by worker.");
    for (worker, load) in worker_loads.iter().enumerate() {
        text.sample("weft_proxy_connections", &one("worker", &worker.to_string()), load);
    }
    let places = shared.sockets.places();
    text.family("weft_proxy_listener_connections", "gauge", "Downstream connections now open, by listener.");
    for (name, place) in &places {
        text.sample("weft_proxy_listener_connections", &one("listener", name), place.live());
    }
    let refused = "weft_proxy_listener_connections_refused_total";
    text.family(refused, "counter", "Downstream connections closed because their listener was full.");
    for (name, place) in &places {
        text.sample(refused, &one("listener", name), place.refused());
    }
    let unbound = shared.sockets.failures().len();
    text.single("weft_proxy_listeners_unbound", "gauge", "Listeners whose address cannot be bound.", unbound);
    let mut counter = |name, help, value: u64| text.single(name, "counter", help, value);
    counter("weft_proxy_connections_accepted_total", "Downstream connections accepted.", stats.accepts());
    counter("weft_proxy_connections_refused_total", "Downstream connections closed by a limit.", stats.refusals());
    counter("weft_proxy_panics_total", "Connections lost to a panic.", stats.panics());
    counter("weft_proxy_series_dropped_total", "Values not counted: too many series.", stats.dropped_series());
    counter("weft_proxy_xds_connects_total", "Streams opened to the control plane.", stats.xds_connects.load(Relaxed));
    counter("weft_proxy_xds_responses_total", "Responses of the control plane.", stats.xds_updates.load(Relaxed));
    counter("weft_proxy_xds_nacks_total", "Resources that were rejected.", stats.xds_nacks.load(Relaxed));
    counter("weft_proxy_certificates_total", "Certificates issued to this proxy.", stats.certificates.load(Relaxed));
    let failed = stats.certificate_failures.load(Relaxed);
    counter("weft_proxy_certificate_failures_total", "Certificate requests that failed.", failed);
    let doubted = stats.certificates_doubted.load(Relaxed);
    let help = "Renewals before their time: the certificate or the roots in force are not the mesh's any more.";
    counter("weft_proxy_certificates_doubted_total", help, doubted);
    let failed = stats.app_scrape_failures.load(Relaxed);
    counter("weft_proxy_app_scrape_failures_total", "Scrapes without the application's metrics.", failed);
    counter("weft_proxy_access_log_dropped_total", "Access log lines dropped.", shared.access_log.dropped());
    counter("weft_proxy_spans_dropped_total", "Spans dropped.", shared.spans.dropped());
    counter("weft_proxy_spans_exported_total", "Spans handed to the collector.", shared.spans.exported());

    text.single(
        "weft_proxy_xds_connected",
        "gauge",
        "Whether the control plane is connected.",
        u8::from(stats.xds_connected()),
    );
    text.single("weft_proxy_config_generation", "gauge", "Number of the configuration in force.", shared.generation());
    let expires = shared.identity.load().as_ref().map(|identity| identity.not_after);
    if let Some(expires) = expires.and_then(|at| at.duration_since(SystemTime::now()).ok()) {
        let help = "Seconds until this proxy's certificate expires.";
        text.single("weft_proxy_cert_expiry_seconds", "gauge", help, expires.as_secs());
    }
    text.family("weft_proxy_errors_total", "counter", "Requests and connections that the proxy ended, by reason.");
    stats.each_failure(|kind, failed, _| text.sample("weft_proxy_errors_total", &one("kind", kind), failed));
    text.family("weft_proxy_malformed_total", "counter", "Garbage and protocol errors from downstream peers.");
    stats.each_failure(|kind, _, malformed| text.sample("weft_proxy_malformed_total", &one("kind", kind), malformed));
    text.family("weft_proxy_upstream_overflow_total", "counter", "Refusals by a cluster's limits.");
    stats.each_overflow(|cluster, limit, count| {
        let mut labels = one("cluster", cluster);
        label(&mut labels, "limit", limit);
        text.sample("weft_proxy_upstream_overflow_total", &labels, count);
    });
    if let Some(usage) = usage() {
        text.single("process_resident_memory_bytes", "gauge", "Resident memory.", usage.resident);
        text.single("process_cpu_seconds_total", "counter", "User and system CPU time.", usage.cpu);
    }
    let start = shared.stats.started().duration_since(UNIX_EPOCH).unwrap_or_default();
    text.single("process_start_time_seconds", "gauge", "Start of the process, Unix time.", start.as_secs_f64());
}

struct Usage {
    resident: u64,
    cpu: f64,
}

/// Linux counts pages of 4 KiB in `statm` and ticks of 10 ms in `stat` on every architecture that Weft is built for.
fn usage() -> Option<Usage> {
    const PAGE: u64 = 4096;
    const TICKS: f64 = 100.0;
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let resident = statm.split(' ').nth(1)?.parse::<u64>().ok()? * PAGE;
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The second field is the program's name in parentheses and may hold blanks.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let (user, system) = (fields.nth(11)?.parse::<u64>().ok()?, fields.next()?.parse::<u64>().ok()?);
    Some(Usage { resident, cpu: (user + system) as f64 / TICKS })
}
