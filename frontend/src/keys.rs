//! Keys: `g` and a letter for rooms, single keys for the rest. Fields keep their keys.

use leptos::{ev, prelude::*};
use wasm_bindgen::JsCast;
use web_sys::HtmlElement;

use crate::{
    browser,
    location::Room,
    pages::configuration::keep_editing,
    state::{App, Unfinished},
};

/// How long `g` waits for its letter.
const PATIENCE_MS: f64 = 1_200.0;

/// Keys and what they do, as the help shows them.
pub const HELP: [(&str, &str); 19] = [
    ("g g", "Graph"),
    ("g c", "Canaries"),
    ("g o", "Configuration"),
    ("g w", "Workloads"),
    ("g t", "Traces"),
    ("g m", "Mesh"),
    ("g a", "Audit"),
    ("/", "Search everything by name"),
    (".", "Pause or go on"),
    ("+  −", "Zoom the graph"),
    ("0", "Fit the graph"),
    ("Shift+←↑↓→", "Move the graph"),
    ("f", "Focus on the selected node, or show everything again"),
    ("e", "Explain why the selected node or call fails"),
    ("Menu", "What can be done with the row that has the focus"),
    ("l", "Graph as a list"),
    ("↑  ↓", "Next row of a list"),
    ("Esc", "Close what is open"),
    ("?", "This list"),
];

/// What a key asks of the graph's canvas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Zoom {
    /// Closer.
    In,
    /// Further.
    Out,
    /// Everything.
    Fit,
    /// What lies so many steps to the right and below.
    Pan(i8, i8),
}

/// Listens on the whole page. `zoom` is what the graph's room looks at.
pub fn listen(app: App, zoom: WriteSignal<Option<Zoom>>) {
    let leader = StoredValue::new(0.0);
    window_event_listener(ev::pointerdown, |event| {
        close_menus(event.target().and_then(|target| target.dyn_into::<web_sys::Node>().ok()).as_ref());
    });
    window_event_listener(ev::keydown, move |event| {
        if event.ctrl_key() || event.meta_key() || event.alt_key() {
            return;
        }
        let key = event.key();
        if key == "Escape" {
            escape(app);
            return;
        }
        if browser::is_typing() {
            return;
        }
        let after_g = browser::now() - leader.get_value() < PATIENCE_MS;
        leader.set_value(0.0);
        if let Some(room) = Room::ALL.into_iter().find(|room| after_g && room.key() == key) {
            app.enter(room, |_| {});
            event.prevent_default();
            return;
        }
        let on_graph = || app.view.with_untracked(|view| view.room == Room::Graph);
        let handled = match key.as_str() {
            "ArrowLeft" if event.shift_key() && on_graph() => ask(zoom, Zoom::Pan(-1, 0)),
            "ArrowRight" if event.shift_key() && on_graph() => ask(zoom, Zoom::Pan(1, 0)),
            "ArrowUp" if event.shift_key() && on_graph() => ask(zoom, Zoom::Pan(0, -1)),
            "ArrowDown" if event.shift_key() && on_graph() => ask(zoom, Zoom::Pan(0, 1)),
            "g" => {
                leader.set_value(browser::now());
                true
            }
            "/" => browser::find("#search").is_some_and(|field| field.focus().is_ok()),
            "." => {
                pause(app);
                true
            }
            "?" => {
                app.help.update(|shown| *shown = !*shown);
                true
            }
            "+" | "=" => ask(zoom, Zoom::In),
            "-" => ask(zoom, Zoom::Out),
            "0" => ask(zoom, Zoom::Fit),
            "l" if on_graph() => {
                app.change(|view| view.graph.list = !view.graph.list);
                true
            }
            "f" => focus(app),
            "e" if on_graph() => {
                explain(app);
                true
            }
            "ArrowDown" | "j" => step(1),
            "ArrowUp" | "k" => step(-1),
            _ => false,
        };
        if handled {
            event.prevent_default();
        }
    });
}

/// Pauses or goes on.
pub fn pause(app: App) {
    app.paused.update(|paused| *paused = if paused.is_some() { None } else { Some(browser::now()) });
}

fn ask(zoom: WriteSignal<Option<Zoom>>, what: Zoom) -> bool {
    zoom.set(Some(what));
    true
}

/// Closes the menus of the bars that are open, but for one that `within` lies in. Where the focus was in one, it goes to
/// what opened it. Whether there was any.
fn close_menus(within: Option<&web_sys::Node>) -> bool {
    let Ok(menus) = document().query_selector_all("details.menu[open]") else { return false };
    let menus = (0..menus.length()).filter_map(|index| menus.item(index)?.dyn_into::<web_sys::Element>().ok());
    let mut any = false;
    for menu in menus.filter(|menu| !menu.contains(within)) {
        any = true;
        let active = document().active_element();
        let _ = menu.remove_attribute("open");
        if active.is_some_and(|active| menu.contains(Some(&active)))
            && let Some(summary) = menu.query_selector("summary").ok().flatten()
        {
            let _ = summary.dyn_into::<HtmlElement>().map(|summary| summary.focus());
        }
    }
    any
}

/// Closes the topmost thing that is open.
fn escape(app: App) {
    if browser::find("[data-menu]").is_some() {
        // The menu closes itself.
    } else if close_menus(None) {
        // One thing at a time.
    } else if app.help.get_untracked() {
        app.help.set(false);
    } else if browser::is_typing() {
        if let Some(active) = document().active_element().and_then(|active| active.dyn_into::<HtmlElement>().ok()) {
            let _ = active.blur();
        }
    } else if app.unfinished.get_untracked() == Unfinished::Asked {
        keep_editing(app);
    } else {
        app.close_panel();
    }
}

/// Focuses the graph on the node whose row has the keyboard's focus, else on the selected one; ends it when that is so.
fn focus(app: App) -> bool {
    let row = browser::find("[data-node]:focus-within").and_then(|row| row.get_attribute("data-node"));
    let on_graph = app.view.with_untracked(|view| view.room == Room::Graph);
    let selected = app.view.with_untracked(|view| view.select.strip_prefix("node:").map(str::to_owned));
    let wanted = row.or(selected).filter(|_| on_graph);
    app.change(|view| match wanted {
        Some(id) if view.graph.focus != id => view.graph.focus = id,
        _ => view.graph.focus.clear(),
    });
    on_graph
}

/// Explains the node or the call whose row has the keyboard's focus, else the selected one; ends it when that is so.
fn explain(app: App) {
    let row = |kind: &str| {
        let row = browser::find(&format!("[data-{kind}]:focus-within"))?;
        Some(format!("{kind}:{}", row.get_attribute(&format!("data-{kind}"))?))
    };
    let selected = || Some(app.view.with_untracked(|view| view.select.clone())).filter(|select| !select.is_empty());
    let Some(wanted) = row("node").or_else(|| row("edge")).or_else(selected) else {
        app.toast("Select a node or a call first: it is what e explains.", false, None);
        return;
    };
    app.change(|view| {
        view.graph.explain = !(view.graph.explain && view.select == wanted);
        view.select = wanted;
    });
}

/// Moves the focus along elements marked as rows; without a focused one, to the first.
fn step(by: i32) -> bool {
    let Ok(rows) = document().query_selector_all("[data-row]") else { return false };
    let rows: Vec<HtmlElement> = (0..rows.length())
        .filter_map(|index| rows.item(index)?.dyn_into::<HtmlElement>().ok())
        .filter(|row| row.offset_parent().is_some())
        .collect();
    if rows.is_empty() {
        return false;
    }
    let active = document().active_element();
    let at = rows.iter().position(|row| active.as_ref().is_some_and(|active| row.is_same_node(Some(active))));
    let last = rows.len() as i32 - 1;
    let next = at.map_or(0, |at| (at as i32 + by).clamp(0, last));
    rows[next as usize].focus().is_ok()
}
