use std::{collections::BTreeMap, time::SystemTime};

use futures::future::join_all;
use weft_model::{graph::Sources, metrics};

use super::{Flow, Reporter};
use crate::telemetry::prometheus::{Prometheus, QueryError, Series};

/// Labels that an edge's rates are split by.
const RATE_LABELS: &str = "reporter, source_workload, source_workload_namespace, source_app, source_version, \
    destination_workload, destination_workload_namespace, destination_app, destination_version, destination_service, \
    destination_service_name, request_protocol, response_code, response_flags, connection_security_policy";
/// Labels that tell one edge, as one side reports it.
const EDGE_LABELS: &str = "reporter, source_workload, source_workload_namespace, destination_workload, \
    destination_workload_namespace";

/// For how long numbers are shown on when Prometheus does not answer any more.
const KEPT_MS: u64 = 15 * 60 * 1000;

/// Names an edge at one reporter: source id, destination id.
type Pair = (Reporter, String, String);

/// Latency of each edge in milliseconds, as each side measured it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Quantiles(BTreeMap<Pair, f64>);

impl Quantiles {
    pub(super) fn read(series: &[Series]) -> Self {
        let flows = series.iter().filter_map(Flow::read);
        Self(
            flows
                .filter_map(|f| Some(((f.reporter, f.source.id().unwrap_or_default(), f.destination.id()?), f.rate)))
                .collect(),
        )
    }

    /// Of the edge between two node ids; `source` is empty for a caller that is not known.
    pub fn get(&self, reporter: Reporter, source: &str, destination: &str) -> Option<f64> {
        self.0.get(&(reporter, source.to_owned(), destination.to_owned())).copied()
    }
}

/// What Prometheus said about one window. Parts that were not answered are empty, and `sources` says so.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Observed {
    /// End of the window, milliseconds since the epoch.
    pub at_ms: u64,
    /// Its length in seconds.
    pub window_s: u64,
    /// Requests per second.
    pub requests: Vec<Flow>,
    /// TCP connections opened per second.
    pub connections: Vec<Flow>,
    /// TCP bytes per second in both directions: shows connections that were opened long ago.
    pub bytes: Vec<Flow>,
    /// 50th, 95th and 99th percentile.
    pub latency: [Quantiles; 3],
    /// Why there are no request rates, if so: without them nothing can be called idle.
    pub rates_problem: Option<QueryError>,
    /// Why the numbers are older ones, if so, and how old in milliseconds: Prometheus does not answer any more.
    pub outdated: Option<QueryError>,
    /// See `outdated`.
    pub age_ms: u64,
    /// Completeness.
    pub sources: Sources,
    /// The queries, by what they give.
    pub queries: Vec<(String, String)>,
}

impl Observed {
    /// What was known last, in the place of an answer that did not come; the answer itself if it came, or if what was
    /// known last is too old to be worth anything.
    pub(super) fn or_last(self, last: Option<&Self>) -> Self {
        let Some(problem) = self.rates_problem.clone() else { return self };
        let Some(last) = last.filter(|last| last.rates_problem.is_none()) else { return self };
        let age_ms = self.at_ms.saturating_sub(last.at_ms);
        if age_ms > KEPT_MS {
            return self;
        }
        Self { outdated: Some(problem), age_ms, sources: self.sources, ..last.clone() }
    }
}

/// The six queries of a graph, whatever the mesh's size, by what they give.
pub(super) fn graph_queries(window_s: u64) -> Vec<(String, String)> {
    let window = format!("[{window_s}s]");
    let sum = |metric: &str| format!("sum by ({RATE_LABELS}) (rate({metric}{window})) > 0");
    let quantile = |q: &str| {
        format!(
            "histogram_quantile({q}, sum by (le, {EDGE_LABELS}) (rate({}_bucket{window})))",
            metrics::REQUEST_DURATION
        )
    };
    let bytes = format!(
        "sum by ({RATE_LABELS}) (rate({}{window}) + rate({}{window})) > 0",
        metrics::TCP_SENT_BYTES_TOTAL,
        metrics::TCP_RECEIVED_BYTES_TOTAL
    );
    [
        ("requests", sum(metrics::REQUESTS_TOTAL)),
        ("connections", sum(metrics::TCP_CONNECTIONS_OPENED_TOTAL)),
        ("bytes", bytes),
        ("p50", quantile("0.5")),
        ("p95", quantile("0.95")),
        ("p99", quantile("0.99")),
    ]
    .map(|(name, query)| (name.to_owned(), query))
    .into()
}

/// Asks Prometheus everything that the graph of the last `window_s` seconds needs, side by side.
pub async fn observe(prometheus: Option<&Prometheus>, window_s: u64) -> Observed {
    let at = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let queries = graph_queries(window_s);
    let asked = queries.iter().map(|(_, promql)| async move {
        match prometheus {
            Some(prometheus) => prometheus.instant(promql, Some(at.as_secs_f64())).await,
            None => Err(QueryError::NotConfigured),
        }
    });
    let mut answers = join_all(asked).await;
    let sources = tally(&answers);
    let rates_problem = answers.first().and_then(|answer| answer.as_ref().err().cloned());
    let mut take =
        |index: usize| answers.get_mut(index).and_then(|a| a.as_mut().ok()).map(std::mem::take).unwrap_or_default();
    let flows = |series: Vec<Series>| series.iter().filter_map(Flow::read).filter(|flow| flow.rate > 0.0).collect();
    Observed {
        at_ms: u64::try_from(at.as_millis()).unwrap_or(u64::MAX),
        window_s,
        requests: flows(take(0)),
        connections: flows(take(1)),
        bytes: flows(take(2)),
        latency: [3, 4, 5].map(|index| Quantiles::read(&take(index))),
        rates_problem,
        outdated: None,
        age_ms: 0,
        sources,
        queries,
    }
}

/// Counts answers; the first problem stands for all, as they nearly always share a cause.
pub(crate) fn tally<T>(answers: &[Result<T, QueryError>]) -> Sources {
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Sources {
        asked: count(answers.len()),
        answered: count(answers.iter().filter(|answer| answer.is_ok()).count()),
        problem: answers.iter().find_map(|answer| answer.as_ref().err()).map(ToString::to_string),
        words: None,
    }
}
