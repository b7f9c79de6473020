//! The graph and the canaries.

use std::fmt::Write as _;

use weft_model::{
    canary::{Canaries, Canary, Verdict, place},
    graph::{Badge, Edge, Graph, Node, NodeKind, called},
};

use super::{clean, figure, gaps, health, lists::failures, lock, millis, moment, note, percent, section, table};

/// Calls, then what calls and is called.
pub fn graph(graph: &Graph) -> String {
    let head = ["HEALTH", "SOURCE", "DESTINATION", "PROTOCOL", "RATE", "ERRORS", "P50", "P95", "P99", "ENCRYPTION"];
    let edges = graph.edges.iter().map(edge).collect();
    let mut text = format!("Of {} s until {}, by {}.\n\n", graph.window_s, moment(graph.at_ms), graph.view);
    text.push_str(&table(&head, edges, "Nothing called anything in that time."));
    let head = ["HEALTH", "NODE", "KIND", "IN", "OUT", "ERRORS", "MARKS"];
    text.push_str(&section("What calls and is called:", &head, graph.nodes.iter().map(node).collect()));
    text.push_str(&gaps(&graph.sources));
    text.push_str(&note(graph.quantiles.note.as_deref()));
    if graph.age_ms > 0 {
        let _ = write!(text, "\nPrometheus does not answer: this is from {} s ago.\n", graph.age_ms / 1000);
    }
    for finding in &graph.findings {
        let _ = write!(text, "\n{}\n", clean(&finding.to_string()));
    }
    text
}

fn edge(edge: &Edge) -> Vec<String> {
    vec![
        health(edge.health).to_owned(),
        called(&edge.source),
        called(&edge.destination),
        edge.protocol.clone(),
        format!("{} {}", figure(edge.rate), edge.counted().unit),
        failures(edge.error_share, edge.client_error_share),
        millis(edge.p50_ms),
        millis(edge.p95_ms),
        millis(edge.p99_ms),
        lock(edge.lock, edge.plaintext_share),
    ]
}

fn node(node: &Node) -> Vec<String> {
    let kind = match node.kind {
        NodeKind::Workload => "workload",
        NodeKind::Unmeshed => "no proxy",
        NodeKind::Gateway => "gateway",
        NodeKind::Egress => "egress",
        NodeKind::Service => "service",
        NodeKind::App => "app",
        NodeKind::External => "external",
        NodeKind::Unknown => "unknown",
        NodeKind::Hidden => "hidden",
    };
    vec![
        health(node.health).to_owned(),
        called(&node.id),
        kind.to_owned(),
        figure(node.rate_in),
        figure(node.rate_out),
        failures(node.error_share, node.client_error_share),
        marks(&node.badges).join(", "),
    ]
}

/// Each mark once: a node has one of a kind for each object that it follows from.
fn marks(badges: &[Badge]) -> Vec<&str> {
    let mut marks: Vec<&str> = Vec::new();
    for badge in badges {
        if !marks.contains(&badge.kind.as_str()) {
            marks.push(&badge.kind);
        }
    }
    marks
}

/// Destinations of each weighted route, then what is to be said of each.
pub fn canaries(list: &Canaries) -> String {
    let head = [
        "ROUTE",
        "DESTINATION",
        "CONFIGURED",
        "OBSERVED",
        "95 % INTERVAL",
        "COUNTED",
        "VERDICT",
        // These are of all that the destination receives, not of what the shares are counted from.
        "RATE BY ANY ROUTE",
        "ERRORS",
        "P95",
    ];
    let rows = list.canaries.iter().flat_map(shares).collect();
    let mut text = table(&head, rows, "No weighted route is configured, or none that you may see.");
    for canary in &list.canaries {
        let _ = write!(text, "\n{}: {}\n", clean(&name(canary)), clean(&canary.sentence));
        for tester in &canary.testers {
            let count = counted(canary, tester.requests);
            let words = format!("{} go to {}: {count}", tester.matches, tester.destination);
            let _ = writeln!(text, "  {}", clean(&words));
        }
    }
    text.push_str(&gaps(&list.sources));
    text
}

fn name(canary: &Canary) -> String {
    let (list, index) = place(canary.route_index);
    format!("{}/{} {list}[{index}]", canary.object.namespace, canary.object.name)
}

/// A count with what was counted.
fn counted(canary: &Canary, number: u64) -> String {
    let words = canary.counted();
    format!("{number} {}", if number == 1 { words.one } else { words.many })
}

fn shares(canary: &Canary) -> Vec<Vec<String>> {
    let verdict = match canary.verdict {
        Verdict::Consistent => "consistent",
        Verdict::Diverging => "DIVERGING",
        Verdict::Sticky => "STICKY",
        Verdict::TooLittleTraffic => "too little traffic",
        Verdict::Settling => "settling",
        Verdict::Unknown => "unknown",
    };
    let of = |value: f64| format!("{} %", figure(value));
    let shares = canary.shares.iter().map(|share| {
        let subset = if share.subset.is_empty() { String::new() } else { format!(" {}", share.subset) };
        vec![
            name(canary),
            format!("{}{subset}", share.host),
            of(share.configured_percent),
            share.observed_percent.map(of).unwrap_or_default(),
            share.interval.map(|(low, high)| format!("{}–{}", figure(low), figure(high))).unwrap_or_default(),
            counted(canary, share.requests),
            verdict.to_owned(),
            format!("{} {}", figure(share.rate), canary.counted().unit),
            percent(share.error_share),
            millis(share.p95_ms),
        ]
    });
    shares.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_named_once() {
        let badge =
            |kind: &str| Badge { kind: kind.into(), severity: None, text: "why".into(), namespace: String::new() };
        let badges = ["canary", "lint", "fault", "lint"].map(badge);
        assert_eq!(marks(&badges), ["canary", "lint", "fault"]);
    }
}
