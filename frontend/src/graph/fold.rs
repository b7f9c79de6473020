//! Namespaces folded into one node each: their traffic with the rest is summed, what they do inside is not drawn.

use std::collections::{BTreeMap, BTreeSet};

use weft_model::{
    Severity,
    graph::{Badge, CodeRate, Edge, Graph, Health, Lock, Node, NodeKind},
};

use crate::format;

/// Before the namespace in the id of a folded node.
const PREFIX: &str = "box:";

/// The id of the node that stands for a namespace.
pub fn id(namespace: &str) -> String {
    format!("{PREFIX}{namespace}")
}

/// The namespace that a node stands for, if it is a folded one.
pub fn namespace(id: &str) -> Option<&str> {
    id.strip_prefix(PREFIX)
}

/// `graph` with the namespaces in `folded` as one node each. Quantiles cannot be summed: an edge has the slowest.
pub fn fold(graph: Graph, folded: &BTreeSet<String>) -> Graph {
    if folded.is_empty() {
        return graph;
    }
    let homes: BTreeMap<&str, String> = graph
        .nodes
        .iter()
        .filter(|node| folded.contains(&node.namespace))
        .map(|node| (node.id.as_str(), id(&node.namespace)))
        .collect();
    let home = |id: &str| homes.get(id).cloned().unwrap_or_else(|| id.to_owned());
    let mut groups: BTreeMap<(String, String), Vec<&Edge>> = BTreeMap::new();
    for edge in &graph.edges {
        let (from, to) = (home(&edge.source), home(&edge.destination));
        // Calls within a box are its own affair; a node that calls itself and is not folded keeps that.
        if from != to || !homes.contains_key(edge.source.as_str()) {
            groups.entry((from, to)).or_default().push(edge);
        }
    }
    let mut edges: Vec<Edge> = groups
        .into_iter()
        .flat_map(|((from, to), group)| match group.as_slice() {
            [one] if one.source == from && one.destination == to => vec![(*one).clone()],
            _ => vec![sum(&from, &to, &group)],
        })
        .collect();
    edges.sort_by(|a, b| a.id.cmp(&b.id));
    let mut nodes: Vec<Node> =
        graph.nodes.iter().filter(|node| !homes.contains_key(node.id.as_str())).cloned().collect();
    for namespace in folded {
        let members: Vec<&Node> = graph.nodes.iter().filter(|node| node.namespace == *namespace).collect();
        if !members.is_empty() {
            nodes.push(stand_in(namespace, &members, &edges));
        }
    }
    nodes.sort_by(|a, b| a.id.cmp(&b.id));
    // A share is of all that its caller sends.
    let mut sent: BTreeMap<String, f64> = BTreeMap::new();
    for edge in edges.iter().filter(|edge| edge.protocol != "tcp") {
        *sent.entry(edge.source.clone()).or_default() += edge.rate;
    }
    for edge in edges.iter_mut().filter(|edge| namespace(&edge.source).is_some() && edge.protocol != "tcp") {
        let total = sent.get(&edge.source).copied().unwrap_or(0.0);
        edge.share = (total > 0.0).then(|| edge.rate / total);
    }
    Graph { nodes, edges, ..graph }
}

/// The node for a namespace: what comes in from outside, the worst health of what is inside.
fn stand_in(namespace: &str, members: &[&Node], edges: &[Edge]) -> Node {
    let id = id(namespace);
    let incoming: Vec<&Edge> = edges.iter().filter(|edge| edge.destination == id).collect();
    let outgoing = edges.iter().filter(|edge| edge.source == id);
    let rate_in: f64 = incoming.iter().map(|edge| edge.rate).sum();
    let mut kinds: BTreeMap<&str, (usize, Option<Severity>)> = BTreeMap::new();
    for badge in members.iter().flat_map(|node| &node.badges) {
        let kind = kinds.entry(&badge.kind).or_default();
        kind.0 += 1;
        kind.1 = kind.1.max(badge.severity);
    }
    let badges = kinds.into_iter().map(|(kind, (count, severity))| Badge {
        kind: kind.to_owned(),
        severity,
        text: format!(
            "{}: {} inside {namespace}",
            crate::words::badge(kind),
            format::plural(count, "workload", "workloads")
        ),
    });
    Node {
        kind: NodeKind::Workload,
        workload: namespace.to_owned(),
        health: members.iter().map(|node| node.health).max().unwrap_or_default(),
        rate_in,
        rate_out: outgoing.map(|edge| edge.rate).sum(),
        error_share: weighted(&incoming, |edge| edge.error_share),
        workloads: members.iter().map(|node| node.id.clone()).collect(),
        badges: badges.collect(),
        id,
        ..Node::default()
    }
}

/// Several calls as one.
fn sum(from: &str, to: &str, group: &[&Edge]) -> Edge {
    let total = |part: fn(&Edge) -> f64| group.iter().map(|edge| part(edge)).sum::<f64>();
    let slowest = |part: fn(&Edge) -> Option<f64>| group.iter().filter_map(|edge| part(edge)).reduce(f64::max);
    let protocols: BTreeSet<&str> = group.iter().map(|edge| edge.protocol.as_str()).collect();
    let protocol = if protocols.len() == 1 { protocols.first().copied().unwrap_or("http") } else { "mixed" };
    let mut codes: BTreeMap<(&str, &str, &str), f64> = BTreeMap::new();
    for code in group.iter().flat_map(|edge| &edge.codes) {
        *codes.entry((&code.code, &code.grpc, &code.flags)).or_default() += code.rate;
    }
    let mut codes: Vec<CodeRate> = codes
        .into_iter()
        .map(|((code, grpc, flags), rate)| CodeRate { code: code.into(), grpc: grpc.into(), flags: flags.into(), rate })
        .collect();
    codes.sort_by(|a, b| b.rate.total_cmp(&a.rate));
    let plaintext = weighted(group, |edge| edge.plaintext_share);
    Edge {
        id: format!("{from}->{to}"),
        source: from.to_owned(),
        destination: to.to_owned(),
        protocol: protocol.to_owned(),
        rate: total(|edge| edge.rate),
        error_share: weighted(group, |edge| edge.error_share),
        client_error_share: weighted(group, |edge| Some(edge.client_error_share)).unwrap_or(0.0),
        share: None,
        p50_ms: slowest(|edge| edge.p50_ms),
        p95_ms: slowest(|edge| edge.p95_ms),
        p99_ms: slowest(|edge| edge.p99_ms),
        bytes_sent: total(|edge| edge.bytes_sent),
        bytes_received: total(|edge| edge.bytes_received),
        opened: total(|edge| edge.opened),
        closed: total(|edge| edge.closed),
        messages_sent: total(|edge| edge.messages_sent),
        messages_received: total(|edge| edge.messages_received),
        health: group.iter().map(|edge| edge.health).max().unwrap_or(Health::Idle),
        lock: lock(group, plaintext),
        plaintext_share: plaintext,
        codes,
    }
}

/// The mean of a share by the rates that it is of; `None` when none is known.
fn weighted(edges: &[&Edge], part: impl Fn(&Edge) -> Option<f64>) -> Option<f64> {
    let known = || edges.iter().filter_map(|edge| Some((edge.rate, part(edge)?)));
    let total: f64 = known().map(|(rate, _)| rate).sum();
    (total > 0.0).then(|| known().map(|(rate, share)| rate * share).sum::<f64>() / total)
}

fn lock(edges: &[&Edge], plaintext: Option<f64>) -> Lock {
    let any = |lock: Lock| edges.iter().any(|edge| edge.lock == lock);
    match plaintext {
        Some(share) if share >= 1.0 => Lock::Plaintext,
        Some(share) if share > 0.0 => Lock::Mixed,
        Some(_) => Lock::Mtls,
        None if any(Lock::Mixed) => Lock::Mixed,
        None if any(Lock::Plaintext) => Lock::Plaintext,
        None => Lock::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::sample::graph;

    fn mesh() -> Graph {
        let mut graph = graph(
            &[
                ("edge/gw", "shop/a"),
                ("edge/gw", "shop/b"),
                ("shop/a", "shop/b"),
                ("shop/b", "mail/m"),
                ("shop/b", "shop/b"),
            ],
            &[],
        );
        graph.edges[1].error_share = Some(0.3);
        graph.edges[1].rate = 30.0;
        graph.edges[1].p95_ms = Some(90.0);
        graph.edges[1].plaintext_share = Some(1.0);
        graph.nodes.iter_mut().find(|node| node.id == "shop/b").unwrap().health = Health::Failing;
        graph
    }

    fn folded(names: &[&str]) -> Graph {
        fold(mesh(), &names.iter().map(|name| (*name).to_owned()).collect())
    }

    #[test]
    fn edges_of_a_folded_box_are_summed() {
        let graph = folded(&["shop"]);
        let ids: Vec<&str> = graph.nodes.iter().map(|node| node.id.as_str()).collect();
        assert_eq!(ids, ["box:shop", "edge/gw", "mail/m"]);
        assert_eq!(graph.edges.len(), 2, "what happens inside is not drawn");
        let edge = graph.edges.iter().find(|edge| edge.id == "edge/gw->box:shop").unwrap();
        assert_eq!((edge.rate, edge.p95_ms, edge.lock), (40.0, Some(90.0), Lock::Mixed));
        assert!(
            (edge.error_share.unwrap() - 0.225).abs() < 1e-9 && (edge.plaintext_share.unwrap() - 0.75).abs() < 1e-9
        );
        let node = &graph.nodes[0];
        assert_eq!((node.rate_in, node.rate_out, node.health), (40.0, 10.0, Health::Failing));
        assert_eq!((node.workload.as_str(), node.workloads.len()), ("shop", 2));
    }

    #[test]
    fn rates_between_boxes_stay_the_same_however_they_are_folded() {
        let between = |graph: &Graph| -> f64 {
            graph.edges.iter().filter(|edge| edge.source != edge.destination).map(|edge| edge.rate).sum()
        };
        assert_eq!(between(&folded(&["shop", "mail", "edge"])), 50.0);
        assert_eq!(between(&folded(&["shop"])), 50.0);
        assert_eq!(folded(&[]), mesh());
        assert_eq!(folded(&["nothing"]), mesh());
    }

    #[test]
    fn a_folded_node_is_told_from_a_workload() {
        assert_eq!(namespace(&id("shop")), Some("shop"));
        assert_eq!(namespace("shop/box:a"), None);
    }
}
