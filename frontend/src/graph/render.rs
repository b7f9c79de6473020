//! Draws a scene on a canvas. It decides about strokes and fills, about nothing else.

mod edge;
mod node;

pub use edge::Strands;
pub use node::Short;

use std::{cell::RefCell, collections::BTreeSet};

use js_sys::Array;
use wasm_bindgen::JsValue;
use web_sys::{CanvasRenderingContext2d, Path2d};

use super::{
    geometry::{Point, Rect},
    palette::Palette,
    scene::{BoxKind, BoxShape, EdgeShape, LabelShape, Path, Scene},
    viewport::Viewport,
};
use crate::icons::Icon;

/// Opacity of what is not on the path that is looked at.
const DIM: f64 = 0.16;

/// How much is drawn of a node: what could not be read is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// Everything.
    Full,
    /// Names and lines.
    Names,
    /// Colours.
    Dots,
}

impl Detail {
    /// At a scale.
    pub fn at(scale: f64) -> Self {
        match scale {
            scale if scale >= 0.55 => Self::Full,
            scale if scale >= 0.17 => Self::Names,
            _ => Self::Dots,
        }
    }
}

/// What the browser keeps of a scene, for views from afar; made when first needed.
#[derive(Default)]
pub struct Ready {
    strands: Option<Strands>,
    short: Option<Short>,
}

impl Ready {
    /// Makes what a view at `scale` needs of a scene, unless it is there.
    pub fn prepare(&mut self, scene: &Scene, scale: f64) {
        let detail = Detail::at(scale);
        // From near each edge is drawn by itself.
        if detail != Detail::Full && self.strands.is_none() {
            self.strands = Some(Strands::new(scene));
        }
        if detail == Detail::Names && !self.short.as_ref().is_some_and(|short| short.suits(scene, scale)) {
            self.short = Short::new(scene, scale);
        }
    }
}

/// What stands out.
#[derive(Default)]
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
    /// What of the canvas is drawn, in whole device pixels; all of it by default.
    pub part: Option<Rect>,
}

impl Painter<'_> {
    /// Empties the canvas, or the part of it that is drawn, and sets the scene's coordinates.
    pub fn clear(&self) {
        let (pen, part) = (self.pen, self.place());
        // Fails only for numbers that are none.
        let _ = pen.set_transform(1.0, 0.0, 0.0, 1.0, 0.0, 0.0);
        pen.clear_rect(part.x, part.y, part.w, part.h);
        self.scaled(self.view.scale);
        pen.set_global_alpha(1.0);
        pen.set_text_baseline("middle");
    }

    /// Draws at `scale` from now on. The answer is what places of the scene are multiplied with to stand where they are
    /// seen.
    fn scaled(&self, scale: f64) -> f64 {
        let (size, offset) = (scale * self.ratio, self.view.offset * self.ratio);
        let _ = self.pen.set_transform(size, 0.0, 0.0, size, offset.x, offset.y);
        self.view.scale / scale
    }

    /// Has `write` draw text at one of few scales, at most a tenth smaller than the view's. Letters of each size have to
    /// be shaped and rasterized anew, and a wheel goes through dozens of scales.
    fn lettering(&self, write: impl FnOnce(f64)) {
        let step = (self.view.scale.ln() / LETTERS.ln() + 1e-6).floor();
        write(self.scaled(LETTERS.powi(step as i32)));
        self.scaled(self.view.scale);
    }

    /// What is drawn of the canvas, in device pixels.
    fn place(&self) -> Rect {
        self.part.unwrap_or(Rect { x: 0.0, y: 0.0, w: self.size.0 * self.ratio, h: self.size.1 * self.ratio })
    }

    /// The part of the scene that is drawn.
    fn window(&self) -> Rect {
        let place = self.place().scaled(1.0 / self.ratio);
        let corner = self.view.scene(Point::new(place.x, place.y));
        Rect { x: corner.x, y: corner.y, w: place.w / self.view.scale, h: place.h / self.view.scale }
    }

    /// Draws everything that stands still. From afar, `ready` of the same scene spares saying each line and each name again.
    pub fn scene(&self, scene: &Scene, emphasis: &Emphasis, ready: &Ready, background: bool) {
        let Some(part) = self.part else { return self.everything(scene, emphasis, ready, background) };
        let pen = self.pen;
        pen.save();
        let _ = pen.set_transform(1.0, 0.0, 0.0, 1.0, 0.0, 0.0);
        pen.begin_path();
        pen.rect(part.x, part.y, part.w, part.h);
        pen.clip();
        self.everything(scene, emphasis, ready, background);
        pen.restore();
    }

    fn everything(&self, scene: &Scene, emphasis: &Emphasis, ready: &Ready, background: bool) {
        self.clear();
        let window = self.window();
        // What has one size on every screen reaches further into the scene the smaller that is drawn.
        let reach = window.grow(REACH / self.view.scale);
        if background {
            self.pen.set_fill_style_str(&self.palette.background);
            self.pen.fill_rect(window.x, window.y, window.w, window.h);
        }
        let detail = Detail::at(self.view.scale);
        for shape in scene.boxes.iter().filter(|shape| shape.rect.meets(window)) {
            self.frame(shape);
        }
        let on_path = |part: fn(&Path) -> &BTreeSet<usize>, index: usize| {
            emphasis.path.is_none_or(|path| part(path).contains(&index))
        };
        let seen: Vec<(usize, &EdgeShape)> =
            scene.edges.iter().enumerate().filter(|(_, edge)| edge.area.meets(reach)).collect();
        for lit in [false, true] {
            self.pen.set_global_alpha(if lit { 1.0 } else { DIM });
            let here = || seen.iter().filter(|(index, _)| on_path(|path| &path.edges, *index) == lit);
            let special = |index: usize| emphasis.edge == Some(index) || emphasis.selected_edge == Some(index);
            let plain = || here().filter(|(index, _)| !special(*index)).map(|(_, edge)| *edge);
            // On a path heads say which way it goes, however far it is.
            let heads = detail == Detail::Full || (lit && emphasis.path.is_some());
            match ready.strands.as_ref().filter(|_| lit && emphasis.path.is_none() && !heads) {
                Some(strands) => self.bundle(strands, window),
                None => self.strands(plain(), heads),
            }
            if heads {
                self.heads(plain());
            }
            for (index, edge) in here().filter(|(index, _)| special(*index)) {
                self.edge(edge, emphasis.edge == Some(*index), emphasis.selected_edge == Some(*index));
            }
        }
        // Nodes stand on the names of their boxes, but dots say less than these.
        if detail == Detail::Dots {
            self.dots(scene.nodes.iter().enumerate(), |index| on_path(|path| &path.nodes, index));
        }
        let named = |shape: &&BoxShape| shape.folds() && shape.rect.union(shape.handle(self.view.scale)).meets(window);
        self.names(scene.boxes.iter().filter(named));
        let marked = |index: usize| emphasis.node == Some(index) || emphasis.selected_node == Some(index);
        let near = scene.nodes.iter().enumerate().filter(|(_, node)| node.rect.grow(24.0).meets(reach));
        let near: Vec<_> = near.filter(|(index, _)| detail != Detail::Dots || marked(*index)).collect();
        for lit in [false, true] {
            self.pen.set_global_alpha(if lit { 1.0 } else { DIM * 2.0 });
            let here = near.iter().filter(|(index, _)| on_path(|path| &path.nodes, *index) == lit);
            self.nodes(here.copied().collect(), detail, emphasis, &scene.letters, ready.short.as_ref());
        }
        self.pen.set_global_alpha(1.0);
        if detail == Detail::Full {
            // A label may stand further from its line than the line is seen.
            let near = |label: &LabelShape| label.rect.meets(reach);
            self.labels(labels(emphasis, scene.edges.iter().enumerate()).filter(|(label, _)| near(label)));
            return;
        }
        // What finds room, and how much is too much, is the same in each part of a canvas.
        let all = Painter { part: None, ..*self }.window();
        let edges = || {
            let edges = scene.edges.iter().enumerate().filter(|(_, edge)| edge.area.meets(all));
            edges.filter(|(index, _)| on_path(|path| &path.edges, *index))
        };
        let broken: Vec<Point> = edges().filter_map(|(_, edge)| edge.broken).collect();
        // As small as dots are, more than a few would cover them.
        if detail == Detail::Names || broken.len() <= FEW {
            self.open_locks(&broken);
        }
        // From afar only what stands out is labelled: the path that is looked at.
        if detail == Detail::Names && emphasis.path.is_some() {
            let nodes = scene.nodes.iter().enumerate().filter(|(_, node)| node.rect.grow(24.0).meets(all));
            let nodes = nodes.filter(|(index, _)| on_path(|path| &path.nodes, *index));
            self.far_labels(labels(emphasis, edges()), nodes.map(|(_, node)| node.rect));
        }
    }

    /// Draws the particles of every edge that has travelled so far; none where something covers the line, none on a dimmed
    /// edge, and none on a path from afar, whose numbers stand on its lines.
    pub fn particles(&self, scene: &Scene, path: Option<&Path>, travelled: &[f64]) {
        self.clear();
        if path.is_some() && Detail::at(self.view.scale) != Detail::Full {
            return;
        }
        let window = self.window();
        let mut failed = Vec::new();
        let pen = self.pen;
        pen.set_fill_style_str(&self.palette.text);
        let mut left = PARTICLES;
        pen.begin_path();
        for (index, edge) in scene.edges.iter().enumerate() {
            let Some(flow) = edge.flow else { continue };
            if path.is_some_and(|path| !path.edges.contains(&index)) || !edge.area.meets(window) {
                continue;
            }
            let radius = 1.4 + edge.width * 0.35;
            for (distance, error) in flow.particles(edge.curve.length(), travelled.get(index).copied().unwrap_or(0.0)) {
                if edge.covered.iter().any(|(from, to)| (*from..=*to).contains(&distance)) {
                    continue;
                }
                let at = edge.curve.at(distance);
                if !window.holds(at) {
                    continue;
                }
                left -= 1;
                if left == 0 {
                    break;
                }
                if error {
                    failed.push((at, radius * 2.0 + 1.0));
                } else {
                    pen.move_to(at.x + radius, at.y);
                    self.circle(at, radius);
                }
            }
            if left == 0 {
                break;
            }
        }
        pen.fill();
        pen.set_fill_style_str(&self.palette.failing);
        for (at, side) in failed {
            pen.fill_rect(at.x - side / 2.0, at.y - side / 2.0, side, side);
        }
    }

    /// The box of a cluster, of a namespace, or of the versions of an app.
    fn frame(&self, shape: &BoxShape) {
        let (pen, rect) = (self.pen, shape.rect);
        self.rounded(rect, 10.0);
        // A cluster is a line only: what stands in it is what is looked at.
        if shape.kind != BoxKind::Cluster {
            let namespace = shape.kind == BoxKind::Namespace;
            pen.set_fill_style_str(if namespace { &self.palette.sunken } else { &self.palette.line });
            pen.fill();
        }
        pen.set_stroke_style_str(&self.palette.line);
        pen.set_line_width(1.0);
        pen.stroke();
    }

    /// The names of boxes and the chevrons that fold them, above the lines that pass there.
    fn names<'a>(&self, shapes: impl Iterator<Item = &'a BoxShape>) {
        let (pen, scale) = (self.pen, self.view.scale);
        // The same size on the screen at most scales: in the screen's own pixels its letters are the same ones, too.
        let factor = self.scaled(1.0);
        let size = BoxShape::letters(scale) * factor;
        pen.set_font(&format!("600 {size:.1}px {}", self.palette.family));
        for shape in shapes {
            let (rect, handle) = (shape.rect.scaled(factor), shape.handle(scale).scaled(factor));
            let cluster = shape.kind == BoxKind::Cluster;
            pen.set_fill_style_str(if cluster { &self.palette.background } else { &self.palette.sunken });
            // The box's line and its round corner stay free.
            let (side, top) = (4.0 * factor, 2.0 * factor);
            let (w, h) = ((handle.w - 2.0 * side).max(0.0), (handle.h - 2.0 * top).max(0.0));
            pen.fill_rect(handle.x + side, handle.y + top, w, h);
            pen.set_fill_style_str(&self.palette.faint);
            let middle = handle.centre().y + factor;
            let side = size * 0.8;
            let left = rect.x + 8.0 * factor;
            let chevron = Rect::around(Point::new(left + side / 2.0, middle), side, side);
            self.icon(Icon::Chevron, chevron, &self.palette.faint);
            let room = (rect.w - side - 24.0 * factor).max(20.0 * factor);
            let _ = pen.fill_text_with_max_width(&shape.name, left + side + 5.0 * factor, middle, room);
        }
        self.scaled(scale);
    }

    fn icon(&self, icon: Icon, rect: Rect, colour: &str) {
        let Some(path) = drawing(icon) else { return };
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
        self.round(rect, radius);
    }

    /// Adds a rectangle with round corners to the pen's path.
    fn round(&self, rect: Rect, radius: f64) {
        if self.pen.round_rect_with_f64(rect.x, rect.y, rect.w, rect.h, radius).is_err() {
            self.pen.rect(rect.x, rect.y, rect.w, rect.h);
        }
    }

    fn dash(&self, pattern: &[f64]) {
        let list: Array = pattern.iter().map(|length| JsValue::from_f64(*length)).collect();
        let _ = self.pen.set_line_dash(&list);
    }
}

/// The labels of edges on the path, each with whether its edge is selected.
fn labels<'a>(
    emphasis: &Emphasis,
    edges: impl Iterator<Item = (usize, &'a EdgeShape)>,
) -> impl Iterator<Item = (&'a LabelShape, bool)> {
    let lit = edges.filter(|(index, _)| emphasis.path.is_none_or(|path| path.edges.contains(index)));
    lit.filter_map(|(index, edge)| Some((edge.label.as_ref()?, emphasis.selected_edge == Some(index))))
}

/// The scale that numbers on calls are read at from afar.
const NUMBERS: f64 = 0.85;
/// From one scale of letters to the next.
const LETTERS: f64 = 1.1;
/// How far text and locks reach beyond what they belong to, in pixels of the screen.
const REACH: f64 = 16.0;
/// So many broken locks are drawn between dots.
const FEW: usize = 40;
/// Below this scale particles are specks that say nothing, and none are drawn.
pub const SPECKS: f64 = 0.3;
/// Particles that are drawn at once: more cannot be told apart, and each costs.
const PARTICLES: usize = 1_200;

thread_local! {
    /// Drawings that were read once.
    static DRAWINGS: RefCell<Vec<(Icon, Path2d)>> = const { RefCell::new(Vec::new()) };
}

fn drawing(icon: Icon) -> Option<Path2d> {
    DRAWINGS.with_borrow_mut(|known| {
        if let Some((_, path)) = known.iter().find(|(other, _)| *other == icon) {
            return Some(path.clone());
        }
        let path = Path2d::new_with_path_string(icon.path()).ok()?;
        known.push((icon, path.clone()));
        Some(path)
    })
}
