//! Nodes, their marks and their health.

use std::collections::BTreeMap;

use weft_model::graph::{Health, NodeKind};

use super::{DIM, Detail, Painter};
use crate::{
    graph::{
        geometry::{Point, Rect},
        scene::{Mark, NodeShape},
    },
    icons::Icon,
    words,
};

/// The shape of the health from afar, as a part of its size from near.
const HEALTH: f64 = 0.9;
/// How far what lies below the node of several is seen.
const PILE: f64 = 8.0;

impl Painter<'_> {
    /// The outline of a kind: services are hexagons, everything else is rounded.
    fn outline(&self, kind: NodeKind, rect: Rect) {
        if kind != NodeKind::Service {
            self.rounded(rect, if kind == NodeKind::App { 14.0 } else { 6.0 });
            return;
        }
        let (pen, cut, middle) = (self.pen, 14.0, rect.centre().y);
        pen.begin_path();
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

    /// The name alone, as large as the node lets it be, so that it can be read from afar.
    fn far_name(&self, node: &NodeShape) {
        let (pen, rect) = (self.pen, node.rect);
        let (left, room) = (rect.x + 14.0, rect.w - 20.0);
        let (size, name) = node.far_name(self.view.scale, room);
        pen.set_font(&format!("600 {size:.1}px {}", self.palette.family));
        pen.set_fill_style_str(&self.palette.text);
        let mut middle = rect.centre().y;
        if !node.rate.is_empty() {
            // Below the name where both have room in the node, else below the pile.
            let within = size * 2.2 <= rect.h;
            let at = if within { middle + size * 0.55 } else { rect.y + rect.h + PILE + size * 0.6 };
            if within {
                middle -= size * 0.55;
            }
            let _ = pen.fill_text_with_max_width(&node.rate, left, at, room);
        }
        let _ = pen.fill_text_with_max_width(&name, left, middle, room);
        // On the corner it takes no room from the name, however large it is drawn.
        self.health(node.health, Point::new(rect.x + 4.0, rect.y + 4.0), (HEALTH / self.view.scale).clamp(1.0, 5.0));
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

    pub(super) fn node(&self, node: &NodeShape, detail: Detail, hovered: bool, selected: bool) {
        let (pen, palette, rect) = (self.pen, self.palette, node.rect);
        if selected {
            self.rounded(rect.grow(3.0), 9.0);
            pen.set_stroke_style_str(&palette.accent);
            pen.set_line_width(2.0);
            pen.stroke();
        }
        if let Some((version, tab)) = node.version.as_ref().filter(|_| detail == Detail::Full) {
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
        if node.members > 0 {
            // A pile: there is more than one below.
            for step in [PILE, PILE / 2.0] {
                self.rounded(Rect { x: rect.x + step, y: rect.y + step, ..rect }, 6.0);
                pen.set_fill_style_str(&palette.sunken);
                pen.fill();
                pen.set_stroke_style_str(&palette.strong);
                pen.set_line_width(1.0);
                pen.stroke();
            }
        }
        self.outline(node.kind, rect);
        pen.set_fill_style_str(&palette.surface);
        pen.fill();
        let (colour, width) = match node.health {
            Health::Failing => (&palette.failing, 1.5),
            Health::Degraded => (&palette.degraded, 1.5),
            _ => (&palette.strong, 1.0),
        };
        pen.set_stroke_style_str(if hovered { &palette.accent } else { colour });
        pen.set_line_width(if hovered { 1.5 } else { width });
        if matches!(node.kind, NodeKind::Unmeshed | NodeKind::External | NodeKind::Unknown | NodeKind::Hidden) {
            self.dash(&[4.0, 3.0]);
            pen.stroke();
            self.dash(&[]);
        } else {
            pen.stroke();
        }
        if detail == Detail::Names {
            self.far_name(node);
            return;
        }
        self.health(node.health, Point::new(rect.x + 15.0, rect.y + 19.5), 1.0);
        pen.set_font(&palette.title);
        pen.set_fill_style_str(&palette.text);
        self.text(&node.title, rect.x + 28.0, rect.y + 20.0);
        pen.set_font(&palette.small);
        pen.set_fill_style_str(&palette.soft);
        self.text(&node.subtitle, rect.x + 28.0, rect.y + 41.0);
        match node.kind {
            NodeKind::Gateway => self.port(rect.x, rect),
            NodeKind::Egress => self.port(rect.x + rect.w, rect),
            _ => {}
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

    /// The shape of a health, `unit` times as large as on a node that is seen from near.
    fn health(&self, health: Health, at: Point, unit: f64) {
        let pen = self.pen;
        let colour = self.palette.health(health);
        pen.set_fill_style_str(colour);
        pen.set_stroke_style_str(colour);
        pen.set_line_width(1.5 * unit);
        pen.begin_path();
        match health {
            Health::Healthy => {
                self.circle(at, 4.5 * unit);
                pen.fill();
            }
            Health::Degraded => {
                pen.move_to(at.x, at.y - 5.5 * unit);
                pen.line_to(at.x + 5.5 * unit, at.y + 4.5 * unit);
                pen.line_to(at.x - 5.5 * unit, at.y + 4.5 * unit);
                pen.close_path();
                pen.fill();
            }
            Health::Failing => pen.fill_rect(at.x - 4.5 * unit, at.y - 4.5 * unit, 9.0 * unit, 9.0 * unit),
            Health::Idle => {
                self.circle(at, 4.0 * unit);
                pen.stroke();
            }
            Health::Unknown => {
                let (low, high) = (-4.0 * unit, 4.0 * unit);
                pen.set_line_width(unit);
                pen.stroke_rect(at.x + low, at.y + low, high - low, high - low);
                for step in [-4.0 * unit, 0.0, 4.0 * unit] {
                    pen.move_to(at.x + low.max(step + low), at.y + high.min(step + high));
                    pen.line_to(at.x + high.min(step + high), at.y + low.max(step + low));
                }
                pen.stroke();
            }
        }
    }
}
