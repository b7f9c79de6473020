//! Colours and fonts of the canvas: read from the style sheet, so that there is one set of tokens.

use std::{cell::RefCell, collections::HashMap};

use leptos::prelude::window;
use web_sys::{CanvasRenderingContext2d, HtmlCanvasElement};
use weft_model::graph::Health;

use super::{export::Ink, scene::Measure};

/// Resolved colours, as `rgb(…)`.
#[derive(Clone, Debug, Default)]
pub struct Palette {
    pub surface: String,
    pub sunken: String,
    pub line: String,
    pub strong: String,
    pub text: String,
    pub soft: String,
    pub faint: String,
    pub accent: String,
    pub healthy: String,
    pub degraded: String,
    pub failing: String,
    pub idle: String,
    pub title: String,
    pub small: String,
    pub background: String,
    pub family: String,
}

impl Palette {
    /// Reads the tokens as they are in force on `canvas`.
    pub fn read(canvas: &HtmlCanvasElement) -> Self {
        let style = canvas.style();
        let computed = window().get_computed_style(canvas).ok().flatten();
        let value =
            |name: &str| computed.as_ref().and_then(|style| style.get_property_value(name).ok()).unwrap_or_default();
        // A custom property reads as it was written; set as a colour, it reads as what it comes to.
        let colour = |token: &str| {
            let _ = style.set_property("color", &format!("var(--{token})"));
            value("color")
        };
        let family =
            Some(value("font-family")).filter(|family| !family.is_empty()).unwrap_or_else(|| "sans-serif".into());
        let palette = Self {
            surface: colour("surface"),
            sunken: colour("sunken"),
            line: colour("line"),
            strong: colour("line-strong"),
            text: colour("text"),
            soft: colour("text-2"),
            faint: colour("text-3"),
            accent: colour("accent"),
            healthy: colour("healthy"),
            degraded: colour("degraded"),
            failing: colour("failing"),
            idle: colour("idle"),
            title: format!("600 14px {family}"),
            small: format!("12px {family}"),
            background: colour("bg"),
            family,
        };
        let _ = style.remove_property("color");
        palette
    }

    /// The same colours for a document of its own.
    pub fn ink(&self) -> Ink {
        let Self { background, surface, sunken, line, strong, text, soft, faint, .. } = self.clone();
        let Self { healthy, degraded, failing, idle, family, .. } = self.clone();
        Ink { background, surface, sunken, line, strong, text, soft, faint, healthy, degraded, failing, idle, family }
    }

    /// The colour of a state of health.
    pub fn health(&self, health: Health) -> &str {
        match health {
            Health::Healthy => &self.healthy,
            Health::Degraded => &self.degraded,
            Health::Failing => &self.failing,
            Health::Idle | Health::Unknown => &self.idle,
        }
    }
}

/// Widths by font and text. Most texts are measured again at each refresh, and most of them did not change.
#[derive(Default)]
pub struct Widths(RefCell<HashMap<(bool, String), f64>>);

/// Texts that are remembered; beyond, all are forgotten.
const TEXTS: usize = 20_000;

/// Measures with the canvas' own fonts.
pub struct Ruler<'a> {
    pub pen: &'a CanvasRenderingContext2d,
    pub palette: &'a Palette,
    pub widths: &'a Widths,
}

impl Ruler<'_> {
    fn width(&self, title: bool, text: &str) -> f64 {
        let mut known = self.widths.0.borrow_mut();
        let key = (title, text.to_owned());
        if let Some(width) = known.get(&key) {
            return *width;
        }
        self.pen.set_font(if title { &self.palette.title } else { &self.palette.small });
        let width = self.pen.measure_text(text).map_or(0.0, |size| size.width());
        if known.len() >= TEXTS {
            known.clear();
        }
        known.insert(key, width);
        width
    }
}

impl Measure for Ruler<'_> {
    fn title(&self, text: &str) -> f64 {
        self.width(true, text)
    }

    fn small(&self, text: &str) -> f64 {
        self.width(false, text)
    }
}
