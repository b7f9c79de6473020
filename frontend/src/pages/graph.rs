//! The graph's room: canvas, list, panel.

mod applies;
mod board;
mod changes;
mod edge;
mod explain;
mod export;
mod finder;
mod latency;
mod legend;
mod menu;
mod mirror;
mod node;
mod replay;
mod saved;
mod toolbar;
mod traffic;
mod trends;

use std::sync::Arc;

use leptos::prelude::*;

use crate::{
    api, command,
    components::{
        attention,
        copy::curl,
        placeholder::{Failure, Old, Partial, Skeleton},
        shape::Glyph,
    },
    graph::{
        picture::{Picture, picture},
        query::{Query, QueryError},
        stage::Stage,
    },
    icons::Icon,
    keys::Zoom,
    live::renewal::{self, Resource},
    location::{View, graph::GraphView},
    state::{App, app},
};
use board::Board;
use edge::EdgePanel;
use menu::{Menu, Opened};
use mirror::Mirror;
use node::NodePanel;
use replay::Replay;
use toolbar::Toolbar;

/// What is drawn, and what it was made of.
#[derive(Clone, Copy)]
pub struct Shown(pub Memo<Option<Arc<Picture>>>);

/// The expressions of the two fields: what was understood last, and what is wrong with what stands there now.
#[derive(Clone, Copy)]
pub struct Asked {
    /// What is looked for.
    pub find: Memo<Answer>,
    /// What is left out.
    pub hide: Memo<Answer>,
}

/// An expression that was understood, and an error.
pub type Answer = (Option<Query>, Option<QueryError>);

/// The canvas' stage, for what asks it where things stand.
#[derive(Clone, Copy)]
pub struct OnStage(pub StoredValue<Option<Stage>, LocalStorage>);

/// Reads what is typed. While it cannot be understood, what was understood before stays in force, so that the graph does
/// not jump with each letter.
fn asked(app: App, text: fn(&View) -> &String) -> Memo<Answer> {
    let typed = Memo::new(move |_| app.view.with(|view| text(view).clone()));
    Memo::new(move |before: Option<&Answer>| match Query::parse(&typed.get()) {
        Ok(query) => (query, None),
        Err(error) => (before.and_then(|(query, _)| query.clone()), Some(error)),
    })
}

/// The part of the view that decides about what is drawn.
fn wish(view: &View) -> View {
    let plain =
        GraphView { locks: false, list: false, legend: false, explain: false, labels: vec![], ..view.graph.clone() };
    View { namespaces: view.namespaces.clone(), graph: plain, ..View::default() }
}

/// The room. `zoom` carries the keyboard's wishes to the canvas.
#[component]
pub fn GraphRoom(zoom: ReadSignal<Option<Zoom>>) -> impl IntoView {
    let app = app();
    let wish = Memo::new(move |_| app.view.with(wish));
    let (find, hide) = (asked(app, |view| &view.find), asked(app, |view| &view.graph.hide));
    let own = Memo::new(move |_| app.meta.with(|load| load.part(|meta| meta.cluster.clone())));
    let shown = Memo::new_with_compare(
        move |before: Option<&Option<Arc<Picture>>>| {
            let graph = app.graph.with(|load| load.value.clone())?;
            let was_large = before.and_then(Option::as_ref).is_some_and(|picture| picture.large);
            let made = wish.with(|view| {
                let made = |own: &String, find: &Answer, hide: &Answer| {
                    picture(&graph, view, own, find.0.as_ref(), hide.0.as_ref(), was_large)
                };
                own.with(|own| find.with(|find| hide.with(|hide| made(own, find, hide))))
            });
            Some(Arc::new(made))
        },
        |_, _| true,
    );
    provide_context(Shown(shown));
    provide_context(Asked { find, hide });
    provide_context(OnStage(StoredValue::new_local(None)));
    provide_context(Opened(RwSignal::new(None)));
    let focus = RwSignal::new(String::new());
    let sources = Signal::derive(move || {
        shown.with(|shown| shown.as_ref().map(|shown| shown.whole.sources.clone()).unwrap_or_default())
    });
    let loaded = Memo::new(move |_| shown.with(Option::is_some));
    let retry = Callback::new(move |()| renewal::wish(app, Resource::Graph));
    let panel = Memo::new(move |_| app.view.with(|view| view.select.clone()));
    attention::follow(panel);
    view! {
        <div class="room graph-room">
            <div class="graph-main">
                <Toolbar />
                <Partial sources=sources />
                <Old load=app.graph retry />
                <Show
                    when=move || loaded.get()
                    fallback=move || match app.graph.with(|load| load.error.clone()) {
                        Some(problem) => view! { <Failure problem retry /> }.into_any(),
                        None => view! { <Skeleton words="Asking Prometheus for the last minutes of traffic …" rows=5 /> }.into_any(),
                    }
                >
                    <div class="graph-body" class:with-list=move || app.view.with(|view| view.graph.list)>
                        <Board zoom=zoom focus=focus />
                        <Mirror focus=focus />
                    </div>
                </Show>
                <Replay />
            </div>
            {move || {
                let selected = panel.get();
                if let Some(id) = selected.strip_prefix("node:") {
                    Some(view! { <NodePanel id=id.to_owned() /> }.into_any())
                } else {
                    selected.strip_prefix("edge:").map(|id| view! { <EdgePanel id=id.to_owned() /> }.into_any())
                }
            }}
            <Menu />
        </div>
    }
}

/// The graph as JSON, and the queries that it was made of.
pub fn commands() -> Signal<Vec<(String, String)>> {
    let app = app();
    let Shown(shown) = expect_context();
    Signal::derive(move || {
        let queries = shown.with(|shown| shown.as_ref().map(|shown| shown.whole.queries.clone()).unwrap_or_default());
        let graph = app.view.with(|view| [command::graph(view), curl(&api::graph_address(view))]);
        graph.into_iter().chain(queries).collect()
    })
}

/// Closes the panel.
#[component]
pub fn ClosePanel() -> impl IntoView {
    let app = app();
    view! {
        <button class="icon-button" title="Close (Esc)" aria-label="Close" on:click=move |_| app.close_panel()>
            <Glyph icon=Icon::Close />
        </button>
    }
}
