//! What a reader may not see becomes one node with totals only.

use std::collections::{BTreeMap, HashMap};

use weft_model::graph::{Badge, CodeRate, Edge, Graph, Health, Lock, Node, NodeKind, Sources};

use super::assemble::round;
use crate::redact::{addresses, names};

/// Id of the node that stands for everything hidden.
pub const HIDDEN_ID: &str = "hidden";

/// Takes out of `graph` what belongs to namespaces that `sees` denies: their nodes become one, and their edges one for
/// each neighbour, without names, labels, codes or latency. `sees("")` is about the mesh as a whole: hosts outside of it
/// are shown to others only where a workload that they may see calls them. Rights are those of the console's own cluster
/// and say nothing about others, so what is of another cluster is shown to those only who see the mesh as a whole. `knows`
/// says which words are names of namespaces: marks quote others, too, such as hosts, paths and what does not exist.
pub fn redact(mut graph: Graph, sees: &dyn Fn(&str) -> bool, knows: &dyn Fn(&str) -> bool) -> Graph {
    let mut answers: HashMap<String, bool> = HashMap::new();
    let mut may = |namespace: &str| *answers.entry(namespace.to_owned()).or_insert_with(|| sees(namespace));
    let everything = may("");
    // `true` for shown.
    let mut shown: HashMap<&str, bool> = HashMap::new();
    for node in graph.nodes.iter().filter(|node| !node.namespace.is_empty()) {
        shown.insert(&node.id, if node.is_foreign() { everything } else { may(&node.namespace) });
    }
    let own = shown.clone();
    let visible = |id: &str| own.get(id) == Some(&true);
    for node in graph.nodes.iter().filter(|node| node.namespace.is_empty()) {
        let near = |edge: &&Edge| {
            (edge.source == node.id && visible(&edge.destination))
                || (edge.destination == node.id && visible(&edge.source))
        };
        let called = !node.is_foreign() && graph.edges.iter().any(|edge| near(&edge));
        shown.insert(&node.id, everything || called);
    }
    if shown.values().all(|shown| *shown) {
        // A node that is shown may still stand for workloads of a namespace that is not.
        strip(&mut graph, &mut may, knows);
        return graph;
    }
    let shown: HashMap<String, bool> = shown.into_iter().map(|(id, shown)| (id.to_owned(), shown)).collect();
    let is_shown = |id: &str| shown.get(id).copied().unwrap_or(false);

    let mut hidden = Node { id: HIDDEN_ID.to_owned(), kind: NodeKind::Hidden, ..Node::default() };
    let mut failed = 0.0;
    for node in graph.nodes.iter().filter(|node| !is_shown(&node.id)) {
        hidden.rate_in += node.rate_in;
        hidden.rate_out += node.rate_out;
        hidden.bytes_in += node.bytes_in;
        hidden.bytes_out += node.bytes_out;
        hidden.connections_in += node.connections_in;
        failed += node.rate_in * node.error_share.unwrap_or_default();
        // Which of them fails is not told, but that something carries traffic is.
        hidden.health = if node.health == Health::Idle { hidden.health } else { Health::Unknown };
    }
    hidden.error_share = (hidden.rate_in > 0.0).then(|| round((failed / hidden.rate_in).clamp(0.0, 1.0)));
    for value in [
        &mut hidden.rate_in,
        &mut hidden.rate_out,
        &mut hidden.bytes_in,
        &mut hidden.bytes_out,
        &mut hidden.connections_in,
    ] {
        *value = round(*value);
    }

    let mut totals: BTreeMap<(String, String), Total> = BTreeMap::new();
    graph.edges.retain(|edge| {
        let ends = (is_shown(&edge.source), is_shown(&edge.destination));
        if ends == (true, true) {
            return true;
        }
        if ends != (false, false) {
            let name = |id: &String, shown: bool| if shown { id.clone() } else { HIDDEN_ID.to_owned() };
            let pair = (name(&edge.source, ends.0), name(&edge.destination, ends.1));
            totals.entry(pair).or_default().add(edge);
        }
        false
    });
    graph.edges.extend(totals.into_iter().map(|((source, destination), total)| total.finish(source, destination)));
    graph.edges.sort_unstable_by(|a, b| a.id.cmp(&b.id));
    graph.nodes.retain(|node| is_shown(&node.id));
    graph.nodes.push(hidden);
    graph.nodes.sort_unstable_by(|a, b| a.id.cmp(&b.id));
    strip(&mut graph, &mut may, knows);
    graph
}

fn strip(graph: &mut Graph, may: &mut dyn FnMut(&str) -> bool, knows: &dyn Fn(&str) -> bool) {
    let everything = may("");
    let Sources { problem, words, note, .. } = &mut graph.sources;
    for text in [problem, words, note, &mut graph.quantiles.note].into_iter().flatten().filter(|_| !everything) {
        *text = addresses::without(text);
    }
    for node in &mut graph.nodes {
        node.workloads.retain(|id| may(id.split_once('/').map_or("", |(namespace, _)| namespace)));
        node.badges.retain_mut(|badge| mark(badge, may, knows));
        let badges = std::mem::take(&mut node.badges);
        for badge in badges {
            if !node.badges.contains(&badge) {
                node.badges.push(badge);
            }
        }
    }
    graph.boxes.retain(|app| if app.is_foreign() { everything } else { may(&app.namespace) });
    graph.findings.retain(|finding| finding.object.as_ref().is_some_and(|object| may(&object.namespace)));
    // A host outside of the mesh is named by an object that has a namespace too.
    for node in graph.nodes.iter_mut().filter(|node| node.kind == NodeKind::External) {
        let entry = node.origin.rsplit(' ').next().and_then(|entry| entry.split_once('/'));
        if entry.is_some_and(|(namespace, _)| !may(namespace)) {
            node.origin = "configured by a ServiceEntry".to_owned();
        }
    }
}

/// Takes out of a mark what it says of objects that are hidden; `false` when nothing is left. What they do to a workload
/// that is shown is told without their names.
fn mark(badge: &mut Badge, may: &mut dyn FnMut(&str) -> bool, knows: &dyn Fn(&str) -> bool) -> bool {
    if may(&badge.namespace) {
        let mut hides = |word: &str| knows(word) && !may(word);
        if let Some(text) = names::message(&badge.text, &mut hides) {
            badge.text = text;
        }
        return true;
    }
    let does = match badge.kind.as_str() {
        "canary" => "splits requests by weight",
        "fault" => "injects delays or errors on purpose",
        "circuit-breaker" => "limits connections or ejects failing endpoints",
        _ => return false,
    };
    badge.text = format!("Something in a namespace that you may not read {does}");
    badge.namespace.clear();
    true
}

/// What is told of edges to or from hidden nodes.
#[derive(Default)]
struct Total {
    edge: Edge,
    failed: f64,
    refused: f64,
    plaintext: f64,
    told: f64,
    share: f64,
}

impl Total {
    fn add(&mut self, edge: &Edge) {
        let sum = &mut self.edge;
        sum.protocol = match (sum.protocol.as_str(), edge.protocol.as_str()) {
            ("", other) => other.to_owned(),
            (own, other) if own == other => own.to_owned(),
            _ => "mixed".to_owned(),
        };
        sum.rate += edge.rate;
        sum.bytes_sent += edge.bytes_sent;
        sum.bytes_received += edge.bytes_received;
        sum.opened += edge.opened;
        sum.closed += edge.closed;
        sum.health = sum.health.max(edge.health);
        self.failed += edge.rate * edge.error_share.unwrap_or_default();
        self.refused += edge.rate * edge.client_error_share;
        self.share += edge.share.unwrap_or_default();
        if let Some(share) = edge.plaintext_share {
            let weight = edge.rate.max(f64::MIN_POSITIVE);
            self.plaintext += share * weight;
            self.told += weight;
        }
    }

    fn finish(self, source: String, destination: String) -> Edge {
        let Self { mut edge, failed, refused, plaintext, told, share } = self;
        let part = |of: f64| (edge.rate > 0.0).then(|| round((of / edge.rate).clamp(0.0, 1.0)));
        edge.error_share = part(failed);
        edge.client_error_share = part(refused).unwrap_or_default();
        edge.share = (share > 0.0 && source != HIDDEN_ID).then(|| round(share.min(1.0)));
        edge.plaintext_share = (told > 0.0).then(|| round((plaintext / told).clamp(0.0, 1.0)));
        edge.lock = match edge.plaintext_share {
            None => Lock::Unknown,
            Some(share) if share <= 0.0 => Lock::Mtls,
            Some(share) if share >= 1.0 => Lock::Plaintext,
            Some(_) => Lock::Mixed,
        };
        for value in
            [&mut edge.rate, &mut edge.bytes_sent, &mut edge.bytes_received, &mut edge.opened, &mut edge.closed]
        {
            *value = round(*value);
        }
        edge.codes = Vec::<CodeRate>::new();
        edge.id = format!("{source}->{destination}");
        edge.source = source;
        edge.destination = destination;
        edge
    }
}
