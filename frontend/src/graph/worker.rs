//! Large graphs are laid out beside the page's own thread: the same module, started once more in a worker, answers
//! topologies with layouts, so that the page stays responsive meanwhile.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use leptos::prelude::document;
use wasm_bindgen::{JsCast, JsValue, closure::Closure};
use web_sys::{DedicatedWorkerGlobalScope, Event, MessageEvent, WorkerOptions, WorkerType};

use super::{
    layout::{Direction, Layout, Topology, anew},
    memory::Stored,
};

/// What a worker says first: what is sent before would be lost.
const READY: &str = "ready";

/// What is asked: which turn it is, nodes and edges of the topology.
type Asked = (u64, Vec<(String, String)>, Vec<(usize, usize)>);

/// A worker that lays out.
pub struct Maker {
    worker: web_sys::Worker,
    ready: Rc<Cell<bool>>,
    waiting: Rc<RefCell<Option<String>>>,
    broken: Rc<Cell<bool>>,
    _heard: Closure<dyn FnMut(MessageEvent)>,
    _broken: Closure<dyn FnMut(Event)>,
}

impl Drop for Maker {
    fn drop(&mut self) {
        self.worker.terminate();
    }
}

impl Maker {
    /// Starts one. `made` hears of each layout with its turn, and `failed` when no more are to come. `None` when the
    /// browser gives no worker.
    pub fn start(made: impl Fn(u64, Layout) + 'static, failed: impl Fn() + 'static) -> Option<Self> {
        let script = document().query_selector("script[type=module][src]").ok().flatten()?.get_attribute("src")?;
        let options = WorkerOptions::new();
        options.set_type(WorkerType::Module);
        let worker = web_sys::Worker::new_with_options(&script, &options).ok()?;
        let ready = Rc::new(Cell::new(false));
        let waiting: Rc<RefCell<Option<String>>> = Rc::default();
        let (first, asked, sender) = (ready.clone(), waiting.clone(), worker.clone());
        let heard = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
            let Some(text) = event.data().as_string() else { return };
            if text == READY {
                first.set(true);
                if let Some(text) = asked.take() {
                    // Fails only for what cannot be copied, which a text can.
                    let _ = sender.post_message(&JsValue::from_str(&text));
                }
            } else if let Ok((turn, stored)) = serde_json::from_str::<(u64, Stored)>(&text) {
                made(turn, stored.layout(Direction::Right));
            }
        });
        let broken = Rc::new(Cell::new(false));
        let ended = broken.clone();
        let fails = Closure::<dyn FnMut(Event)>::new(move |_| {
            ended.set(true);
            failed();
        });
        worker.set_onmessage(Some(heard.as_ref().unchecked_ref()));
        worker.set_onerror(Some(fails.as_ref().unchecked_ref()));
        Some(Self { worker, ready, waiting, broken, _heard: heard, _broken: fails })
    }

    /// Whether it answers no more, such as an old page's whose script the server has no more.
    pub fn is_broken(&self) -> bool {
        self.broken.get()
    }

    /// Has a topology laid out anew.
    pub fn ask(&self, turn: u64, topology: &Topology) {
        let Ok(text) = serde_json::to_string(&(turn, &topology.nodes, &topology.edges)) else { return };
        if self.ready.get() {
            let _ = self.worker.post_message(&JsValue::from_str(&text));
        } else {
            // Of several only the newest is still wanted.
            self.waiting.replace(Some(text));
        }
    }
}

/// Serves as a worker if this is one; the answer says so.
pub fn serve() -> bool {
    let Ok(scope) = js_sys::global().dyn_into::<DedicatedWorkerGlobalScope>() else { return false };
    let answer = scope.clone();
    let heard = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
        let text = event.data().as_string().unwrap_or_default();
        let Ok((turn, nodes, edges)) = serde_json::from_str::<Asked>(&text) else { return };
        let layout = anew(&Topology { nodes, edges }, Direction::Right);
        if let Ok(text) = serde_json::to_string(&(turn, Stored::of(&layout))) {
            let _ = answer.post_message(&JsValue::from_str(&text));
        }
    });
    scope.set_onmessage(Some(heard.as_ref().unchecked_ref()));
    heard.forget();
    let _ = scope.post_message(&JsValue::from_str(READY));
    true
}
