//! Labels: what they say, and places where all of them can be read.

use std::collections::BTreeMap;

use weft_model::graph::{Edge, Graph, Lock};

use super::{Choice, EdgeShape, LABEL, LabelShape, Measure, NodeShape};
use crate::{
    format,
    graph::geometry::{Curve, Point, Rect},
    location::Label,
};

/// Parts of the way where a label may stand, the best first.
const PLACES: [f64; 11] = [0.5, 0.42, 0.58, 0.34, 0.66, 0.27, 0.73, 0.2, 0.8, 0.14, 0.86];
/// How far beside its line a label may stand when there is no room on it; it still touches the line.
const BESIDE: [f64; 3] = [0.0, -11.0, 11.0];
/// Further still, for what must be shown.
const FAR: [f64; 8] = [-22.0, 22.0, -34.0, 34.0, -48.0, 48.0, -64.0, 64.0];
/// In a larger graph, labels are not kept off other edges' lines: there are too many to look at each.
const LOOK_AT_LINES: usize = 80;
/// Room for a lock.
const LOCK: f64 = 16.0;

/// Gives each edge its label, in the order of ids, so that a label does not jump when numbers change.
pub fn place(graph: &Graph, nodes: &[NodeShape], edges: &mut [EdgeShape], choice: Choice, measure: &dyn Measure) {
    let mut taken: Vec<Rect> = nodes.iter().map(|node| node.rect.grow(4.0)).collect();
    taken.extend(nodes.iter().filter_map(|node| node.version.as_ref().map(|(_, tab)| *tab)));
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
            let text = text(edge, choice.label, sent.get(edge.source.as_str()).copied().unwrap_or(0.0));
            let note = is_broken.then(|| {
                format!("{} plaintext", edge.plaintext_share.map_or_else(|| "some".to_owned(), format::share))
            });
            if text.is_empty() && lock.is_none() {
                continue;
            }
            let width = |text: &str| if text.is_empty() { 0.0 } else { measure.small(text) };
            let locked = if lock.is_some() { LOCK } else { 0.0 };
            let inner =
                note.as_deref().map_or_else(|| width(&text) + locked, |note| width(&text).max(width(note) + locked));
            let (w, h) =
                ((inner + 10.0).round(), if note.is_some() && !text.is_empty() { LABEL + 14.0 } else { LABEL });
            let length = shape.curve.length();
            let beside = |asides: &[f64]| -> Vec<Rect> {
                let at = |part: &f64, aside: &f64| {
                    Rect::around(shape.curve.at(part * length) + Point::new(0.0, *aside), w, h)
                };
                asides.iter().flat_map(|aside| PLACES.iter().map(move |part| at(part, aside))).collect()
            };
            let cost = |rect: &Rect| taken.iter().map(|other| other.overlap(*rect)).sum::<f64>();
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
            taken.push(rect.grow(2.0));
            shape.label = Some(LabelShape { text, note, lock, rect });
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

/// The label's text; empty when the number is not known. `sent` is all that the source sends.
fn text(edge: &Edge, label: Label, sent: f64) -> String {
    match label {
        _ if edge.rate <= 0.0 => String::new(),
        Label::Rate => format::rate(edge.rate, &edge.protocol),
        Label::Errors => edge.error_share.map(format::share).unwrap_or_default(),
        Label::P95 => edge.p95_ms.map(format::millis).unwrap_or_default(),
        Label::Share if sent > 0.0 => format::share(edge.rate / sent),
        Label::Share => String::new(),
    }
}
