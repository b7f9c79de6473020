//! Charts of rate, errors, duration and bytes, each with its figures as a table.

use leptos::prelude::*;
use weft_model::{
    details::{Chart, Charts as Answer, Subject},
    graph::Sources,
};

use crate::{
    api, browser,
    chart::{self, SIZE},
    components::{
        copy::Commands,
        placeholder::{Failure, Partial, Skeleton},
    },
    format,
    poll::poll,
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

/// Rows of the table beside a chart at most.
const TABLE_ROWS: usize = 13;

/// The charts of what is open.
#[component]
pub fn Charts() -> impl IntoView {
    let app = app();
    let key = Memo::new(move |_| {
        app.view.with(|view| (view.subject, view.place.clone(), view.window_s, view.outgoing, view.split.clone()))
    });
    let (load, retry) = poll(key, |(subject, place, window_s, outgoing, split)| async move {
        api::charts(subject, &place, window_s, outgoing, &split).await
    });
    let sources = Signal::derive(move || {
        load.with(|load| load.value.as_ref().map(|answer| answer.sources.clone()).unwrap_or(Sources::default()))
    });
    let commands = Signal::derive(move || {
        load.with(|load| load.value.as_ref().map(|one| one.commands.clone()).unwrap_or_default())
    });
    let direction = move |outgoing: bool, words: &'static str| {
        view! {
            <button
                aria-pressed=move || app.view.with(|view| view.outgoing == outgoing).to_string()
                data-testid=if outgoing { "charts-out" } else { "charts-in" }
                on:click=move |_| app.change(|view| view.outgoing = outgoing)
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
                <label class="choice">
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
                        let who = if answer.reporter == "source" { "callers'" } else { "called ones'" };
                        format!("the last {}, rates over {} s, as the {who} proxies count", format::span(whole as f64), answer.rate_s)
                    }))}
                </span>
            </div>
            <Partial sources=sources />
            {move || load.with(|load| match (&load.value, &load.error) {
                (Some(answer), _) => drawn(answer).into_any(),
                (None, Some(problem)) => view! { <Failure problem=problem.clone() retry /> }.into_any(),
                (None, None) => view! { <Skeleton words="Asking Prometheus …" rows=5 /> }.into_any(),
            })}
            <Commands commands=commands words="Show PromQL" />
        </section>
    }
}

fn drawn(answer: &Answer) -> impl IntoView + use<> {
    let charts = answer.charts.iter().map(|chart| one(chart, &answer.times_ms)).collect_view();
    view! { <div class="chart-grid">{charts}</div> }
}

fn one(chart: &Chart, times: &[u64]) -> impl IntoView + use<> {
    let unit = chart.lines.first().map_or("", |line| line.unit.as_str()).to_owned();
    let top = chart::top(&chart.lines);
    let known = chart.lines.iter().any(|line| line.values.iter().any(Option::is_some));
    let words = if known {
        let said = chart
            .lines
            .iter()
            .filter_map(|line| Some(format!("{} now {}", line.name, chart::value(chart::newest(line)?, &line.unit))));
        format!("{}: {}", chart.title, said.collect::<Vec<_>>().join(", "))
    } else {
        format!("{}: nothing was counted", chart.title)
    };
    let clock = |at: Option<&u64>| at.map(|at| browser::clock(*at as f64)).unwrap_or_default();
    let paths = chart.lines.iter().enumerate().map(|(index, line)| {
        let class = format!("series series-{index}");
        view! { <path class=class d=chart::path(&line.values, top) /> }
    });
    let legend = chart.lines.iter().enumerate().map(|(index, line)| {
        let now = chart::newest(line).map(|value| chart::value(value, &line.unit));
        view! {
            <li title=line.name.clone()>
                <svg class="key" viewBox="0 0 18 4" aria-hidden="true"><path class=format!("series series-{index}") d="M0 2h18" /></svg>
                <span class="key-name">{format::middle(&line.name, 36)}</span>
                <span class="numeral quiet">{now.unwrap_or_else(|| "–".to_owned())}</span>
            </li>
        }
    });
    let step = times.len().div_ceil(TABLE_ROWS).max(1);
    let body = times.iter().enumerate().rev().step_by(step).map(|(index, at)| {
        let cells = chart.lines.iter().map(|line| {
            let value = line.values.get(index).copied().flatten();
            view! { <td class="numeral">{value.map_or_else(|| "–".to_owned(), |value| chart::value(value, &line.unit))}</td> }
        });
        view! { <tr><th scope="row">{browser::clock(*at as f64)}</th>{cells.collect_view()}</tr> }
    });
    let heads =
        chart.lines.iter().map(|line| view! { <th scope="col" class="numeral">{format::middle(&line.name, 24)}</th> });
    let (title, key, more) = (chart.title.clone(), chart.key.clone(), chart.more);
    let table = view! {
        <details class="as-table">
            <summary>"As a table"</summary>
            <div class="wide">
                <table class="small">
                    <caption class="unseen">{chart.title.clone()}</caption>
                    <thead><tr><th scope="col">"Time"</th>{heads.collect_view()}</tr></thead>
                    <tbody>{body.collect_view()}</tbody>
                </table>
            </div>
        </details>
    };
    view! {
        <figure class="chart" data-testid="chart" data-chart=key data-lines=chart.lines.len()>
            <figcaption>
                <h3>{title}</h3>
                <span class="quiet">{if known { format!("up to {}", chart::value(top, &unit)) } else { String::new() }}</span>
            </figcaption>
            {if known {
                view! {
                    <svg viewBox=format!("0 0 {} {}", SIZE.0, SIZE.1) preserveAspectRatio="none" role="img" aria-label=words>
                        <path class="grid-line" d=format!("M0 {0}H{1}M0 {2}H{1}M0 .5H{1}", SIZE.1 - 0.5, SIZE.0, SIZE.1 / 2.0) />
                        {paths.collect_view()}
                    </svg>
                    <p class="axis quiet"><span>{clock(times.first())}</span><span>{clock(times.last())}</span></p>
                    <ul class="keys-of-lines">{legend.collect_view()}</ul>
                    {(more > 0).then(|| view! { <p class="quiet">{format!("{more} smaller ones are left out.")}</p> })}
                    {table}
                }
                    .into_any()
            } else {
                view! { <p class="quiet nothing">"Nothing was counted in this time."</p> }.into_any()
            }}
        </figure>
    }
}
