//! What is drawn: shapes with their text and their place, made anew whenever data or choices change. The canvas draws
//! a scene, the pointer asks it what it met, and both need nothing else.

mod edges;
mod labels;
mod letters;
mod nodes;
mod taken;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use weft_model::{
    Severity,
    graph::{Graph, Health, Lock, NodeKind},
};

use super::{
    flow::Flow,
    fold,
    geometry::{Curve, Point, Rect},
    layout::{Layout, enclose, surround},
    picture::Found,
};
use crate::location::graph::Label;

pub use letters::Letters;
pub use nodes::{FAR_MARGIN, bare_name, call_rate, numbers, traffic};
pub use taken::Taken;

/// Height of a label of one line on an edge.
pub const LABEL: f64 = 18.0;
/// From one line of a label to the next.
pub const LINE: f64 = 14.0;
/// Size of the letters that [`Measure::title`] measures.
const TITLE: f64 = 14.0;
/// Height of the strip with a box's name.
pub const HEADER: f64 = 28.0;
/// Room for a lock in a label.
pub const LOCK: f64 = 16.0;
/// Size of a mark on a node.
pub const MARK: f64 = 16.0;

/// What a box is around.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BoxKind {
    /// The namespaces of a cluster.
    Cluster,
    /// A namespace.
    Namespace,
    /// The versions of one app.
    Versions,
}

/// A box.
#[derive(Clone, Debug, PartialEq)]
pub struct BoxShape {
    /// What it is around.
    pub kind: BoxKind,
    /// Its key, by which it folds ([`fold::homes`]); empty for the versions of an app.
    pub key: String,
    /// The name that stands on it.
    pub name: String,
    /// Width of the name, in pixels for each pixel of its size.
    pub breadth: f64,
    /// Its rectangle.
    pub rect: Rect,
}

impl BoxShape {
    /// Whether it folds into one node.
    pub fn folds(&self) -> bool {
        self.kind != BoxKind::Versions
    }

    /// Size of the name's letters at a scale of the view: one that can be read.
    pub fn letters(scale: f64) -> f64 {
        (11.5 / scale).clamp(12.0, 120.0)
    }

    /// Chevron and name as they are drawn at a scale: a press on them folds the box.
    pub fn handle(&self, scale: f64) -> Rect {
        let size = Self::letters(scale);
        let (w, h) = (8.0 + 0.8 * size + 5.0 + self.breadth * size + 8.0, (size * 1.4).max(HEADER));
        Rect { w: w.min(self.rect.w), h, ..self.rect }
    }
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
    /// The same in full, for who shortens it otherwise.
    pub bare: String,
    /// What comes in, alone, of a folded box; empty for others, and without traffic.
    pub rate: String,
    /// Whole name.
    pub name: String,
    /// The line below the name.
    pub subtitle: String,
    /// Version and the tab that it stands on.
    pub version: Option<(String, Rect)>,
    /// Marks, right-aligned.
    pub marks: Vec<Mark>,
    /// How many nodes it stands for; 0 unless it is a folded namespace.
    pub members: usize,
}

/// The text beside an edge.
#[derive(Clone, Debug, PartialEq)]
pub struct LabelShape {
    /// Lines of text, one for each number that was asked for; none when only the lock is shown.
    pub lines: Vec<String>,
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
    /// The arrow's head: its tip and its two corners.
    pub head: [Point; 3],
    /// Line width.
    pub width: f64,
    /// Health.
    pub health: Health,
    /// Text, unless there is no room.
    pub label: Option<LabelShape>,
    /// How its particles travel.
    pub flow: Option<Flow>,
    /// What its line takes.
    pub area: Rect,
    /// Where a broken lock is drawn from afar; `None` without one.
    pub broken: Option<Point>,
    /// Parts of its way, in pixels from its start, that a label or a node covers: no particle is drawn there.
    pub covered: Vec<(f64, f64)>,
}

impl LabelShape {
    /// Left and middle of each line, of the note first if there is one. The lock stands before the first.
    pub fn starts(&self) -> impl Iterator<Item = Point> + use<> {
        let count = usize::from(self.note.is_some()) + self.lines.len();
        let first = self.rect.centre().y - count.saturating_sub(1) as f64 * LINE / 2.0;
        let (left, locked) = (self.rect.x + 5.0, self.lock.is_some());
        (0..count.max(1)).map(move |line| {
            let indent = if locked && line == 0 { LOCK } else { 0.0 };
            Point::new(left + indent, first + line as f64 * LINE)
        })
    }
}

/// What the pointer met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hit {
    /// A node, and which of its marks.
    Node(usize, Option<usize>),
    /// An edge.
    Edge(usize),
    /// The name of a box.
    Box(usize),
}

/// Everything that is drawn.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scene {
    /// Boxes, the outer ones first.
    pub boxes: Vec<BoxShape>,
    /// Nodes, in the graph's order.
    pub nodes: Vec<NodeShape>,
    /// Edges, in the graph's order; those with an end that is not shown are left out.
    pub edges: Vec<EdgeShape>,
    /// Letters of the nodes' names.
    pub letters: Letters,
}

/// What the reader chose.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Choice {
    /// What labels say.
    pub labels: Vec<Label>,
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
    pub fn new(graph: &Graph, layout: &Layout, choice: &Choice, measure: &dyn Measure) -> Self {
        let nodes: Vec<NodeShape> =
            graph.nodes.iter().filter_map(|node| Some(nodes::shape(node, layout.rect(&node.id)?, measure))).collect();
        let boxes = clusters(graph, layout).into_iter().chain(namespaces(graph, layout));
        let mut boxes: Vec<BoxShape> = boxes.chain(versions(graph, layout)).collect();
        for shape in boxes.iter_mut().filter(|shape| shape.folds()) {
            shape.breadth = measure.title(&shape.name) / TITLE;
        }
        let mut edges = edges::shapes(graph, &nodes, layout);
        labels::place(graph, &nodes, &mut edges, choice, measure);
        labels::cover(&nodes, &mut edges);
        let letters = Letters::of(nodes.iter().map(|node| node.bare.as_str()), measure);
        Self { boxes, nodes, edges, letters }
    }

    /// The rectangle that holds everything.
    pub fn bounds(&self) -> Option<Rect> {
        let boxes = self.boxes.iter().map(|shape| shape.rect);
        let nodes = self.nodes.iter().map(|node| node.rect.grow(12.0));
        let edges = self.edges.iter().filter_map(|edge| edge.curve.bounds());
        boxes.chain(nodes).chain(edges).reduce(Rect::union)
    }

    /// What lies at `point` when it is drawn at `scale`; `slack` is how far from an edge still counts.
    pub fn hit(&self, point: Point, slack: f64, scale: f64) -> Option<Hit> {
        for (index, node) in self.nodes.iter().enumerate().rev() {
            let tab = node.version.as_ref().is_some_and(|(_, tab)| tab.holds(point));
            if tab || node.rect.holds(point) {
                return Some(Hit::Node(index, node.marks.iter().position(|mark| mark.rect.holds(point))));
            }
        }
        // From afar names are larger than their strip, and nodes lie on them.
        if let Some(index) = self.boxes.iter().position(|shape| shape.folds() && shape.handle(scale).holds(point)) {
            return Some(Hit::Box(index));
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
        let mut next: Vec<Vec<(usize, usize)>> = vec![Vec::new(); self.nodes.len()];
        for (index, edge) in self.edges.iter().enumerate() {
            let (here, there) = if forward { edge.ends } else { (edge.ends.1, edge.ends.0) };
            next[here].push((index, there));
        }
        let (mut open, mut seen) = (vec![start], BTreeSet::from([start]));
        while let Some(node) = open.pop() {
            for (index, there) in next.get(node).into_iter().flatten() {
                path.edges.insert(*index);
                path.nodes.insert(*there);
                if seen.insert(*there) {
                    open.push(*there);
                }
            }
        }
    }

    /// What was found, with the calls between found nodes and the ends of found calls.
    pub fn found(&self, found: &Found) -> Path {
        let mut path = Path::default();
        path.nodes.extend((0..self.nodes.len()).filter(|index| found.nodes.contains(&self.nodes[*index].id)));
        for (index, edge) in self.edges.iter().enumerate() {
            let both = path.nodes.contains(&edge.ends.0) && path.nodes.contains(&edge.ends.1);
            if both || found.edges.contains(&edge.id) {
                path.edges.insert(index);
            }
        }
        let ends = path.edges.iter().flat_map(|index| [self.edges[*index].ends.0, self.edges[*index].ends.1]);
        path.nodes.extend(ends.collect::<Vec<_>>());
        path
    }
}

/// Boxes around namespaces.
fn namespaces(graph: &Graph, layout: &Layout) -> Vec<BoxShape> {
    let mut inside: BTreeMap<String, (&str, Vec<Rect>)> = BTreeMap::new();
    for node in &graph.nodes {
        let Some((key, rect)) = fold::namespace(node).zip(layout.rect(&node.id)) else { continue };
        inside.entry(key).or_insert_with(|| (node.namespace.as_str(), Vec::new())).1.push(rect);
    }
    let shape = |(key, (name, rects)): (String, (&str, Vec<Rect>))| {
        let rect = surround(rects.into_iter())?;
        Some(BoxShape { kind: BoxKind::Namespace, key, name: name.to_owned(), breadth: 0.0, rect })
    };
    inside.into_iter().filter_map(shape).collect()
}

/// Boxes around the namespaces of one cluster, where there are several clusters. What is folded keeps its distance as if
/// its box were there.
fn clusters(graph: &Graph, layout: &Layout) -> Vec<BoxShape> {
    let mut inside: BTreeMap<&str, Vec<Rect>> = BTreeMap::new();
    for node in graph.nodes.iter().filter(|node| !node.cluster.is_empty()) {
        let area = surround(layout.rect(&node.id).into_iter());
        inside.entry(&node.cluster).or_default().extend(area);
    }
    let shape = |(name, areas): (&str, Vec<Rect>)| {
        let (key, rect) = (fold::cluster(name), enclose(areas.into_iter())?);
        Some(BoxShape { kind: BoxKind::Cluster, name: fold::words(&key), key, breadth: 0.0, rect })
    };
    inside.into_iter().filter_map(shape).collect()
}

/// Boxes around the versions of one app, where they stand together and touch nothing else.
fn versions<'a>(graph: &'a Graph, layout: &'a Layout) -> impl Iterator<Item = BoxShape> + 'a {
    graph.boxes.iter().filter_map(|shape| {
        let mine = |node: &&weft_model::graph::Node| node.parent.as_ref() == Some(&shape.id);
        let rects: Vec<Rect> = graph.nodes.iter().filter(mine).filter_map(|node| layout.rect(&node.id)).collect();
        if rects.len() < 2 {
            return None;
        }
        // Room for the tabs with the versions.
        let rect = rects.into_iter().reduce(Rect::union)?.grow(10.0);
        let rect = Rect { y: rect.y - 12.0, h: rect.h + 12.0, ..rect };
        let others = graph.nodes.iter().filter(|node| !mine(node)).filter_map(|node| layout.rect(&node.id));
        others.into_iter().all(|other| !other.meets(rect)).then(|| BoxShape {
            kind: BoxKind::Versions,
            key: String::new(),
            name: shape.app.clone(),
            breadth: 0.0,
            rect,
        })
    })
}

/// A part of a scene, by indices.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Path {
    /// Nodes.
    pub nodes: BTreeSet<usize>,
    /// Edges.
    pub edges: BTreeSet<usize>,
}
