//! Charts of rate, errors, duration and bytes, each with its figures as a table.

use leptos::prelude::*;
use weft_model::details::Subject;

use crate::{
    api,
    chart::with_zero,
    command,
    components::{
        chart::Figures,
        copy::Commands,
        placeholder::{Failure, Old, Partial, Skeleton},
    },
    format,
    poll::{poll, regularly},
    sources::is_whole,
    state::app,
};

/// Labels that are offered first, with their words; any other can be chosen as well.
const SPLITS: [(&str, &str); 8] = [
    ("", "nothing"),
    ("source_workload", "source"),
    ("destination_workload", "destination"),
    ("destination_service", "called host"),
    ("response_code", "code"),
    ("response_flags", "response flag"),
    ("destination_version", "version"),
    ("request_protocol", "protocol"),
];

/// The charts of what is open; `sends` is whether nothing comes in to it, so that one begins with what goes out.
#[component]
pub fn Charts(sends: Memo<bool>) -> impl IntoView {
    let app = app();
    let outgoing = Memo::new(move |_| app.view.with(|view| view.outgoing).unwrap_or_else(|| sends.get()));
    let key = Memo::new(move |_| {
        let outgoing = outgoing.get();
        app.view.with(|view| (view.subject, view.place.clone(), view.window_s, outgoing, view.split.clone()))
    });
    let (load, retry) = poll(key, regularly(), |(subject, place, window_s, outgoing, split)| async move {
        api::charts(subject, &place, window_s, outgoing, &split).await
    });
    let sources = Signal::derive(move || load.with(|load| load.part(|answer| answer.sources.clone())));
    let commands = Signal::derive(move || {
        let own = key.with(|(subject, place, window_s, outgoing, split)| {
            command::charts(*subject, place, *window_s, *outgoing, split)
        });
        let queries = load.with(|load| load.part(|one| one.commands.clone()));
        std::iter::once(own).chain(queries).collect::<Vec<_>>()
    });
    let there = Memo::new(move |_| load.with(|load| load.value.is_some()));
    let direction = move |out: bool, words: &'static str| {
        view! {
            <button
                aria-pressed=move || (outgoing.get() == out).to_string()
                data-testid=if out { "charts-out" } else { "charts-in" }
                on:click=move |_| app.change(|view| view.outgoing = Some(out))
            >
                {words}
            </button>
        }
    };
    let one_way = Memo::new(move |_| app.view.with(|view| view.subject == Subject::Service));
    view! {
        <section class="charts" data-testid="charts">
            <div class="section-head">
                <h2>"Traffic over time"</h2>
                <Show when=move || !one_way.get()>
                    <div class="segments" role="group" aria-label="Direction">
                        {direction(false, "In")}
                        {direction(true, "Out")}
                    </div>
                </Show>
                <label class="pick">
                    "split by "
                    <select
                        data-testid="charts-split"
                        on:change:target=move |event| {
                            let split = event.target().value();
                            app.change(|view| view.split = split);
                        }
                    >
                        {SPLITS
                            .into_iter()
                            .chain(weft_model::metrics::STANDARD_LABELS.into_iter().filter(|label| SPLITS.iter().all(|(known, _)| known != label)).map(|label| (label, label)))
                            .map(|(label, words)| {
                                view! {
                                    <option value=label selected=move || app.view.with(|view| view.split == label)>{words}</option>
                                }
                            })
                            .collect_view()}
                    </select>
                </label>
                <span class="quiet">
                    {move || load.with(|load| load.value.as_ref().map(|answer| {
                        let whole = answer.times_ms.last().unwrap_or(&0).saturating_sub(*answer.times_ms.first().unwrap_or(&0));
                        let who = match answer.reporter.as_str() {
                            "source" => "the proxies of callers",
                            "destination" => "the proxies of those called",
                            _ => "callers' proxies, and by the called one's where a caller has none",
                        };
                        let inside = app.view.with(|view| view.subject == Subject::Namespace);
                        let calls = if inside { ", calls inside of it as well" } else { "" };
                        format!("the last {}, rates over {} s, counted by {who}{calls}", format::span(whole as f64), answer.rate_s)
                    }))}
                </span>
            </div>
            <Partial sources=sources />
            <Old load retry />
            <Show
                when=move || there.get()
                fallback=move || match load.with(|load| load.error.clone()) {
                    Some(problem) => view! { <Failure problem retry /> }.into_any(),
                    None => view! { <Skeleton words="Asking Prometheus …" rows=5 /> }.into_any(),
                }
            >
                <Figures
                    charts=Signal::derive(move || load.with(|load| load.part(|answer| {
                        with_zero(answer.charts.clone(), is_whole(&answer.sources))
                    })))
                    times=Signal::derive(move || load.with(|load| load.part(|answer| answer.times_ms.clone())))
                    sources=sources
                />
            </Show>
            <Commands commands=commands words="Show commands and PromQL" />
        </section>
    }
}
