//! Where nodes stand: layered in the direction of calls (Sugiyama, Tagawa, Toda 1981), from left to right or, on a narrow
//! canvas, from top to bottom; namespaces in boxes of their own, clusters in boxes around these, and nothing moves unless
//! the topology changed.

mod bands;
mod direction;
mod keep;
mod order;
mod place;
mod rank;
#[cfg(test)]
mod tests;
mod wrap;

use std::collections::{BTreeMap, BTreeSet};

use weft_model::graph::Graph;

pub use self::direction::Direction;
use super::{
    fold,
    geometry::{Point, Rect},
};

/// Size of a node.
pub const NODE: (f64, f64) = (176.0, 58.0);
/// Between a namespace's box and its nodes: left and right, top (for the name), bottom.
pub const PADDING: (f64, f64, f64) = (20.0, 40.0, 20.0);

/// The same between a cluster's box and what is in it.
pub const AROUND: (f64, f64, f64) = (14.0, 34.0, 14.0);

/// More nodes than this make a large topology.
const LARGE: usize = 200;

/// Of more nodes no summary is laid out several times.
const SUMMARY: usize = 60;

/// The box that folded namespaces are laid out in; no namespace is called so, and none is drawn.
const FOLDED: &str = "box:";

/// What is laid out: only this decides about positions, never a number that is measured.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Topology {
    /// Node ids, in order, each with its box: `namespace`, or `namespace@cluster` where there are several clusters; empty
    /// for nodes that stand outside of any box.
    pub nodes: Vec<(String, String)>,
    /// Edges as indices into `nodes`; self-calls and doubles left out.
    pub edges: Vec<(usize, usize)>,
}

impl Topology {
    /// Of a graph.
    pub fn of(graph: &Graph) -> Self {
        // What is folded stands together as if it were in a box, so that calls are led around it.
        let home = |node: &weft_model::graph::Node| {
            let name = if fold::folded(&node.id).is_some() { FOLDED } else { node.namespace.as_str() };
            let cluster = if node.cluster.is_empty() { String::new() } else { fold::cluster(&node.cluster) };
            format!("{name}{cluster}")
        };
        let nodes: BTreeMap<&str, String> = graph.nodes.iter().map(|node| (node.id.as_str(), home(node))).collect();
        let index: BTreeMap<&str, usize> = nodes.keys().enumerate().map(|(index, id)| (*id, index)).collect();
        let edges: BTreeSet<(usize, usize)> = graph
            .edges
            .iter()
            .filter_map(|edge| Some((*index.get(edge.source.as_str())?, *index.get(edge.destination.as_str())?)))
            .filter(|(source, destination)| source != destination)
            .collect();
        Self {
            nodes: nodes.into_iter().map(|(id, home)| (id.to_owned(), home)).collect(),
            edges: edges.into_iter().collect(),
        }
    }

    /// Whether it is legible whole in no direction. It runs to the right then, as graphs of that size do elsewhere, with
    /// columns wrapped to the shape of a canvas, and takes so long to lay out that a page would stand still meanwhile.
    pub fn is_large(&self) -> bool {
        self.nodes.len() > LARGE
    }

    /// Whether it is of folded boxes, and of so few that several layouts may be tried.
    fn is_summary(&self) -> bool {
        let folded = self.nodes.iter().filter(|(_, home)| home.starts_with(FOLDED)).count();
        folded * 2 > self.nodes.len() && self.nodes.len() <= SUMMARY
    }

    /// The edges by the names of their ends.
    fn links(&self) -> BTreeSet<(String, String)> {
        self.edges.iter().map(|(from, to)| (self.nodes[*from].0.clone(), self.nodes[*to].0.clone())).collect()
    }
}

/// Positions by node id, and the points that long edges are led through.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Layout {
    /// Which way calls run.
    pub direction: Direction,
    /// Centres of nodes.
    pub nodes: BTreeMap<String, Point>,
    /// Bends of edges, by source and destination, from left to right.
    pub bends: BTreeMap<(String, String), Vec<Point>>,
    /// The edges that it was made for.
    pub links: BTreeSet<(String, String)>,
}

impl Layout {
    /// The rectangle of a node.
    pub fn rect(&self, id: &str) -> Option<Rect> {
        self.nodes.get(id).map(|centre| Rect::around(*centre, NODE.0, NODE.1))
    }

    /// The rectangle around all nodes with room for the boxes around them.
    pub fn bounds(&self) -> Option<Rect> {
        surround(self.nodes.keys().filter_map(|id| self.rect(id)))
    }
}

/// Lays out `topology` in one direction. What stood somewhere in `previous`, if that runs the same way, stays there,
/// unless new calls would then run backwards.
#[cfg(test)]
pub fn layout(topology: &Topology, direction: Direction, previous: Option<&Layout>) -> Layout {
    previous.and_then(|previous| kept(topology, direction, previous)).unwrap_or_else(|| anew(topology, direction))
}

/// What stood somewhere in `previous` stays there; `None` when the topology has to be laid out anew.
pub fn kept(topology: &Topology, direction: Direction, previous: &Layout) -> Option<Layout> {
    let usable = !previous.nodes.is_empty() && previous.direction == direction;
    usable.then(|| keep::adapt(topology, previous)).flatten()
}

/// The cluster of a box in a topology; empty for what is in none.
fn cluster_of(home: &str) -> &str {
    home.split_once('@').map_or("", |(_, cluster)| cluster)
}

/// The rectangle around a namespace's nodes.
pub fn surround(rects: impl Iterator<Item = Rect>) -> Option<Rect> {
    padded(rects, PADDING)
}

/// The rectangle around a cluster's boxes.
pub fn enclose(rects: impl Iterator<Item = Rect>) -> Option<Rect> {
    padded(rects, AROUND)
}

fn padded(rects: impl Iterator<Item = Rect>, (side, top, bottom): (f64, f64, f64)) -> Option<Rect> {
    let inner = rects.reduce(Rect::union)?;
    Some(Rect { x: inner.x - side, y: inner.y - top, w: inner.w + 2.0 * side, h: inner.h + top + bottom })
}

/// Lays out `topology` as if nothing stood anywhere yet.
pub fn anew(topology: &Topology, direction: Direction) -> Layout {
    let (mut ranks, edges) = rank::ranks(topology);
    if topology.is_large() {
        ranks = wrap::wrap(topology, ranks, &edges);
    }
    let grid = order::order(topology, &ranks, &edges);
    place::place(topology, &grid, direction)
}

/// The same in fewer columns: neighbouring ones are laid together until `part` of them (above 0, at most 1) are left, so
/// that calls within a column run up or down. Where everything calls everything there is hardly more than one node in each
/// column, and the whole is a long line that leaves most of a canvas empty.
fn gathered(topology: &Topology, direction: Direction, part: f64) -> Layout {
    let (mut ranks, edges) = rank::ranks(topology);
    let columns = ranks.iter().max().map_or(1, |last| last + 1);
    let fewer = ((columns as f64 * part).ceil() as usize).clamp(1, columns);
    for rank in &mut ranks {
        *rank = *rank * fewer / columns;
    }
    let grid = order::order(topology, &ranks, &edges);
    place::place(topology, &grid, direction)
}
