//! What is drawn: shapes with their text and their place, made anew whenever data or choices change. The canvas draws
//! a scene, the pointer asks it what it met, and both need nothing else.

mod edges;
mod labels;
mod nodes;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use weft_model::{
    Severity,
    graph::{Graph, Health, Lock, NodeKind},
};

use super::{
    flow::Flow,
    geometry::{Curve, Point, Rect},
    layout::{Layout, surround},
};
use crate::location::Label;

/// Height of a label on an edge.
pub const LABEL: f64 = 18.0;
/// Size of a mark on a node.
pub const MARK: f64 = 16.0;

/// A namespace's box.
#[derive(Clone, Debug, PartialEq)]
pub struct BoxShape {
    /// The namespace.
    pub name: String,
    /// Its rectangle.
    pub rect: Rect,
}

/// A mark on a node.
#[derive(Clone, Debug, PartialEq)]
pub struct Mark {
    /// The badge's kind.
    pub kind: String,
    /// The worst finding's severity.
    pub severity: Option<Severity>,
    /// What hovering says.
    pub text: String,
    /// Its square.
    pub rect: Rect,
}

/// A node.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeShape {
    /// The node's id.
    pub id: String,
    /// What it stands for.
    pub kind: NodeKind,
    /// Its rectangle.
    pub rect: Rect,
    /// Health.
    pub health: Health,
    /// Name, shortened in its middle to fit.
    pub title: String,
    /// Whole name.
    pub name: String,
    /// The line below the name.
    pub subtitle: String,
    /// Version and the tab that it stands on.
    pub version: Option<(String, Rect)>,
    /// Marks, right-aligned.
    pub marks: Vec<Mark>,
}

/// The text beside an edge.
#[derive(Clone, Debug, PartialEq)]
pub struct LabelShape {
    /// Text; empty when only the lock is shown.
    pub text: String,
    /// A line above it: how much is plaintext.
    pub note: Option<String>,
    /// The lock drawn before the text.
    pub lock: Option<Lock>,
    /// Its rectangle.
    pub rect: Rect,
}

/// An edge.
#[derive(Clone, Debug, PartialEq)]
pub struct EdgeShape {
    /// The edge's id.
    pub id: String,
    /// Indices of the two nodes.
    pub ends: (usize, usize),
    /// Its line, from caller to called.
    pub curve: Curve,
    /// Line width.
    pub width: f64,
    /// Health.
    pub health: Health,
    /// Text, unless there is no room.
    pub label: Option<LabelShape>,
    /// How its particles travel.
    pub flow: Option<Flow>,
}

/// What the pointer met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hit {
    /// A node, and which of its marks.
    Node(usize, Option<usize>),
    /// An edge.
    Edge(usize),
}

/// Everything that is drawn.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scene {
    /// Namespaces.
    pub boxes: Vec<BoxShape>,
    /// Nodes, in the graph's order.
    pub nodes: Vec<NodeShape>,
    /// Edges, in the graph's order; those with an end that is not shown are left out.
    pub edges: Vec<EdgeShape>,
}

/// What the reader chose.
#[derive(Clone, Copy, Debug, Default)]
pub struct Choice {
    /// What labels say.
    pub label: Label,
    /// Closed locks, too.
    pub locks: bool,
}

/// The width of a text: names of nodes are bold, everything else is small.
pub trait Measure {
    /// Width of a node's title in pixels.
    fn title(&self, text: &str) -> f64;
    /// Width of small text in pixels.
    fn small(&self, text: &str) -> f64;
}

impl Scene {
    /// Makes the scene of `graph` as `layout` places it.
    pub fn new(graph: &Graph, layout: &Layout, choice: Choice, measure: &dyn Measure) -> Self {
        let nodes: Vec<NodeShape> =
            graph.nodes.iter().filter_map(|node| Some(nodes::shape(node, layout.rect(&node.id)?, measure))).collect();
        let mut names: Vec<&str> = graph.nodes.iter().map(|node| node.namespace.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        let boxes = names
            .into_iter()
            .filter(|name| !name.is_empty())
            .filter_map(|name| {
                let inside = graph.nodes.iter().filter(|node| node.namespace == name);
                let rect = surround(inside.filter_map(|node| layout.rect(&node.id)))?;
                Some(BoxShape { name: name.to_owned(), rect })
            })
            .collect();
        let mut edges = edges::shapes(graph, &nodes, layout);
        labels::place(graph, &nodes, &mut edges, choice, measure);
        Self { boxes, nodes, edges }
    }

    /// The rectangle that holds everything.
    pub fn bounds(&self) -> Option<Rect> {
        let boxes = self.boxes.iter().map(|shape| shape.rect);
        let nodes = self.nodes.iter().map(|node| node.rect.grow(12.0));
        let edges = self.edges.iter().filter_map(|edge| edge.curve.bounds());
        boxes.chain(nodes).chain(edges).reduce(Rect::union)
    }

    /// What lies at `point`; `slack` is how far from an edge still counts.
    pub fn hit(&self, point: Point, slack: f64) -> Option<Hit> {
        for (index, node) in self.nodes.iter().enumerate().rev() {
            let tab = node.version.as_ref().is_some_and(|(_, tab)| tab.holds(point));
            if tab || node.rect.holds(point) {
                return Some(Hit::Node(index, node.marks.iter().position(|mark| mark.rect.holds(point))));
            }
        }
        let label = |edge: &EdgeShape| edge.label.as_ref().is_some_and(|label| label.rect.holds(point));
        if let Some(index) = self.edges.iter().position(label) {
            return Some(Hit::Edge(index));
        }
        let near = self.edges.iter().enumerate().map(|(index, edge)| (edge.curve.distance(point), index));
        let (distance, index) = near.min_by(|a, b| a.0.total_cmp(&b.0))?;
        (distance <= slack).then_some(Hit::Edge(index))
    }

    /// Index of a node.
    pub fn node(&self, id: &str) -> Option<usize> {
        self.nodes.iter().position(|node| node.id == id)
    }

    /// Nodes and edges on any path through a node.
    pub fn through_node(&self, node: usize) -> Path {
        let mut path = Path { nodes: BTreeSet::from([node]), edges: BTreeSet::new() };
        self.walk(node, true, &mut path);
        self.walk(node, false, &mut path);
        path
    }

    /// Nodes and edges on any path through an edge.
    pub fn through_edge(&self, edge: usize) -> Path {
        let Some(shape) = self.edges.get(edge) else { return Path::default() };
        let mut path = Path { nodes: BTreeSet::from([shape.ends.0, shape.ends.1]), edges: BTreeSet::from([edge]) };
        self.walk(shape.ends.0, false, &mut path);
        self.walk(shape.ends.1, true, &mut path);
        path
    }

    fn walk(&self, start: usize, forward: bool, path: &mut Path) {
        let (mut open, mut seen) = (vec![start], BTreeSet::from([start]));
        while let Some(node) = open.pop() {
            for (index, edge) in self.edges.iter().enumerate() {
                let (here, there) = if forward { edge.ends } else { (edge.ends.1, edge.ends.0) };
                if here == node {
                    path.edges.insert(index);
                    path.nodes.insert(there);
                    if seen.insert(there) {
                        open.push(there);
                    }
                }
            }
        }
    }

    /// Nodes whose name, namespace or version contains `text`, and the edges between them.
    pub fn matching(&self, text: &str) -> Path {
        let words: Vec<String> = text.split_whitespace().map(str::to_lowercase).collect();
        let fits = |node: &NodeShape| {
            let name = format!("{} {}", node.id, node.name).to_lowercase();
            words.iter().all(|word| name.contains(word))
        };
        let nodes: BTreeSet<usize> = (0..self.nodes.len()).filter(|index| fits(&self.nodes[*index])).collect();
        let both = |edge: &EdgeShape| nodes.contains(&edge.ends.0) && nodes.contains(&edge.ends.1);
        let edges = (0..self.edges.len()).filter(|index| both(&self.edges[*index])).collect();
        Path { nodes, edges }
    }
}

/// A part of a scene, by indices.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Path {
    /// Nodes.
    pub nodes: BTreeSet<usize>,
    /// Edges.
    pub edges: BTreeSet<usize>,
}
