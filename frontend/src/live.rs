//! The event stream: connects, reconnects with backoff, and hands each event to the shared state.

pub mod renewal;

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use gloo_timers::callback::Timeout;
use leptos::{ev, prelude::*};
use serde::de::DeserializeOwned;
use wasm_bindgen::{JsCast, closure::Closure};
use web_sys::{Event, EventSource, MessageEvent};
use weft_model::{canary::Canaries, config::Status, events::Renewed};

use self::renewal::Resource;
use crate::{
    api, browser,
    state::{App, Link},
};

/// First and longest wait before another try, in milliseconds.
const WAIT: (f64, f64) = (1_000.0, 30_000.0);

/// One connection with its listeners; dropping it closes it.
struct Stream {
    source: EventSource,
    _listeners: Vec<Closure<dyn FnMut(Event)>>,
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.source.close();
    }
}

#[derive(Default)]
struct Connection {
    stream: Option<Stream>,
    retry: Option<Timeout>,
    failures: i32,
    /// Whether it was asked why the console refuses it.
    asked: bool,
    /// By event, what takes in the last one that came while the page was paused: none is sent twice.
    missed: BTreeMap<&'static str, Box<dyn FnOnce()>>,
}

/// Keeps a stream open for the window that is chosen, as long as the page is looked at. A browser gives all tabs of a
/// console together six connections over HTTP/1.1, and a stream keeps one: with six tabs open the seventh would wait for
/// ever, so a tab in the background lets its own go, and so does a page that was left but is kept for the way back.
pub fn start(app: App) {
    let connection = Rc::new(RefCell::new(Connection::default()));
    let on = |name: &'static str, act: fn(App, &Rc<RefCell<Connection>>)| {
        let connection = connection.clone();
        window_event_listener(ev::Custom::<Event>::new(name), move |_| act(app, &connection));
    };
    on("visibilitychange", wake);
    on("pageshow", wake);
    on("pagehide", rest);
    let resumed = connection.clone();
    Effect::new(move |_| {
        app.paused.track();
        catch_up(app, &resumed);
    });
    let wanted = Memo::new(move |_| app.view.with(|view| (view.window_s, view.graph.nodes)));
    Effect::new(move |_| {
        // Read, not only tracked: a memo that nobody has read follows nothing yet.
        let _ = wanted.get();
        connection.borrow_mut().failures = 0;
        connect(app, &connection);
    });
}

/// Catches up with what came while the page was paused, or not looked at.
fn catch_up(app: App, connection: &Rc<RefCell<Connection>>) {
    if app.paused.get_untracked().is_some() {
        return;
    }
    let missed = std::mem::take(&mut connection.borrow_mut().missed);
    missed.into_values().for_each(|act| act());
    for resource in [Resource::Graph, Resource::Config] {
        renewal::go_on(app, resource);
    }
}

/// Opens the stream if the page is looked at and has none, and closes it if it is not.
fn wake(app: App, connection: &Rc<RefCell<Connection>>) {
    if document().hidden() {
        rest(app, connection);
        return;
    }
    if connection.borrow().stream.is_none() {
        connect(app, connection);
    }
    catch_up(app, connection);
}

/// Closes the stream until somebody looks again.
fn rest(app: App, connection: &Rc<RefCell<Connection>>) {
    *connection.borrow_mut() = Connection::default();
    app.link.set(Link::Connecting);
}

fn connect(app: App, connection: &Rc<RefCell<Connection>>) {
    app.link.set(Link::Connecting);
    if document().hidden() {
        return;
    }
    let address = app.view.with_untracked(|view| api::events(view.window_s, view.graph.nodes));
    let Ok(source) = EventSource::new(&address) else {
        retry(app, connection);
        return;
    };
    let mut listeners = Vec::new();
    let mut listen = |name: &str, act: Box<dyn FnMut(Event)>| {
        let closure = Closure::wrap(act);
        // Fails only for a listener that is no function.
        let _ = source.add_event_listener_with_callback(name, closure.as_ref().unchecked_ref());
        listeners.push(closure);
    };
    let opened = connection.clone();
    listen(
        "open",
        Box::new(move |_| {
            let mut state = opened.borrow_mut();
            (state.failures, state.asked) = (0, false);
            app.link.set(Link::Live);
            app.refusal.set(None);
        }),
    );
    let failed = connection.clone();
    listen("error", Box::new(move |_| retry(app, &failed)));
    let state = connection.clone();
    let mut hear = |name: &'static str, act: Take| {
        let state = state.clone();
        listen(name, Box::new(move |event| act(app, &state, name, &event)));
    };
    hear("status", |app, state, name, event| {
        take(app, state, name, event, |app, status: Status| app.status.update(|load| load.settle(Ok(status))));
    });
    hear("graph", |app, state, name, event| {
        take(app, state, name, event, |app, news: Renewed| renewal::told(app, Resource::Graph, &news.version));
    });
    hear("canaries", |app, state, name, event| {
        take(app, state, name, event, |app, list: Canaries| app.canaries.update(|load| load.settle(Ok(list))));
    });
    hear("config", |app, state, name, event| {
        take(app, state, name, event, |app, news: Renewed| renewal::told(app, Resource::Config, &news.version));
    });
    let mut connection = connection.borrow_mut();
    connection.retry = None;
    connection.stream = Some(Stream { source, _listeners: listeners });
}

/// Takes an event in.
type Take = fn(App, &Rc<RefCell<Connection>>, &'static str, &Event);

/// Hands an event's data on. While the page is paused nothing changes on it, and the last of each name is kept for later.
fn take<T: DeserializeOwned + 'static>(
    app: App,
    connection: &Rc<RefCell<Connection>>,
    name: &'static str,
    event: &Event,
    act: fn(App, T),
) {
    if app.link.get_untracked() != Link::Live {
        app.link.set(Link::Live);
    }
    let data = event.dyn_ref::<MessageEvent>().and_then(|message| message.data().as_string());
    match data.as_deref().map(serde_json::from_str) {
        Some(Ok(value)) if app.paused.get_untracked().is_some() => {
            connection.borrow_mut().missed.insert(name, Box::new(move || act(app, value)));
        }
        Some(Ok(value)) => act(app, value),
        Some(Err(error)) => leptos::logging::warn!("event {name} cannot be read: {error}"),
        None => {}
    }
}

/// Closes what is left of the connection and tries again later. The browser's own reconnection gives up for good on an
/// answer that is no stream, so it is not relied on. Each try is one question.
fn retry(app: App, connection: &Rc<RefCell<Connection>>) {
    let mut state = connection.borrow_mut();
    if state.retry.is_some() {
        return;
    }
    // A stream that breaks off, or that nobody answers, would be tried again; one that is refused is over.
    let refused = state.stream.as_ref().is_some_and(|stream| stream.source.ready_state() == EventSource::CLOSED);
    // The stream's own listener runs now, so the stream is dropped a moment later.
    if let Some(stream) = &state.stream {
        stream.source.close();
    }
    if !refused {
        state.asked = false;
        app.refusal.set(None);
    } else if !state.asked {
        state.asked = true;
        ask_why(app, connection.clone());
    }
    let wait = (WAIT.0 * 2f64.powi(state.failures)).min(WAIT.1) * (0.75 + js_sys::Math::random() / 2.0);
    state.failures = (state.failures + 1).min(8);
    let again = connection.clone();
    state.retry = Some(Timeout::new(wait as u32, move || connect(app, &again)));
    app.link.set(Link::Lost(browser::now() + wait));
}

/// Learns why the console refuses the stream, which a stream does not say itself: that nobody is signed in any more, or what
/// is wrong with listening. Asked once for as long as it is refused.
fn ask_why(app: App, connection: Rc<RefCell<Connection>>) {
    leptos::task::spawn_local(async move {
        let address = app.view.with_untracked(|view| api::events(view.window_s, view.graph.nodes));
        let refusal = api::refusal(&address).await;
        // This time it was let in, or nobody answered: the next refusal may have another reason.
        if refusal.is_none() {
            connection.borrow_mut().asked = false;
        }
        if app.link.get_untracked() != Link::Live {
            app.refusal.set(refusal);
        }
    });
}
