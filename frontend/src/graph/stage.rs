//! The canvas between data and pointer: keeps layout, view and animation, and draws when something changed.
//!
//! It is not reactive: a room tells it what changed, and it asks for one frame. Two canvases lie on each other, so that
//! moving particles do not redraw the rest.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc, sync::Arc};

use leptos::prelude::{request_animation_frame, window};
use wasm_bindgen::JsCast;
use web_sys::{CanvasRenderingContext2d, HtmlCanvasElement};
use weft_model::graph::Graph;

use super::{
    geometry::Point,
    layout::{Layout, Topology, layout},
    memory,
    palette::{Palette, Ruler},
    render::{Emphasis, Painter},
    scene::{Choice, Hit, Path, Scene},
    viewport::{STEP, Viewport},
};
use crate::browser;

/// Particles move at most this often, in milliseconds: even motion at half the cost.
const FRAME_MS: f64 = 30.0;
/// Room around a fitted graph, in pixels.
const MARGIN: f64 = 28.0;
/// Room for the legend below it.
const LEGEND: f64 = 36.0;
/// How far from an edge the pointer may be, in pixels.
const SLACK: f64 = 8.0;

struct State {
    canvas: [HtmlCanvasElement; 2],
    pen: [CanvasRenderingContext2d; 2],
    size: (f64, f64),
    /// Size of the window when the view was fitted last.
    window: (f64, f64),
    ratio: f64,
    palette: Palette,
    graph: Option<Arc<Graph>>,
    topology: Topology,
    layout: Layout,
    memory: String,
    scene: Scene,
    choice: Choice,
    view: Viewport,
    /// The reader moved the view; it is no longer fitted by itself.
    touched: bool,
    hover: Option<Hit>,
    focus: String,
    selected: String,
    find: String,
    travelled: BTreeMap<String, f64>,
    moving: bool,
    dirty: bool,
    asked: bool,
    drawn_ms: f64,
}

/// A handle to the stage; clones are of the same one.
#[derive(Clone)]
pub struct Stage(Rc<RefCell<State>>);

fn pen(canvas: &HtmlCanvasElement) -> Option<CanvasRenderingContext2d> {
    canvas.get_context("2d").ok().flatten()?.dyn_into().ok()
}

impl Stage {
    /// A stage on two canvases, the lower for what stands still. `None` when the browser gives no 2D context.
    pub fn new(still: HtmlCanvasElement, moving: HtmlCanvasElement) -> Option<Self> {
        let pen = [pen(&still)?, pen(&moving)?];
        let palette = Palette::read(&still);
        Some(Self(Rc::new(RefCell::new(State {
            canvas: [still, moving],
            pen,
            size: (0.0, 0.0),
            window: (0.0, 0.0),
            ratio: 1.0,
            palette,
            graph: None,
            topology: Topology::default(),
            layout: Layout::default(),
            memory: String::new(),
            scene: Scene::default(),
            choice: Choice::default(),
            view: Viewport::default(),
            touched: false,
            hover: None,
            focus: String::new(),
            selected: String::new(),
            find: String::new(),
            travelled: BTreeMap::new(),
            moving: true,
            dirty: true,
            asked: false,
            drawn_ms: 0.0,
        }))))
    }

    /// Runs `change` and asks for a frame.
    fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let out = {
            let mut state = self.0.borrow_mut();
            state.dirty = true;
            change(&mut state)
        };
        self.wake();
        out
    }

    /// Shows `graph`; positions are remembered under `memory`.
    pub fn show(&self, graph: Arc<Graph>, memory: &str) {
        self.with(|state| {
            let mut refit = false;
            if state.memory != memory {
                state.memory = memory.to_owned();
                state.layout = memory::recall(memory).unwrap_or_default();
                state.topology = Topology::default();
                state.touched = false;
                refit = true;
            }
            let topology = Topology::of(&graph);
            if topology != state.topology {
                let next = layout(&topology, Some(&state.layout));
                if next != state.layout {
                    memory::remember(memory, &next);
                    state.layout = next;
                    refit = true;
                }
                state.topology = topology;
            }
            state.graph = Some(graph);
            state.rebuild();
            if refit {
                state.fit_unless_touched();
            }
        });
    }

    /// Lays everything out anew, at the reader's wish.
    pub fn tidy(&self) {
        self.with(|state| {
            state.layout = layout(&state.topology, None);
            memory::remember(&state.memory, &state.layout);
            state.touched = false;
            state.rebuild();
            state.fit_unless_touched();
        });
    }

    /// Changes what labels say.
    pub fn choose(&self, choice: Choice) {
        self.with(|state| {
            state.choice = choice;
            state.rebuild();
        });
    }

    /// Reads the colours anew.
    pub fn dress(&self) {
        self.with(|state| {
            state.palette = Palette::read(&state.canvas[0]);
            state.rebuild();
        });
    }

    /// Dims what does not contain `text`.
    pub fn find(&self, text: &str) {
        self.with(|state| state.find = text.trim().to_owned());
    }

    /// Marks what is selected: `node:<id>`, `edge:<id>` or nothing.
    pub fn select(&self, what: &str) {
        self.with(|state| {
            if state.selected != what {
                what.clone_into(&mut state.selected);
                state.show_selected();
            }
        });
    }

    /// Lights up what the keyboard's focus is on.
    pub fn focus(&self, what: &str) {
        self.with(|state| what.clone_into(&mut state.focus));
    }

    /// Lets particles move or stand.
    pub fn animate(&self, moving: bool) {
        let changed = self.0.borrow().moving != moving;
        if changed {
            self.with(|state| state.moving = moving);
        }
    }

    /// Takes the size of the canvases from their place in the page.
    pub fn resize(&self) {
        self.with(|state| {
            let rect = state.canvas[0].get_bounding_client_rect();
            let ratio = window().device_pixel_ratio().max(1.0);
            if (rect.width(), rect.height()) == state.size && ratio == state.ratio {
                return;
            }
            state.size = (rect.width(), rect.height());
            state.ratio = ratio;
            for canvas in &state.canvas {
                canvas.set_width((rect.width() * ratio).round() as u32);
                canvas.set_height((rect.height() * ratio).round() as u32);
            }
            // A panel that opens takes room away; what is seen stays where it is, but the selected node stays in sight.
            let side =
                |value: Result<wasm_bindgen::JsValue, _>| value.ok().and_then(|value| value.as_f64()).unwrap_or(0.0);
            let outer = (side(window().inner_width()), side(window().inner_height()));
            if outer != state.window || state.graph.is_none() {
                state.window = outer;
                state.fit_unless_touched();
            } else {
                state.show_selected();
            }
        });
    }

    /// Moves the view by so many pixels.
    pub fn pan(&self, by: Point) {
        self.with(|state| {
            state.touched = true;
            state.view.pan(by);
        });
    }

    /// Zooms around a point of the canvas, its middle by default.
    pub fn zoom(&self, factor: f64, anchor: Option<Point>) {
        self.with(|state| {
            state.touched = true;
            let middle = Point::new(state.size.0 / 2.0, state.size.1 / 2.0);
            state.view.zoom(factor, anchor.unwrap_or(middle));
        });
    }

    /// One step closer or further.
    pub fn step(&self, closer: bool) {
        self.zoom(if closer { STEP } else { 1.0 / STEP }, None);
    }

    /// Shows everything.
    pub fn fit(&self) {
        self.with(|state| {
            state.touched = false;
            state.fit_unless_touched();
        });
    }

    /// What lies under a point of the canvas, lit up from now on.
    pub fn point(&self, at: Option<Point>) -> Option<Hit> {
        let hit = {
            let state = self.0.borrow();
            at.and_then(|at| state.scene.hit(state.view.scene(at), SLACK / state.view.scale))
        };
        if self.0.borrow().hover != hit {
            self.with(|state| state.hover = hit.clone());
        }
        hit
    }

    /// The name of what was met, as the address has it, and the words that hovering says.
    pub fn describe(&self, hit: &Hit) -> Option<(String, Vec<String>)> {
        let state = self.0.borrow();
        let graph = state.graph.as_ref()?;
        match hit {
            Hit::Node(index, mark) => {
                let node = state.scene.nodes.get(*index)?;
                let mut lines = vec![node.id.clone()];
                match mark.and_then(|mark| node.marks.get(mark)) {
                    Some(mark) => lines = vec![mark.text.clone()],
                    None => lines.extend(node.marks.iter().map(|mark| mark.text.clone())),
                }
                Some((format!("node:{}", node.id), lines))
            }
            Hit::Edge(index) => {
                let shape = state.scene.edges.get(*index)?;
                let edge = graph.edges.iter().find(|edge| edge.id == shape.id)?;
                let numbers = format!(
                    "{} · {} errors · {} p95",
                    crate::format::rate(edge.rate, &edge.protocol),
                    crate::format::maybe(edge.error_share, crate::format::share),
                    crate::format::maybe(edge.p95_ms, crate::format::millis),
                );
                let lock = crate::words::lock_sentence(edge.lock, edge.plaintext_share);
                let name = format!("{} → {}", edge.source, edge.destination);
                Some((format!("edge:{}", edge.id), vec![name, numbers, lock]))
            }
        }
    }

    fn wake(&self) {
        let mut state = self.0.borrow_mut();
        if state.asked {
            return;
        }
        state.asked = true;
        let stage = self.clone();
        drop(state);
        request_animation_frame(move || stage.frame());
    }

    fn frame(&self) {
        let again = {
            let mut state = self.0.borrow_mut();
            state.asked = false;
            state.draw()
        };
        if again {
            self.wake();
        }
    }
}

impl State {
    fn rebuild(&mut self) {
        let Some(graph) = self.graph.clone() else { return };
        let hover = self.hover.as_ref().and_then(|hit| self.name(hit));
        let ruler = Ruler { pen: &self.pen[0], palette: &self.palette };
        let first = self.scene.nodes.is_empty();
        self.scene = Scene::new(&graph, &self.layout, self.choice, &ruler);
        self.hover = hover.and_then(|name| self.named(&name));
        let live: BTreeMap<&str, ()> = self.scene.edges.iter().map(|edge| (edge.id.as_str(), ())).collect();
        self.travelled.retain(|id, _| live.contains_key(id.as_str()));
        if first {
            self.fit_unless_touched();
            self.show_selected();
        }
    }

    fn fit_unless_touched(&mut self) {
        let Some(bounds) = self.scene.bounds().filter(|_| !self.touched && self.size.0 > 0.0) else { return };
        self.view = Viewport::fit(bounds, self.size.0, self.size.1 - LEGEND, MARGIN);
    }

    /// Moves the view as little as is needed to see the selected node whole.
    fn show_selected(&mut self) {
        let Some(Hit::Node(index, _)) = self.named(&self.selected) else { return };
        let Some(node) = self.scene.nodes.get(index) else { return };
        if self.size.0 > 0.0 {
            self.view.reveal(node.rect.grow(16.0), self.size.0, self.size.1);
        }
    }

    fn named(&self, name: &str) -> Option<Hit> {
        if let Some(id) = name.strip_prefix("node:") {
            return self.scene.node(id).map(|index| Hit::Node(index, None));
        }
        let id = name.strip_prefix("edge:")?;
        self.scene.edges.iter().position(|edge| edge.id == id).map(Hit::Edge)
    }

    fn name(&self, hit: &Hit) -> Option<String> {
        match hit {
            Hit::Node(index, _) => self.scene.nodes.get(*index).map(|node| format!("node:{}", node.id)),
            Hit::Edge(index) => self.scene.edges.get(*index).map(|edge| format!("edge:{}", edge.id)),
        }
    }

    /// The path of what is pointed at; else what the search finds; else everything.
    fn path(&self) -> Option<Path> {
        match self.lit() {
            Some(Hit::Node(index, _)) => Some(self.scene.through_node(index)),
            Some(Hit::Edge(index)) => Some(self.scene.through_edge(index)),
            None if !self.find.is_empty() => Some(self.scene.matching(&self.find)),
            None => None,
        }
    }

    /// What the pointer or the keyboard is on.
    fn lit(&self) -> Option<Hit> {
        self.hover.clone().or_else(|| self.named(&self.focus))
    }

    fn painter(&self, layer: usize) -> Painter<'_> {
        Painter { pen: &self.pen[layer], palette: &self.palette, size: self.size, ratio: self.ratio, view: self.view }
    }

    /// Draws what is due; the answer says whether another frame is wanted.
    fn draw(&mut self) -> bool {
        let now = browser::now();
        let flows = self.moving && self.scene.edges.iter().any(|edge| edge.flow.is_some());
        let due = now - self.drawn_ms >= FRAME_MS;
        if !self.dirty && !due {
            return flows;
        }
        let path = self.path();
        if self.dirty {
            let (node, edge) = split(self.lit());
            let (selected_node, selected_edge) = split(self.named(&self.selected));
            let emphasis = Emphasis { path: path.as_ref(), node, edge, selected_node, selected_edge };
            self.painter(0).scene(&self.scene, &emphasis);
            self.dirty = false;
        }
        if !flows {
            self.painter(1).clear();
            return false;
        }
        // A tab that was hidden goes on where it was.
        let seconds = ((now - self.drawn_ms) / 1000.0).clamp(0.0, 0.1);
        self.drawn_ms = now;
        for edge in &self.scene.edges {
            if let Some(flow) = edge.flow {
                let travelled = self.travelled.entry(edge.id.clone()).or_insert(0.0);
                *travelled += flow.speed * seconds;
            }
        }
        let travelled = |id: &str| self.travelled.get(id).copied().unwrap_or(0.0);
        self.painter(1).particles(&self.scene, path.as_ref(), travelled);
        true
    }
}

fn split(hit: Option<Hit>) -> (Option<usize>, Option<usize>) {
    match hit {
        Some(Hit::Node(index, _)) => (Some(index), None),
        Some(Hit::Edge(index)) => (None, Some(index)),
        None => (None, None),
    }
}
