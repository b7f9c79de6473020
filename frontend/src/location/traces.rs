//! The traces' part of the address: what is searched for.

use weft_model::graph::{Node, NodeKind};

/// A rectangle of the heat map: traces that began between two times and took between two durations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    /// Earliest start, milliseconds since the Unix epoch.
    pub from_ms: u64,
    /// The start that is just too late.
    pub to_ms: u64,
    /// Shortest duration in microseconds.
    pub min_us: u64,
    /// The duration that is just too long.
    pub max_us: u64,
}

/// What is searched for, beside workload and errors.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TraceView {
    /// Name of a span; empty for all.
    pub operation: String,
    /// Attributes of a span, `key=value`.
    pub tags: Vec<String>,
    /// At least so many microseconds.
    pub min_us: u64,
    /// At most so many; 0 for no limit.
    pub max_us: u64,
    /// The chosen rectangle of the heat map.
    pub cell: Option<Cell>,
}

/// The search that finds a call: spans name its ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallSearch {
    /// The caller, `namespace/name`; empty for any.
    pub workload: String,
    /// The called one, `key=value`.
    pub tags: Vec<String>,
}

impl CallSearch {
    /// Of a call between two nodes of the graph; `None` where spans do not tell it from others.
    pub fn between(from: &Node, to: &Node) -> Option<Self> {
        // The traces of other clusters are not in this console's store.
        if from.is_foreign() || to.is_foreign() {
            return None;
        }
        let one = |node: &Node| match (node.kind, node.workloads.as_slice()) {
            (NodeKind::Workload | NodeKind::Gateway | NodeKind::Egress | NodeKind::Unmeshed, []) => {
                Some(node.id.clone())
            }
            (NodeKind::Service | NodeKind::External | NodeKind::Unknown | NodeKind::Hidden, _) => None,
            (_, [only]) => Some(only.clone()),
            _ => None,
        };
        let tags = match one(to) {
            Some(workload) => {
                let (namespace, name) = workload.split_once('/')?;
                vec![format!("destination.namespace={namespace}"), format!("destination.workload={name}")]
            }
            None if !to.host.is_empty() => vec![format!("destination.service={}", to.host)],
            None => return None,
        };
        // Only a proxy at the caller sends a span of its side; the called one's names who called.
        let caller = one(from);
        match caller.filter(|_| from.kind != NodeKind::Unmeshed) {
            Some(workload) => Some(Self { workload, tags }),
            None => Some(Self { workload: String::new(), tags: [tags, calling(from)?].concat() }),
        }
    }
}

/// Tags that name a caller without a proxy of its own.
fn calling(from: &Node) -> Option<Vec<String>> {
    match from.kind {
        NodeKind::Unmeshed => {
            let (namespace, name) = from.id.split_once('/')?;
            Some(vec![format!("source.namespace={namespace}"), format!("source.workload={name}")])
        }
        NodeKind::Unknown | NodeKind::App => Some(Vec::new()),
        _ => None,
    }
}

impl Cell {
    fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.splitn(4, '-').map(|part| part.parse::<u64>().ok());
        let [from_ms, to_ms, min_us, max_us] = [numbers.next()??, numbers.next()??, numbers.next()??, numbers.next()??];
        (from_ms < to_ms && min_us < max_us).then_some(Self { from_ms, to_ms, min_us, max_us })
    }
}

impl TraceView {
    /// Takes a field of the address; others are left alone.
    pub fn take(&mut self, name: &str, value: &str) {
        match name {
            "operation" => value.clone_into(&mut self.operation),
            "tag" => self.tags.push(value.to_owned()),
            "min" => self.min_us = micros(value).unwrap_or(0),
            "max" => self.max_us = micros(value).unwrap_or(0),
            "cell" => self.cell = Cell::parse(value),
            _ => {}
        }
    }

    /// Gives the fields that differ from their defaults.
    pub fn put(&self, mut put: impl FnMut(&str, &str)) {
        if !self.operation.is_empty() {
            put("operation", &self.operation);
        }
        for tag in &self.tags {
            put("tag", tag);
        }
        for (name, value) in [("min", self.min_us), ("max", self.max_us)] {
            if value > 0 {
                put(name, &millis(value));
            }
        }
        if let Some(Cell { from_ms, to_ms, min_us, max_us }) = self.cell {
            put("cell", &format!("{from_ms}-{to_ms}-{min_us}-{max_us}"));
        }
    }
}

/// Microseconds from milliseconds as somebody writes them.
pub fn micros(text: &str) -> Option<u64> {
    let ms: f64 = text.trim().parse().ok()?;
    (ms.is_finite() && ms >= 0.0).then(|| (ms * 1000.0).round() as u64)
}

/// The other way: `250`, `0.5`.
pub fn millis(us: u64) -> String {
    (us as f64 / 1000.0).to_string()
}
