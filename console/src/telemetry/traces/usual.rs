//! How long a hop usually takes.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use weft_model::{
    metrics::{REPORTER_DESTINATION, REPORTER_SOURCE, REQUEST_DURATION},
    trace::{Span, Usual},
};

use crate::{
    db::{DbError, TraceStore},
    telemetry::prometheus::Prometheus,
};

/// Operations of one trace that are looked up.
const MAX_OPERATIONS: usize = 40;
/// Spans that one operation is compared with, the newest first.
const SAMPLES: usize = 500;
/// Fewer say nothing.
const ENOUGH: usize = 20;
/// How far back they are looked for.
const SINCE: Duration = Duration::from_secs(3600);
/// The same for Prometheus' histograms, as it writes times.
const RANGE: &str = "10m";

/// Compares each span with others of its operation that are held; those with too few are left alone.
pub async fn from_spans(store: &TraceStore, spans: &mut [Span]) -> Result<(), DbError> {
    let mut known: BTreeMap<(String, String, String), Option<Usual>> = BTreeMap::new();
    let since = u64::try_from(SINCE.as_micros()).unwrap_or(u64::MAX);
    for span in spans.iter_mut().filter(|span| !span.workload.is_empty() && span.kind != "gap") {
        let key = (span.workload.clone(), span.name.clone(), span.kind.clone());
        if !known.contains_key(&key) {
            if known.len() == MAX_OPERATIONS {
                continue;
            }
            let durations = store.durations(span, span.start_us.saturating_sub(since), SAMPLES).await?;
            known.insert(key.clone(), quantiles(durations));
        }
        span.usual = known.get(&key).copied().flatten();
    }
    Ok(())
}

fn quantiles(mut durations: Vec<u64>) -> Option<Usual> {
    if durations.len() < ENOUGH {
        return None;
    }
    durations.sort_unstable();
    // The nearest rank.
    let at = |percent: usize| durations.get((durations.len() * percent).div_ceil(100) - 1).copied();
    Some(Usual { p50_us: at(50)?, p95_us: at(95)?, spans: durations.len() })
}

/// Compares spans that nothing is known of yet with the calls of the same edge that Prometheus counted. Nobody waits for
/// a Prometheus that does not answer: then there is nothing to compare with.
pub async fn from_prometheus(prometheus: &Prometheus, spans: &mut [Span]) {
    let wanted = spans.iter().filter(|span| span.usual.is_none()).filter_map(|span| span.edge.split_once("->"));
    let name = |id: &str| id.split_once('/').map(|(_, name)| name.to_owned()).filter(|name| is_plain(name));
    let (sources, destinations): (BTreeSet<_>, BTreeSet<_>) =
        wanted.filter_map(|(from, to)| Some((name(from)?, name(to)?))).take(MAX_OPERATIONS).unzip();
    if sources.is_empty() {
        return;
    }
    // Plain names have no sign of a regular expression but the dot.
    let any = |names: BTreeSet<String>| names.into_iter().collect::<Vec<_>>().join("|").replace('.', "\\\\.");
    let (sources, destinations) = (any(sources), any(destinations));
    let query = |quantile: &str| {
        format!(
            "histogram_quantile({quantile}, sum by (le, reporter, source_workload_namespace, source_workload, \
             destination_workload_namespace, destination_workload) (rate({REQUEST_DURATION}_bucket\
             {{source_workload=~\"{sources}\", destination_workload=~\"{destinations}\"}}[{RANGE}])))"
        )
    };
    let (median, high) = (query("0.5"), query("0.95"));
    let (Ok(median), Ok(high)) = tokio::join!(prometheus.instant(&median, None), prometheus.instant(&high, None))
    else {
        return;
    };
    let mut edges: BTreeMap<(String, String), [f64; 2]> = BTreeMap::new();
    for (index, series) in median.iter().map(|one| (0, one)).chain(high.iter().map(|one| (1, one))) {
        let label = |name: &str| series.labels.get(name);
        let edge = format!(
            "{}/{}->{}/{}",
            label("source_workload_namespace"),
            label("source_workload"),
            label("destination_workload_namespace"),
            label("destination_workload")
        );
        edges.entry((label("reporter").to_owned(), edge)).or_insert([f64::NAN; 2])[index] = series.value;
    }
    for span in spans.iter_mut().filter(|span| span.usual.is_none()) {
        let reporter = if span.kind == "client" { REPORTER_SOURCE } else { REPORTER_DESTINATION };
        if span.kind != "client" && span.kind != "server" {
            continue;
        }
        let found = edges.get(&(reporter.to_owned(), span.edge.clone()));
        if let Some([median, high]) = found.filter(|both| both.iter().all(|ms| ms.is_finite())) {
            span.usual = Some(Usual { p50_us: micros(*median), p95_us: micros(*high), spans: 0 });
        }
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn micros(ms: f64) -> u64 {
    (ms * 1000.0).round().max(0.0) as u64
}

/// Whether it is a name of Kubernetes.
fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_want_enough() {
        assert_eq!(quantiles((0..19).collect()), None);
        assert_eq!(quantiles((1..=100).rev().collect()), Some(Usual { p50_us: 50, p95_us: 95, spans: 100 }));
        assert_eq!(quantiles(vec![7; 20]), Some(Usual { p50_us: 7, p95_us: 7, spans: 20 }));
    }

    #[test]
    fn only_plain_names_are_asked_for() {
        assert!(is_plain("order-service-v1") && is_plain("a.b"));
        for name in ["", "a\"b", "a|b", "A", "a\\", "{}"] {
            assert!(!is_plain(name), "{name}");
        }
    }
}
