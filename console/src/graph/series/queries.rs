//! The queries of a chart. Both sides' counts are put together in them as the graph puts them: between two workloads the
//! caller's count, and the called one's where the caller, for want of a proxy, counts nothing.

use weft_model::metrics;

use super::Subject;
use crate::estate::Estate;

/// Labels of the two workloads between which one side or the other counts.
pub(super) const PAIR: &str =
    "source_workload_namespace, source_workload, destination_workload_namespace, destination_workload";
/// The same where clusters are told apart.
const CLUSTERS: &str = ", source_cluster, destination_cluster";

/// What chooses the series of one direction of a node, or of an edge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Choice {
    /// Matchers of what is counted.
    pub counted: String,
    /// Matchers of all that callers count between the same workloads, whatever host they asked for: it tells which of
    /// them count themselves.
    pub between: String,
    /// Whether workloads of one name in several clusters are told apart.
    pub apart: bool,
}

impl Choice {
    /// The rates of `metric`, each event once. `moving` is the metric by which a caller is known to count itself.
    fn rates(&self, metric: &str, moving: &str, rate_s: u64) -> String {
        let rate = |metric: &str, reporter: &str, matching: &str| {
            format!("rate({metric}{{reporter=\"{reporter}\",{matching}}}[{rate_s}s])")
        };
        let callers = rate(metric, metrics::REPORTER_SOURCE, &self.counted);
        let called = rate(metric, metrics::REPORTER_DESTINATION, &self.counted);
        let telling = rate(moving, metrics::REPORTER_SOURCE, &self.between);
        let clusters = if self.apart { CLUSTERS } else { "" };
        format!("({callers} or ({called} unless on ({PAIR}{clusters}) ({telling} > 0)))")
    }

    /// Those of what is counted for each request.
    pub fn requests(&self, metric: &str, rate_s: u64) -> String {
        self.rates(metric, metrics::REQUESTS_TOTAL, rate_s)
    }

    /// Those of TCP. A connection that lasts moves bytes long after it was opened, so each metric tells by itself.
    pub fn tcp(&self, metric: &str, rate_s: u64) -> String {
        self.rates(metric, metric, rate_s)
    }
}

/// Queries by what they give.
pub(super) fn of(subject: &Subject, estate: &Estate, rate_s: u64) -> Vec<(&'static str, String)> {
    let incoming = subject.incoming(estate);
    let codes = |choice: &Choice| {
        let rates = choice.requests(metrics::REQUESTS_TOTAL, rate_s);
        format!("sum by (response_code, grpc_response_status) ({rates})")
    };
    let quantile = |q: &str| {
        let rates = incoming.requests(&format!("{}_bucket", metrics::REQUEST_DURATION), rate_s);
        format!("histogram_quantile({q}, sum by (le) ({rates}))")
    };
    let bytes = |what: &str, http: &str, tcp: &str| {
        let (http, tcp) = (incoming.requests(&format!("{http}_sum"), rate_s), incoming.tcp(tcp, rate_s));
        // Either may be absent, and neither may hide the other.
        let sum = format!("sum({http} or label_replace({tcp}, \"of\", \"tcp\", \"\", \"\"))");
        format!("label_replace({sum}, \"what\", \"{what}\", \"\", \"\")")
    };
    let throughput = [
        bytes("sent", metrics::REQUEST_BYTES, metrics::TCP_RECEIVED_BYTES_TOTAL),
        bytes("received", metrics::RESPONSE_BYTES, metrics::TCP_SENT_BYTES_TOTAL),
    ];
    let mut queries = vec![
        ("requests", codes(&incoming)),
        ("p50", quantile("0.5")),
        ("p95", quantile("0.95")),
        ("p99", quantile("0.99")),
        ("throughput", throughput.join(" or ")),
        ("connections", format!("sum({})", incoming.tcp(metrics::TCP_CONNECTIONS_OPENED_TOTAL, rate_s))),
    ];
    queries.extend(subject.outgoing().map(|outgoing| ("requests-out", codes(&outgoing))));
    queries
}
