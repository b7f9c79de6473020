//! Asks for what an event only says to be new.

use gloo_timers::callback::Timeout;
use leptos::{prelude::*, task::spawn_local};

use crate::{
    api::{self, Answer, Tagged},
    state::App,
    turns::{Next, Turns},
};

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    /// The graph that is chosen.
    Graph,
    /// All objects.
    Config,
}

/// What came: its tag or the status of the failure, and what takes it in.
type Came = (Result<String, u16>, Box<dyn FnOnce()>);

impl Resource {
    fn turns(self, app: App) -> StoredValue<Turns> {
        match self {
            Self::Graph => app.graph_turns,
            Self::Config => app.config_turns,
        }
    }

    async fn ask(self, app: App) -> Came {
        match self {
            Self::Graph => {
                let view = app.view.get_untracked();
                let (tag, answer) = split(api::graph(&view).await);
                (tag, Box::new(move || app.take_graph_of(&view, answer)))
            }
            Self::Config => {
                let (tag, answer) = split(api::config().await);
                (tag, Box::new(move || app.config.update(|load| load.settle(answer))))
            }
        }
    }
}

fn split<T>(answer: Answer<Tagged<T>>) -> (Result<String, u16>, Answer<T>) {
    match answer {
        Ok(Tagged { value, tag }) => (Ok(tag), Ok(value)),
        Err(problem) => (Err(problem.status), Err(problem)),
    }
}

/// There is another version of it. While the page is paused, that is kept in mind.
pub fn told(app: App, resource: Resource, version: &str) {
    // A moment of the past stays as it is.
    if resource == Resource::Graph && app.view.with_untracked(|view| view.graph.at_ms > 0) {
        return;
    }
    resource.turns(app).update_value(|turns| turns.told(version));
    go_on(app, resource);
}

/// Asks because the reader chose something else, or wants to try again; also while the page is paused.
pub fn wish(app: App, resource: Resource) {
    resource.turns(app).update_value(Turns::anew);
    begin(app, resource, true);
}

/// Asks for what was told and is not known yet, unless the page is paused or not looked at.
pub fn go_on(app: App, resource: Resource) {
    if app.paused.get_untracked().is_none() && !document().hidden() {
        begin(app, resource, false);
    }
}

/// A failure is shown only to whoever wished for the answer: otherwise the stream says what is wrong with the console, and
/// what is shown says how old it is.
fn begin(app: App, resource: Resource, wished: bool) {
    let turns = resource.turns(app);
    let Some(turn) = turns.try_update_value(Turns::begin).flatten() else { return };
    spawn_local(async move {
        let (tag, take) = resource.ask(app).await;
        if !turns.with_value(|turns| turns.is_present(turn)) {
            return;
        }
        if !wished && app.paused.get_untracked().is_some() {
            turns.update_value(|turns| turns.held(turn));
            return;
        }
        if wished || tag.is_ok() {
            take();
        }
        let answer = tag.as_deref().map_err(|status| *status);
        match turns.try_update_value(|turns| turns.came(turn, answer)) {
            Some(Next::Ask) => go_on(app, resource),
            Some(Next::AskIn(wait_ms)) => later(app, resource, turn, wait_ms),
            Some(Next::Rest) | None => {}
        }
    });
}

/// Asks again after a while, that not all pages do so at once.
fn later(app: App, resource: Resource, turn: u64, wait_ms: u32) {
    let wait = f64::from(wait_ms) * (0.75 + js_sys::Math::random() / 2.0);
    let again = move || {
        resource.turns(app).update_value(|turns| turns.waited(turn));
        go_on(app, resource);
    };
    Timeout::new(wait as u32, again).forget();
}
