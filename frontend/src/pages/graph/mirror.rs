//! The graph as a list of buttons: for the keyboard, for screen readers, for whoever prefers tables. It is always in the
//! document and seen on request.

use leptos::prelude::*;
use weft_model::graph::{Edge, Node};

use super::Shown;
use crate::{components::shape::HealthShape, format, state::app, words};

/// Nodes and edges. What has the focus is lit up on the canvas.
#[component]
pub fn Mirror(focus: RwSignal<String>) -> impl IntoView {
    let app = app();
    let Shown(shown) = expect_context();
    let node_ids = Memo::new(move |_| {
        shown.with(|graph| {
            graph.iter().flat_map(|graph| graph.nodes.iter().map(|node| node.id.clone())).collect::<Vec<_>>()
        })
    });
    let edge_ids = Memo::new(move |_| {
        shown.with(|graph| {
            graph.iter().flat_map(|graph| graph.edges.iter().map(|edge| edge.id.clone())).collect::<Vec<_>>()
        })
    });
    view! {
        <div class="mirror" class:seen=move || app.view.with(|view| view.list) role="region" aria-label="Graph as a list">
            <h2>"Workloads"</h2>
            <ul data-testid="graph-nodes">
                <For each=move || node_ids.get() key=|id| id.clone() let:id>
                    <NodeRow id=id focus=focus />
                </For>
            </ul>
            <h2>"Calls"</h2>
            <ul data-testid="graph-edges">
                <For each=move || edge_ids.get() key=|id| id.clone() let:id>
                    <EdgeRow id=id focus=focus />
                </For>
            </ul>
        </div>
    }
}

#[component]
fn NodeRow(id: String, focus: RwSignal<String>) -> impl IntoView {
    let app = app();
    let Shown(shown) = expect_context();
    let name = format!("node:{id}");
    let wanted = id.clone();
    let node: Memo<Option<Node>> =
        Memo::new(move |_| shown.with(|graph| graph.as_ref()?.nodes.iter().find(|node| node.id == wanted).cloned()));
    let read = move |part: fn(&Node) -> String| move || node.with(|node| node.as_ref().map(part).unwrap_or_default());
    let health = Signal::derive(move || node.with(|node| node.as_ref().map(|node| node.health).unwrap_or_default()));
    let badges = read(|node| node.badges.iter().map(|badge| words::badge(&badge.kind)).collect::<Vec<_>>().join(", "));
    let (select, focused, pressed) = (name.clone(), name.clone(), name);
    view! {
        <li
            data-node=id.clone()
            data-health=move || words::health(health.get())
            data-rate=read(|node| format!("{:.3}", node.rate_in))
            data-badges=read(|node| node.badges.iter().map(|badge| badge.kind.clone()).collect::<Vec<_>>().join(" "))
        >
            <button
                data-row=""
                aria-pressed=move || app.view.with(|view| view.select == pressed).to_string()
                on:click=move |_| app.change(|view| view.select.clone_from(&select))
                on:focus=move |_| focus.set(focused.clone())
                on:blur=move |_| focus.set(String::new())
            >
                <HealthShape health=health />
                <span class="grow name">{id.clone()}</span>
                <span class="quiet">{badges}</span>
                <span class="numeral">{read(|node| if node.rate_in == 0.0 && node.rate_out > 0.0 { format!("sends {}", format::rate(node.rate_out, "http")) } else { format::rate(node.rate_in, "http") })}</span>
                <span class="numeral">{read(|node| format!("{} errors", format::maybe(node.error_share, format::share)))}</span>
            </button>
        </li>
    }
}

#[component]
fn EdgeRow(id: String, focus: RwSignal<String>) -> impl IntoView {
    let app = app();
    let Shown(shown) = expect_context();
    let name = format!("edge:{id}");
    let wanted = id.clone();
    let edge: Memo<Option<Edge>> =
        Memo::new(move |_| shown.with(|graph| graph.as_ref()?.edges.iter().find(|edge| edge.id == wanted).cloned()));
    let read = move |part: fn(&Edge) -> String| move || edge.with(|edge| edge.as_ref().map(part).unwrap_or_default());
    let health = Signal::derive(move || edge.with(|edge| edge.as_ref().map(|edge| edge.health).unwrap_or_default()));
    let (select, focused, pressed) = (name.clone(), name.clone(), name);
    view! {
        <li
            data-edge=id.clone()
            data-health=move || words::health(health.get())
            data-lock=read(|edge| words::lock(edge.lock).to_owned())
            data-plaintext=read(|edge| edge.plaintext_share.map(|share| format!("{share:.4}")).unwrap_or_default())
            data-rate=read(|edge| format!("{:.3}", edge.rate))
        >
            <button
                data-row=""
                aria-pressed=move || app.view.with(|view| view.select == pressed).to_string()
                on:click=move |_| app.change(|view| view.select.clone_from(&select))
                on:focus=move |_| focus.set(focused.clone())
                on:blur=move |_| focus.set(String::new())
            >
                <HealthShape health=health />
                <span class="grow name">{read(|edge| format!("{} → {}", edge.source, edge.destination))}</span>
                <span class="quiet">{read(lock_words)}</span>
                <span class="numeral">{read(|edge| format::rate(edge.rate, &edge.protocol))}</span>
                <span class="numeral">{read(|edge| format!("{} errors", format::maybe(edge.error_share, format::share)))}</span>
                <span class="numeral">{read(|edge| format!("{} p95", format::maybe(edge.p95_ms, format::millis)))}</span>
            </button>
        </li>
    }
}

fn lock_words(edge: &Edge) -> String {
    use weft_model::graph::Lock;
    match edge.lock {
        Lock::Mtls => "mutual TLS".to_owned(),
        Lock::Unknown => "encryption not known".to_owned(),
        Lock::Mixed | Lock::Plaintext => format!("{} plaintext", format::maybe(edge.plaintext_share, format::share)),
    }
}
