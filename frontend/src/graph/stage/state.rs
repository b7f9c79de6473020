//! What the stage knows, and one frame of it.

use std::{collections::BTreeMap, sync::Arc};

use web_sys::{CanvasRenderingContext2d, HtmlCanvasElement};
use weft_model::graph::Graph;

use crate::{
    browser,
    graph::{
        layout::{Direction, Layout, Topology, layout},
        memory,
        palette::{Palette, Ruler},
        render::{Emphasis, Painter},
        scene::{Choice, Hit, Path, Scene},
        viewport::Viewport,
    },
};

/// Particles move at most this often, in milliseconds: even motion at half the cost.
const FRAME_MS: f64 = 30.0;
/// Room around a fitted graph, in pixels.
const MARGIN: f64 = 28.0;
/// Room for the legend below it.
const LEGEND: f64 = 36.0;

/// Data, choices, view and animation of a stage.
pub(super) struct State {
    pub(super) canvas: [HtmlCanvasElement; 2],
    pub(super) pen: [CanvasRenderingContext2d; 2],
    pub(super) size: (f64, f64),
    /// Size of the window when the view was fitted last.
    pub(super) window: (f64, f64),
    pub(super) ratio: f64,
    pub(super) palette: Palette,
    pub(super) graph: Option<Arc<Graph>>,
    pub(super) topology: Topology,
    pub(super) layout: Layout,
    pub(super) memory: String,
    pub(super) scene: Scene,
    pub(super) choice: Choice,
    pub(super) view: Viewport,
    /// The reader moved the view; it is no longer fitted by itself.
    pub(super) touched: bool,
    pub(super) hover: Option<Hit>,
    pub(super) focus: String,
    pub(super) selected: String,
    pub(super) find: String,
    pub(super) travelled: BTreeMap<String, f64>,
    pub(super) moving: bool,
    pub(super) dirty: bool,
    pub(super) asked: bool,
    pub(super) drawn_ms: f64,
    /// Whether the first drawn graph has been marked in the browser's timeline.
    pub(super) marked: bool,
}

impl State {
    /// An empty stage on two canvases with their pens.
    pub(super) fn new(canvas: [HtmlCanvasElement; 2], pen: [CanvasRenderingContext2d; 2], palette: Palette) -> Self {
        Self {
            canvas,
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
            marked: false,
        }
    }

    pub(super) fn rebuild(&mut self) {
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

    pub(super) fn fit_unless_touched(&mut self) {
        let Some(bounds) = self.scene.bounds().filter(|_| !self.touched && self.size.0 > 0.0) else { return };
        self.view = Viewport::fit(bounds, self.size.0, self.size.1 - LEGEND, MARGIN);
    }

    /// Which way calls should run on this canvas.
    pub(super) fn direction(&self, topology: &Topology) -> Direction {
        Direction::choose(topology, self.size.0, self.size.1 - LEGEND, MARGIN)
    }

    /// Lays out anew if the canvas has become too narrow, or wide enough, for the present direction.
    pub(super) fn orient(&mut self) {
        let direction = self.direction(&self.topology);
        if direction == self.layout.direction || self.topology.nodes.is_empty() {
            return;
        }
        let known = memory::recall(&self.memory, direction);
        self.layout = layout(&self.topology, direction, known.as_ref());
        self.touched = false;
        self.rebuild();
    }

    /// Moves the view as little as is needed to see the selected node whole.
    pub(super) fn show_selected(&mut self) {
        let Some(Hit::Node(index, _)) = self.named(&self.selected) else { return };
        let Some(node) = self.scene.nodes.get(index) else { return };
        if self.size.0 > 0.0 {
            self.view.reveal(node.rect.grow(16.0), self.size.0, self.size.1);
        }
    }

    pub(super) fn named(&self, name: &str) -> Option<Hit> {
        if let Some(id) = name.strip_prefix("node:") {
            return self.scene.node(id).map(|index| Hit::Node(index, None));
        }
        let id = name.strip_prefix("edge:")?;
        self.scene.edges.iter().position(|edge| edge.id == id).map(Hit::Edge)
    }

    pub(super) fn name(&self, hit: &Hit) -> Option<String> {
        match hit {
            Hit::Node(index, _) => self.scene.nodes.get(*index).map(|node| format!("node:{}", node.id)),
            Hit::Edge(index) => self.scene.edges.get(*index).map(|edge| format!("edge:{}", edge.id)),
        }
    }

    /// The path of what is pointed at; else what the search finds; else everything.
    pub(super) fn path(&self) -> Option<Path> {
        match self.lit() {
            Some(Hit::Node(index, _)) => Some(self.scene.through_node(index)),
            Some(Hit::Edge(index)) => Some(self.scene.through_edge(index)),
            None if !self.find.is_empty() => Some(self.scene.matching(&self.find)),
            None => None,
        }
    }

    /// What the pointer or the keyboard is on.
    pub(super) fn lit(&self) -> Option<Hit> {
        self.hover.clone().or_else(|| self.named(&self.focus))
    }

    pub(super) fn painter(&self, layer: usize) -> Painter<'_> {
        Painter { pen: &self.pen[layer], palette: &self.palette, size: self.size, ratio: self.ratio, view: self.view }
    }

    /// Draws what is due; the answer says whether another frame is wanted.
    pub(super) fn draw(&mut self) -> bool {
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
            // What a canvas shows cannot be read off the document; its scale tells how large names are.
            let _ = self.canvas[0].set_attribute("data-scale", &format!("{:.2}", self.view.scale));
            if !self.scene.nodes.is_empty() && !self.marked {
                self.marked = true;
                browser::mark("weft.graph");
            }
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
