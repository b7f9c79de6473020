//! The queries of a graph: three for rates, errors and locks, then one for what recording rules keep, or four without them.
//! Their number does not depend on the mesh's size.

use weft_model::metrics;

/// Labels that an edge's rates are split by; the reporter is part of the selector.
const RATE_LABELS: &str = "source_workload, source_workload_namespace, source_app, source_version, \
    destination_workload, destination_workload_namespace, destination_app, destination_version, destination_service, \
    destination_service_name, request_protocol, response_code, grpc_response_status, response_flags";
/// Labels that tell clusters apart; asked for only where there are several.
const CLUSTER_LABELS: &str = ", source_cluster, destination_cluster";
/// Labels that tell one edge, as one side reports it.
const EDGE_LABELS: &str = "reporter, source_workload, source_workload_namespace, destination_workload, \
    destination_workload_namespace";
/// Names of the recorded series, as `charts/weft/files/recording-rules.yaml` has them.
const RECORDED: &str = "weft:edge_(latency_milliseconds|traffic)";
/// What every proxy tells from its start on.
const PROXY_STATE: &str = "weft_proxy_config_generation";

/// A query and what it gives, in the words of a sentence about what is missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Question {
    /// Short name: the key in [`weft_model::graph::Graph::queries`].
    pub name: &'static str,
    /// What is missing without it.
    pub gives: &'static str,
    /// The query.
    pub promql: String,
}

fn question(name: &'static str, gives: &'static str, promql: String) -> Question {
    Question { name, gives, promql }
}

/// Windows up to this length are read sample by sample; longer ones in steps, so that a week costs little more than an hour.
pub(super) const WHOLE_S: u64 = 3600;
/// Into how many steps a longer window is cut.
const STEPS: u64 = 96;

/// The rate of each counter that `selector` chooses. Over a long window only one sample of each step is read, between which
/// a counter tells all that it counted (but for the end of a step in which it starts anew). What is younger than two
/// steps shows in the last hour only, which stands for it then.
fn rate(selector: &str, window_s: u64) -> String {
    if window_s <= WHOLE_S {
        return format!("rate({selector}[{window_s}s])");
    }
    let step_s = window_s.div_ceil(STEPS);
    format!("(rate({selector}[{window_s}s:{step_s}s]) or rate({selector}[{WHOLE_S}s]) * {WHOLE_S} / {window_s})")
}

/// Rates, errors and locks over the last `window_s` seconds: what callers counted, what called ones counted, and TCP.
/// The two sides are asked apart so that Prometheus works on both at once. With `idle`, series that have not moved are
/// among the rows; with `apart`, rows are split by cluster.
pub(super) fn rates(window_s: u64, idle: bool, apart: bool) -> [Question; 3] {
    let moved = if idle { "" } else { " > 0" };
    let clusters = if apart { CLUSTER_LABELS } else { "" };
    let requests = metrics::REQUESTS_TOTAL;
    let tcp = [
        ("opened", metrics::TCP_CONNECTIONS_OPENED_TOTAL),
        ("closed", metrics::TCP_CONNECTIONS_CLOSED_TOTAL),
        // Istio names them from the server's point of view.
        ("received", metrics::TCP_SENT_BYTES_TOTAL),
        ("sent", metrics::TCP_RECEIVED_BYTES_TOTAL),
    ];
    [
        question(
            "requests",
            "what callers counted",
            format!(
                "sum by ({RATE_LABELS}{clusters}) ({}){moved}",
                rate(&format!("{requests}{{reporter=\"source\"}}"), window_s)
            ),
        ),
        question(
            "received",
            "encryption and what called workloads counted",
            format!(
                "sum by ({RATE_LABELS}{clusters}, connection_security_policy) ({}){moved}",
                rate(&format!("{requests}{{reporter=\"destination\"}}"), window_s)
            ),
        ),
        question(
            "tcp",
            "TCP",
            union(tcp.map(|(what, metric)| {
                let labels = format!("reporter, {RATE_LABELS}{clusters}, connection_security_policy");
                (what, format!("sum by ({labels}) ({}){moved}", rate(metric, window_s)))
            })),
        ),
    ]
}

/// Whether there is anything at all of the mesh's proxies: of those without traffic yet, their own state.
pub(super) fn presence() -> Question {
    let names = [metrics::REQUESTS_TOTAL, metrics::TCP_CONNECTIONS_OPENED_TOTAL, PROXY_STATE];
    question("presence", "whether proxies are scraped", format!("count({{__name__=~\"{}\"}})", names.join("|")))
}

/// Several queries as one; the label `what` tells their rows apart.
fn union<const N: usize>(parts: [(&str, String); N]) -> String {
    parts.map(|(what, query)| format!("label_replace({query}, \"what\", \"{what}\", \"\", \"\")")).join(" or ")
}

/// The length of the recording rules' windows that is nearest to a window of the page.
pub(super) fn recorded_window(window_s: u64) -> (&'static str, u64) {
    if window_s <= 120 { ("1m", 60) } else { ("5m", 300) }
}

/// Everything that the recording rules keep of one window: quantiles, throughput and messages.
pub(super) fn recorded(window: &str) -> Question {
    question("recorded", "latency and throughput", format!("{{__name__=~\"{RECORDED}\", window=\"{window}\"}}"))
}

/// Over how many seconds raw histograms are read for a window of the page.
pub(super) fn raw_window(window_s: u64) -> u64 {
    window_s.min(WHOLE_S)
}

/// The same from what proxies count: for a Prometheus without the rules, and, with `apart`, by cluster, which the rules do
/// not keep because with one cluster it would only make them larger. Histograms are what costs: see [`raw_window`].
pub(super) fn raw(window_s: u64, apart: bool) -> [Question; 4] {
    let window_s = raw_window(window_s);
    let clusters = if apart { CLUSTER_LABELS } else { "" };
    let quantile = |q: &str| {
        let duration = metrics::REQUEST_DURATION;
        format!("histogram_quantile({q}, sum by (le, {EDGE_LABELS}{clusters}) (rate({duration}_bucket[{window_s}s])))")
    };
    let sum = |metric: &str| format!("sum by ({EDGE_LABELS}{clusters}) (rate({metric}[{window_s}s])) > 0");
    let traffic = [
        ("request_bytes", sum(&format!("{}_sum", metrics::REQUEST_BYTES))),
        ("response_bytes", sum(&format!("{}_sum", metrics::RESPONSE_BYTES))),
        ("request_messages", sum(metrics::REQUEST_MESSAGES_TOTAL)),
        ("response_messages", sum(metrics::RESPONSE_MESSAGES_TOTAL)),
    ];
    [
        question("p50", "p50", quantile("0.5")),
        question("p95", "p95", quantile("0.95")),
        question("p99", "p99", quantile("0.99")),
        question("throughput", "throughput", union(traffic)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_window_is_read_in_as_many_steps_as_a_shorter_one() {
        for window_s in [10, 60, 3600] {
            assert_eq!(rate("x", window_s), format!("rate(x[{window_s}s])"), "exact, and as cheap as it can be");
        }
        for window_s in [3601, 10_800, 43_200, 86_400, 604_800] {
            let [requests, received, tcp] = rates(window_s, false, false).map(|question| question.promql);
            for promql in [requests, received, tcp] {
                let mut ranges = promql.split('[').skip(1).map(|rest| rest.split(']').next().unwrap_or_default());
                let read = |range: &str| match range.split_once(':') {
                    Some((whole, step)) => seconds(whole) / seconds(step),
                    // Scrapes come every few seconds.
                    None => seconds(range) / 5,
                };
                assert!(ranges.all(|range| read(range) <= 720), "{promql}");
                assert!(promql.contains(&format!("[{window_s}s:")), "{promql}");
            }
            assert!(raw(window_s, false).iter().all(|question| question.promql.contains("[3600s]")));
        }
    }

    fn seconds(text: &str) -> u64 {
        text.trim_end_matches('s').parse().unwrap()
    }
}
