//! Nodes and their text.

use weft_model::{
    Counted,
    graph::{Badge, Edge, Health, Node, NodeKind},
};

use super::{MARK, Mark, Measure, NodeShape};
use crate::{
    format,
    graph::{fold, geometry::Rect},
    order::Order,
};

/// Badges that have room on a node, with the one that stands for the rest.
const MOST: usize = 3;
/// The kind of the badge that stands for several.
const MORE: &str = "more";
/// Left of the text: the health shape and its margins.
const INDENT: f64 = 28.0;
const MARGIN: f64 = 10.0;
/// What names from afar leave free in a node, left and right together.
pub const FAR_MARGIN: f64 = 20.0;
/// Names from afar are never smaller on the screen than this, in pixels.
const LEGIBLE: f64 = 10.5;
/// From one room for them to the next: most letters are about half as wide as high.
const STEP: f64 = 0.5;

/// The badges that have room beside what is counted: the first ones, and one that stands for the rest. Among the first are
/// those that say that something is wrong.
fn badges(node: &Node) -> Vec<Badge> {
    let mut all = node.badges.clone();
    if all.len() <= MOST {
        return all;
    }
    all.order_by_key(|badge| badge.severity.is_none() && badge.kind != "missing-sidecar");
    let rest = all.split_off(MOST - 1);
    let severity = rest.iter().filter_map(|badge| badge.severity).max();
    let text = rest.into_iter().map(|badge| badge.text).collect::<Vec<_>>().join("\n");
    all.push(Badge { kind: MORE.to_owned(), severity, text, namespace: String::new() });
    all
}

/// A node's shape within `rect`.
pub fn shape(node: &Node, rect: Rect, measure: &dyn Measure) -> NodeShape {
    let (name, version) = name(node);
    let version = version.map(|version| {
        let version = format::middle(version, 12);
        let w = (measure.small(&version) + 12.0).round();
        (version, Rect { x: rect.x + rect.w - MARGIN - w, y: rect.y - 15.0, w, h: 21.0 })
    });
    let right = rect.x + rect.w - MARGIN;
    let marks: Vec<Mark> = badges(node)
        .into_iter()
        .rev()
        .enumerate()
        .map(|(index, badge)| Mark {
            kind: badge.kind,
            severity: badge.severity,
            text: badge.text,
            rect: Rect {
                x: right - MARK - index as f64 * (MARK + 4.0),
                y: rect.y + rect.h - MARK - 8.0,
                w: MARK,
                h: MARK,
            },
        })
        .rev()
        .collect();
    let free = rect.w - INDENT - MARGIN;
    let folded = fold::folded(&node.id).is_some();
    let taken = marks.len() as f64 * (MARK + 4.0);
    NodeShape {
        id: node.id.clone(),
        kind: node.kind,
        rect,
        health: node.health,
        title: fit(name, free, |text| measure.title(text)),
        bare: name.to_owned(),
        rate: if folded && node.rate_in > 0.0 { format::rate(node.rate_in, Counted::REQUESTS) } else { String::new() },
        name: node.workload.clone(),
        subtitle: subtitle(node, free - taken, measure),
        version,
        marks,
        members: if folded { node.workloads.len() } else { 0 },
    }
}

impl NodeShape {
    /// Size of the letters where names alone are drawn at a scale: never smaller on the screen than [`LEGIBLE`].
    pub fn far_size(&self, scale: f64) -> f64 {
        (LEGIBLE / scale).clamp(14.0, self.rect.h * 0.8)
    }

    /// The room that a name in letters of a size has in the node, in pixels for each pixel of that size. It goes in steps,
    /// so that names are not cut anew at each scale.
    pub fn far_room(&self, size: f64) -> f64 {
        ((self.rect.w - FAR_MARGIN) / size / STEP).floor() * STEP
    }
}

/// The name of a node without its version.
pub fn bare_name(node: &Node) -> &str {
    name(node).0
}

/// The name without the version that stands on the tab.
pub fn name(node: &Node) -> (&str, Option<&str>) {
    let name = if node.workload.is_empty() { &node.id } else { &node.workload };
    let version = Some(node.version.as_str()).filter(|version| !version.is_empty() && *version != "unknown");
    let bare = version.and_then(|version| name.strip_suffix(version)?.strip_suffix('-'));
    (bare.filter(|bare| !bare.is_empty()).unwrap_or(name), version)
}

/// What comes in, else what goes out, else why there is no number: that nothing was counted is not that nothing came.
pub fn traffic(node: &Node) -> String {
    if node.rate_in > 0.0 {
        format::rate(node.rate_in, Counted::REQUESTS)
    } else if node.connections_in > 0.0 {
        format::rate(node.connections_in, Counted::CONNECTIONS)
    } else if node.rate_out > 0.0 {
        format!("sends {}/s", format::digits(node.rate_out))
    } else if node.kind == NodeKind::Hidden {
        "not yours to see".to_owned()
    } else if node.health == Health::Unknown {
        "not known".to_owned()
    } else {
        "no traffic".to_owned()
    }
}

/// What hovering says of a node's traffic; `edges` are all calls. Of those that it gets the slowest says how long they take.
pub fn numbers(node: &Node, edges: &[Edge]) -> String {
    let mut out = traffic(node);
    if let Some(errors) = node.error_share {
        out.push_str(&format!(" · {} errors", format::share(errors)));
    }
    if node.client_error_share > 0.0 {
        out.push_str(&format!(" · {} refused", format::share(node.client_error_share)));
    }
    let incoming = edges.iter().filter(|edge| edge.destination == node.id);
    if let Some(p95) = incoming.filter_map(|edge| edge.p95_ms).reduce(f64::max) {
        out.push_str(&format!(" · {} p95", format::millis(p95)));
    }
    out
}

/// The rate of a call, unless it is not known.
pub fn call_rate(edge: &Edge) -> String {
    if edge.rate == 0.0 && edge.health == Health::Unknown {
        return "not known".to_owned();
    }
    format::rate(edge.rate, edge.counted())
}

/// The most that fits: of how many, rate and errors; without the words; only the rate; and where even that does not fit, the
/// rate cut in its middle. On a node all requests are "/s", so that rates of two nodes are read alike; hovering has the unit
/// in full.
fn subtitle(node: &Node, width: f64, measure: &dyn Measure) -> String {
    let rate = if node.rate_in > 0.0 { format!("{}/s", format::digits(node.rate_in)) } else { traffic(node) };
    let errors = node.error_share.filter(|share| *share > 0.0).map(|share| (format::share(share), "errors"));
    // What is refused stands there where it is why the node has its colour.
    let is_why = matches!(node.health, Health::Degraded | Health::Failing) && node.client_error_share > 0.0;
    let errors = errors.or_else(|| is_why.then(|| (format::share(node.client_error_share), "refused")));
    let members = (fold::folded(&node.id).is_some() && node.rate_in > 0.0).then_some(node.workloads.len());
    let mut forms = Vec::new();
    for head in members.map(|members| format!("{members} · {rate}")).into_iter().chain([rate.clone()]) {
        if let Some((share, what)) = &errors {
            forms.extend([format!("{head} · {share} {what}"), format!("{head} · {share}")]);
        }
    }
    forms.extend(members.map(|members| format!("{members} · {rate}")));
    forms.push(rate.clone());
    let fitting = forms.into_iter().find(|text| measure.small(text) <= width);
    fitting.unwrap_or_else(|| fit(&rate, width, |text| measure.small(text)))
}

/// Shortens `text` in its middle until it is at most `width` wide.
pub fn fit(text: &str, width: f64, measure: impl Fn(&str) -> f64) -> String {
    let mut limit = text.chars().count();
    let mut out = text.to_owned();
    while limit > 4 && measure(&out) > width {
        limit -= 1;
        out = format::middle(text, limit);
    }
    out
}
