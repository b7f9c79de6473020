//! The graph as a list of buttons: for the keyboard, for screen readers, for whoever prefers tables. It is always in the
//! document and seen on request.

use leptos::prelude::*;
use weft_model::graph::{Edge, Graph, Health, Lock, Node, called};

use super::{OnStage, Shown, menu::Opened};
use crate::{
    browser,
    components::shape::HealthShape,
    format,
    graph::{
        fold,
        scene::{call_rate, traffic},
    },
    state::app,
    words,
};

/// Rows of each list that are there without being asked for.
const ROWS: usize = 300;

/// Nodes and edges. What has the focus is lit up on the canvas.
#[component]
pub fn Mirror(focus: RwSignal<String>) -> impl IntoView {
    let app = app();
    let Shown(shown) = expect_context();
    let ids = move |part: fn(&Graph) -> Vec<String>| {
        Memo::new(move |_| shown.with(|graph| graph.as_deref().map(|shown| part(&shown.graph)).unwrap_or_default()))
    };
    // Thousands of rows would take longer to make than the graph to draw; who wants them asks for them.
    let all = RwSignal::new((false, false));
    let first = |ids: Memo<Vec<String>>, all: bool| {
        let most = if all { usize::MAX } else { ROWS };
        ids.with(|ids| ids.iter().take(most).cloned().collect::<Vec<_>>())
    };
    let rest = move |ids: Memo<Vec<String>>| move || ids.with(Vec::len).saturating_sub(ROWS);
    let node_ids = ids(|graph| graph.nodes.iter().map(|node| node.id.clone()).collect());
    let edge_ids = ids(|graph| graph.edges.iter().map(|edge| edge.id.clone()).collect());
    view! {
        <div class="mirror" class:seen=move || app.view.with(|view| view.graph.list) role="region" aria-label="Graph as a list">
            <Boxes />
            <h2>"Nodes"</h2>
            <ul data-testid="graph-nodes">
                <For each=move || first(node_ids, all.get().0) key=|id| id.clone() let:id>
                    <NodeRow id=id focus=focus />
                </For>
            </ul>
            <More rest=Signal::derive(rest(node_ids)) shown=Signal::derive(move || all.get().0) show=Callback::new(move |()| all.update(|all| all.0 = true)) />
            <h2>"Calls"</h2>
            <ul data-testid="graph-edges">
                <For each=move || first(edge_ids, all.get().1) key=|id| id.clone() let:id>
                    <EdgeRow id=id focus=focus />
                </For>
            </ul>
            <More rest=Signal::derive(rest(edge_ids)) shown=Signal::derive(move || all.get().1) show=Callback::new(move |()| all.update(|all| all.1 = true)) />
        </div>
    }
}

/// The button that shows the rows beyond the first.
#[component]
fn More(rest: Signal<usize>, shown: Signal<bool>, show: Callback<()>) -> impl IntoView {
    view! {
        <Show when=move || !shown.get() && rest.get() != 0>
            <button class="link more-rows" data-row="" on:click=move |_| show.run(())>
                {move || format!("Show {} more", format::count(rest.get() as u64))}
            </button>
        </Show>
    }
}

/// Clusters, if there are several, and namespaces, each with a button that folds it.
#[component]
fn Boxes() -> impl IntoView {
    let app = app();
    let Shown(shown) = expect_context();
    let boxes =
        Memo::new(move |_| shown.with(|shown| shown.as_ref().map(|shown| shown.boxes.clone()).unwrap_or_default()));
    let several = move || boxes.with(|boxes| boxes.iter().any(|(key, _)| fold::is_cluster(key).is_some()));
    view! {
        <h2>{move || if several() { "Clusters and namespaces" } else { "Namespaces" }}</h2>
        <ul data-testid="graph-boxes">
            <For each=move || boxes.get() key=|(name, _)| name.clone() let:entry>
                {
                    let name = entry.0;
                    let (own, chosen, words) = (name.clone(), name.clone(), fold::words(&name));
                    let folded = Memo::new(move |_| boxes.with(|boxes| boxes.iter().any(|(other, folded)| *other == chosen && *folded)));
                    view! {
                        <li data-box=name.clone() data-folded=move || folded.get().to_string()>
                            <button
                                data-row=""
                                aria-expanded=move || (!folded.get()).to_string()
                                on:click=move |_| app.change(|view| view.graph.fold(&own, !folded.get_untracked()))
                            >
                                <span class="grow name">{words}</span>
                                <span class="quiet">{move || if folded.get() { "folded" } else { "open" }}</span>
                            </button>
                        </li>
                    }
                }
            </For>
        </ul>
    }
}

#[component]
fn NodeRow(id: String, focus: RwSignal<String>) -> impl IntoView {
    let Shown(shown) = expect_context();
    let wanted = id.clone();
    let node: Memo<Option<Node>> = Memo::new(move |_| shown.with(|shown| shown.as_ref()?.node(&wanted).cloned()));
    let read = move |part: fn(&Node) -> String| move || node.with(|node| node.as_ref().map(part).unwrap_or_default());
    let health = Signal::derive(move || node.with(|node| node.as_ref().map(|node| node.health).unwrap_or_default()));
    let label = called(&id);
    view! {
        <li
            data-node=id.clone()
            data-health=move || words::health(health.get())
            data-rate=read(|node| format!("{:.3}", node.rate_in))
            data-badges=read(|node| node.badges.iter().map(|badge| badge.kind.clone()).collect::<Vec<_>>().join(" "))
        >
            <Target what=format!("node:{id}") focus=focus health=health>
                <span class="grow name">{label.clone()}</span>
                <span class="quiet">{read(marks)}</span>
                <span class="numeral">{read(traffic)}</span>
                <span class="numeral">{read(|node| errors(node.error_share, node.client_error_share))}</span>
            </Target>
        </li>
    }
}

#[component]
fn EdgeRow(id: String, focus: RwSignal<String>) -> impl IntoView {
    let Shown(shown) = expect_context();
    let wanted = id.clone();
    let edge: Memo<Option<Edge>> = Memo::new(move |_| shown.with(|shown| shown.as_ref()?.edge(&wanted).cloned()));
    let read = move |part: fn(&Edge) -> String| move || edge.with(|edge| edge.as_ref().map(part).unwrap_or_default());
    let health = Signal::derive(move || edge.with(|edge| edge.as_ref().map(|edge| edge.health).unwrap_or_default()));
    view! {
        <li
            data-edge=id.clone()
            data-health=move || words::health(health.get())
            data-lock=read(|edge| words::lock(edge.lock).to_owned())
            data-plaintext=read(|edge| edge.plaintext_share.map(|share| format!("{share:.4}")).unwrap_or_default())
            data-rate=read(|edge| format!("{:.3}", edge.rate))
        >
            <Target what=format!("edge:{id}") focus=focus health=health>
                <span class="grow name">{read(|edge| format!("{} → {}", called(&edge.source), called(&edge.destination)))}</span>
                <span class="quiet">{read(lock_words)}</span>
                <span class="numeral">{read(call_rate)}</span>
                <span class="numeral">{read(|edge| errors(edge.error_share, edge.client_error_share))}</span>
                <span class="numeral">{read(|edge| format!("{} p95", format::maybe(edge.p95_ms, format::millis)))}</span>
            </Target>
        </li>
    }
}

/// The button of a row: it opens the panel of `what`, and the canvas lights that up while the button has the focus.
#[component]
fn Target(what: String, focus: RwSignal<String>, health: Signal<Health>, children: Children) -> impl IntoView {
    let app = app();
    let OnStage(stage) = expect_context();
    let Opened(opened) = expect_context();
    let (select, focused, pressed, asked) = (what.clone(), what.clone(), what.clone(), what);
    // By the right button or by the keyboard: beside the pointer, or where the thing itself is drawn.
    let menu = move |event: leptos::ev::MouseEvent| {
        event.prevent_default();
        let seen = app.view.with_untracked(|view| view.graph.list);
        let corner = browser::find("[data-testid=graph-canvas]").map(|board| board.get_bounding_client_rect());
        let drawn = stage.with_value(|stage| stage.as_ref()?.place_of(&asked)).zip(corner);
        let at = match drawn.filter(|_| !seen) {
            Some((point, corner)) => (point.x + corner.x(), point.y + corner.y()),
            None => (event.client_x().into(), event.client_y().into()),
        };
        opened.set(Some((asked.clone(), at.0, at.1)));
    };
    view! {
        <button
            data-row=""
            aria-pressed=move || app.view.with(|view| view.select == pressed).to_string()
            on:click=move |_| app.change(|view| view.select.clone_from(&select))
            on:contextmenu=menu
            on:focus=move |_| focus.set(focused.clone())
            on:blur=move |_| focus.set(String::new())
        >
            <HealthShape health=health />
            {children()}
        </button>
    }
}

fn marks(node: &Node) -> String {
    node.badges.iter().map(|badge| words::badge(&badge.kind)).collect::<Vec<_>>().join(", ")
}

/// What fails and, where there is any, what is refused: either can be why a health stands there.
fn errors(share: Option<f64>, refused: f64) -> String {
    let errors = format!("{} errors", format::maybe(share, format::share));
    if refused > 0.0 { format!("{errors}, {} refused", format::share(refused)) } else { errors }
}

fn lock_words(edge: &Edge) -> String {
    match edge.lock {
        Lock::Mtls => "mutual TLS".to_owned(),
        Lock::Unknown => "encryption not known".to_owned(),
        Lock::Mixed | Lock::Plaintext => format!("{} plaintext", format::maybe(edge.plaintext_share, format::share)),
    }
}
