//! Puts links and configured workloads into the nodes and edges of one view.

mod edge;

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use weft_model::graph::{APP, AppBox, CodeRate, EXTERNAL, Edge, Health, Node, SERVICE, UNREACHED, View};

use self::edge::Sum;
use super::{
    Details, Observed,
    health::{Direction, Rules, client_error_share, error_share},
    links::{End, Link, UNKNOWN_ID},
    places::Places,
};
use crate::estate::Estate;

/// The parts of a graph.
pub(super) struct Parts {
    pub nodes: Vec<Node>,
    pub edges: Vec<Edge>,
    pub boxes: Vec<AppBox>,
}

struct Board<'a> {
    places: Places<'a>,
    index: HashMap<Arc<str>, usize>,
    nodes: Vec<Node>,
    /// Workloads that each node stands for.
    members: Vec<Vec<Arc<str>>>,
    pairs: HashMap<(usize, usize), usize>,
    sums: Vec<(usize, usize, Sum)>,
}

impl Board<'_> {
    fn place(&mut self, id: &Arc<str>, end: &End) -> usize {
        let at = match self.index.get(id) {
            Some(&at) => at,
            None => {
                self.nodes.push(self.places.describe(id, end));
                self.members.push(Vec::new());
                self.index.insert(id.clone(), self.nodes.len() - 1);
                self.nodes.len() - 1
            }
        };
        if !self.members[at].contains(&end.id) {
            self.members[at].push(end.id.clone());
            self.places.join(&mut self.nodes[at], end);
        }
        at
    }

    fn add(&mut self, link: &Link, details: &Details) {
        let source = self.places.of_source(&link.source);
        let destination = self.places.of_destination(link);
        let source = self.place(&source, &link.source);
        let destination = self.place(&destination, &link.destination);
        let sums = &mut self.sums;
        let at = *self.pairs.entry((source, destination)).or_insert_with(|| {
            sums.push((source, destination, Sum::default()));
            sums.len() - 1
        });
        let caller = if *link.source.id == *UNKNOWN_ID { Arc::default() } else { link.source.id.clone() };
        self.sums[at].2.add(link, details.get(link.reporter, &caller, &link.destination.id));
    }
}

/// Whose thresholds judge what a node receives; `None` for the default ones. An annotation goes before the mesh's.
fn rules<'a>(node: &Node, estate: &'a Estate) -> Option<&'a Rules> {
    let (kind, name) = match node.id.as_str() {
        id if id.starts_with(SERVICE) || id.starts_with(EXTERNAL) => ("service", &node.workload),
        id if id.starts_with(APP) => ("app", &node.app),
        _ => ("workload", &node.workload),
    };
    annotated(node, estate).or_else(|| estate.tolerances.mesh.of(&node.namespace, kind, name))
}

fn annotated<'a>(node: &Node, estate: &'a Estate) -> Option<&'a Rules> {
    let own = &estate.tolerances;
    if let Some(host) = node.id.strip_prefix(SERVICE) {
        return own.hosts.get(host.strip_suffix(UNREACHED).unwrap_or(host)).map(|rules| &**rules);
    }
    let members = node.workloads.iter().map(String::as_str).chain([node.id.as_str()]);
    let of_service = |id: &str| {
        let mut behind = own.hosts.iter().filter(|(host, _)| {
            estate.hosts.get(*host).is_some_and(|workloads| workloads.iter().any(|workload| workload == id))
        });
        behind.next().map(|(_, rules)| rules)
    };
    let mut found = members.filter_map(|id| own.workloads.get(id).or_else(|| of_service(id)));
    found.next().map(|rules| &**rules)
}

/// Assembles one view.
pub(super) fn assemble(
    view: View,
    links: &[Link],
    observed: &Observed,
    details: &Details,
    estate: &Estate,
    idle: Option<bool>,
) -> Parts {
    let mut board = Board {
        places: Places::new(view, links, estate, observed.clusters.told().map(|own| &**own)),
        index: HashMap::new(),
        nodes: Vec::new(),
        members: Vec::new(),
        pairs: HashMap::new(),
        sums: Vec::new(),
    };
    for link in links.iter().filter(|link| idle == Some(true) || link.moves() || !observed.idle) {
        board.add(link, details);
    }
    if idle != Some(false) {
        for (id, end) in board.places.configured() {
            board.place(&id, &end);
        }
    }
    let Board { mut nodes, sums, .. } = board;
    for node in &mut nodes {
        node.workloads.sort_unstable();
    }
    let default = Rules::default();
    let own: Vec<Option<&Rules>> = nodes.iter().map(|node| rules(node, estate)).collect();
    let mut incoming: Vec<Vec<CodeRate>> = vec![Vec::new(); nodes.len()];
    let mut outgoing = incoming.clone();
    let mut opened_out = vec![0.0; nodes.len()];
    let mut edges: Vec<(usize, Edge)> = Vec::with_capacity(sums.len());
    for (source, destination, sum) in sums {
        let mut edge = sum.finish(&nodes[source].id, &nodes[destination].id);
        edge.health = match (&observed.rates_problem, own[destination], own[source]) {
            (Some(_), _, _) => Health::Unknown,
            // Whoever is called says what it tolerates; else its caller does.
            (None, None, Some(rules)) => rules.judge(&edge.codes, Direction::Outbound),
            (None, rules, _) => rules.unwrap_or(&default).judge(&edge.codes, Direction::Inbound),
        };
        // Bytes still flow on connections that were opened before the window.
        if edge.health == Health::Idle && edge.bytes_sent + edge.bytes_received + edge.closed > 0.0 {
            edge.health = Health::Healthy;
        }
        let requests = if edge.protocol == "tcp" { 0.0 } else { edge.rate };
        let node = &mut nodes[source];
        node.rate_out += requests;
        node.bytes_out += edge.bytes_sent;
        node.bytes_in += edge.bytes_received;
        opened_out[source] += edge.opened;
        outgoing[source].extend(edge.codes.iter().cloned());
        let node = &mut nodes[destination];
        node.rate_in += requests;
        node.bytes_in += edge.bytes_sent;
        node.bytes_out += edge.bytes_received;
        node.connections_in += edge.opened;
        incoming[destination].extend(edge.codes.iter().cloned());
        edges.push((source, edge));
    }
    for (at, node) in nodes.iter_mut().enumerate() {
        // As health below: of what it sends, where nothing that is counted comes in.
        node.error_share = error_share(&incoming[at]).or_else(|| error_share(&outgoing[at]));
        let refused = client_error_share(&incoming[at]).or_else(|| client_error_share(&outgoing[at]));
        node.client_error_share = refused.unwrap_or_default();
        let rules = own[at].unwrap_or(&default);
        // A gateway or a load generator receives nothing that is counted; what it sends tells how it fares.
        let health = match rules.judge(&incoming[at], Direction::Inbound) {
            Health::Idle => rules.judge(&outgoing[at], Direction::Outbound),
            health => health,
        };
        node.health = match health {
            _ if observed.rates_problem.is_some() => Health::Unknown,
            Health::Idle if node.bytes_in + node.bytes_out > 0.0 => Health::Healthy,
            Health::Idle if observed.unsure() => Health::Unknown,
            health => health,
        };
    }
    let boxes = boxes(&nodes, &edges);
    for (source, edge) in &mut edges {
        let all = if edge.protocol == "tcp" { opened_out[*source] } else { nodes[*source].rate_out };
        edge.share = (all > 0.0).then(|| round((edge.rate / all).clamp(0.0, 1.0)));
        edge::round_off(edge);
    }
    nodes.iter_mut().for_each(round_off);
    let mut edges: Vec<Edge> = edges.into_iter().map(|(_, edge)| edge).collect();
    nodes.sort_unstable_by(|a, b| a.id.cmp(&b.id));
    edges.sort_unstable_by(|a, b| a.id.cmp(&b.id));
    Parts { nodes, edges, boxes }
}

fn boxes(nodes: &[Node], edges: &[(usize, Edge)]) -> Vec<AppBox> {
    let mut boxes: BTreeMap<&str, AppBox> = BTreeMap::new();
    for node in nodes {
        let Some(id) = &node.parent else { continue };
        let of = boxes.entry(id).or_insert_with(|| AppBox {
            id: id.clone(),
            namespace: node.namespace.clone(),
            app: node.app.clone(),
            cluster: node.cluster.clone(),
            ..AppBox::default()
        });
        of.health = of.health.max(node.health);
        of.rate_in += node.rate_in;
    }
    let parents: HashMap<&str, &str> =
        nodes.iter().filter_map(|node| Some((node.id.as_str(), node.parent.as_deref()?))).collect();
    // What goes from one version to another stays inside.
    for (_, edge) in edges {
        let parent = |id: &str| parents.get(id).copied();
        if let Some(inside) = parent(&edge.source).filter(|own| parent(&edge.destination) == Some(own))
            && edge.protocol != "tcp"
            && let Some(of) = boxes.get_mut(inside)
        {
            of.rate_in -= edge.rate;
        }
    }
    let mut boxes: Vec<AppBox> = boxes.into_values().collect();
    for of in &mut boxes {
        of.rate_in = round(of.rate_in.max(0.0));
    }
    boxes
}

/// Three significant digits, which is what the page shows: a quarter of the bytes.
pub(super) fn round(value: f64) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return 0.0;
    }
    #[allow(clippy::cast_possible_truncation)]
    let scale = 10f64.powi(2 - value.abs().log10().floor() as i32);
    if scale.is_finite() && scale > 0.0 { (value * scale).round() / scale } else { 0.0 }
}

fn round_off(node: &mut Node) {
    let sums = [
        &mut node.rate_in,
        &mut node.rate_out,
        &mut node.client_error_share,
        &mut node.bytes_in,
        &mut node.bytes_out,
        &mut node.connections_in,
    ];
    for value in sums.into_iter().chain(node.error_share.as_mut()) {
        *value = round(*value);
    }
}
