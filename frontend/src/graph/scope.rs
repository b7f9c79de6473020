//! The part of a graph that the chosen namespaces show.

use std::collections::BTreeSet;

use weft_model::graph::Graph;

use crate::location::View;

/// Nodes in scope, and those outside of it that they call or are called by. Nodes without a namespace are shown for
/// their calls only.
pub fn within(graph: &Graph, view: &View) -> Graph {
    if view.namespaces.is_empty() {
        return graph.clone();
    }
    let inside: BTreeSet<&str> = graph
        .nodes
        .iter()
        .filter(|node| !node.namespace.is_empty() && view.shows(&node.namespace))
        .map(|node| node.id.as_str())
        .collect();
    let touches = |source: &str, destination: &str| inside.contains(source) || inside.contains(destination);
    let edges: Vec<_> = graph.edges.iter().filter(|edge| touches(&edge.source, &edge.destination)).cloned().collect();
    let shown: BTreeSet<&str> =
        edges.iter().flat_map(|edge| [edge.source.as_str(), edge.destination.as_str()]).chain(inside).collect();
    let nodes = graph.nodes.iter().filter(|node| shown.contains(node.id.as_str())).cloned().collect();
    Graph {
        nodes,
        edges,
        boxes: graph.boxes.clone(),
        sources: graph.sources.clone(),
        quantiles: graph.quantiles.clone(),
        findings: graph.findings.clone(),
        queries: graph.queries.clone(),
        ..*graph
    }
}

#[cfg(test)]
mod tests {
    use weft_model::graph::{Edge, Health, Lock, Node, NodeKind, Sources};

    use super::*;

    #[test]
    fn neighbours_come_along() {
        let node = |id: &str| Node {
            id: id.into(),
            kind: NodeKind::Workload,
            namespace: id.split_once('/').map(|(namespace, _)| namespace).unwrap_or_default().into(),
            workload: id.into(),
            app: String::new(),
            version: String::new(),
            health: Health::Idle,
            rate_in: 0.0,
            rate_out: 0.0,
            error_share: None,
            badges: vec![],
            ..Node::default()
        };
        let edge = |source: &str, destination: &str| Edge {
            id: format!("{source}->{destination}"),
            source: source.into(),
            destination: destination.into(),
            protocol: "http".into(),
            rate: 1.0,
            error_share: None,
            p50_ms: None,
            p95_ms: None,
            p99_ms: None,
            health: Health::Idle,
            lock: Lock::Unknown,
            plaintext_share: None,
            codes: vec![],
            ..Edge::default()
        };
        let graph = Graph {
            at_ms: 1,
            window_s: 60,
            nodes: ["a/x", "b/y", "c/z", "d/w", "unknown"].map(node).into(),
            edges: vec![edge("a/x", "b/y"), edge("b/y", "c/z"), edge("unknown", "d/w")],
            sources: Sources::default(),
            ..Graph::default()
        };
        let view = View { namespaces: vec!["a".into()], ..View::default() };
        let shown = within(&graph, &view);
        let ids: Vec<&str> = shown.nodes.iter().map(|node| node.id.as_str()).collect();
        assert_eq!(ids, ["a/x", "b/y"]);
        assert_eq!(shown.edges.len(), 1);
        assert_eq!(within(&graph, &View::default()), graph);
    }
}
