//! Positions outlive the page: they are kept in the browser by what is shown.

use serde::{Deserialize, Serialize};

use super::{
    geometry::Point,
    layout::{Direction, Layout},
};
use crate::browser;

/// A layout as it is stored.
#[derive(Serialize, Deserialize)]
struct Stored {
    nodes: Vec<(String, f64, f64)>,
    links: Vec<(String, String)>,
    bends: Vec<Bend>,
}

/// Source, destination, points.
type Bend = (String, String, Vec<(f64, f64)>);

fn key(name: &str) -> String {
    format!("weft.layout.{name}")
}

/// The layout in one direction that is remembered under `name`; what cannot be read counts as none.
pub fn recall(name: &str, direction: Direction) -> Option<Layout> {
    let stored: Stored = serde_json::from_str(&browser::recall(&key(&direction.name(name)))?).ok()?;
    let point = |(x, y): (f64, f64)| Point::new(x, y);
    Some(Layout {
        direction,
        nodes: stored.nodes.into_iter().map(|(id, x, y)| (id, Point::new(x, y))).collect(),
        bends: stored
            .bends
            .into_iter()
            .map(|(from, to, points)| ((from, to), points.into_iter().map(point).collect()))
            .collect(),
        links: stored.links.into_iter().collect(),
    })
}

/// Remembers `layout` under `name`.
pub fn remember(name: &str, layout: &Layout) {
    let pair = |point: &Point| (point.x, point.y);
    let stored = Stored {
        nodes: layout.nodes.iter().map(|(id, point)| (id.clone(), point.x, point.y)).collect(),
        links: layout.links.iter().cloned().collect(),
        bends: layout
            .bends
            .iter()
            .map(|((from, to), points)| (from.clone(), to.clone(), points.iter().map(pair).collect()))
            .collect(),
    };
    if let Ok(text) = serde_json::to_string(&stored) {
        browser::remember(&key(&layout.direction.name(name)), &text);
    }
}
