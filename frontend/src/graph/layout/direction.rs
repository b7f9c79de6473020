//! Which way calls run, and the distances that follow.

use super::{AROUND, Layout, NODE, PADDING, Topology, anew, gathered};
use crate::graph::{
    geometry::{Point, Rect},
    viewport::Viewport,
};

/// Below this scale the names on nodes are hard to read.
const LEGIBLE: f64 = 0.8;
/// Shares of its columns in which a summary is tried.
const PARTS: [f64; 4] = [0.67, 0.5, 0.34, 0.25];
/// Another layout is taken only where it is so much larger.
const LARGER: f64 = 1.15;

/// Which way calls run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Direction {
    /// From left to right, for wide canvases.
    #[default]
    Right,
    /// From top to bottom, for narrow ones.
    Down,
}

impl Direction {
    /// The one that shows `topology` legibly on a canvas: to the right if that fits, else the one that fits better. With it
    /// comes the layout that said so.
    pub fn choose(topology: &Topology, width: f64, height: f64, margin: f64) -> Layout {
        let scale =
            |layout: &Layout| layout.bounds().map_or(1.0, |bounds| Viewport::fit(bounds, width, height, margin).scale);
        let right = anew(topology, Self::Right);
        let (scale_right, wide) = (scale(&right), width <= 0.0 || topology.is_large());
        if scale_right >= LEGIBLE || wide {
            return right;
        }
        let down = anew(topology, Self::Down);
        let plain = if scale_right >= scale(&down) { right } else { down };
        if !topology.is_summary() || scale(&plain) >= LEGIBLE {
            return plain;
        }
        let tried = PARTS.into_iter().map(|part| gathered(topology, plain.direction, part));
        let best = tried.map(|layout| (scale(&layout), layout)).max_by(|a, b| a.0.total_cmp(&b.0));
        match best {
            Some((larger, layout)) if larger >= LARGER * scale(&plain) => layout,
            _ => plain,
        }
    }

    /// Another name for what is remembered in this direction.
    pub fn name(self, name: &str) -> String {
        match self {
            Self::Right => name.to_owned(),
            Self::Down => format!("{name}.down"),
        }
    }

    /// A point as if calls ran to the right, and back again.
    pub fn turn(self, point: Point) -> Point {
        match self {
            Self::Right => point,
            Self::Down => point.turned(),
        }
    }

    /// A rectangle as if calls ran to the right, and back again.
    pub fn turn_rect(self, rect: Rect) -> Rect {
        match self {
            Self::Right => rect,
            Self::Down => rect.turned(),
        }
    }

    /// Size of a node along the calls and across them.
    pub fn node(self) -> (f64, f64) {
        match self {
            Self::Right => NODE,
            Self::Down => (NODE.1, NODE.0),
        }
    }

    /// From one layer to the next: leaves room for an edge's label.
    pub fn layer(self) -> f64 {
        match self {
            Self::Right => NODE.0 + 128.0,
            Self::Down => NODE.1 + 84.0,
        }
    }

    /// From one node to its neighbour in the same layer.
    pub fn row(self) -> f64 {
        match self {
            Self::Right => NODE.1 + 42.0,
            Self::Down => NODE.0 + 32.0,
        }
    }

    /// What the boxes around nodes take across the calls, both sides together.
    pub fn padding(self) -> f64 {
        match self {
            Self::Right => PADDING.1 + PADDING.2,
            Self::Down => 2.0 * PADDING.0,
        }
    }

    /// What the boxes around clusters take across the calls, both sides together.
    pub fn around(self) -> f64 {
        match self {
            Self::Right => AROUND.1 + AROUND.2,
            Self::Down => 2.0 * AROUND.0,
        }
    }

    /// Room that an edge takes which passes a layer.
    pub fn bend(self) -> f64 {
        match self {
            Self::Right => 28.0,
            Self::Down => 56.0,
        }
    }
}

impl Layout {
    /// An empty one.
    pub fn new(direction: Direction) -> Self {
        Self { direction, ..Self::default() }
    }
}
