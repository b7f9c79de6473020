//! The menu of one node, call or box: by the right button, or by the keyboard's menu key on its row of the list.

use leptos::{ev, html::Div, prelude::*, task::spawn_local};
use wasm_bindgen::JsCast;
use web_sys::HtmlElement;
use weft_model::wizard::WizardKind;

use super::Shown;
use crate::{
    browser,
    graph::{fold, query, ways},
    location::{Room, View},
    state::{App, app},
    workloads::about,
};

/// What the menu is of (`node:…`, `edge:…`, `box:…`, empty for the canvas), and where it stands in the window.
#[derive(Clone, Copy)]
pub struct Opened(pub RwSignal<Option<(String, f64, f64)>>);

/// Width of a menu, for keeping it within the window.
const WIDTH: f64 = 330.0;

#[derive(Clone)]
enum Act {
    /// Changes the view in place.
    Change(std::sync::Arc<dyn Fn(&mut View) + Send + Sync>),
    /// Goes to another room.
    Enter(Room, std::sync::Arc<dyn Fn(&mut View) + Send + Sync>),
    /// Copies a text.
    Copy(String),
}

type Item = (&'static str, &'static str, Act);

fn change(act: impl Fn(&mut View) + Send + Sync + 'static) -> Act {
    Act::Change(std::sync::Arc::new(act))
}

fn enter(room: Room, act: impl Fn(&mut View) + Send + Sync + 'static) -> Act {
    Act::Enter(room, std::sync::Arc::new(act))
}

/// Selects what is given and makes a link to exactly that.
fn link(app: App, what: &str) -> Act {
    let view = app.view.with_untracked(|view| View { select: what.to_owned(), ..view.clone() });
    Act::Copy(browser::link(&view.fragment()))
}

/// Selects what is given and explains it.
fn explain(what: &str) -> Act {
    let what = what.to_owned();
    change(move |view| {
        view.select.clone_from(&what);
        view.graph.explain = true;
    })
}

/// What a form does, as the menu says it.
fn form(kind: WizardKind) -> &'static str {
    match kind {
        WizardKind::TrafficShifting => "Shift its traffic between versions",
        WizardKind::RequestRouting => "Route its requests",
        WizardKind::Faults => "Inject faults",
        WizardKind::Timeouts => "Set timeouts and retries",
        WizardKind::CircuitBreaking => "Bound its connections",
        WizardKind::PeerAuthentication => "Demand mutual TLS",
        WizardKind::AuthorizationPolicy => "Say who may call it",
    }
}

/// What can be done with something.
fn items(app: App, target: &str, picture: &crate::graph::picture::Picture) -> Vec<Item> {
    let mut out: Vec<Item> = Vec::new();
    if let Some(id) = target.strip_prefix("node:") {
        let node = picture.graph.nodes.iter().find(|node| node.id == id).cloned().unwrap_or_default();
        let focused = app.view.with_untracked(|view| view.graph.focus == id);
        let (own, hidden) = (id.to_owned(), node.clone());
        if focused {
            out.push(("End the focus", "f", change(|view| view.graph.focus.clear())));
        } else {
            out.push((
                "Focus: only what it calls and who calls it",
                "f",
                change(move |view| view.graph.focus.clone_from(&own)),
            ));
        }
        if let Some(key) = fold::folded(id).map(str::to_owned) {
            out.push(("Open the box", "", change(move |view| view.graph.fold(&key, false))));
        } else if let Some(key) = fold::namespace(&node) {
            out.push(("Fold its namespace", "", change(move |view| view.graph.fold(&key, true))));
        }
        if !node.cluster.is_empty() {
            let key = fold::cluster(&node.cluster);
            out.push(("Fold its cluster", "", change(move |view| view.graph.fold(&key, true))));
        }
        out.push((
            "Hide this",
            "",
            change(move |view| {
                let this = match fold::folded(&hidden.id) {
                    Some(key) => boxed(key, &hidden.cluster),
                    None => query::exactly(&hidden.id),
                };
                view.graph.hide = query::either(&view.graph.hide, &this);
                view.select.clear();
            }),
        ));
        out.push(("Explain why calls to it fail", "e", explain(target)));
        if let Some((subject, place)) = ways::page(&node) {
            let (own, changed) = (place.clone(), about(subject, &place));
            out.push((
                "Open its page",
                "",
                enter(Room::Workloads, move |view| (view.subject, view.place) = (subject, own.clone())),
            ));
            out.push((
                "Show the configuration that applies",
                "",
                enter(Room::Workloads, move |view| {
                    (view.subject, view.place, view.tab) = (subject, place.clone(), "config".to_owned());
                }),
            ));
            out.push(("Show what was changed", "", enter(Room::Audit, move |view| view.about.clone_from(&changed))));
        }
        // Of other clusters the console has neither traces nor configuration.
        if fold::folded(id).is_none() && !node.namespace.is_empty() && !node.is_foreign() {
            let workload = node.workloads.first().cloned().unwrap_or_else(|| node.id.clone());
            out.push(("Show its traces", "", enter(Room::Traces, move |view| view.workload.clone_from(&workload))));
            for (kind, of) in ways::forms(&node) {
                out.push((
                    form(kind),
                    "",
                    enter(Room::Configuration, move |view| {
                        kind.slug().clone_into(&mut view.configuration.wizard);
                        view.configuration.of.clone_from(&of);
                    }),
                ));
            }
        }
        out.push(("Copy link", "", link(app, target)));
        out.push(("Copy name", "", Act::Copy(id.to_owned())));
    } else if let Some(id) = target.strip_prefix("edge:") {
        let edge = picture.graph.edges.iter().find(|edge| edge.id == id).cloned().unwrap_or_default();
        let (from, to, called) = (edge.source.clone(), edge.destination.clone(), edge.destination.clone());
        let (this, focus) = (query::call(&from, &to), edge.destination.clone());
        out.push(("Explain why it fails", "e", explain(target)));
        out.push(("Focus on the called one", "", change(move |view| view.graph.focus.clone_from(&focus))));
        out.push((
            "Hide this call",
            "",
            change(move |view| {
                view.graph.hide = query::either(&view.graph.hide, &this);
                view.select.clear();
            }),
        ));
        let foreign = picture.graph.nodes.iter().any(|node| node.id == called && node.is_foreign());
        if fold::folded(&called).is_none() && !foreign {
            out.push((
                "Show traces of the called one",
                "",
                enter(Room::Traces, move |view| view.workload.clone_from(&called)),
            ));
        }
        out.push(("Copy link", "", link(app, target)));
        out.push(("Copy name", "", Act::Copy(format!("{from} → {to}"))));
    } else if let Some(key) = target.strip_prefix("box:") {
        let (own, id) = (key.to_owned(), fold::id(key));
        let inside = picture.whole.nodes.iter().find(|node| fold::homes(node).any(|home| home == key));
        let this = boxed(key, inside.map(|node| node.cluster.as_str()).unwrap_or_default());
        let (focus, hide) = match fold::is_cluster(key) {
            Some(_) => ("Focus on this cluster", "Hide this cluster"),
            None => ("Focus on this namespace", "Hide this namespace"),
        };
        out.push(("Fold into one node", "", change(move |view| view.graph.fold(&own, true))));
        out.push((focus, "", change(move |view| view.graph.focus.clone_from(&id))));
        out.push((hide, "", change(move |view| view.graph.hide = query::either(&view.graph.hide, &this))));
        out.push(("Copy name", "", Act::Copy(fold::is_cluster(key).unwrap_or(key).to_owned())));
    } else {
        out.push(("Fold all namespaces", "", change(|view| view.graph.fold_all(true))));
        out.push(("Open all namespaces", "", change(|view| view.graph.fold_all(false))));
        out.push(("Show what was hidden", "", change(|view| view.graph.hide.clear())));
        out.push(("Legend", "", change(|view| view.graph.legend = !view.graph.legend)));
        out.push(("Copy link", "", Act::Copy(browser::link(&app.view.with_untracked(View::fragment)))));
    }
    out
}

/// The expression that matches what stands in a box, in a cluster where there are several.
fn boxed(key: &str, cluster: &str) -> String {
    let of = |name: &str| format!("cluster = {}", query::quoted(name));
    match fold::is_cluster(key) {
        Some(name) => of(name),
        None if cluster.is_empty() => format!("ns = {}", query::quoted(key)),
        None => {
            let name = key.split_once('@').map_or(key, |(name, _)| name);
            format!("(ns = {} and {})", query::quoted(name), of(cluster))
        }
    }
}

/// The menu, when one is open.
#[component]
pub fn Menu() -> impl IntoView {
    let app = app();
    let Opened(opened) = expect_context();
    let Shown(shown) = expect_context();
    let back: StoredValue<Option<HtmlElement>, LocalStorage> = StoredValue::new_local(None);
    let place = NodeRef::<Div>::new();
    let close = move || {
        opened.set(None);
        // The focus goes back to where the menu was asked for.
        if let Some(element) = back.try_update_value(Option::take).flatten() {
            let _ = element.focus();
        }
    };
    Effect::new(move |_| {
        // How high it is, is known by now.
        if let Some(place) = place.get() {
            let rect = place.get_bounding_client_rect();
            let top = rect.top().min(browser::window_size().1 - rect.height() - 4.0).max(4.0);
            let _ = HtmlElement::style(&place).set_property("top", &format!("{top}px"));
        }
        if let Some(first) = place.get().and_then(|place| place.query_selector("[role=menuitem]").ok().flatten()) {
            let active = document().active_element().and_then(|active| active.dyn_into::<HtmlElement>().ok());
            back.set_value(active.filter(|active| active.tag_name() != "BODY"));
            let _ = first.dyn_into::<HtmlElement>().map(|first| first.focus());
        }
    });
    let act = move |act: Act| {
        close();
        match act {
            Act::Change(change) => app.change(|view| change(view)),
            Act::Enter(room, change) => app.enter(room, |view| change(view)),
            Act::Copy(text) => spawn_local(async move {
                if browser::copy(&text).await {
                    app.toast("Copied.", false, None);
                } else {
                    app.toast(format!("The browser does not let this page copy. Copy it by hand: {text}"), true, None);
                }
            }),
        }
    };
    let keys = move |event: ev::KeyboardEvent| {
        let step = match event.key().as_str() {
            "Escape" | "Tab" => {
                close();
                event.prevent_default();
                return;
            }
            "ArrowDown" => 1,
            "ArrowUp" => -1,
            "Home" => i32::MIN,
            "End" => i32::MAX,
            _ => return,
        };
        event.prevent_default();
        event.stop_propagation();
        let Some(all) = place.get().and_then(|place| place.query_selector_all("[role=menuitem]").ok()) else { return };
        let items: Vec<HtmlElement> = (0..all.length()).filter_map(|index| all.item(index)?.dyn_into().ok()).collect();
        let active = document().active_element();
        let at = items.iter().position(|item| active.as_ref().is_some_and(|active| item.is_same_node(Some(active))));
        let count = items.len() as i32;
        let next = match step {
            i32::MIN => 0,
            i32::MAX => count - 1,
            step => (at.map_or(0, |at| at as i32 + step) + count) % count.max(1),
        };
        if let Some(item) = items.get(next as usize) {
            let _ = item.focus();
        }
    };
    move || {
        let (target, x, y) = opened.get()?;
        let all =
            shown.with_untracked(|shown| shown.as_ref().map(|shown| items(app, &target, shown)).unwrap_or_default());
        let (width, _) = browser::window_size();
        let name = target.split_once(':').map_or("Graph", |(_, name)| name).to_owned();
        Some(view! {
            <div class="menu-veil" on:pointerdown=move |_| close() on:contextmenu=move |event| { event.prevent_default(); close(); }></div>
            <div
                node_ref=place
                class="context-menu"
                role="menu"
                aria-label=name
                data-menu=""
                data-testid="context-menu"
                style:left=format!("{}px", x.min(width - WIDTH).max(4.0))
                style:top=format!("{y}px")
                on:keydown=keys
            >
                {all
                    .into_iter()
                    .map(|(words, key, what)| {
                        let what = StoredValue::new(what);
                        view! {
                            <button role="menuitem" tabindex="-1" on:click=move |_| act(what.get_value())>
                                <span class="grow">{words}</span>
                                {(!key.is_empty()).then(|| view! { <kbd>{key}</kbd> })}
                            </button>
                        }
                    })
                    .collect_view()}
            </div>
        })
    }
}
