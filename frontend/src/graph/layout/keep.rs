//! What changes when the topology does: as little as possible.

use std::collections::BTreeMap;

use super::{Layout, NODE, PADDING, Topology, cluster_of, enclose, surround};
use crate::graph::geometry::{Point, Rect};

/// Rows up and down that are tried for a new node.
const REACH: i32 = 12;

/// Keeps every node where it stood and finds places for new ones; `None` when that would make a bad picture.
pub fn adapt(topology: &Topology, previous: &Layout) -> Option<Layout> {
    let known = topology.nodes.iter().filter(|(id, _)| previous.nodes.contains_key(id)).count();
    let added = topology.nodes.len() - known;
    if known == 0 || added > known {
        return None;
    }
    let links = topology.links();
    if added == 0 && links.is_subset(&previous.links) {
        return Some(retain(topology, previous));
    }
    if runs_backwards(topology, previous) {
        return None;
    }
    let mut out = retain(topology, previous);
    for (id, namespace) in &topology.nodes {
        if out.nodes.contains_key(id) {
            continue;
        }
        let point = find_place(topology, &out, id, namespace)?;
        out.nodes.insert(id.clone(), point);
    }
    out.links = links;
    Some(out)
}

/// The previous layout without what is gone. Links that fell silent are remembered, so that they cause no new layout
/// when they speak again.
fn retain(topology: &Topology, previous: &Layout) -> Layout {
    let here: BTreeMap<&str, ()> = topology.nodes.iter().map(|(id, _)| (id.as_str(), ())).collect();
    let mut out = previous.clone();
    out.nodes.retain(|id, _| here.contains_key(id.as_str()));
    let both = |(from, to): &(String, String)| here.contains_key(from.as_str()) && here.contains_key(to.as_str());
    out.links.retain(|link| both(link));
    out.bends.retain(|link, _| both(link));
    out
}

/// Whether a call that the previous layout did not know goes to the left or stays in its column, without there being
/// a call the other way that justifies it.
fn runs_backwards(topology: &Topology, previous: &Layout) -> bool {
    let column = |id: &String| previous.nodes.get(id).map(|point| previous.direction.turn(*point).x);
    // Where columns were gathered, calls within one are nothing bad.
    let gathered = previous.links.iter().any(|(from, to)| column(from).is_some() && column(from) == column(to));
    topology.links().iter().filter(|link| !previous.links.contains(link)).any(|(from, to)| {
        let turned = previous.links.contains(&(to.clone(), from.clone()));
        match (previous.nodes.get(from), previous.nodes.get(to)) {
            (Some(from), Some(to)) => {
                let (from, to) = (previous.direction.turn(*from).x, previous.direction.turn(*to).x);
                (to < from || (to == from && !gathered)) && !turned
            }
            _ => false,
        }
    })
}

/// A free place for a new node: right of its callers or left of whom it calls, near the middle of both.
fn find_place(topology: &Topology, layout: &Layout, id: &str, namespace: &str) -> Option<Point> {
    let own = topology.nodes.iter().position(|(other, _)| other == id)?;
    let direction = layout.direction;
    let place = |id: &String| layout.nodes.get(id).map(|point| direction.turn(*point));
    let at = |index: usize| place(&topology.nodes[index].0);
    let callers: Vec<Point> =
        topology.edges.iter().filter(|edge| edge.1 == own).filter_map(|edge| at(edge.0)).collect();
    let called: Vec<Point> = topology.edges.iter().filter(|edge| edge.0 == own).filter_map(|edge| at(edge.1)).collect();
    let same = || topology.nodes.iter().filter(|(_, other)| other == namespace && !namespace.is_empty());
    let right = callers.iter().map(|point| point.x).reduce(f64::max);
    let left = called.iter().map(|point| point.x).reduce(f64::min);
    let home = same().filter_map(|(id, _)| place(id)).map(|point| point.x).reduce(f64::min);
    let x = match (right, left) {
        (Some(right), _) => right + direction.layer(),
        (None, Some(left)) => left - direction.layer(),
        (None, None) => home.unwrap_or(0.0),
    };
    let around: Vec<f64> = callers.iter().chain(&called).map(|point| point.y).collect();
    let lowest = || layout.nodes.keys().filter_map(place).map(|point| point.y).fold(0.0, f64::max) + direction.row();
    let y = if around.is_empty() { lowest() } else { around.iter().sum::<f64>() / around.len() as f64 };
    let tries = (0..=REACH).flat_map(|step| [step, -step]);
    let points = tries.map(|step| direction.turn(Point::new(x, (y + f64::from(step) * direction.row() / 2.0).round())));
    points.into_iter().find(|point| is_free(topology, layout, namespace, *point))
}

/// Whether a node may stand at `point`: on no other node, and its box on no other box.
fn is_free(topology: &Topology, layout: &Layout, namespace: &str, point: Point) -> bool {
    let rect = Rect::around(point, NODE.0, NODE.1);
    if layout.nodes.keys().filter_map(|id| layout.rect(id)).any(|other| other.grow(12.0).meets(rect)) {
        return false;
    }
    let mut boxes: BTreeMap<&str, Vec<Rect>> = BTreeMap::new();
    let mut lone: Vec<Rect> = Vec::new();
    for (id, other) in &topology.nodes {
        let Some(rect) = layout.rect(id) else { continue };
        if other.is_empty() { lone.push(rect) } else { boxes.entry(other).or_default().push(rect) }
    }
    if namespace.is_empty() {
        lone.push(rect);
    } else {
        boxes.entry(namespace).or_default().push(rect);
    }
    let mut clusters: BTreeMap<&str, Vec<Rect>> = BTreeMap::new();
    for (name, rects) in boxes {
        clusters.entry(cluster_of(name)).or_default().extend(surround(rects.into_iter()));
    }
    let apart =
        |boxes: &[Rect]| boxes.iter().enumerate().all(|(index, a)| boxes[index + 1..].iter().all(|b| !a.meets(*b)));
    // The boxes of clusters, and those that stand in none.
    let mut outer: Vec<Rect> = Vec::new();
    for (cluster, areas) in clusters {
        if cluster.is_empty() {
            outer.extend(areas);
        } else if apart(&areas) {
            outer.extend(enclose(areas.into_iter()));
        } else {
            return false;
        }
    }
    apart(&outer) && lone.iter().all(|node| outer.iter().all(|area| !area.meets(node.grow(PADDING.2 / 2.0))))
}
