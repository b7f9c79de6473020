//! The last few minutes of each node and edge, kept from the live events, for the small charts in the panel.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write;

use weft_model::graph::Graph;

/// Points kept for each key: at one every second and a half, ten minutes.
const POINTS: usize = 400;

/// One point.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// Requests per second.
    pub rate: f64,
    /// Error share, 0 to 1.
    pub errors: f64,
}

/// Points by node id (incoming traffic) and by edge id.
#[derive(Clone, Debug, Default)]
pub struct History {
    window_s: u64,
    last_ms: u64,
    points: BTreeMap<String, VecDeque<Point>>,
}

impl History {
    /// Adds one answer. One over another window starts anew: its rates are smoothed differently. One that is not newer
    /// than the last is ignored.
    pub fn add(&mut self, graph: &Graph) {
        if graph.window_s != self.window_s {
            *self = Self { window_s: graph.window_s, ..Self::default() };
        }
        if graph.at_ms <= self.last_ms {
            return;
        }
        self.last_ms = graph.at_ms;
        let nodes = graph.nodes.iter().map(|node| (&node.id, node.rate_in, node.error_share));
        let edges = graph.edges.iter().map(|edge| (&edge.id, edge.rate, edge.error_share));
        for (id, rate, errors) in nodes.chain(edges) {
            let points = self.points.entry(id.clone()).or_default();
            if points.len() == POINTS {
                points.pop_front();
            }
            points.push_back(Point { at_ms: graph.at_ms, rate, errors: errors.unwrap_or(0.0) });
        }
        let oldest = graph.at_ms.saturating_sub(POINTS as u64 * 5_000);
        self.points.retain(|_, points| points.back().is_some_and(|point| point.at_ms >= oldest));
    }

    /// The points of a node or an edge, oldest first.
    pub fn of(&self, id: &str) -> Vec<Point> {
        self.points.get(id).map(|points| points.iter().copied().collect()).unwrap_or_default()
    }
}

/// SVG paths of a chart of `width` × `height`: the rate, and the part of it that failed. `None` for fewer than two points.
pub fn sparkline(points: &[Point], width: f64, height: f64) -> Option<(String, String)> {
    let (first, last) = (points.first()?, points.last()?);
    let length = last.at_ms.checked_sub(first.at_ms).filter(|length| *length > 0)? as f64;
    let top = points.iter().map(|point| point.rate).fold(0.0, f64::max).max(f64::MIN_POSITIVE);
    let x = |point: &Point| (point.at_ms - first.at_ms) as f64 / length * width;
    let y = |value: f64| height - 1.0 - value / top * (height - 2.0);
    let (mut rate, mut errors) = (String::new(), format!("M0 {:.1}", y(0.0)));
    for (index, point) in points.iter().enumerate() {
        let _ = write!(rate, "{}{:.1} {:.1}", if index == 0 { "M" } else { "L" }, x(point), y(point.rate));
        let _ = write!(errors, "L{:.1} {:.1}", x(point), y(point.rate * point.errors));
    }
    let _ = write!(errors, "L{width:.1} {:.1}Z", y(0.0));
    Some((rate, errors))
}

#[cfg(test)]
mod tests {
    use super::*;
    use weft_model::graph::{Health, Node, NodeKind, Sources};

    fn graph(at_ms: u64, window_s: u64, rate: f64) -> Graph {
        let node = Node {
            id: "a/b".into(),
            kind: NodeKind::Workload,
            namespace: "a".into(),
            workload: "b".into(),
            app: String::new(),
            version: String::new(),
            health: Health::Healthy,
            rate_in: rate,
            rate_out: 0.0,
            error_share: Some(0.5),
            badges: vec![],
            ..Node::default()
        };
        let (nodes, edges, queries) = (vec![node], vec![], vec![]);
        Graph { at_ms, window_s, nodes, edges, sources: Sources::default(), queries, ..Graph::default() }
    }

    #[test]
    fn points_are_bounded_and_in_order() {
        let mut history = History::default();
        for step in 1..=(POINTS as u64 + 20) {
            history.add(&graph(step * 5000, 60, step as f64));
            history.add(&graph(step * 5000, 60, 999.0));
        }
        let points = history.of("a/b");
        assert_eq!(points.len(), POINTS);
        assert!(points.windows(2).all(|pair| pair[0].at_ms < pair[1].at_ms));
        assert!(points.iter().all(|point| point.rate < 999.0));
    }

    #[test]
    fn another_window_starts_anew() {
        let mut history = History::default();
        history.add(&graph(5000, 60, 1.0));
        history.add(&graph(10_000, 300, 1.0));
        assert_eq!(history.of("a/b").len(), 1);
        assert!(history.of("x").is_empty());
    }

    #[test]
    fn a_chart_needs_two_points() {
        let point = |at_ms, rate| Point { at_ms, rate, errors: 0.5 };
        assert!(sparkline(&[point(1, 1.0)], 100.0, 20.0).is_none());
        let (rate, errors) = sparkline(&[point(0, 0.0), point(10, 4.0)], 100.0, 20.0).unwrap();
        assert_eq!(rate, "M0.0 19.0L100.0 1.0");
        assert_eq!(errors, "M0 19.0L0.0 19.0L100.0 10.0L100.0 19.0Z");
    }
}
