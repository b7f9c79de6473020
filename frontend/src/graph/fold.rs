//! Namespaces and clusters folded into one node each: their traffic with the rest is summed, what they do inside is not
//! drawn.

use std::collections::{BTreeMap, BTreeSet};

use weft_model::{
    Severity,
    graph::{Badge, CodeRate, EXTERNAL, Edge, Graph, Health, Lock, Node, NodeKind, SERVICE, called},
};

use crate::{format, order::Order};

/// Before a box's key in the id of the node that stands for it.
const PREFIX: &str = "box:";
/// Before the cluster in a key.
const CLUSTER: char = '@';

/// The id of the node that stands for a box.
pub fn id(key: &str) -> String {
    format!("{PREFIX}{key}")
}

/// The key of the box that a node stands for, if it is a folded one.
pub fn folded(id: &str) -> Option<&str> {
    id.strip_prefix(PREFIX)
}

/// The key of the namespace's box that a node stands in: the namespace, and of another cluster than the console's own
/// `namespace@cluster`, so that addresses stay good when a second cluster appears. `None` for what has no namespace.
pub fn namespace(node: &Node) -> Option<String> {
    let behind = if node.is_foreign() { cluster(&node.cluster) } else { String::new() };
    (!node.namespace.is_empty()).then(|| format!("{}{behind}", node.namespace))
}

/// The key of a cluster's box.
pub fn cluster(name: &str) -> String {
    format!("{CLUSTER}{name}")
}

/// The keys of the boxes that a node stands in, the outermost first. Without several clusters there is none around
/// namespaces.
pub fn homes(node: &Node) -> impl Iterator<Item = String> {
    let outer = (!node.cluster.is_empty()).then(|| cluster(&node.cluster));
    outer.into_iter().chain(namespace(node))
}

/// The outermost folded box that a node stands in.
pub fn home(node: &Node, folded: &BTreeSet<String>) -> Option<String> {
    homes(node).find(|key| folded.contains(key))
}

/// The cluster that a key is of, if it is a cluster's.
pub fn is_cluster(key: &str) -> Option<&str> {
    key.strip_prefix(CLUSTER)
}

/// What a box is called where it stands alone.
pub fn words(key: &str) -> String {
    match (is_cluster(key), key.split_once(CLUSTER)) {
        (Some(name), _) => format!("Cluster {name}"),
        (None, Some((namespace, cluster))) => format!("{namespace} in {cluster}"),
        (None, None) => key.to_owned(),
    }
}

/// The same at the beginning of a sentence.
pub fn title(key: &str) -> String {
    if is_cluster(key).is_some() { words(key) } else { format!("Namespace {}", words(key)) }
}

/// The last part of a node's id, with the cluster if the id has one: what tells it from its neighbours.
pub fn short(id: &str) -> String {
    if let Some(key) = folded(id) {
        return words(key);
    }
    if id.starts_with(SERVICE) {
        let name = called(id);
        // A host that is of no namespace may be of a cluster whose name has a slash.
        let bare = name.split_once('/').filter(|(namespace, _)| !namespace.contains(['.', CLUSTER]));
        return bare.map_or_else(|| name.clone(), |(_, bare)| bare.to_owned());
    }
    let (bare, cluster) = id.split_at(id.find(CLUSTER).unwrap_or(id.len()));
    let name = bare.strip_prefix(EXTERNAL).or_else(|| bare.rsplit('/').next()).unwrap_or_default();
    format!("{name}{cluster}")
}

/// `graph` with the boxes in `folded` as one node each. Quantiles cannot be summed: an edge has the slowest.
pub fn fold(graph: Graph, folded: &BTreeSet<String>) -> Graph {
    if folded.is_empty() {
        return graph;
    }
    let keys: BTreeMap<&str, String> =
        graph.nodes.iter().filter_map(|node| Some((node.id.as_str(), home(node, folded)?))).collect();
    let homes: BTreeMap<&str, String> = keys.iter().map(|(node, key)| (*node, id(key))).collect();
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
    edges.order(|a, b| a.id.cmp(&b.id));
    let mut nodes: Vec<Node> =
        graph.nodes.iter().filter(|node| !homes.contains_key(node.id.as_str())).cloned().collect();
    for key in folded {
        let members: Vec<&Node> = graph.nodes.iter().filter(|node| keys.get(node.id.as_str()) == Some(key)).collect();
        if !members.is_empty() {
            nodes.push(stand_in(key, &members, &edges));
        }
    }
    nodes.order(|a, b| a.id.cmp(&b.id));
    // A share is of all that its caller sends.
    let mut sent: BTreeMap<String, f64> = BTreeMap::new();
    for edge in edges.iter().filter(|edge| edge.protocol != "tcp") {
        *sent.entry(edge.source.clone()).or_default() += edge.rate;
    }
    for edge in edges.iter_mut().filter(|edge| self::folded(&edge.source).is_some() && edge.protocol != "tcp") {
        let total = sent.get(&edge.source).copied().unwrap_or(0.0);
        edge.share = (total > 0.0).then(|| edge.rate / total);
    }
    Graph { nodes, edges, ..graph }
}

/// The node for a box: what comes in from outside, the worst health of what is inside. A namespace's stays in its cluster.
fn stand_in(key: &str, members: &[&Node], edges: &[Edge]) -> Node {
    let id = id(key);
    let first = members.first();
    let outermost = first.is_some_and(|node| !node.cluster.is_empty() && cluster(&node.cluster) == key);
    let incoming: Vec<&Edge> = edges.iter().filter(|edge| edge.destination == id).collect();
    let outgoing: Vec<&Edge> = edges.iter().filter(|edge| edge.source == id).collect();
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
            "{}: {} inside {}",
            crate::words::badge(kind),
            format::plural(count, "workload", "workloads"),
            words(key)
        ),
        namespace: String::new(),
    });
    Node {
        kind: NodeKind::Workload,
        workload: match first {
            Some(node) if !outermost => node.namespace.clone(),
            _ => words(key),
        },
        cluster: first.filter(|_| !outermost).map(|node| node.cluster.clone()).unwrap_or_default(),
        health: members.iter().map(|node| node.health).max().unwrap_or_default(),
        rate_in,
        rate_out: outgoing.iter().map(|edge| edge.rate).sum(),
        // As a node's: of what it sends, where nothing that is counted comes in.
        error_share: weighted(&incoming, |edge| edge.error_share)
            .or_else(|| weighted(&outgoing, |edge| edge.error_share)),
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
    codes.order(|a, b| b.rate.total_cmp(&a.rate));
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
    fn what_reached_no_workload_has_the_services_name() {
        assert_eq!(short("service:order.shop.svc/none"), "order (no workload)");
        assert_eq!((short("service:order.shop.svc"), short("shop/order-v1")), ("order".into(), "order-v1".into()));
        assert_eq!(short("service:order.shop.svc@arn:aws/west"), "order@arn:aws/west");
        assert_eq!(short("service:api.example@arn:aws/west"), "api.example@arn:aws/west");
    }

    #[test]
    fn errors_of_a_box_that_only_sends_are_of_what_it_sends() {
        let share = |names: &[&str], id: &str| {
            let graph = folded(names);
            graph.nodes.into_iter().find(|node| node.id == id).and_then(|node| node.error_share)
        };
        assert!(share(&["edge"], "box:edge").is_some_and(|share| (share - 0.225).abs() < 1e-9));
        assert!(share(&["shop"], "box:shop").is_some_and(|share| (share - 0.225).abs() < 1e-9), "of what comes in");
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

    /// `namespace/name@cluster`; the console's own cluster is `east`.
    fn two() -> Graph {
        let mut graph = graph(
            &[
                ("shop/a", "shop/b"),
                ("shop/a", "shop/b@west"),
                ("shop/c@west", "shop/b@west"),
                ("shop/b@west", "mail/m@west"),
                ("unknown", "shop/a"),
            ],
            &[],
        );
        for node in &mut graph.nodes {
            node.cluster = match node.id.split_once('@') {
                Some((_, cluster)) => cluster.to_owned(),
                None if node.namespace.is_empty() => String::new(),
                None => "east".to_owned(),
            };
        }
        graph
    }

    fn two_folded(keys: &[&str]) -> Graph {
        fold(two(), &keys.iter().map(|key| (*key).to_owned()).collect())
    }

    fn ids(graph: &Graph) -> Vec<&str> {
        graph.nodes.iter().map(|node| node.id.as_str()).collect()
    }

    #[test]
    fn a_cluster_folds_with_all_that_is_in_it() {
        let graph = two_folded(&["@west"]);
        assert_eq!(ids(&graph), ["box:@west", "shop/a", "shop/b", "unknown"]);
        let edge = graph.edges.iter().find(|edge| edge.id == "shop/a->box:@west").unwrap();
        assert_eq!((edge.rate, graph.edges.len()), (10.0, 3), "what happens inside is not drawn");
        let node = &graph.nodes[0];
        assert_eq!((node.workload.as_str(), node.cluster.as_str()), ("Cluster west", ""));
        assert_eq!((node.workloads.len(), node.rate_in), (3, 10.0));
        // A folded cluster hides that a namespace in it is folded, too.
        assert_eq!(two_folded(&["@west", "shop@west"]), graph);
    }

    #[test]
    fn a_namespace_folds_in_its_cluster_alone() {
        let graph = two_folded(&["shop@west"]);
        assert_eq!(ids(&graph), ["box:shop@west", "mail/m@west", "shop/a", "shop/b", "unknown"]);
        assert_eq!((graph.nodes[0].workload.as_str(), graph.nodes[0].cluster.as_str()), ("shop", "west"));
        let own = two_folded(&["shop"]);
        assert_eq!(ids(&own), ["box:shop", "mail/m@west", "shop/b@west", "shop/c@west", "unknown"]);
        assert_eq!(own.nodes[0].cluster, "east");
        assert_eq!(two_folded(&["@east", "@west"]).edges.len(), 2, "between clusters, and from outside");
    }

    #[test]
    fn nodes_have_short_names() {
        let all = ["shop/a", "app:shop/a/v1", "shop/a@arn:aws/west", "box:shop@west", "unknown"].map(short);
        assert_eq!(all, ["a", "v1", "a@arn:aws/west", "shop in west", "unknown"]);
        assert_eq!(["external:mail.example", "service:a.shop@west"].map(short), ["mail.example", "a.shop@west"]);
    }

    #[test]
    fn boxes_have_words() {
        let all = ["shop", "shop@west", "@arn:aws/west"].map(|key| (words(key), title(key)));
        assert_eq!(all[0], ("shop".to_owned(), "Namespace shop".to_owned()));
        assert_eq!(all[1], ("shop in west".to_owned(), "Namespace shop in west".to_owned()));
        assert_eq!(all[2], ("Cluster arn:aws/west".to_owned(), "Cluster arn:aws/west".to_owned()));
    }

    #[test]
    fn a_folded_node_is_told_from_a_workload() {
        assert_eq!(super::folded(&id("shop")), Some("shop"));
        assert_eq!(super::folded("shop/box:a"), None);
    }
}
