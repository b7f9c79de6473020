//! Labels: what they say, and places where all of them can be read.

use std::collections::BTreeMap;

use weft_model::graph::{Edge, Graph, Lock};

use super::{Choice, EdgeShape, LABEL, LINE, LOCK, LabelShape, Measure, NodeShape, taken::Taken};
use crate::{
    format,
    graph::geometry::{Curve, Point, Rect},
    location::graph::Label,
};

/// Parts of the way where a label may stand, the best first.
const PLACES: [f64; 11] = [0.5, 0.42, 0.58, 0.34, 0.66, 0.27, 0.73, 0.2, 0.8, 0.14, 0.86];
/// How far beside its line a label of one line may stand when there is no room on it; it still touches the line.
const BESIDE: [f64; 3] = [0.0, -11.0, 11.0];
/// Further still, for what must be shown.
const FAR: [f64; 8] = [-22.0, 22.0, -34.0, 34.0, -48.0, 48.0, -64.0, 64.0];
/// In a larger graph, labels are not kept off other edges' lines: there are too many to look at each.
const LOOK_AT_LINES: usize = 80;

/// Gives each edge its label, in the order of ids, so that a label does not jump when numbers change.
pub fn place(graph: &Graph, nodes: &[NodeShape], edges: &mut [EdgeShape], choice: &Choice, measure: &dyn Measure) {
    let mut taken = Taken::default();
    for node in nodes {
        taken.add(node.rect.grow(4.0));
        if let Some((_, tab)) = &node.version {
            taken.add(*tab);
        }
    }
    let by_id: BTreeMap<&str, &Edge> = graph.edges.iter().map(|edge| (edge.id.as_str(), edge)).collect();
    let mut sent: BTreeMap<&str, f64> = BTreeMap::new();
    for edge in &graph.edges {
        *sent.entry(&edge.source).or_default() += edge.rate;
    }
    let curves: Vec<(String, Curve)> = if edges.len() <= LOOK_AT_LINES {
        edges.iter().map(|edge| (edge.id.clone(), edge.curve.clone())).collect()
    } else {
        Vec::new()
    };
    // Broken locks are placed first: they are never left out.
    for broken in [true, false] {
        for shape in edges.iter_mut() {
            let Some(edge) = by_id.get(shape.id.as_str()) else { continue };
            let lock = lock(edge, choice.locks);
            let is_broken = matches!(lock, Some(Lock::Mixed | Lock::Plaintext));
            if is_broken != broken {
                continue;
            }
            let lines = lines(edge, &choice.labels, sent.get(edge.source.as_str()).copied().unwrap_or(0.0));
            let note = is_broken.then(|| {
                format!("{} plaintext", edge.plaintext_share.map_or_else(|| "some".to_owned(), format::share))
            });
            if lines.is_empty() && lock.is_none() {
                continue;
            }
            let mut inner = if lock.is_some() { LOCK } else { 0.0 };
            let mut count = 0_i32;
            for line in note.iter().chain(&lines) {
                let locked = if count == 0 { inner } else { 0.0 };
                inner = inner.max(measure.small(line) + locked);
                count += 1;
            }
            let (w, h) = ((inner + 10.0).round(), LABEL + LINE * f64::from((count - 1).max(0)));
            let length = shape.curve.length();
            let beside = |asides: &[f64]| -> Vec<Rect> {
                let at = |part: &f64, aside: &f64| {
                    Rect::around(shape.curve.at(part * length) + Point::new(0.0, *aside * h / LABEL), w, h)
                };
                asides.iter().flat_map(|aside| PLACES.iter().map(move |part| at(part, aside))).collect()
            };
            let cost = |rect: &Rect| taken.overlap(*rect);
            let free = |rects: Vec<Rect>| {
                let mut free = rects.into_iter().filter(|rect| cost(rect) == 0.0);
                if curves.is_empty() {
                    return free.next();
                }
                // The first of those that cover the fewest other lines.
                let covered =
                    |rect: &Rect| curves.iter().filter(|(id, curve)| *id != shape.id && curve.meets(*rect)).count();
                free.min_by_key(covered)
            };
            let near = beside(&BESIDE);
            let least = || {
                let all = beside(&BESIDE).into_iter().chain(beside(&FAR));
                all.min_by(|a, b| cost(a).total_cmp(&cost(b)))
            };
            let place = free(near).or_else(|| if is_broken { free(beside(&FAR)).or_else(least) } else { None });
            let Some(rect) = place else { continue };
            taken.add(rect.grow(2.0));
            shape.label = Some(LabelShape { lines, note, lock, rect });
        }
    }
}

/// The lock to draw: a broken one always, a closed one where asked for.
fn lock(edge: &Edge, closed: bool) -> Option<Lock> {
    match edge.lock {
        Lock::Mixed | Lock::Plaintext => Some(edge.lock),
        Lock::Mtls if closed => Some(Lock::Mtls),
        Lock::Mtls | Lock::Unknown => None,
    }
}

/// The label's lines: what is known of all that was asked for, one number each, because beside each other they would be
/// wider than the room between two columns. `sent` is all that the source sends, for a server that does not say the share.
fn lines(edge: &Edge, labels: &[Label], sent: f64) -> Vec<String> {
    if edge.rate <= 0.0 && edge.bytes_sent + edge.bytes_received <= 0.0 {
        return Vec::new();
    }
    let part = |label: &Label| match label {
        Label::Rate => Some(format::rate(edge.rate, edge.counted())),
        Label::Errors => edge.error_share.map(format::share),
        Label::P50 => edge.p50_ms.map(format::millis),
        Label::P95 => edge.p95_ms.map(format::millis),
        Label::P99 => edge.p99_ms.map(format::millis),
        Label::Share => edge.share.or((sent > 0.0).then(|| edge.rate / sent)).map(format::share),
        Label::Throughput => {
            let bytes = edge.bytes_sent + edge.bytes_received;
            (bytes > 0.0).then(|| format::bytes_rate(bytes))
        }
    };
    // Beside others a number says which it is.
    let named = |label: &Label| {
        let text = part(label)?;
        Some(match label {
            Label::P50 | Label::P95 | Label::P99 if labels.len() > 1 => format!("{} {text}", label.title()),
            Label::Errors if labels.len() > 1 => format!("{text} err"),
            Label::Share if labels.len() > 1 => format!("{text} share"),
            _ => text,
        })
    };
    labels.iter().filter_map(named).collect()
}

/// Tells each edge which parts of its way are covered, so that its particles stay off them.
pub fn cover(nodes: &[NodeShape], edges: &mut [EdgeShape]) {
    let mut over = Taken::default();
    for label in edges.iter().filter_map(|edge| edge.label.as_ref()) {
        // A particle has its width.
        over.add(label.rect.grow(4.0));
    }
    for node in nodes {
        over.add(node.rect);
    }
    for edge in edges.iter_mut().filter(|edge| edge.flow.is_some()) {
        edge.covered = edge.curve.parts(|area| over.near(area));
    }
}
