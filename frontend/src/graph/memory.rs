//! Positions outlive the page: they are kept in the browser by what is shown.

use serde::{Deserialize, Serialize};

use super::{
    geometry::Point,
    layout::{Direction, Layout},
};
use crate::browser;

/// A layout as it is stored, and as it comes from a worker.
#[derive(Serialize, Deserialize)]
pub struct Stored {
    nodes: Vec<(String, f64, f64)>,
    links: Vec<(String, String)>,
    bends: Vec<Bend>,
}

/// Source, destination, points.
type Bend = (String, String, Vec<(f64, f64)>);

/// Layouts that are kept; of more, the oldest is forgotten.
const KEPT: usize = 40;
/// The names of those that are kept, oldest first, one a line.
const NAMES: &str = "weft.layouts";

fn key(name: &str) -> String {
    format!("weft.layout.{name}")
}

/// Notes that `key` was written last, and forgets what is too much.
fn note(key: &str) {
    let known = browser::recall(NAMES).unwrap_or_default();
    let mut names: Vec<&str> = known.lines().filter(|name| *name != key).collect();
    names.push(key);
    while names.len() > KEPT {
        browser::forget(names.remove(0));
    }
    browser::remember(NAMES, &names.join("\n"));
}

impl Stored {
    /// A layout's.
    pub fn of(layout: &Layout) -> Self {
        let pair = |point: &Point| (point.x, point.y);
        Self {
            nodes: layout.nodes.iter().map(|(id, point)| (id.clone(), point.x, point.y)).collect(),
            links: layout.links.iter().cloned().collect(),
            bends: layout
                .bends
                .iter()
                .map(|((from, to), points)| (from.clone(), to.clone(), points.iter().map(pair).collect()))
                .collect(),
        }
    }

    /// The layout, which runs in `direction`.
    pub fn layout(self, direction: Direction) -> Layout {
        let point = |(x, y): (f64, f64)| Point::new(x, y);
        Layout {
            direction,
            nodes: self.nodes.into_iter().map(|(id, x, y)| (id, Point::new(x, y))).collect(),
            bends: self
                .bends
                .into_iter()
                .map(|(from, to, points)| ((from, to), points.into_iter().map(point).collect()))
                .collect(),
            links: self.links.into_iter().collect(),
        }
    }
}

/// The layout in one direction that is remembered under `name`; what cannot be read counts as none.
pub fn recall(name: &str, direction: Direction) -> Option<Layout> {
    let text = browser::recall(&key(&direction.name(name)).replace('\n', " "))?;
    serde_json::from_str::<Stored>(&text).ok().map(|stored| stored.layout(direction))
}

/// Remembers `layout` under `name`.
pub fn remember(name: &str, layout: &Layout) {
    if let Ok(text) = serde_json::to_string(&Stored::of(layout)) {
        let key = key(&layout.direction.name(name)).replace('\n', " ");
        browser::remember(&key, &text);
        note(&key);
    }
}
