//! The canvas between data and pointer: keeps layout, view and animation, and draws when something changed.
//!
//! It is not reactive: a room tells it what changed, and it asks for one frame. Canvases lie on each other: moving particles
//! do not redraw the rest, and while a large graph's view moves, the browser moves what is drawn already until the next
//! drawing of it is ready.

mod framing;
mod state;

use std::{cell::RefCell, rc::Rc, sync::Arc};

use leptos::prelude::{request_animation_frame, window};
use wasm_bindgen::JsCast;
use web_sys::{CanvasRenderingContext2d, HtmlCanvasElement};

use super::{
    export::Ink,
    fold,
    geometry::{Point, Rect},
    layout::{Direction, Layout, Topology, anew, kept},
    memory,
    palette::Palette,
    picture::Picture,
    scene::{Choice, Hit, Mark, Scene, numbers},
    viewport::STEP,
    worker::Maker,
};
use crate::browser;
use state::{MOVING, State};

/// How far from an edge the pointer may be, in pixels.
const SLACK: f64 = 8.0;

/// A handle to the stage; clones are of the same one.
#[derive(Clone)]
pub struct Stage(Rc<RefCell<State>>);

fn pen(canvas: &HtmlCanvasElement) -> Option<CanvasRenderingContext2d> {
    canvas.get_context("2d").ok().flatten()?.dyn_into().ok()
}

impl Stage {
    /// A stage on canvases, the lower two for what stands still. `None` when the browser gives no 2D context.
    pub fn new(still: [HtmlCanvasElement; 2], moving: HtmlCanvasElement) -> Option<Self> {
        let [first, second] = still;
        let pen = [pen(&first)?, pen(&second)?, pen(&moving)?];
        let palette = Palette::read(&first);
        Some(Self(Rc::new(RefCell::new(State::new([first, second, moving], pen, palette)))))
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

    /// Shows a picture. Positions are remembered under `memory` and `filter` together: another memory is laid out anew,
    /// another filter leaves nodes where they are.
    pub fn show(&self, picture: Arc<Picture>, memory: &str, filter: &str) {
        self.with(|state| {
            let (mut refit, mut moved) = (false, false);
            let (other, filtered) = (state.memory.0 != memory, state.memory.1 != filter);
            if other {
                state.layout = Layout::default();
                state.touched = false;
                refit = true;
            }
            if other || filtered {
                state.memory = (memory.to_owned(), filter.to_owned());
                state.topology = Topology::default();
            }
            let topology = Topology::of(&picture.graph);
            if let Some(awaited) = state.awaited.as_mut().filter(|awaited| awaited.topology == topology) {
                awaited.picture = picture;
                return;
            }
            if state.awaited.take().is_some() {
                state.tell_busy(false);
            }
            if topology != state.topology {
                // How a small one is laid out says in which direction; of a large one that is known before.
                let fresh = (!topology.is_large()).then(|| state.fresh(&topology));
                let direction = fresh.as_ref().map_or(Direction::Right, |fresh| fresh.direction);
                if other || filtered || state.layout.nodes.is_empty() || state.layout.direction != direction {
                    let known = memory::recall(&state.key(), direction);
                    if let Some(known) = known {
                        state.layout = known;
                    } else if state.layout.direction != direction {
                        state.layout = Layout::default();
                    }
                }
                let Some(next) = kept(&topology, direction, &state.layout).or(fresh) else {
                    self.await_layout(state, topology, picture);
                    return;
                };
                if next != state.layout {
                    memory::remember(&state.key(), &next);
                    state.layout = next;
                    refit = true;
                }
                state.topology = topology;
                moved = true;
            }
            let absent = state.named(&state.selected).is_none();
            state.picture = Some(picture);
            state.rebuild();
            // What comes back, or is new, may stand where nobody looks. Whoever chose what is seen keeps it, unless what is
            // selected comes back.
            if refit {
                state.fit_unless_touched();
            } else if moved && state.is_outside() {
                state.fit_unless_touched();
                if absent || !state.touched {
                    state.show_selected();
                }
            }
        });
    }

    fn await_layout(&self, state: &mut State, topology: Topology, picture: Arc<Picture>) {
        if state.maker.as_ref().is_none_or(Maker::is_broken) {
            state.maker = self.maker();
        }
        state.await_layout(topology, picture);
    }

    /// Lays everything out anew, at the reader's wish.
    pub fn tidy(&self) {
        self.with(|state| {
            if state.awaited.is_some() {
                return;
            }
            let Some(picture) = state.picture.clone() else { return };
            let topology = state.topology.clone();
            state.touched = false;
            if topology.is_large() {
                self.await_layout(state, topology, picture);
            } else {
                let layout = state.fresh(&topology);
                state.take(topology, layout, picture);
            }
        });
    }

    /// A worker whose layouts this stage shows. When it breaks, the stage lays out by itself.
    fn maker(&self) -> Option<Maker> {
        let (here, alone) = (Rc::downgrade(&self.0), Rc::downgrade(&self.0));
        let made = move |turn, layout| {
            let Some(stage) = here.upgrade().map(Self) else { return };
            browser::mark("weft.aside");
            stage.with(|state| {
                if let Some(awaited) = state.awaited.take_if(|awaited| awaited.turn == turn) {
                    state.take(awaited.topology, layout, awaited.picture);
                }
            });
        };
        let failed = move || {
            let Some(stage) = alone.upgrade().map(Self) else { return };
            stage.with(|state| {
                if let Some(awaited) = state.awaited.take() {
                    let layout = anew(&awaited.topology, Direction::Right);
                    state.take(awaited.topology, layout, awaited.picture);
                }
            });
        };
        Maker::start(made, failed)
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

    /// Marks what is selected: `node:<id>`, `edge:<id>` or nothing.
    pub fn select(&self, what: &str) {
        self.with(|state| {
            if state.selected != what {
                what.clone_into(&mut state.selected);
                state.show_selected();
            }
        });
    }

    /// Shows everything beside the panel, which has come or gone by now; where the reader chose what is seen, the view moves
    /// as little as is needed to see what is selected.
    pub fn reveal(&self) {
        self.with(State::frame);
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
            let rect = state.canvas[MOVING].get_bounding_client_rect();
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
            let outer = browser::window_size();
            if outer != state.window || state.picture.is_none() {
                state.window = outer;
                state.orient();
            }
            // A panel that opens takes room away.
            state.frame();
        });
    }

    /// Has `change` move the view, and asks for a frame.
    fn shift(&self, change: impl FnOnce(&mut State)) {
        {
            let mut state = self.0.borrow_mut();
            state.touched = true;
            state.moved_ms = browser::now();
            change(&mut state);
        }
        self.wake();
    }

    /// Moves the view by so many pixels.
    pub fn pan(&self, by: Point) {
        self.shift(|state| state.view.pan(by));
    }

    /// Zooms around a point of the canvas, its middle by default.
    pub fn zoom(&self, factor: f64, anchor: Option<Point>) {
        self.shift(|state| {
            let middle = Point::new(state.size.0 / 2.0, state.size.1 / 2.0);
            state.view.zoom(factor, anchor.unwrap_or(middle));
        });
    }

    /// One step closer or further.
    pub fn step(&self, closer: bool) {
        self.zoom(if closer { STEP } else { 1.0 / STEP }, None);
    }

    /// Makes room for what lies over the canvas by now, unless the reader chose what is seen.
    pub fn make_room(&self) {
        self.with(State::fit_unless_touched);
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
            at.and_then(|at| state.scene.hit(state.view.scene(at), SLACK / state.view.scale, state.view.scale))
        };
        if self.0.borrow().hover != hit {
            self.with(|state| state.hover = hit.clone());
        }
        hit
    }

    /// The name of what was met, as the address has it, and the words that hovering says.
    pub fn describe(&self, hit: &Hit) -> Option<(String, Vec<String>)> {
        let state = self.0.borrow();
        match hit {
            Hit::Box(index) => {
                let shape = state.scene.boxes.get(*index)?;
                let lines = vec![fold::title(&shape.key), "Press to fold it into one node.".to_owned()];
                Some((format!("box:{}", shape.key), lines))
            }
            Hit::Node(index, mark) => {
                let node = state.scene.nodes.get(*index)?;
                let mut lines = vec![match fold::folded(&node.id) {
                    Some(key) => {
                        let members = crate::format::plural(node.members, "node", "nodes");
                        format!("{}, folded: {members}", fold::title(key))
                    }
                    None => node.id.clone(),
                }];
                let told = |mark: &Mark| mark.text.lines().map(str::to_owned).collect::<Vec<_>>();
                match mark.and_then(|mark| node.marks.get(mark)) {
                    Some(mark) => lines = told(mark),
                    None => {
                        let picture = state.picture.as_ref();
                        lines.extend(picture.and_then(|all| Some(numbers(all.node(&node.id)?, &all.graph.edges))));
                        lines.extend(node.marks.iter().flat_map(told));
                    }
                }
                Some((format!("node:{}", node.id), lines))
            }
            Hit::Edge(index) => {
                let shape = state.scene.edges.get(*index)?;
                let edge = state.picture.as_ref()?.edge(&shape.id)?;
                let numbers = format!(
                    "{} · {} errors · {} p95",
                    crate::format::rate(edge.rate, edge.counted()),
                    crate::format::maybe(edge.error_share, crate::format::share),
                    crate::format::maybe(edge.p95_ms, crate::format::millis),
                );
                let lock = crate::words::lock_sentence(edge.lock, edge.plaintext_share);
                let name = format!("{} → {}", edge.source, edge.destination);
                Some((format!("edge:{}", edge.id), vec![name, numbers, lock]))
            }
        }
    }

    /// Where on the canvas a node, an edge or a box stands.
    pub fn place_of(&self, name: &str) -> Option<Point> {
        let state = self.0.borrow();
        let at = match state.named(name)? {
            Hit::Node(index, _) => state.scene.nodes.get(index)?.rect.centre(),
            Hit::Edge(index) => {
                let curve = &state.scene.edges.get(index)?.curve;
                curve.at(curve.length() / 2.0)
            }
            Hit::Box(index) => state.scene.boxes.get(index)?.handle(state.view.scale).centre(),
        };
        Some(state.view.screen(at))
    }

    /// What is drawn, with the colours that it is drawn in.
    pub fn scene(&self) -> (Scene, Ink) {
        let state = self.0.borrow();
        (state.scene.clone(), state.palette.ink())
    }

    /// The scene on a canvas of its own, twice as large as life but at most `limit` pixels wide or high; `None` when the
    /// browser gives none, or when nothing is drawn.
    pub fn picture(&self, canvas: &HtmlCanvasElement, limit: f64) -> Option<()> {
        let state = self.0.borrow();
        let bounds: Rect = state.scene.bounds()?.grow(24.0);
        let ratio = (limit / bounds.w.max(bounds.h)).min(2.0);
        canvas.set_width((bounds.w * ratio).round() as u32);
        canvas.set_height((bounds.h * ratio).round() as u32);
        state.portrait(&pen(canvas)?, bounds, ratio);
        Some(())
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
