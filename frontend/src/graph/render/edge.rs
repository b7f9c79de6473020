//! Lines, their heads and their labels.

use std::collections::{BTreeMap, btree_map::Entry};

use web_sys::Path2d;
use weft_model::graph::{Health, Lock};

use super::{NUMBERS, Painter};
use crate::{
    graph::{
        geometry::{Cubic, Point, Rect, Step},
        scene::{EdgeShape, LOCK, LabelShape, Scene, Taken},
        viewport::Viewport,
    },
    icons::Icon,
};

/// All lines of a scene for views from afar: one path for all of a colour and a width in each part of the scene.
pub struct Strands(Vec<Tile>);

struct Tile {
    /// What its lines take.
    area: Rect,
    groups: BTreeMap<(Health, u8), (f64, Path2d)>,
}

/// How far beside its line an edge is seen at most.
const SEEN: f64 = 12.0;
/// Below this scale lines are as thin as the screen can draw them, which costs half: in so small a graph there are most.
const THIN: f64 = 0.36;
/// Parts of a scene in each direction.
const TILES: f64 = 4.0;

impl Strands {
    /// Of every edge of a scene.
    pub fn new(scene: &Scene) -> Self {
        let areas = scene.edges.iter().map(|edge| edge.area);
        let Some(all) = areas.reduce(Rect::union) else { return Self(Vec::new()) };
        let place = |at: f64, start: f64, length: f64| ((at - start) / length * TILES).clamp(0.0, TILES - 1.0) as u8;
        let mut tiles: BTreeMap<(u8, u8), Tile> = BTreeMap::new();
        for edge in &scene.edges {
            let mut stood = None;
            for step in edge.curve.steps(all) {
                let (from, area) = match step {
                    Step::Move(_) => continue,
                    Step::Line(from, to) => (from, Rect::between(from, to)),
                    Step::Bend(piece) => (piece.from, piece.hull()),
                };
                let key = (place(area.centre().x, all.x, all.w), place(area.centre().y, all.y, all.h));
                let tile = tiles.entry(key).or_insert_with(|| Tile { area, groups: BTreeMap::new() });
                tile.area = tile.area.union(area);
                let path = match tile.groups.entry((edge.health, edge.width as u8)) {
                    Entry::Occupied(known) => &known.into_mut().1,
                    Entry::Vacant(place) => {
                        let Ok(path) = Path2d::new() else { return Self(Vec::new()) };
                        &place.insert((edge.width, path)).1
                    }
                };
                if stood != Some(key) {
                    path.move_to(from.x, from.y);
                }
                stood = Some(key);
                match step {
                    Step::Move(_) => {}
                    Step::Line(_, to) => path.line_to(to.x, to.y),
                    Step::Bend(Cubic { a, b, to, .. }) => path.bezier_curve_to(a.x, a.y, b.x, b.y, to.x, to.y),
                }
            }
        }
        Self(tiles.into_values().collect())
    }
}

impl Painter<'_> {
    /// The lines of a scene, those of its parts that are seen.
    pub(super) fn bundle(&self, strands: &Strands, window: Rect) {
        for tile in strands.0.iter().filter(|tile| tile.area.grow(SEEN).meets(window)) {
            for ((health, _), (width, path)) in &tile.groups {
                self.pen.set_stroke_style_str(self.palette.health(*health));
                self.pen.set_line_width(self.width(*width));
                self.pen.stroke_with_path(path);
            }
        }
    }

    /// How wide a line is drawn: never so thin that it is not seen. What would be thinner than a pixel is paler, so that much
    /// traffic still stands out.
    fn width(&self, width: f64) -> f64 {
        if self.view.scale >= THIN {
            return width.max(0.7 / self.view.scale);
        }
        (0.55 + width * 0.09).min(1.0) / (self.view.scale * self.ratio)
    }

    /// The lines of many edges, one stroke for all of a colour and a width; dashed, where asked for, if their health is not
    /// known.
    pub(super) fn strands<'a>(&self, edges: impl Iterator<Item = &'a EdgeShape>, dashes: bool) {
        let mut groups: BTreeMap<(Health, u8), Vec<&EdgeShape>> = BTreeMap::new();
        for edge in edges {
            groups.entry((edge.health, edge.width as u8)).or_default().push(edge);
        }
        let (pen, window) = (self.pen, self.window().grow(SEEN));
        for ((health, _), edges) in groups {
            pen.begin_path();
            for edge in &edges {
                self.line(edge, window);
            }
            pen.set_stroke_style_str(self.palette.health(health));
            pen.set_line_width(self.width(edges[0].width));
            if dashes && health == Health::Unknown {
                self.dash(&[5.0, 4.0]);
                pen.stroke();
                self.dash(&[]);
            } else {
                pen.stroke();
            }
        }
    }

    /// The heads of many edges, all of a colour at once.
    pub(super) fn heads<'a>(&self, edges: impl Iterator<Item = &'a EdgeShape>) {
        let mut groups: BTreeMap<Health, Vec<&EdgeShape>> = BTreeMap::new();
        for edge in edges {
            groups.entry(edge.health).or_default().push(edge);
        }
        for (health, edges) in groups {
            self.pen.begin_path();
            for edge in edges {
                self.triangle(edge.head);
            }
            self.pen.set_fill_style_str(self.palette.health(health));
            self.pen.fill();
        }
    }

    /// Adds what is seen of an edge's line to the pen's path.
    fn line(&self, edge: &EdgeShape, window: Rect) {
        for step in edge.curve.steps(window) {
            match step {
                Step::Move(to) => self.pen.move_to(to.x, to.y),
                Step::Line(_, to) => self.pen.line_to(to.x, to.y),
                Step::Bend(Cubic { a, b, to, .. }) => self.pen.bezier_curve_to(a.x, a.y, b.x, b.y, to.x, to.y),
            }
        }
    }

    fn triangle(&self, [tip, left, right]: [Point; 3]) {
        let pen = self.pen;
        pen.move_to(tip.x, tip.y);
        pen.line_to(left.x, left.y);
        pen.line_to(right.x, right.y);
        pen.close_path();
    }

    /// An edge that stands out.
    pub(super) fn edge(&self, edge: &EdgeShape, hovered: bool, selected: bool) {
        if selected || hovered {
            let (pen, window) = (self.pen, self.window().grow(SEEN));
            pen.begin_path();
            self.line(edge, window);
            pen.set_stroke_style_str(&self.palette.accent);
            pen.set_line_width(edge.width + 5.0);
            let alpha = pen.global_alpha();
            pen.set_global_alpha(alpha * 0.3);
            pen.stroke();
            pen.set_global_alpha(alpha);
        }
        self.strands([edge].into_iter(), true);
        self.heads([edge].into_iter());
    }

    /// Open locks at the same size on every screen: a body and a shackle that stands off it, all of them at once.
    pub(super) fn open_locks(&self, places: &[Point]) {
        if places.is_empty() {
            return;
        }
        let (pen, unit) = (self.pen, 1.0 / self.view.scale);
        pen.begin_path();
        for at in places {
            pen.rect(at.x - 7.0 * unit, at.y - 8.0 * unit, 15.0 * unit, 15.0 * unit);
        }
        pen.set_fill_style_str(&self.palette.surface);
        pen.fill();
        pen.begin_path();
        for at in places {
            pen.rect(at.x - 4.5 * unit, at.y - unit, 9.0 * unit, 6.5 * unit);
        }
        pen.set_fill_style_str(&self.palette.degraded);
        pen.fill();
        pen.begin_path();
        for at in places {
            let (left, top) = (at.x + unit, at.y - 3.5 * unit);
            pen.move_to(left, at.y - unit);
            pen.line_to(left, top);
            // Fails only for a radius below nothing.
            let _ = pen.arc(left + 2.5 * unit, top, 2.5 * unit, std::f64::consts::PI, std::f64::consts::TAU);
        }
        pen.set_stroke_style_str(&self.palette.degraded);
        pen.set_line_width(1.5 * unit);
        pen.stroke();
    }

    /// Labels as large as they can be read, those that find room between each other and the nodes.
    pub(super) fn far_labels<'a>(
        &self,
        labels: impl Iterator<Item = (&'a LabelShape, bool)>,
        nodes: impl Iterator<Item = Rect>,
    ) {
        let view = Viewport { scale: NUMBERS, ..self.view };
        let factor = self.scaled(NUMBERS);
        let mut taken = Taken::default();
        nodes.for_each(|rect| taken.add(rect.scaled(factor)));
        let mut larger = Vec::new();
        for (label, selected) in labels {
            let rect = Rect::around(label.rect.centre() * factor, label.rect.w, label.rect.h);
            if selected || taken.overlap(rect) == 0.0 {
                taken.add(rect.grow(2.0));
                larger.push((LabelShape { rect, ..label.clone() }, selected));
            }
        }
        Painter { view, ..*self }.labels(larger.iter().map(|(label, selected)| (label, *selected)));
        self.scaled(self.view.scale);
    }

    /// Labels, each with whether its edge is selected.
    pub(super) fn labels<'a>(&self, labels: impl Iterator<Item = (&'a LabelShape, bool)>) {
        let labels: Vec<_> = labels.collect();
        let (pen, palette) = (self.pen, self.palette);
        let broken = |label: &LabelShape| matches!(label.lock, Some(Lock::Mixed | Lock::Plaintext));
        pen.set_line_width(1.0);
        pen.set_fill_style_str(&palette.surface);
        for (label, selected) in &labels {
            self.rounded(label.rect, 4.0);
            pen.fill();
            pen.set_stroke_style_str(if *selected {
                &palette.accent
            } else if broken(label) {
                &palette.degraded
            } else {
                &palette.line
            });
            pen.stroke();
        }
        for (label, _) in &labels {
            let Some((lock, start)) = label.lock.zip(label.starts().next()) else { continue };
            let (icon, colour) = match lock {
                Lock::Mtls => (Icon::Lock, &palette.soft),
                Lock::Mixed | Lock::Plaintext | Lock::Unknown => (Icon::Unlock, &palette.degraded),
            };
            self.icon(icon, Rect { x: start.x - LOCK - 1.0, y: start.y - 7.5, w: 14.0, h: 14.0 }, colour);
        }
        self.lettering(|factor| {
            let write = |text: &str, at: Point| self.text(text, at.x * factor, (at.y + 0.5) * factor);
            pen.set_font(&palette.small);
            pen.set_fill_style_str(&palette.degraded);
            for (label, _) in &labels {
                for (note, start) in label.note.iter().zip(label.starts()) {
                    write(note, start);
                }
            }
            pen.set_fill_style_str(&palette.text);
            for (label, _) in &labels {
                for (line, start) in label.lines.iter().zip(label.starts().skip(usize::from(label.note.is_some()))) {
                    write(line, start);
                }
            }
        });
    }
}
