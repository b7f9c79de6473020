//! Nodes and edges for tests.

use weft_model::graph::{Edge, Graph, Health, Lock, Node};

/// A healthy workload; the id is `namespace/workload-version`.
pub fn node(id: &str) -> Node {
    let (namespace, workload) = id.split_once('/').unwrap_or(("", id));
    let version = workload.rsplit_once('-').map(|(_, version)| version).filter(|version| version.starts_with('v'));
    Node {
        id: id.into(),
        namespace: namespace.into(),
        workload: workload.into(),
        app: version
            .and_then(|version| workload.strip_suffix(version))
            .map_or(workload, |app| app.trim_end_matches('-'))
            .into(),
        version: version.unwrap_or_default().into(),
        health: Health::Healthy,
        rate_in: 10.0,
        error_share: Some(0.0),
        ..Node::default()
    }
}

/// A healthy call of 10 requests a second.
pub fn edge(source: &str, destination: &str) -> Edge {
    Edge {
        id: format!("{source}->{destination}"),
        source: source.into(),
        destination: destination.into(),
        protocol: "http".into(),
        rate: 10.0,
        error_share: Some(0.0),
        p50_ms: Some(3.0),
        p95_ms: Some(48.0),
        health: Health::Healthy,
        lock: Lock::Mtls,
        plaintext_share: Some(0.0),
        ..Edge::default()
    }
}

/// A graph of them; the nodes are those that the edges name, and `lone`.
pub fn graph(edges: &[(&str, &str)], lone: &[&str]) -> Graph {
    let mut ids: Vec<&str> = edges.iter().flat_map(|(from, to)| [*from, *to]).chain(lone.iter().copied()).collect();
    ids.sort_unstable();
    ids.dedup();
    Graph {
        at_ms: 1,
        window_s: 60,
        nodes: ids.into_iter().map(node).collect(),
        edges: edges.iter().map(|(from, to)| edge(from, to)).collect(),
        ..Graph::default()
    }
}
