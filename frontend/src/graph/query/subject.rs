//! What an expression is asked of: a node or an edge of a graph.

use std::collections::BTreeMap;

use weft_model::graph::{Edge, Graph, Health, Lock, Node, NodeKind};

use super::{
    Op,
    field::{End, Field, Mark, Value, kind_named},
};
use crate::words;

/// A graph by its names: the nodes, and for each the calls that it receives.
pub struct Index<'a> {
    nodes: BTreeMap<&'a str, &'a Node>,
    incoming: BTreeMap<&'a str, Vec<&'a Edge>>,
    /// The console's own cluster, which a graph of one cluster does not name.
    own: &'a str,
}

impl<'a> Index<'a> {
    /// Of a graph.
    pub fn new(graph: &'a Graph) -> Self {
        let mut incoming: BTreeMap<&str, Vec<&Edge>> = BTreeMap::new();
        for edge in &graph.edges {
            incoming.entry(&edge.destination).or_default().push(edge);
        }
        Self { nodes: graph.nodes.iter().map(|node| (node.id.as_str(), node)).collect(), incoming, own: "" }
    }

    /// The same in the cluster of this name.
    pub fn within(self, own: &'a str) -> Self {
        Self { own, ..self }
    }

    /// A node by its id.
    pub fn node(&self, id: &str) -> Option<&'a Node> {
        self.nodes.get(id).copied()
    }

    fn incoming(&self, id: &str) -> &[&'a Edge] {
        self.incoming.get(id).map(Vec::as_slice).unwrap_or_default()
    }
}

/// One node or one edge.
#[derive(Clone, Copy)]
pub enum Subject<'a> {
    /// A node.
    Node(&'a Node, &'a Index<'a>),
    /// An edge.
    Edge(&'a Edge, &'a Index<'a>),
}

impl<'a> Subject<'a> {
    /// The node that a field of nodes is read of.
    fn node(self, end: End) -> Option<&'a Node> {
        match (self, end) {
            (Self::Node(node, _), End::Own) => Some(node),
            (Self::Node(..), _) => None,
            (Self::Edge(edge, index), End::From) => index.node(&edge.source),
            (Self::Edge(edge, index), End::Own | End::To) => index.node(&edge.destination),
        }
    }

    fn index(self) -> &'a Index<'a> {
        match self {
            Self::Node(_, index) | Self::Edge(_, index) => index,
        }
    }

    /// Whether a word stands in its name.
    pub(super) fn names(self, word: &str) -> Option<bool> {
        let node = self.node(End::Own)?;
        let has = |text: &str| text.to_lowercase().contains(word);
        Some(has(&node.id) || has(&node.workload) || has(&node.version) || has(&node.host))
    }

    /// Whether it has a mark.
    pub(super) fn marked(self, end: End, mark: Mark) -> Option<bool> {
        if let (Self::Edge(edge, _), End::Own) = (self, end) {
            match mark {
                Mark::Idle => return Some(edge.rate <= 0.0),
                Mark::Failing => return Some(edge.health == Health::Failing),
                Mark::Plaintext => return Some(matches!(edge.lock, Lock::Plaintext | Lock::Mixed)),
                _ => {}
            }
        }
        let node = self.node(end)?;
        let badge = |kind: &str| node.badges.iter().any(|badge| badge.kind == kind);
        Some(match mark {
            Mark::Canary => badge("canary"),
            Mark::Fault => badge("fault"),
            Mark::Breaker => badge("circuit-breaker"),
            Mark::NoProxy => badge("missing-sidecar") || node.kind == NodeKind::Unmeshed,
            Mark::Finding => badge("lint"),
            Mark::Idle => node.rate_in <= 0.0 && node.rate_out <= 0.0 && node.connections_in <= 0.0,
            Mark::Failing => node.health == Health::Failing,
            Mark::Outside => matches!(node.kind, NodeKind::External | NodeKind::Unknown),
            // Of the calls that it receives: a node is not plaintext by itself.
            Mark::Plaintext => return None,
        })
    }

    /// Whether a field compares so with one of the values; `None` where the field says nothing.
    pub(super) fn compares(self, end: End, field: Field, op: Op, values: &[Value]) -> Option<bool> {
        let texts = self.texts(end, field);
        if let Some(texts) = texts {
            let is = |value: &Value| match value {
                Value::Text(value) if matches!(op, Op::Has | Op::HasNot) => {
                    texts.iter().any(|text| text.contains(value))
                }
                Value::Text(value) => texts.iter().any(|text| glob(value, text)),
                Value::Number(_) => false,
            };
            let any = values.iter().any(is);
            return Some(any != matches!(op, Op::IsNot | Op::HasNot));
        }
        let number = self.number(end, field)?;
        let compare = |value: &Value| {
            let Value::Number(value) = value else { return false };
            // What is read as 1 % is 1 % although it was computed.
            let same = (number - value).abs() <= value.abs() * 1e-9;
            match op {
                Op::Is | Op::IsNot | Op::Has | Op::HasNot => same,
                Op::Less => number < *value && !same,
                Op::AtMost => number < *value || same,
                Op::More => number > *value && !same,
                Op::AtLeast => number > *value || same,
            }
        };
        let any = values.iter().any(compare);
        Some(any != (op == Op::IsNot))
    }

    /// The texts of a field; `None` for one that has none here, or that is a number.
    fn texts(self, end: End, field: Field) -> Option<Vec<String>> {
        if field.of_calls() {
            let (Self::Edge(edge, _), End::Own) = (self, end) else { return None };
            let codes = || edge.codes.iter();
            return match field {
                Field::Protocol => Some(vec![edge.protocol.to_lowercase()]),
                Field::Code => Some(codes().map(|code| code.code.clone()).collect()),
                Field::Flags => Some(
                    codes().flat_map(|code| code.flags.split(',')).map(|flag| flag.trim().to_lowercase()).collect(),
                ),
                _ => None,
            };
        }
        let node = self.node(end);
        let one = |text: &str| Some(vec![text.to_lowercase()]);
        match field {
            Field::Health => match (self, end) {
                (Self::Edge(edge, _), End::Own) => one(words::health(edge.health)),
                _ => one(words::health(node?.health)),
            },
            Field::Name => {
                let node = node?;
                let bare = super::super::scene::bare_name(node).to_lowercase();
                Some(vec![node.workload.to_lowercase(), node.id.to_lowercase(), bare])
            }
            Field::Namespace => one(&node?.namespace),
            Field::App => one(&node?.app),
            Field::Version => one(&node?.version),
            Field::Host => one(&node?.host),
            Field::Cluster => match node? {
                // A graph of several clusters names that of each workload; of one, all are in the console's own.
                node if node.cluster.is_empty() && !node.namespace.is_empty() => one(self.index().own),
                node => one(&node.cluster),
            },
            Field::Id => one(&node?.id),
            Field::Kind => {
                let kind = node?.kind;
                let names = super::field::KINDS.iter().map(|(name, _)| *name);
                Some(names.filter(|name| kind_named(name) == Some(kind)).map(str::to_owned).collect())
            }
            _ => None,
        }
    }

    /// The number of a field in its own unit; `None` when it is not known or not a number.
    fn number(self, end: End, field: Field) -> Option<f64> {
        if let (Self::Edge(edge, _), End::Own) = (self, end) {
            return match field {
                Field::Rate => Some(edge.rate),
                Field::Share => edge.share,
                Field::Error => edge.error_share,
                Field::ClientError => Some(edge.client_error_share),
                Field::P50 => edge.p50_ms,
                Field::P95 => edge.p95_ms,
                Field::P99 => edge.p99_ms,
                Field::Throughput => Some(edge.bytes_sent + edge.bytes_received),
                Field::Mtls => edge.plaintext_share.map(|share| 1.0 - share),
                _ => None,
            };
        }
        let node = self.node(end)?;
        let incoming = || self.index().incoming(&node.id).iter();
        // A quantile of several calls cannot be had from theirs; the slowest is what a reader looks for.
        let slowest = |part: fn(&Edge) -> Option<f64>| incoming().filter_map(|edge| part(edge)).reduce(f64::max);
        match field {
            // Of one that only sends, what it sends: so do the words on it, and its health.
            Field::Rate if node.rate_in <= 0.0 && node.connections_in <= 0.0 => Some(node.rate_out),
            Field::Rate => Some(node.rate_in),
            Field::Out => Some(node.rate_out),
            Field::Error => node.error_share,
            Field::ClientError => Some(node.client_error_share),
            Field::Throughput => Some(node.bytes_in + node.bytes_out),
            Field::P50 => slowest(|edge| edge.p50_ms),
            Field::P95 => slowest(|edge| edge.p95_ms),
            Field::P99 => slowest(|edge| edge.p99_ms),
            Field::Mtls => {
                let known = || incoming().filter_map(|edge| Some((edge.rate, edge.plaintext_share?)));
                let total: f64 = known().map(|(rate, _)| rate).sum();
                (total > 0.0).then(|| 1.0 - known().map(|(rate, share)| rate * share).sum::<f64>() / total)
            }
            _ => None,
        }
    }
}

/// Whether `text` is `pattern`, in which a star stands for anything.
fn glob(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}
