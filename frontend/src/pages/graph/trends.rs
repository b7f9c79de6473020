//! How a node or a call fared over time: its charts in the panel.

use leptos::prelude::*;

use crate::{
    api, command,
    components::{
        chart::Figures,
        copy::Commands,
        placeholder::{Failure, Old, Partial, Skeleton},
    },
    format,
    graph::trend,
    poll::{poll, regularly},
    sources::{NOTHING_KNOWN, is_absent, without_figures},
    state::app,
};

/// The shortest time that is shown, in seconds: less says nothing about since when.
pub const SHORTEST_S: u64 = 1_800;

/// The charts of `id`, which is a call's when `call`.
#[component]
pub fn Trends(id: String, call: bool) -> impl IntoView {
    let app = app();
    let key = Memo::new(move |_| {
        let (window_s, at_ms) = app.view.with(|view| (view.window_s, view.graph.at_ms));
        (id.clone(), window_s.max(SHORTEST_S), at_ms)
    });
    let (load, retry) =
        poll(
            key,
            regularly(),
            move |(id, window_s, at_ms)| async move { api::series(&id, call, window_s, at_ms).await },
        );
    let charts = Memo::new(move |_| load.with(|load| load.part(|answer| trend::charts(answer, call))));
    let times = Signal::derive(move || load.with(|load| load.part(|answer| answer.times_ms.clone())));
    let sources = Signal::derive(move || load.with(|load| load.part(|answer| answer.sources.clone())));
    let commands = Signal::derive(move || {
        // The command shows the present alone.
        let own = key.with(|(id, window_s, at_ms)| (*at_ms == 0).then(|| command::series(id, call, *window_s)));
        let queries = load.with(|load| load.part(|answer| answer.queries.clone()));
        own.into_iter().chain(queries).collect::<Vec<_>>()
    });
    // What is gone has no charts any more, also if it had some a moment ago.
    let there =
        Memo::new(move |_| load.with(|load| load.value.is_some() && !load.error.as_ref().is_some_and(is_absent)));
    let none = Memo::new(move |_| there.get() && charts.with(Vec::is_empty));
    let span = move || format!("Last {}", format::span(key.get().1 as f64 * 1000.0));
    view! {
        <section class="trends" data-testid="trends">
            <h3>{span}</h3>
            <Show
                when=move || there.get()
                fallback=move || match load.with(|load| load.error.clone()) {
                    Some(problem) if is_absent(&problem) => {
                        view! { <p class="quiet" data-testid="trends-absent">{NOTHING_KNOWN}</p> }.into_any()
                    }
                    Some(problem) => view! { <Failure problem retry /> }.into_any(),
                    None => view! { <Skeleton words="Asking Prometheus …" rows=3 /> }.into_any(),
                }
            >
                <Partial sources=sources />
                <Old load retry />
                <Show when=move || none.get()>
                    <p class="quiet">{move || sources.with(without_figures)}</p>
                </Show>
                <Figures charts=charts times=times sources=sources />
                <Commands commands=commands words="Show commands and PromQL" />
            </Show>
        </section>
    }
}
