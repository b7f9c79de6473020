//! Edges: where they leave and enter, which way they take, how wide they are.

use std::collections::BTreeMap;

use weft_model::graph::{Graph, Lock};

use super::{EdgeShape, NodeShape};
use crate::graph::{
    flow::Flow,
    geometry::{Cubic, Curve, Point},
    layout::{Direction, Layout},
};
use crate::order::Order;

/// Widths for little, some and much traffic, and the rates from which they hold.
pub const WIDTHS: [(f64, f64); 3] = [(0.0, 1.5), (1.0, 3.0), (10.0, 5.0)];
/// Room for the arrow's head.
const HEAD: f64 = 3.0;

/// Shapes of all edges between nodes that are shown.
pub fn shapes(graph: &Graph, nodes: &[NodeShape], layout: &Layout) -> Vec<EdgeShape> {
    let index: BTreeMap<&str, usize> =
        nodes.iter().enumerate().map(|(index, node)| (node.id.as_str(), index)).collect();
    let ends: Vec<(usize, usize, usize)> = graph
        .edges
        .iter()
        .enumerate()
        .filter_map(|(edge, shown)| {
            Some((edge, *index.get(shown.source.as_str())?, *index.get(shown.destination.as_str())?))
        })
        .collect();
    let bends: Vec<&[Point]> = ends
        .iter()
        .map(|(edge, ..)| {
            let edge = &graph.edges[*edge];
            let key = (edge.source.clone(), edge.destination.clone());
            layout.bends.get(&key).map(Vec::as_slice).unwrap_or_default()
        })
        .collect();
    let pairs: Vec<(usize, usize)> = ends.iter().map(|(_, from, to)| (*from, *to)).collect();
    let ports = ports(nodes, &pairs, &bends, layout.direction);
    ends.iter()
        .zip(bends)
        .zip(ports)
        .map(|(((edge, from, to), bends), ports)| {
            let edge = &graph.edges[*edge];
            let width =
                WIDTHS.into_iter().rev().find(|(rate, _)| edge.rate >= *rate).map_or(WIDTHS[0].1, |(_, width)| width);
            let curve = curve(&nodes[*from], &nodes[*to], bends, ports, layout.direction);
            EdgeShape {
                id: edge.id.clone(),
                ends: (*from, *to),
                area: curve.bounds().unwrap_or_default().grow(12.0),
                broken: matches!(edge.lock, Lock::Mixed | Lock::Plaintext).then(|| curve.at(curve.length() / 2.0)),
                head: head(&curve, width),
                curve,
                width,
                health: edge.health,
                label: None,
                covered: Vec::new(),
                flow: Flow::of(edge.rate, edge.p50_ms.or(edge.p95_ms), edge.error_share),
            }
        })
        .collect()
}

/// Cosine and sine of the angle between an arrow and each side of its head, 24 degrees. Trigonometric functions would bring
/// their tables into the page.
const COS: f64 = 0.913_088_940_312_308_3;
const SIN: f64 = 0.407_760_453_059_570_15;

/// The head of an arrow at the end of a line: its tip and its two corners.
fn head(curve: &Curve, width: f64) -> [Point; 3] {
    let length = 6.0 + width * 1.5;
    let (end, before) = (curve.at(f64::MAX), curve.at(curve.length() - length));
    let way = end.distance(before);
    let ahead = if way > 0.0 { (end - before) * (1.0 / way) } else { Point::new(1.0, 0.0) };
    let corner = |turn: f64| end - (ahead * COS + Point::new(-ahead.y, ahead.x) * turn) * length;
    [end + ahead * 2.0, corner(SIN), corner(-SIN)]
}

/// How far from a node's middle each edge leaves its caller and enters its called one, so that several edges of one
/// node stand apart in the order of their other ends.
fn ports(nodes: &[NodeShape], pairs: &[(usize, usize)], bends: &[&[Point]], direction: Direction) -> Vec<(f64, f64)> {
    let mut out = vec![(0.0, 0.0); pairs.len()];
    let middle = |node: usize| direction.turn(nodes[node].rect.centre()).y;
    let start = |node: usize| direction.turn_rect(nodes[node].rect).x;
    let forward = |index: &usize| start(pairs[*index].0) < start(pairs[*index].1);
    for leaves in [true, false] {
        let mut by_node: Vec<Vec<usize>> = vec![Vec::new(); nodes.len()];
        for index in (0..pairs.len()).filter(forward) {
            by_node[if leaves { pairs[index].0 } else { pairs[index].1 }].push(index);
        }
        let aim = |index: usize| {
            let bend = if leaves { bends[index].first() } else { bends[index].last() };
            bend.map_or_else(
                || middle(if leaves { pairs[index].1 } else { pairs[index].0 }),
                |bend| direction.turn(*bend).y,
            )
        };
        for mut edges in by_node {
            edges.order(|a, b| aim(*a).total_cmp(&aim(*b)).then(a.cmp(b)));
            let step = (direction.node().1 * 0.6 / edges.len().max(1) as f64).min(direction.node().1 / 4.0);
            let count = edges.len() as f64;
            for (place, index) in edges.into_iter().enumerate() {
                let offset = (place as f64 - (count - 1.0) / 2.0) * step;
                if leaves {
                    out[index].0 = offset;
                } else {
                    out[index].1 = offset;
                }
            }
        }
    }
    out
}

fn curve(from: &NodeShape, to: &NodeShape, bends: &[Point], ports: (f64, f64), direction: Direction) -> Curve {
    if from.id == to.id {
        let a = from.rect;
        let (start, end) = (Point::new(a.x + a.w, a.y + 18.0), Point::new(a.x + a.w - 48.0, a.y - HEAD));
        let (lean, rise) = (Point::new(start.x + 56.0, start.y - 8.0), Point::new(end.x, end.y - 56.0));
        return Curve::new(vec![Cubic { from: start, a: lean, b: rise, to: end }]);
    }
    let (a, b) = (direction.turn_rect(from.rect), direction.turn_rect(to.rect));
    let finish = |curve: Curve| if direction == Direction::Down { curve.turned() } else { curve };
    if b.x == a.x {
        // Within a column it leans out on the side where calls leave, but not into the next column.
        let far = (a.centre().y - b.centre().y).abs() / direction.row();
        let lean = (40.0 + 12.0 * far).min(direction.layer() - direction.node().0);
        let start = Point::new(a.x + a.w, a.centre().y + ports.0);
        let end = Point::new(b.x + b.w + HEAD, b.centre().y + ports.1);
        let (out, back) = (Point::new(start.x + lean, start.y), Point::new(end.x + lean, end.y));
        return finish(Curve::new(vec![Cubic { from: start, a: out, b: back, to: end }]));
    }
    if b.x < a.x {
        // A call back goes below both (beside both), where no other call runs.
        let (start, end) = (Point::new(a.centre().x, a.y + a.h), Point::new(b.centre().x, b.y + b.h + HEAD));
        let low = start.y.max(end.y) + 72.0;
        let (down, up) = (Point::new(start.x, low), Point::new(end.x, low));
        return finish(Curve::new(vec![Cubic { from: start, a: down, b: up, to: end }]));
    }
    let mut points = vec![Point::new(a.x + a.w, a.centre().y + ports.0)];
    let half = direction.node().0 / 2.0;
    for bend in bends.iter().map(|bend| direction.turn(*bend)).filter(|bend| bend.x > a.x + a.w && bend.x < b.x) {
        points.push(Point::new(bend.x - half, bend.y));
        points.push(Point::new(bend.x + half, bend.y));
    }
    points.push(Point::new(b.x - HEAD, b.centre().y + ports.1));
    finish(Curve::level(&points))
}
