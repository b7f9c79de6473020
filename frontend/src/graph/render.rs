//! Draws a scene on a canvas. It decides about strokes and fills, about nothing else.

use js_sys::Array;
use wasm_bindgen::JsValue;
use web_sys::{CanvasRenderingContext2d, Path2d};
use weft_model::graph::{Health, Lock, NodeKind};

use super::{
    geometry::{Point, Rect},
    palette::Palette,
    scene::{EdgeShape, LabelShape, Mark, NodeShape, Path, Scene},
    viewport::Viewport,
};
use crate::{icons::Icon, words};

/// Opacity of what is not on the path that is looked at.
const DIM: f64 = 0.16;

/// What stands out.
pub struct Emphasis<'a> {
    /// Everything else is dimmed.
    pub path: Option<&'a Path>,
    /// The node under the pointer or the focus.
    pub node: Option<usize>,
    /// The edge under the pointer or the focus.
    pub edge: Option<usize>,
    /// The node whose panel is open.
    pub selected_node: Option<usize>,
    /// The edge whose panel is open.
    pub selected_edge: Option<usize>,
}

/// A canvas with what is needed to draw on it.
pub struct Painter<'a> {
    pub pen: &'a CanvasRenderingContext2d,
    pub palette: &'a Palette,
    /// Size in CSS pixels.
    pub size: (f64, f64),
    /// Device pixels for one CSS pixel.
    pub ratio: f64,
    pub view: Viewport,
}

impl Painter<'_> {
    /// Empties the canvas and sets the scene's coordinates.
    pub fn clear(&self) {
        let pen = self.pen;
        let set = |scale: f64, x: f64, y: f64| {
            // Fails only for numbers that are none.
            let _ = pen.set_transform(scale, 0.0, 0.0, scale, x, y);
        };
        set(self.ratio, 0.0, 0.0);
        pen.clear_rect(0.0, 0.0, self.size.0, self.size.1);
        let scale = self.ratio * self.view.scale;
        set(scale, self.view.offset.x * self.ratio, self.view.offset.y * self.ratio);
        pen.set_global_alpha(1.0);
        pen.set_text_baseline("middle");
    }

    /// Draws everything that stands still.
    pub fn scene(&self, scene: &Scene, emphasis: &Emphasis) {
        self.clear();
        for shape in &scene.boxes {
            self.namespace(&shape.name, shape.rect);
        }
        let on_path = |part: fn(&Path) -> &std::collections::BTreeSet<usize>, index: usize| {
            emphasis.path.is_none_or(|path| part(path).contains(&index))
        };
        for lit in [false, true] {
            for (index, edge) in scene.edges.iter().enumerate() {
                if on_path(|path| &path.edges, index) == lit {
                    self.pen.set_global_alpha(if lit { 1.0 } else { DIM });
                    self.edge(edge, emphasis.edge == Some(index), emphasis.selected_edge == Some(index));
                }
            }
        }
        for (index, node) in scene.nodes.iter().enumerate() {
            self.pen.set_global_alpha(if on_path(|path| &path.nodes, index) { 1.0 } else { DIM * 2.0 });
            self.node(node, emphasis.node == Some(index), emphasis.selected_node == Some(index));
        }
        for (index, edge) in scene.edges.iter().enumerate() {
            let lit = on_path(|path| &path.edges, index);
            if let Some(label) = edge.label.as_ref().filter(|_| lit) {
                self.pen.set_global_alpha(1.0);
                self.label(label, emphasis.selected_edge == Some(index));
            }
        }
        self.pen.set_global_alpha(1.0);
    }

    /// Draws the particles of every edge that has travelled so far; none on a label or a dimmed edge.
    pub fn particles(&self, scene: &Scene, path: Option<&Path>, travelled: impl Fn(&str) -> f64) {
        self.clear();
        let blocked: Vec<Rect> =
            scene.edges.iter().filter_map(|edge| edge.label.as_ref().map(|label| label.rect.grow(2.0))).collect();
        for (index, edge) in scene.edges.iter().enumerate() {
            let Some(flow) = edge.flow else { continue };
            if path.is_some_and(|path| !path.edges.contains(&index)) {
                continue;
            }
            let radius = 1.4 + edge.width * 0.35;
            for (distance, error) in flow.particles(edge.curve.length(), travelled(&edge.id)) {
                let at = edge.curve.at(distance);
                if blocked.iter().any(|rect| rect.holds(at)) {
                    continue;
                }
                let pen = self.pen;
                pen.begin_path();
                if error {
                    pen.set_fill_style_str(&self.palette.failing);
                    let side = radius * 2.0 + 1.0;
                    pen.fill_rect(at.x - side / 2.0, at.y - side / 2.0, side, side);
                } else {
                    pen.set_fill_style_str(&self.palette.text);
                    self.circle(at, radius);
                    pen.fill();
                }
            }
        }
    }

    fn namespace(&self, name: &str, rect: Rect) {
        let pen = self.pen;
        self.rounded(rect, 10.0);
        pen.set_fill_style_str(&self.palette.sunken);
        pen.fill();
        pen.set_stroke_style_str(&self.palette.line);
        pen.set_line_width(1.0);
        pen.stroke();
        pen.set_font(&self.palette.tiny);
        pen.set_fill_style_str(&self.palette.faint);
        self.text(name, rect.x + 14.0, rect.y + 16.0);
    }

    fn edge(&self, edge: &EdgeShape, hovered: bool, selected: bool) {
        let pen = self.pen;
        let Some(first) = edge.curve.pieces.first() else { return };
        pen.begin_path();
        pen.move_to(first.from.x, first.from.y);
        let head = 6.0 + edge.width * 1.5;
        for piece in &edge.curve.pieces {
            pen.bezier_curve_to(piece.a.x, piece.a.y, piece.b.x, piece.b.y, piece.to.x, piece.to.y);
        }
        if selected || hovered {
            pen.set_stroke_style_str(&self.palette.accent);
            pen.set_line_width(edge.width + 5.0);
            let alpha = pen.global_alpha();
            pen.set_global_alpha(alpha * 0.3);
            pen.stroke();
            pen.set_global_alpha(alpha);
        }
        let colour = self.palette.health(edge.health);
        pen.set_stroke_style_str(colour);
        pen.set_line_width(edge.width);
        self.dash(if edge.health == Health::Unknown { &[5.0, 4.0] } else { &[] });
        pen.stroke();
        self.dash(&[]);
        let (end, before) = (edge.curve.at(f64::MAX), edge.curve.at(edge.curve.length() - head));
        let angle = (end.y - before.y).atan2(end.x - before.x);
        let corner = |turn: f64| end - Point::new((angle + turn).cos(), (angle + turn).sin()) * head;
        let (left, right) = (corner(0.42), corner(-0.42));
        pen.begin_path();
        pen.move_to(end.x + angle.cos() * 2.0, end.y + angle.sin() * 2.0);
        pen.line_to(left.x, left.y);
        pen.line_to(right.x, right.y);
        pen.close_path();
        pen.set_fill_style_str(colour);
        pen.fill();
    }

    fn label(&self, label: &LabelShape, selected: bool) {
        let (pen, rect) = (self.pen, label.rect);
        let broken = matches!(label.lock, Some(Lock::Mixed | Lock::Plaintext));
        self.rounded(rect, 4.0);
        pen.set_fill_style_str(&self.palette.surface);
        pen.fill();
        pen.set_line_width(1.0);
        pen.set_stroke_style_str(if selected {
            &self.palette.accent
        } else if broken {
            &self.palette.degraded
        } else {
            &self.palette.line
        });
        pen.stroke();
        let (mut x, mut y) = (rect.x + 5.0, rect.centre().y);
        if label.note.is_some() && !label.text.is_empty() {
            y -= 7.0;
        }
        if let Some(lock) = label.lock {
            let (icon, colour) = match lock {
                Lock::Mtls => (Icon::Lock, &self.palette.soft),
                Lock::Mixed | Lock::Plaintext | Lock::Unknown => (Icon::Unlock, &self.palette.degraded),
            };
            self.icon(icon, Rect { x: x - 1.0, y: y - 7.5, w: 14.0, h: 14.0 }, colour);
            x += 16.0;
        }
        pen.set_font(&self.palette.small);
        if let Some(note) = &label.note {
            pen.set_fill_style_str(&self.palette.degraded);
            self.text(note, x, y + 0.5);
            (x, y) = (rect.x + 5.0, y + 14.0);
        }
        pen.set_fill_style_str(&self.palette.text);
        self.text(&label.text, x, y + 0.5);
    }

    fn node(&self, node: &NodeShape, hovered: bool, selected: bool) {
        let (pen, palette, rect) = (self.pen, self.palette, node.rect);
        if selected {
            self.rounded(rect.grow(3.0), 9.0);
            pen.set_stroke_style_str(&palette.accent);
            pen.set_line_width(2.0);
            pen.stroke();
        }
        if let Some((version, tab)) = &node.version {
            self.rounded(*tab, 4.0);
            pen.set_fill_style_str(&palette.surface);
            pen.fill();
            pen.set_stroke_style_str(&palette.strong);
            pen.set_line_width(1.0);
            pen.stroke();
            pen.set_font(&palette.small);
            pen.set_fill_style_str(&palette.soft);
            self.text(version, tab.x + 6.0, tab.y + 8.0);
        }
        self.rounded(rect, 6.0);
        pen.set_fill_style_str(&palette.surface);
        pen.fill();
        let (colour, width) = match node.health {
            Health::Failing => (&palette.failing, 1.5),
            Health::Degraded => (&palette.degraded, 1.5),
            _ => (&palette.strong, 1.0),
        };
        pen.set_stroke_style_str(if hovered { &palette.accent } else { colour });
        pen.set_line_width(if hovered { 1.5 } else { width });
        let outside = matches!(node.kind, NodeKind::Unmeshed | NodeKind::External);
        self.dash(if outside { &[4.0, 3.0] } else { &[] });
        pen.stroke();
        self.dash(&[]);
        self.health(node.health, Point::new(rect.x + 15.0, rect.y + 19.5));
        pen.set_font(&palette.title);
        pen.set_fill_style_str(&palette.text);
        self.text(&node.title, rect.x + 28.0, rect.y + 20.0);
        pen.set_font(&palette.small);
        pen.set_fill_style_str(&palette.soft);
        self.text(&node.subtitle, rect.x + 28.0, rect.y + 41.0);
        if node.kind == NodeKind::Gateway {
            let centre = Point::new(rect.x, rect.centre().y);
            pen.begin_path();
            self.circle(centre, 9.0);
            pen.set_fill_style_str(&palette.surface);
            pen.fill();
            pen.set_stroke_style_str(&palette.strong);
            pen.set_line_width(1.0);
            pen.stroke();
            self.icon(Icon::ArrowRight, Rect::around(centre, 11.0, 11.0), &palette.soft);
        }
        for mark in &node.marks {
            self.mark(mark);
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

    fn health(&self, health: Health, at: Point) {
        let pen = self.pen;
        let colour = self.palette.health(health);
        pen.set_fill_style_str(colour);
        pen.set_stroke_style_str(colour);
        pen.set_line_width(1.5);
        pen.begin_path();
        match health {
            Health::Healthy => {
                self.circle(at, 4.5);
                pen.fill();
            }
            Health::Degraded => {
                pen.move_to(at.x, at.y - 5.5);
                pen.line_to(at.x + 5.5, at.y + 4.5);
                pen.line_to(at.x - 5.5, at.y + 4.5);
                pen.close_path();
                pen.fill();
            }
            Health::Failing => pen.fill_rect(at.x - 4.5, at.y - 4.5, 9.0, 9.0),
            Health::Idle => {
                self.circle(at, 4.0);
                pen.stroke();
            }
            Health::Unknown => {
                let (low, high) = (-4.0, 4.0);
                pen.set_line_width(1.0);
                pen.stroke_rect(at.x + low, at.y + low, high - low, high - low);
                for step in [-4.0, 0.0, 4.0] {
                    pen.move_to(at.x + low.max(step + low), at.y + high.min(step + high));
                    pen.line_to(at.x + high.min(step + high), at.y + low.max(step + low));
                }
                pen.stroke();
            }
        }
    }

    fn icon(&self, icon: Icon, rect: Rect, colour: &str) {
        let Ok(path) = Path2d::new_with_path_string(icon.path()) else { return };
        let pen = self.pen;
        let scale = rect.w / 16.0;
        pen.save();
        let moved = pen.translate(rect.x, rect.y).and_then(|()| pen.scale(scale, scale));
        if moved.is_ok() {
            pen.set_stroke_style_str(colour);
            pen.set_line_width(1.4 / scale.max(0.1));
            pen.set_line_join("round");
            pen.set_line_cap("round");
            pen.stroke_with_path(&path);
        }
        pen.restore();
    }

    fn text(&self, text: &str, x: f64, y: f64) {
        // Fails only for numbers that are none.
        let _ = self.pen.fill_text(text, x, y);
    }

    fn circle(&self, at: Point, radius: f64) {
        let _ = self.pen.arc(at.x, at.y, radius, 0.0, std::f64::consts::TAU);
    }

    fn rounded(&self, rect: Rect, radius: f64) {
        self.pen.begin_path();
        if self.pen.round_rect_with_f64(rect.x, rect.y, rect.w, rect.h, radius).is_err() {
            self.pen.rect(rect.x, rect.y, rect.w, rect.h);
        }
    }

    fn dash(&self, pattern: &[f64]) {
        let list: Array = pattern.iter().map(|length| JsValue::from_f64(*length)).collect();
        let _ = self.pen.set_line_dash(&list);
    }
}
