//! The scene as an SVG document: the same shapes that the canvas draws, for slides and tickets.

use std::fmt::Write;

use weft_model::graph::{Health, Lock, NodeKind};

use super::{
    geometry::{Point, Rect},
    scene::{BoxKind, EdgeShape, LOCK, LabelShape, NodeShape, Scene},
};
use crate::icons::Icon;

/// Colours as CSS writes them, and the font's family.
#[derive(Clone, Debug, Default)]
#[expect(missing_docs, reason = "the names are those of the style sheet")]
pub struct Ink {
    pub background: String,
    pub surface: String,
    pub sunken: String,
    pub line: String,
    pub strong: String,
    pub text: String,
    pub soft: String,
    pub faint: String,
    pub healthy: String,
    pub degraded: String,
    pub failing: String,
    pub idle: String,
    pub family: String,
}

impl Ink {
    fn health(&self, health: Health) -> &str {
        match health {
            Health::Healthy => &self.healthy,
            Health::Degraded => &self.degraded,
            Health::Failing => &self.failing,
            Health::Idle | Health::Unknown => &self.idle,
        }
    }
}

/// Room around what is drawn.
const MARGIN: f64 = 24.0;

/// The whole scene with a title of its own. Names cannot break out: they are escaped, and nothing in it runs.
pub fn svg(scene: &Scene, title: &str, ink: &Ink) -> String {
    let bounds = scene.bounds().unwrap_or(Rect { x: 0.0, y: 0.0, w: 240.0, h: 80.0 }).grow(MARGIN);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"{:.0} {:.0} {:.0} {:.0}\" width=\"{:.0}\" height=\"{:.0}\" font-family=\"{}\">\n<title>{}</title>\n",
        bounds.x,
        bounds.y,
        bounds.w,
        bounds.h,
        bounds.w,
        bounds.h,
        escape(&ink.family),
        escape(title)
    );
    rect(&mut out, bounds, 0.0, &ink.background, "none", "");
    for shape in &scene.boxes {
        let fill = if shape.kind == BoxKind::Cluster { "none" } else { ink.sunken.as_str() };
        rect(&mut out, shape.rect, 10.0, fill, &ink.line, "");
        text(&mut out, Point::new(shape.rect.x + 14.0, shape.rect.y + 20.0), 12.0, true, &ink.faint, &shape.name);
    }
    for shape in &scene.edges {
        edge(&mut out, shape, ink);
    }
    for shape in &scene.nodes {
        node(&mut out, shape, ink);
    }
    for shape in scene.edges.iter().filter_map(|edge| edge.label.as_ref()) {
        label(&mut out, shape, ink);
    }
    out.push_str("</svg>\n");
    out
}

fn edge(out: &mut String, shape: &EdgeShape, ink: &Ink) {
    let Some(first) = shape.curve.pieces.first() else { return };
    let mut path = format!("M{:.1} {:.1}", first.from.x, first.from.y);
    for piece in &shape.curve.pieces {
        let _ = write!(
            path,
            "C{:.1} {:.1} {:.1} {:.1} {:.1} {:.1}",
            piece.a.x, piece.a.y, piece.b.x, piece.b.y, piece.to.x, piece.to.y
        );
    }
    let colour = escape(ink.health(shape.health));
    let dash = if shape.health == Health::Unknown { " stroke-dasharray=\"5 4\"" } else { "" };
    let _ =
        writeln!(out, "<path d=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"{}\"{dash}/>", shape.width);
    let [tip, left, right] = shape.head;
    let _ = writeln!(
        out,
        "<path d=\"M{:.1} {:.1}L{:.1} {:.1}L{:.1} {:.1}Z\" fill=\"{colour}\"/>",
        tip.x, tip.y, left.x, left.y, right.x, right.y
    );
}

fn node(out: &mut String, shape: &NodeShape, ink: &Ink) {
    let at = shape.rect;
    let _ = writeln!(out, "<g><title>{}</title>", escape(&shape.id));
    if shape.members > 0 {
        rect(out, Rect { x: at.x + 5.0, y: at.y + 5.0, ..at }, 6.0, &ink.surface, &ink.line, "");
    }
    if let Some((version, tab)) = &shape.version {
        rect(out, *tab, 4.0, &ink.surface, &ink.strong, "");
        text(out, Point::new(tab.x + 6.0, tab.y + 12.0), 12.0, false, &ink.soft, version);
    }
    let dashed = matches!(shape.kind, NodeKind::Unmeshed | NodeKind::External | NodeKind::Unknown | NodeKind::Hidden);
    let stroke = match shape.health {
        Health::Failing | Health::Degraded => ink.health(shape.health),
        _ => &ink.strong,
    };
    rect(out, at, 6.0, &ink.surface, stroke, if dashed { " stroke-dasharray=\"4 3\"" } else { "" });
    health(out, shape.health, Point::new(at.x + 15.0, at.y + 19.5), ink);
    text(out, Point::new(at.x + 28.0, at.y + 25.0), 14.0, true, &ink.text, &shape.title);
    text(out, Point::new(at.x + 28.0, at.y + 45.0), 12.0, false, &ink.soft, &shape.subtitle);
    for mark in &shape.marks {
        let _ = writeln!(out, "<g><title>{}</title>", escape(&mark.text));
        rect(out, mark.rect, 4.0, "none", &ink.soft, "");
        icon(out, Icon::badge(&mark.kind), mark.rect.grow(-2.5), &ink.soft);
        out.push_str("</g>\n");
    }
    out.push_str("</g>\n");
}

fn label(out: &mut String, shape: &LabelShape, ink: &Ink) {
    let broken = matches!(shape.lock, Some(Lock::Mixed | Lock::Plaintext));
    rect(out, shape.rect, 4.0, &ink.surface, if broken { &ink.degraded } else { &ink.line }, "");
    if let (Some(lock), Some(start)) = (shape.lock, shape.starts().next()) {
        let (drawing, colour) =
            if lock == Lock::Mtls { (Icon::Lock, &ink.soft) } else { (Icon::Unlock, &ink.degraded) };
        icon(out, drawing, Rect { x: start.x - LOCK - 1.0, y: start.y - 7.5, w: 14.0, h: 14.0 }, colour);
    }
    let lines =
        shape.note.iter().map(|note| (note, &ink.degraded)).chain(shape.lines.iter().map(|line| (line, &ink.text)));
    for ((line, colour), start) in lines.zip(shape.starts()) {
        text(out, start + Point::new(0.0, 4.0), 12.0, false, colour, line);
    }
}

fn health(out: &mut String, health: Health, at: Point, ink: &Ink) {
    let colour = escape(ink.health(health));
    let _ = match health {
        Health::Healthy => writeln!(out, "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"4.5\" fill=\"{colour}\"/>", at.x, at.y),
        Health::Degraded => writeln!(out, "<path d=\"M{:.1} {:.1}l5.5 10h-11z\" fill=\"{colour}\"/>", at.x, at.y - 5.5),
        Health::Failing => {
            writeln!(
                out,
                "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"9\" height=\"9\" fill=\"{colour}\"/>",
                at.x - 4.5,
                at.y - 4.5
            )
        }
        Health::Idle => {
            writeln!(
                out,
                "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"4\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\"/>",
                at.x, at.y
            )
        }
        Health::Unknown => writeln!(
            out,
            "<path d=\"M{:.1} {:.1}h8v8h-8zl8 8\" fill=\"none\" stroke=\"{colour}\"/>",
            at.x - 4.0,
            at.y - 4.0
        ),
    };
}

fn icon(out: &mut String, icon: Icon, at: Rect, colour: &str) {
    let scale = at.w / 16.0;
    let _ = writeln!(
        out,
        "<path transform=\"translate({:.1} {:.1}) scale({scale:.3})\" d=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"1.5\"/>",
        at.x,
        at.y,
        icon.path(),
        escape(colour)
    );
}

fn rect(out: &mut String, at: Rect, radius: f64, fill: &str, stroke: &str, more: &str) {
    let _ = writeln!(
        out,
        "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\" rx=\"{radius}\" fill=\"{}\" stroke=\"{}\"{more}/>",
        at.x,
        at.y,
        at.w,
        at.h,
        escape(fill),
        escape(stroke)
    );
}

fn text(out: &mut String, at: Point, size: f64, bold: bool, fill: &str, text: &str) {
    let weight = if bold { " font-weight=\"600\"" } else { "" };
    let _ = writeln!(
        out,
        "<text x=\"{:.1}\" y=\"{:.1}\" font-size=\"{size}\"{weight} fill=\"{}\">{}</text>",
        at.x,
        at.y,
        escape(fill),
        escape(text)
    );
}

/// Text that may stand in an element or an attribute; what XML does not allow at all becomes a question mark.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\t' | '\n' | '\r' => out.push(' '),
            char if char.is_control() || matches!(char, '\u{fffe}' | '\u{ffff}') => out.push('?'),
            char => out.push(char),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{
        layout::{Direction, Topology, layout},
        sample::graph,
        scene::{Choice, Measure},
    };

    struct Even;

    impl Measure for Even {
        fn title(&self, text: &str) -> f64 {
            text.chars().count() as f64 * 7.0
        }

        fn small(&self, text: &str) -> f64 {
            text.chars().count() as f64 * 6.0
        }
    }

    #[test]
    fn everything_that_is_drawn_is_in_the_document_and_nothing_breaks_out() {
        let hostile = "shop/<script>alert(1)</script>\"&\u{1}";
        let graph = graph(&[("shop/front-v1", "shop/order-v2"), ("shop/order-v2", hostile)], &[]);
        let scene =
            Scene::new(&graph, &layout(&Topology::of(&graph), Direction::Right, None), &Choice::default(), &Even);
        let svg = svg(&scene, "a & b", &Ink { family: "a\"b".into(), ..Ink::default() });
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
        assert!(!svg.contains("<script") && !svg.contains('\u{1}'));
        assert!(svg.contains("<title>a &amp; b</title>") && svg.contains("shop/front-v1"));
        assert_eq!(svg.matches("<g>").count(), svg.matches("</g>").count());
        assert_eq!(svg.matches("stroke-width=\"5\"").count(), 2, "two calls");
    }

    #[test]
    fn nothing_gives_an_empty_document() {
        assert!(svg(&Scene::default(), "", &Ink::default()).contains("<svg"));
    }
}
