//! Nodes, their marks and their health.

use std::collections::BTreeMap;

use js_sys::JsString;
use wasm_bindgen::{JsCast, prelude::wasm_bindgen};
use weft_model::graph::{Health, NodeKind};

use super::{DIM, Detail, Emphasis, Painter};
use crate::{
    graph::{
        geometry::{Point, Rect},
        scene::{FAR_MARGIN, Letters, Mark, NodeShape, Scene},
    },
    icons::Icon,
    words,
};

/// The shape of the health from afar, as a part of its size from near.
const HEALTH: f64 = 0.9;
/// How far what lies below the node of several is seen.
const PILE: f64 = 8.0;

#[wasm_bindgen]
extern "C" {
    /// The pen of a canvas, for text that the browser has already: each other text is handed over and made anew.
    #[wasm_bindgen(js_name = CanvasRenderingContext2D)]
    type Pen;

    #[wasm_bindgen(method, js_name = fillText)]
    fn fill_text(this: &Pen, text: &JsString, x: f64, y: f64, room: f64);
}

/// Names of all nodes of a scene, cut to so much room, as the browser's own text.
pub struct Short {
    room: f64,
    names: Vec<JsString>,
}

impl Short {
    /// Those of a scene at a scale; `None` without nodes.
    pub fn new(scene: &Scene, scale: f64) -> Option<Self> {
        let room = Self::room(scene, scale)?;
        Some(Self { room, names: scene.nodes.iter().map(|node| scene.letters.cut(&node.bare, room).into()).collect() })
    }

    /// Whether they are those for a scale, too.
    pub fn suits(&self, scene: &Scene, scale: f64) -> bool {
        Self::room(scene, scale) == Some(self.room)
    }

    fn room(scene: &Scene, scale: f64) -> Option<f64> {
        let node = scene.nodes.first()?;
        Some(node.far_room(node.far_size(scale)))
    }
}

/// What the rim of a node says.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rim {
    Plain,
    Degraded,
    Failing,
    Hovered,
}

impl Painter<'_> {
    /// Adds the outline of a kind to the pen's path: services are hexagons, everything else is rounded.
    fn outline(&self, kind: NodeKind, rect: Rect) {
        if kind != NodeKind::Service {
            self.round(rect, if kind == NodeKind::App { 14.0 } else { 6.0 });
            return;
        }
        let (pen, cut, middle) = (self.pen, 14.0, rect.centre().y);
        pen.move_to(rect.x, middle);
        for (x, y) in [
            (rect.x + cut, rect.y),
            (rect.x + rect.w - cut, rect.y),
            (rect.x + rect.w, middle),
            (rect.x + rect.w - cut, rect.y + rect.h),
            (rect.x + cut, rect.y + rect.h),
        ] {
            pen.line_to(x, y);
        }
        pen.close_path();
    }

    /// The way in or out of a gateway.
    fn port(&self, x: f64, rect: Rect) {
        let (pen, centre) = (self.pen, Point::new(x, rect.centre().y));
        pen.begin_path();
        self.circle(centre, 9.0);
        pen.set_fill_style_str(&self.palette.surface);
        pen.fill();
        pen.set_stroke_style_str(&self.palette.strong);
        pen.set_line_width(1.0);
        pen.stroke();
        self.icon(Icon::ArrowRight, Rect::around(centre, 11.0, 11.0), &self.palette.soft);
    }

    /// Names alone, as large as nodes let them be, so that they can be read from afar.
    fn far_names(&self, nodes: &[(usize, &NodeShape)], letters: &Letters, short: Option<&Short>) {
        let (pen, scale) = (self.pen, self.view.scale);
        // In the screen's own pixels letters have one size at nearly all scales.
        let factor = self.scaled(1.0);
        let mut set = 0.0;
        pen.set_fill_style_str(&self.palette.text);
        for (index, node) in nodes {
            let (rect, size) = (node.rect, node.far_size(scale));
            if size != set {
                pen.set_font(&format!("600 {:.1}px {}", size * factor, self.palette.family));
                set = size;
            }
            // Names are cut to it; what a font's rounding adds to them is taken back.
            let (x, room) = ((rect.x + 14.0) * factor, (rect.w - FAR_MARGIN) * factor);
            let mut middle = rect.centre().y;
            if !node.rate.is_empty() {
                // Below the name where both have room in the node, else below the pile.
                let within = size * 2.2 <= rect.h;
                let at = if within { middle + size * 0.55 } else { rect.y + rect.h + PILE + size * 0.6 };
                let _ = pen.fill_text_with_max_width(&node.rate, x, at * factor, room);
                if within {
                    middle -= size * 0.55;
                }
            }
            let cut = node.far_room(size);
            match short.filter(|short| short.room == cut).and_then(|short| short.names.get(*index)) {
                Some(name) => pen.unchecked_ref::<Pen>().fill_text(name, x, middle * factor, room),
                None => {
                    let name = letters.cut(&node.bare, cut);
                    let _ = pen.fill_text_with_max_width(&name, x, middle * factor, room);
                }
            }
        }
        self.scaled(scale);
    }

    /// Versions, names and numbers, as they are read from near.
    fn near_names(&self, nodes: &[(usize, &NodeShape)]) {
        let (pen, palette) = (self.pen, self.palette);
        self.lettering(|factor| {
            let write = |text: &str, x: f64, y: f64| self.text(text, x * factor, y * factor);
            pen.set_font(&palette.title);
            pen.set_fill_style_str(&palette.text);
            for (_, node) in nodes {
                write(&node.title, node.rect.x + 28.0, node.rect.y + 20.0);
            }
            pen.set_font(&palette.small);
            pen.set_fill_style_str(&palette.soft);
            for (_, node) in nodes {
                write(&node.subtitle, node.rect.x + 28.0, node.rect.y + 41.0);
                if let Some((version, tab)) = &node.version {
                    write(version, tab.x + 6.0, tab.y + 8.0);
                }
            }
        });
    }

    /// From very far: the health's colour and nothing else, all of one colour at once.
    pub(super) fn dots<'a>(
        &self,
        nodes: impl Iterator<Item = (usize, &'a NodeShape)>,
        on_path: impl Fn(usize) -> bool,
    ) {
        let mut groups: BTreeMap<(bool, Health), Vec<Rect>> = BTreeMap::new();
        for (index, node) in nodes {
            groups.entry((on_path(index), node.health)).or_default().push(node.rect);
        }
        for ((lit, health), rects) in groups {
            self.pen.set_global_alpha(if lit { 1.0 } else { DIM * 2.0 });
            self.pen.begin_path();
            for rect in rects {
                self.pen.rect(rect.x, rect.y, rect.w, rect.h);
            }
            self.pen.set_fill_style_str(self.palette.health(health));
            self.pen.fill();
        }
    }

    /// Nodes, of one opacity: their shapes, then their health, then their text.
    pub(super) fn nodes(
        &self,
        nodes: Vec<(usize, &NodeShape)>,
        detail: Detail,
        emphasis: &Emphasis,
        letters: &Letters,
        short: Option<&Short>,
    ) {
        self.bodies(&nodes, detail, emphasis);
        if detail == Detail::Full {
            for (_, node) in &nodes {
                match node.kind {
                    NodeKind::Gateway => self.port(node.rect.x, node.rect),
                    NodeKind::Egress => self.port(node.rect.x + node.rect.w, node.rect),
                    _ => {}
                }
                for mark in &node.marks {
                    self.mark(mark);
                }
            }
        }
        let corner = |node: &NodeShape| Point::new(node.rect.x, node.rect.y);
        if detail == Detail::Full {
            let places = nodes.iter().map(|(_, node)| (node.health, corner(node) + Point::new(15.0, 19.5)));
            self.healths(places, 1.0);
            self.near_names(&nodes);
        } else {
            self.far_names(&nodes, letters, short);
            // On the corner it takes no room from the name, however large it is drawn.
            let places = nodes.iter().map(|(_, node)| (node.health, corner(node) + Point::new(4.0, 4.0)));
            self.healths(places, (HEALTH / self.view.scale).clamp(1.0, 5.0));
        }
    }

    /// Nodes without their health and their text, all that look alike at once.
    fn bodies(&self, nodes: &[(usize, &NodeShape)], detail: Detail, emphasis: &Emphasis) {
        let (pen, palette) = (self.pen, self.palette);
        let paint = |fill: &str, stroke: &str, width: f64| {
            pen.set_fill_style_str(fill);
            pen.fill();
            pen.set_stroke_style_str(stroke);
            pen.set_line_width(width);
            pen.stroke();
        };
        for (_, node) in nodes.iter().filter(|(index, _)| emphasis.selected_node == Some(*index)) {
            self.rounded(node.rect.grow(3.0), 9.0);
            pen.set_stroke_style_str(&palette.accent);
            pen.set_line_width(2.0);
            pen.stroke();
        }
        if detail == Detail::Full {
            pen.begin_path();
            for (_, tab) in nodes.iter().filter_map(|(_, node)| node.version.as_ref()) {
                self.round(*tab, 4.0);
            }
            paint(&palette.surface, &palette.strong, 1.0);
        }
        // A pile: there is more than one below.
        for step in [PILE, PILE / 2.0] {
            pen.begin_path();
            for (_, node) in nodes.iter().filter(|(_, node)| node.members > 0) {
                self.round(Rect { x: node.rect.x + step, y: node.rect.y + step, ..node.rect }, 6.0);
            }
            paint(&palette.sunken, &palette.strong, 1.0);
        }
        let mut alike: BTreeMap<(Rim, bool), Vec<&NodeShape>> = BTreeMap::new();
        for (index, node) in nodes {
            let rim = match node.health {
                _ if emphasis.node == Some(*index) => Rim::Hovered,
                Health::Failing => Rim::Failing,
                Health::Degraded => Rim::Degraded,
                _ => Rim::Plain,
            };
            let kinds = [NodeKind::Unmeshed, NodeKind::External, NodeKind::Unknown, NodeKind::Hidden];
            alike.entry((rim, kinds.contains(&node.kind))).or_default().push(node);
        }
        for ((rim, dashed), nodes) in alike {
            pen.begin_path();
            for node in nodes {
                self.outline(node.kind, node.rect);
            }
            let (colour, width) = match rim {
                Rim::Plain => (&palette.strong, 1.0),
                Rim::Degraded => (&palette.degraded, 1.5),
                Rim::Failing => (&palette.failing, 1.5),
                Rim::Hovered => (&palette.accent, 1.5),
            };
            if dashed {
                self.dash(&[4.0, 3.0]);
            }
            paint(&palette.surface, colour, width);
            if dashed {
                self.dash(&[]);
            }
        }
    }

    fn mark(&self, mark: &Mark) {
        let health = match mark.severity {
            Some(severity) => words::severity_health(severity),
            None if mark.kind == "missing-sidecar" => Health::Degraded,
            None => Health::Idle,
        };
        let colour = match health {
            Health::Idle => self.palette.soft.as_str(),
            other => self.palette.health(other),
        };
        self.rounded(mark.rect, 4.0);
        self.pen.set_stroke_style_str(colour);
        self.pen.set_line_width(1.0);
        self.pen.stroke();
        self.icon(Icon::badge(&mark.kind), mark.rect.grow(-2.5), colour);
    }

    /// Shapes of health, all of a kind at once, `unit` times as large as on a node that is seen from near.
    fn healths(&self, places: impl Iterator<Item = (Health, Point)>, unit: f64) {
        let mut groups: BTreeMap<Health, Vec<Point>> = BTreeMap::new();
        for (health, at) in places {
            groups.entry(health).or_default().push(at);
        }
        let pen = self.pen;
        for (health, places) in groups {
            let colour = self.palette.health(health);
            pen.set_fill_style_str(colour);
            pen.set_stroke_style_str(colour);
            pen.set_line_width(if health == Health::Unknown { unit } else { 1.5 * unit });
            pen.begin_path();
            for at in places {
                self.trace(health, at, unit);
            }
            match health {
                Health::Idle | Health::Unknown => pen.stroke(),
                Health::Healthy | Health::Degraded | Health::Failing => pen.fill(),
            }
        }
    }

    /// Adds the shape of a health to the pen's path.
    fn trace(&self, health: Health, at: Point, unit: f64) {
        let pen = self.pen;
        match health {
            Health::Healthy | Health::Idle => {
                let radius = if health == Health::Idle { 4.0 } else { 4.5 } * unit;
                pen.move_to(at.x + radius, at.y);
                self.circle(at, radius);
            }
            Health::Degraded => {
                pen.move_to(at.x, at.y - 5.5 * unit);
                pen.line_to(at.x + 5.5 * unit, at.y + 4.5 * unit);
                pen.line_to(at.x - 5.5 * unit, at.y + 4.5 * unit);
                pen.close_path();
            }
            Health::Failing => pen.rect(at.x - 4.5 * unit, at.y - 4.5 * unit, 9.0 * unit, 9.0 * unit),
            Health::Unknown => {
                let (low, high) = (-4.0 * unit, 4.0 * unit);
                pen.rect(at.x + low, at.y + low, high - low, high - low);
                for step in [-4.0 * unit, 0.0, 4.0 * unit] {
                    pen.move_to(at.x + low.max(step + low), at.y + high.min(step + high));
                    pen.line_to(at.x + high.min(step + high), at.y + low.max(step + low));
                }
            }
        }
    }
}
