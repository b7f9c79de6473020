use std::collections::BTreeMap;

use petgraph::{
    Direction,
    graph::{DiGraph, NodeIndex},
};
use weft_model::graph::{Badge, CodeRate, Edge, Health, Lock, Node, NodeKind};

use super::{
    Observed,
    edges::{EXTERNAL, End, Merged, UNKNOWN_ID},
    health::{error_share, judge, total},
};
use crate::estate::Estate;

/// Puts merged edges and configured workloads into one graph and reads every node's totals off its edges.
pub(super) fn assemble(merged: Vec<Merged>, observed: &Observed, estate: &Estate) -> (Vec<Node>, Vec<Edge>) {
    let mut graph: DiGraph<Node, Edge> = DiGraph::new();
    let mut index: BTreeMap<String, NodeIndex> = BTreeMap::new();
    for (id, _) in estate.workloads.iter().filter(|(_, workload)| workload.listed) {
        place(&mut graph, &mut index, &End { id: id.clone(), ..End::default() }, estate);
    }
    for edge in merged {
        let source = place(&mut graph, &mut index, &edge.source, estate);
        let destination = place(&mut graph, &mut index, &edge.destination, estate);
        graph.add_edge(source, destination, finish(edge, observed));
    }
    for &at in index.values() {
        let (incoming, rate_in) = totals(&graph, at, Direction::Incoming);
        let (outgoing, rate_out) = totals(&graph, at, Direction::Outgoing);
        let Some(node) = graph.node_weight_mut(at) else { continue };
        node.rate_in = rate_in;
        node.rate_out = rate_out;
        node.error_share = error_share(&incoming);
        // A gateway or a load generator receives nothing that is counted; what it sends tells how it fares.
        node.health = match (&observed.rates_problem, judge(&incoming)) {
            (Some(_), _) => Health::Unknown,
            (None, Health::Idle) => judge(&outgoing),
            (None, health) => health,
        };
    }
    let nodes = index.values().filter_map(|&at| graph.node_weight(at).cloned()).collect();
    let mut edges: Vec<Edge> = graph.into_nodes_edges().1.into_iter().map(|edge| edge.weight).collect();
    edges.sort_by(|a, b| a.id.cmp(&b.id));
    (nodes, edges)
}

fn totals(graph: &DiGraph<Node, Edge>, at: NodeIndex, direction: Direction) -> (Vec<CodeRate>, f64) {
    let edges = || graph.edges_directed(at, direction).map(|edge| edge.weight());
    (edges().flat_map(|edge| edge.codes.iter().cloned()).collect(), total(edges().map(|edge| edge.rate)))
}

fn place(
    graph: &mut DiGraph<Node, Edge>,
    index: &mut BTreeMap<String, NodeIndex>,
    end: &End,
    estate: &Estate,
) -> NodeIndex {
    if let Some(&at) = index.get(&end.id) {
        return at;
    }
    let at = graph.add_node(describe(end, estate));
    index.insert(end.id.clone(), at);
    at
}

fn describe(end: &End, estate: &Estate) -> Node {
    let mut node = Node {
        id: end.id.clone(),
        kind: NodeKind::Workload,
        namespace: end.peer.namespace.clone(),
        workload: end.peer.workload.clone(),
        app: end.peer.app.clone(),
        version: end.peer.version.clone(),
        health: Health::Idle,
        rate_in: 0.0,
        rate_out: 0.0,
        error_share: None,
        badges: Vec::new(),
        ..Node::default()
    };
    if end.id == UNKNOWN_ID {
        node.kind = NodeKind::Unmeshed;
        node.workload = UNKNOWN_ID.to_owned();
    } else if end.id.starts_with(EXTERNAL) {
        node.kind = NodeKind::External;
    } else if let Some(known) = estate.workloads.get(&end.id) {
        node.kind = match (known.gateway, known.meshed) {
            (true, _) => NodeKind::Gateway,
            (false, true) => NodeKind::Workload,
            (false, false) => NodeKind::Unmeshed,
        };
        node.namespace.clone_from(&known.namespace);
        node.workload.clone_from(&known.name);
        node.app.clone_from(&known.app);
        node.version.clone_from(&known.version);
        node.badges.clone_from(&known.badges);
        if node.kind == NodeKind::Unmeshed {
            let text =
                format!("{} has no proxy: its calls are plaintext and nothing that it serves is counted", end.id);
            node.badges.push(Badge { kind: "missing-sidecar".into(), severity: None, text });
        }
    }
    node
}

fn finish(edge: Merged, observed: &Observed) -> Edge {
    let requests = total(edge.requests.values().copied());
    let only_grpc = edge.requests.keys().all(|protocol| protocol == "grpc");
    let (protocol, rate) = match (edge.requests.is_empty(), only_grpc) {
        (true, _) => ("tcp", edge.connections),
        (false, true) => ("grpc", requests),
        (false, false) => ("http", requests),
    };
    let mut codes: Vec<CodeRate> = edge
        .codes
        .into_iter()
        .map(|((code, flags), rate)| CodeRate { code, flags, rate, ..CodeRate::default() })
        .collect();
    codes.sort_by(|a, b| b.rate.total_cmp(&a.rate).then_with(|| a.code.cmp(&b.code)));
    let source = if edge.source.id == UNKNOWN_ID { "" } else { &edge.source.id };
    let [p50_ms, p95_ms, p99_ms] =
        std::array::from_fn(|i| observed.latency[i].get(edge.reporter, source, &edge.destination.id));
    let told = edge.mtls + edge.plaintext;
    let health = match (&observed.rates_problem, judge(&codes)) {
        (Some(_), _) => Health::Unknown,
        // Bytes still flow on connections that were opened before the window.
        (None, Health::Idle) => Health::Healthy,
        (None, health) => health,
    };
    Edge {
        id: format!("{}->{}", edge.source.id, edge.destination.id),
        source: edge.source.id,
        destination: edge.destination.id,
        protocol: protocol.to_owned(),
        rate,
        error_share: error_share(&codes),
        p50_ms,
        p95_ms,
        p99_ms,
        health,
        lock: match (told > 0.0, edge.mtls > 0.0, edge.plaintext > 0.0) {
            (false, _, _) => Lock::Unknown,
            (true, true, true) => Lock::Mixed,
            (true, true, false) => Lock::Mtls,
            (true, false, _) => Lock::Plaintext,
        },
        plaintext_share: (told > 0.0).then(|| edge.plaintext / told),
        codes,
        ..Edge::default()
    }
}
