//! The panel of one edge.

use leptos::prelude::*;
use weft_model::{
    Counted,
    graph::{self, Edge, Lock},
};

use super::{
    ClosePanel, Shown,
    applies::{Applied, Configured},
    changes::Changes,
    commands,
    explain::{Explain, ExplainButton},
    latency::LatencyNote,
    traffic::{Codes, Figure},
    trends::Trends,
};
use crate::{
    components::{
        copy::{Commands, CopyLink},
        shape::{Glyph, HealthShape},
    },
    format,
    graph::{fold, scene::call_rate},
    icons::Icon,
    location::{Room, traces::CallSearch},
    state::app,
    words,
};

/// Everything that is known about a call.
#[component]
pub fn EdgePanel(id: String) -> impl IntoView {
    let Shown(shown) = expect_context();
    let wanted = id.clone();
    let edge = Memo::new(move |_| shown.with(|shown| shown.as_ref()?.edge(&wanted).cloned()));
    let health = Signal::derive(move || edge.with(|edge| edge.as_ref().map(|edge| edge.health).unwrap_or_default()));
    let commands = commands();
    // What applies to a call applies to what is called.
    let called = id.split_once("->").map(|(_, to)| to.to_owned()).unwrap_or_default();
    let called = Memo::new(move |_| shown.with(|shown| shown.as_ref()?.node(&called).cloned()));
    let applied = Applied::to(called);
    let (from, to) = id.split_once("->").map(|(from, to)| (from.to_owned(), to.to_owned())).unwrap_or_default();
    view! {
        <aside class="panel" aria-labelledby="panel-title" data-testid="panel">
            <header>
                <HealthShape health=health />
                <div class="grow">
                    <h2 id="panel-title" tabindex="-1" title=format!("{} → {}", graph::called(&from), graph::called(&to))>{fold::short(&from)}" → "{fold::short(&to)}</h2>
                    <p class="quiet">{move || edge.with(|edge| edge.as_ref().map(|edge| format!("Calls over {}", protocol(edge))))}</p>
                </div>
                <ClosePanel />
            </header>
            <div class="panel-body">
                <Show
                    when=move || edge.with(Option::is_some)
                    fallback=|| view! { <p class="quiet">"No such call was counted within this window and scope."</p> }
                >
                    <Body edge=edge applied=applied />
                </Show>
                <Trends id=id.clone() call=true />
                <Changes way=applied.way />
                <Configured applied=applied heading="Configuration that applies to the called one" />
                <Ends from=from to=to />
                <footer>
                    <CopyLink />
                    <ExplainButton />
                    <Traces id=id.clone() />
                </footer>
                <Commands commands=commands />
            </div>
        </aside>
    }
}

/// The way to example traces of the call, where spans name both of its ends.
#[component]
fn Traces(id: String) -> impl IntoView {
    let app = app();
    let Shown(shown) = expect_context();
    let search = Memo::new(move |_| {
        let (from, to) = id.split_once("->")?;
        shown.with(|graph| {
            let nodes = &graph.as_ref()?.whole.nodes;
            let node = |id: &str| nodes.iter().find(|node| node.id == id);
            CallSearch::between(node(from)?, node(to)?)
        })
    });
    move || {
        search.get().map(|CallSearch { workload, tags }| {
            let href = move || {
                app.view.with(|view| {
                    let mut there = view.enter(Room::Traces);
                    there.workload.clone_from(&workload);
                    there.traces.tags.clone_from(&tags);
                    there.fragment()
                })
            };
            view! { <a class="button quiet-button" href=href data-testid="edge-traces"><Glyph icon=Icon::Traces />"Traces"</a> }
        })
    }
}

fn protocol(edge: &Edge) -> &'static str {
    match edge.protocol.as_str() {
        "grpc" => "gRPC",
        "tcp" => "TCP",
        _ => "HTTP",
    }
}

#[component]
fn Body(edge: Memo<Option<Edge>>, applied: Applied) -> impl IntoView {
    let figure = move |part: fn(&Edge) -> String| {
        Signal::derive(move || edge.with(|edge| edge.as_ref().map(part).unwrap_or_default()))
    };
    let rate = Signal::derive(move || {
        let counted = edge.with(|edge| edge.as_ref().map_or(Counted::REQUESTS, Edge::counted));
        if counted == Counted::CONNECTIONS { counted.many } else { "rate" }
    });
    // A stream is one call of many messages, so its rate alone says little.
    let messages = Memo::new(move |_| {
        edge.with(|edge| edge.as_ref().is_some_and(|edge| edge.messages_sent > 0.0 || edge.messages_received > 0.0))
    });
    // Health counts them beside errors: a call may fail by them alone.
    let is_refused =
        Memo::new(move |_| edge.with(|edge| edge.as_ref().is_some_and(|edge| edge.client_error_share > 0.0)));
    let lock = Memo::new(move |_| edge.with(|edge| edge.as_ref().map(|edge| (edge.lock, edge.plaintext_share))));
    let broken = move || matches!(lock.get(), Some((Lock::Mixed | Lock::Plaintext, _)));
    let icon = Signal::derive(move || match lock.get() {
        Some((Lock::Mtls, _)) => Icon::Lock,
        Some((Lock::Mixed | Lock::Plaintext, _)) => Icon::Unlock,
        // A lock would say more than is known.
        Some((Lock::Unknown, _)) | None => Icon::Info,
    });
    let codes = Memo::new(move |_| edge.with(|edge| edge.as_ref().map(|edge| edge.codes.clone()).unwrap_or_default()));
    view! {
        <dl class="figures">
            <Figure name=rate value=figure(call_rate) />
            <Figure name="errors" value=figure(|edge| format::maybe(edge.error_share, format::share)) />
            <Show when=move || is_refused.get()>
                <Figure name="refused (4xx)" value=figure(|edge| format::share(edge.client_error_share)) />
            </Show>
            <Figure name="p50" value=figure(|edge| format::maybe(edge.p50_ms, format::millis)) />
            <Figure name="p95" value=figure(|edge| format::maybe(edge.p95_ms, format::millis)) />
            <Figure name="p99" value=figure(|edge| format::maybe(edge.p99_ms, format::millis)) />
            <Show when=move || messages.get()>
                <Figure name="messages sent" value=figure(|edge| format!("{}/s", format::digits(edge.messages_sent))) />
                <Figure name="messages received" value=figure(|edge| format!("{}/s", format::digits(edge.messages_received))) />
            </Show>
        </dl>
        <LatencyNote />
        <p class="lock-line" class:broken=broken data-testid="edge-lock">
            <Glyph icon=icon />
            {move || lock.get().map(|(lock, share)| words::lock_sentence(lock, share))}
        </p>
        <Explain codes=codes applied=applied />
        <Codes codes=codes />
    }
}

/// The way to both nodes' panels.
#[component]
fn Ends(from: String, to: String) -> impl IntoView {
    let app = app();
    let link = move |words: &'static str, id: String| {
        let (target, name) = (format!("node:{id}"), graph::called(&id));
        let title = name.clone();
        view! {
            <li>
                <span class="quiet">{words}</span>
                <button class="link" title=title on:click=move |_| app.change(|view| view.select.clone_from(&target))>{name}</button>
            </li>
        }
    };
    view! {
        <section>
            <h3>"Ends"</h3>
            <ul class="lines">{link("from", from)} {link("to", to)}</ul>
        </section>
    }
}
