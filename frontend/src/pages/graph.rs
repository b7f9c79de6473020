//! The graph's room: canvas, list, panel.

mod board;
mod edge;
mod mirror;
mod node;
mod toolbar;
mod traffic;

use std::sync::Arc;

use leptos::{prelude::*, task::spawn_local};
use weft_model::graph::Graph;

use crate::{
    api,
    components::{
        placeholder::{Failure, Partial, Skeleton},
        shape::Glyph,
    },
    graph::scope,
    icons::Icon,
    keys::Zoom,
    state::app,
};
use board::Board;
use edge::EdgePanel;
use mirror::Mirror;
use node::NodePanel;
use toolbar::Toolbar;

/// The graph as the chosen namespaces show it.
#[derive(Clone, Copy)]
pub struct Shown(pub Memo<Option<Arc<Graph>>>);

/// The room. `zoom` carries the keyboard's wishes to the canvas.
#[component]
pub fn GraphRoom(zoom: ReadSignal<Option<Zoom>>) -> impl IntoView {
    let app = app();
    let namespaces = Memo::new(move |_| app.view.with(|view| view.namespaces.clone()));
    let shown = Memo::new_with_compare(
        move |_| {
            namespaces.track();
            let graph = app.graph.with(|load| load.value.clone())?;
            Some(Arc::new(app.view.with_untracked(|view| scope::within(&graph, view))))
        },
        |_, _| true,
    );
    provide_context(Shown(shown));
    let focus = RwSignal::new(String::new());
    let sources = Signal::derive(move || {
        shown.with(|graph| graph.as_ref().map(|graph| graph.sources.clone()).unwrap_or_default())
    });
    let loaded = Memo::new(move |_| shown.with(Option::is_some));
    let retry = Callback::new(move |()| {
        let window_s = app.view.with_untracked(|view| view.window_s);
        spawn_local(async move { app.take_graph(api::graph(window_s).await) });
    });
    let panel = Memo::new(move |_| app.view.with(|view| view.select.clone()));
    view! {
        <div class="room graph-room">
            <div class="graph-main">
                <Toolbar />
                <Partial sources=sources />
                <Show
                    when=move || loaded.get()
                    fallback=move || match app.graph.with(|load| load.error.clone()) {
                        Some(problem) => view! { <Failure problem retry /> }.into_any(),
                        None => view! { <Skeleton words="Asking Prometheus for the last minutes of traffic …" rows=5 /> }.into_any(),
                    }
                >
                    <div class="graph-body" class:with-list=move || app.view.with(|view| view.list)>
                        <Board zoom=zoom focus=focus />
                        <Mirror focus=focus />
                    </div>
                </Show>
            </div>
            {move || {
                let selected = panel.get();
                if let Some(id) = selected.strip_prefix("node:") {
                    Some(view! { <NodePanel id=id.to_owned() /> }.into_any())
                } else {
                    selected.strip_prefix("edge:").map(|id| view! { <EdgePanel id=id.to_owned() /> }.into_any())
                }
            }}
        </div>
    }
}

/// Closes the panel.
#[component]
pub fn ClosePanel() -> impl IntoView {
    let app = app();
    view! {
        <button class="icon-button" title="Close (Esc)" aria-label="Close" on:click=move |_| app.change(|view| view.select.clear())>
            <Glyph icon=Icon::Close />
        </button>
    }
}
