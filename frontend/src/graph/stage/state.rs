//! What the stage knows, and one frame of it.

use std::{collections::BTreeMap, sync::Arc};

use web_sys::{CanvasRenderingContext2d, HtmlCanvasElement};

use crate::{
    browser,
    graph::{
        geometry::{Point, Rect},
        layout::{Direction, Layout, Topology, anew, kept},
        memory,
        palette::{Palette, Ruler, Widths},
        picture::Picture,
        render::{Emphasis, Painter, Ready, SPECKS},
        scene::{Choice, Hit, Path, Scene},
        sheets::{SEEN, Sheets},
        viewport::Viewport,
        worker::Maker,
    },
};

/// Particles move at most this often, in milliseconds: even motion at half the cost.
const FRAME_MS: f64 = 30.0;
/// So long after the view moved last, in milliseconds, particles stay away: they would not be seen in what rushes by.
const REST_MS: f64 = 160.0;
/// The canvas of the particles.
pub(super) const MOVING: usize = 2;
/// From so many nodes and edges on, a view that moves is drawn in parts.
const LARGE: usize = 250;
/// So long, in milliseconds, parts are drawn in one frame at least; rasterizing them comes on top.
const SLICE_MS: f64 = 1.0;

/// A topology that is being laid out, and the picture that is shown when it is.
pub(super) struct Awaited {
    pub(super) turn: u64,
    pub(super) topology: Topology,
    pub(super) picture: Arc<Picture>,
}

/// Data, choices, view and animation of a stage.
pub(super) struct State {
    /// Two for what stands still, of which one is seen, and the one for particles.
    pub(super) canvas: [HtmlCanvasElement; 3],
    pub(super) pen: [CanvasRenderingContext2d; 3],
    pub(super) size: (f64, f64),
    /// Size of the window when the view was fitted last.
    pub(super) window: (f64, f64),
    pub(super) ratio: f64,
    pub(super) palette: Palette,
    pub(super) picture: Option<Arc<Picture>>,
    pub(super) topology: Topology,
    pub(super) layout: Layout,
    /// What is laid out beside this thread, if anything is.
    pub(super) awaited: Option<Awaited>,
    /// Who does that; started when first needed.
    pub(super) maker: Option<Maker>,
    /// How often it was asked.
    pub(super) turns: u64,
    /// What positions are remembered under: what is shown, and what is left out of it.
    pub(super) memory: (String, String),
    pub(super) scene: Scene,
    pub(super) choice: Choice,
    pub(super) view: Viewport,
    /// The reader moved the view; it is no longer fitted by itself.
    pub(super) touched: bool,
    pub(super) hover: Option<Hit>,
    pub(super) focus: String,
    pub(super) selected: String,
    /// Lines and names of the scene for views from afar.
    pub(super) ready: Ready,
    /// Widths of texts that were measured.
    pub(super) widths: Widths,
    /// How far the particles of each edge have come, by the scene's index.
    pub(super) travelled: Vec<f64>,
    pub(super) moving: bool,
    /// Whether particles are on their canvas.
    pub(super) particles: bool,
    /// Something in the scene or about it changed.
    pub(super) dirty: bool,
    /// Which of the still canvases is seen, and what is drawn on the other.
    pub(super) sheets: Sheets,
    pub(super) asked: bool,
    pub(super) drawn_ms: f64,
    /// When the reader moved the view last.
    pub(super) moved_ms: f64,
    /// Whether the first drawn graph has been marked in the browser's timeline.
    pub(super) marked: bool,
}

impl State {
    /// An empty stage on its canvases with their pens.
    pub(super) fn new(canvas: [HtmlCanvasElement; 3], pen: [CanvasRenderingContext2d; 3], palette: Palette) -> Self {
        Self {
            canvas,
            pen,
            size: (0.0, 0.0),
            window: (0.0, 0.0),
            ratio: 1.0,
            palette,
            picture: None,
            topology: Topology::default(),
            layout: Layout::default(),
            awaited: None,
            maker: None,
            turns: 0,
            memory: Default::default(),
            scene: Scene::default(),
            choice: Choice::default(),
            view: Viewport::default(),
            touched: false,
            hover: None,
            focus: String::new(),
            selected: String::new(),
            ready: Ready::default(),
            widths: Widths::default(),
            travelled: Vec::new(),
            moving: true,
            particles: false,
            dirty: true,
            sheets: Sheets::default(),
            asked: false,
            drawn_ms: 0.0,
            moved_ms: f64::NEG_INFINITY,
            marked: false,
        }
    }

    /// The name that positions are remembered under.
    pub(super) fn key(&self) -> String {
        if self.memory.1.is_empty() { self.memory.0.clone() } else { format!("{}|{}", self.memory.0, self.memory.1) }
    }

    /// Draws everything, as large as `ratio` says, on another canvas.
    pub(super) fn portrait(&self, pen: &CanvasRenderingContext2d, bounds: Rect, ratio: f64) {
        let view = Viewport { scale: 1.0, offset: Point::new(-bounds.x, -bounds.y) };
        let painter = Painter { pen, palette: &self.palette, size: (bounds.w, bounds.h), ratio, view, part: None };
        painter.scene(&self.scene, &Emphasis::default(), &Ready::default(), true);
    }

    pub(super) fn rebuild(&mut self) {
        let Some(picture) = self.picture.clone() else { return };
        let hover = self.hover.as_ref().and_then(|hit| self.name(hit));
        let ruler = Ruler { pen: &self.pen[0], palette: &self.palette, widths: &self.widths };
        self.ready = Ready::default();
        let first = self.scene.nodes.is_empty();
        let before: BTreeMap<String, f64> =
            self.scene.edges.iter().zip(&self.travelled).map(|(edge, way)| (edge.id.clone(), *way)).collect();
        self.scene = Scene::new(&picture.graph, &self.layout, &self.choice, &ruler);
        self.hover = hover.and_then(|name| self.named(&name));
        self.travelled = self.scene.edges.iter().map(|edge| before.get(&edge.id).copied().unwrap_or(0.0)).collect();
        if first {
            self.frame();
        }
    }

    /// Has `topology` laid out beside this thread, or here when there is no beside; `picture` is shown when it is.
    pub(super) fn await_layout(&mut self, topology: Topology, picture: Arc<Picture>) {
        self.turns += 1;
        match &self.maker {
            Some(maker) => maker.ask(self.turns, &topology),
            None => {
                let layout = anew(&topology, Direction::Right);
                self.take(topology, layout, picture);
                return;
            }
        }
        self.awaited = Some(Awaited { turn: self.turns, topology, picture });
        self.tell_busy(true);
    }

    /// Shows `picture` with a layout of its topology that nobody has seen yet.
    pub(super) fn take(&mut self, topology: Topology, layout: Layout, picture: Arc<Picture>) {
        memory::remember(&self.key(), &layout);
        self.awaited = None;
        self.tell_busy(false);
        (self.topology, self.layout, self.picture) = (topology, layout, Some(picture));
        self.rebuild();
        self.fit_unless_touched();
    }

    /// Says on the canvas' place that something is being laid out; the style sheet has the words.
    pub(super) fn tell_busy(&self, busy: bool) {
        if let Some(place) = self.canvas[0].parent_element() {
            let _ = place.set_attribute("aria-busy", if busy { "true" } else { "false" });
        }
    }

    /// Lays out anew if the canvas has become too narrow, or wide enough, for the present direction.
    pub(super) fn orient(&mut self) {
        // A large one runs the same way on every canvas.
        if self.topology.nodes.is_empty() || self.topology.is_large() {
            return;
        }
        let fresh = self.fresh(&self.topology);
        if fresh.direction == self.layout.direction {
            return;
        }
        let known = memory::recall(&self.key(), fresh.direction);
        let known = known.and_then(|known| kept(&self.topology, fresh.direction, &known));
        self.layout = known.unwrap_or(fresh);
        self.touched = false;
        self.rebuild();
    }

    pub(super) fn named(&self, name: &str) -> Option<Hit> {
        if let Some(id) = name.strip_prefix("node:") {
            return self.scene.node(id).map(|index| Hit::Node(index, None));
        }
        if let Some(name) = name.strip_prefix("box:") {
            return self.scene.boxes.iter().position(|shape| shape.folds() && shape.key == name).map(Hit::Box);
        }
        let id = name.strip_prefix("edge:")?;
        self.scene.edges.iter().position(|edge| edge.id == id).map(Hit::Edge)
    }

    pub(super) fn name(&self, hit: &Hit) -> Option<String> {
        match hit {
            Hit::Node(index, _) => self.scene.nodes.get(*index).map(|node| format!("node:{}", node.id)),
            Hit::Edge(index) => self.scene.edges.get(*index).map(|edge| format!("edge:{}", edge.id)),
            Hit::Box(index) => self.scene.boxes.get(*index).map(|shape| format!("box:{}", shape.key)),
        }
    }

    /// The path of what is pointed at; else what the search finds; else everything.
    pub(super) fn path(&self) -> Option<Path> {
        match self.lit() {
            Some(Hit::Node(index, _)) => Some(self.scene.through_node(index)),
            Some(Hit::Edge(index)) => Some(self.scene.through_edge(index)),
            _ => {
                let found = self.picture.as_ref()?.found.as_ref()?;
                Some(self.scene.found(found))
            }
        }
    }

    /// What the pointer or the keyboard is on.
    pub(super) fn lit(&self) -> Option<Hit> {
        self.hover.clone().or_else(|| self.named(&self.focus))
    }

    pub(super) fn painter(&self, layer: usize) -> Painter<'_> {
        let (pen, palette) = (&self.pen[layer], &self.palette);
        Painter { pen, palette, size: self.size, ratio: self.ratio, view: self.view, part: None }
    }

    /// Draws what is due; the answer says whether another frame is wanted.
    pub(super) fn draw(&mut self) -> bool {
        let now = browser::now();
        let flows = self.moving && self.view.scale >= SPECKS && self.scene.edges.iter().any(|edge| edge.flow.is_some());
        let rests = now - self.moved_ms < REST_MS;
        let due = now - self.drawn_ms >= FRAME_MS && !rests;
        let stale = self.sheets.is_stale(self.view);
        if !self.dirty && !due && !stale {
            return flows;
        }
        let path = self.path();
        if self.dirty || stale {
            self.draw_still(path.as_ref());
        }
        let again = self.sheets.is_stale(self.view);
        if !flows || rests {
            // A canvas that is touched is painted, even when nothing is on it.
            if self.particles {
                self.painter(MOVING).clear();
                self.particles = false;
            }
            return flows || again;
        }
        self.particles = true;
        // A tab that was hidden goes on where it was.
        let seconds = ((now - self.drawn_ms) / 1000.0).clamp(0.0, 0.1);
        self.drawn_ms = now;
        for (edge, way) in self.scene.edges.iter().zip(&mut self.travelled) {
            if let Some(flow) = edge.flow {
                *way += flow.speed * seconds;
            }
        }
        self.painter(MOVING).particles(&self.scene, path.as_ref(), &self.travelled);
        true
    }

    /// Has the browser show the sheet that is seen where the view says, and hide the other.
    fn show_sheets(&self) {
        let transform = match self.sheets.carried(self.view) {
            (1.0, 0.0, 0.0) => "none".to_owned(),
            (factor, right, down) => format!("matrix({factor},0,0,{factor},{right},{down})"),
        };
        // Fails only for sheets of style that are computed.
        let _ = self.canvas[self.sheets.front()].style().set_property("transform", &transform);
        for (layer, seen) in [self.sheets.front(), self.sheets.back()].into_iter().zip(SEEN) {
            let _ = self.canvas[layer].style().set_property("visibility", seen);
        }
    }

    /// Draws what stands still: all of it at once if something in it changed, else what a frame has time for.
    fn draw_still(&mut self, path: Option<&Path>) {
        let mut sheets = std::mem::take(&mut self.sheets);
        let small = self.scene.nodes.len() + self.scene.edges.len() < LARGE;
        let whole = self.dirty || small || !sheets.covers(self.view, self.size);
        self.dirty = false;
        let view = if whole { self.view } else { sheets.next_view(self.view) };
        let (node, edge) = split(self.lit());
        let (selected_node, selected_edge) = split(self.named(&self.selected));
        let emphasis = Emphasis { path, node, edge, selected_node, selected_edge };
        self.ready.prepare(&self.scene, view.scale);
        let draw = |layer: usize, part: Option<Rect>| {
            let painter = Painter { view, part, ..self.painter(layer) };
            painter.scene(&self.scene, &emphasis, &self.ready, false);
        };
        if whole {
            draw(sheets.front(), None);
            sheets.drew_all(view);
        } else {
            let size = (f64::from(self.canvas[0].width()), f64::from(self.canvas[0].height()));
            let begun = browser::now();
            while let Some(part) = sheets.next_part(size) {
                draw(sheets.back(), Some(part));
                if browser::now() - begun >= SLICE_MS {
                    break;
                }
            }
            sheets.turn();
        }
        self.sheets = sheets;
        self.show_sheets();
        // What a canvas shows cannot be read off the document; its scale tells how large names are.
        let _ = self.canvas[0].set_attribute("data-scale", &format!("{:.2}", self.view.scale));
        if !self.scene.nodes.is_empty() && !self.marked {
            self.marked = true;
            browser::mark("weft.graph");
        }
    }
}

fn split(hit: Option<Hit>) -> (Option<usize>, Option<usize>) {
    match hit {
        Some(Hit::Node(index, _)) => (Some(index), None),
        Some(Hit::Edge(index)) => (None, Some(index)),
        Some(Hit::Box(_)) | None => (None, None),
    }
}
