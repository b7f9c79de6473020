//! One chart: its lines, the newest figure of each, and all of it as a table.

use leptos::prelude::*;
use weft_model::{details::Chart, graph::Sources};

use crate::{
    browser,
    chart::{self, SIZE},
    format,
    sources::without_figures,
};

/// Rows of the table beside a chart at most.
const TABLE_ROWS: usize = 13;

/// Charts beside or below each other. One that is still there after new answers stays, with what was opened in it.
#[component]
pub fn Figures(
    #[prop(into)] charts: Signal<Vec<Chart>>,
    #[prop(into)] times: Signal<Vec<u64>>,
    #[prop(into)] sources: Signal<Sources>,
) -> impl IntoView {
    let keys =
        Memo::new(move |_| charts.with(|charts| charts.iter().map(|chart| chart.key.clone()).collect::<Vec<_>>()));
    view! {
        <div class="chart-grid">
            <For each=move || keys.get() key=|key| key.clone() let:key>
                {
                    let wanted = key.clone();
                    let chart = Memo::new(move |_| {
                        charts.with(|charts| charts.iter().find(|chart| chart.key == wanted).cloned()).unwrap_or_else(nothing)
                    });
                    view! { <Figure key=key chart=chart times=times sources=sources /> }
                }
            </For>
        </div>
    }
}

fn nothing() -> Chart {
    Chart { key: String::new(), title: String::new(), lines: Vec::new(), more: 0 }
}

#[component]
fn Figure(key: String, chart: Memo<Chart>, times: Signal<Vec<u64>>, sources: Signal<Sources>) -> impl IntoView {
    let known = Memo::new(move |_| chart.with(chart::is_known));
    let most = move || {
        chart.with(|chart| {
            let unit = chart.lines.first().map_or("", |line| line.unit.as_str());
            chart::is_known(chart).then(|| format!("up to {}", chart::value(chart::top(&chart.lines), unit)))
        })
    };
    view! {
        <figure class="chart" data-testid="chart" data-chart=key data-lines=move || chart.with(|chart| chart.lines.len())>
            <figcaption>
                <h3>{move || chart.with(|chart| chart.title.clone())}</h3>
                <span class="quiet">{most}</span>
            </figcaption>
            <Show
                when=move || known.get()
                fallback=move || view! { <p class="quiet nothing">{move || sources.with(without_figures)}</p> }
            >
                {move || chart.with(|chart| times.with(|times| drawn(chart, times)))}
                <details class="as-table">
                    <summary>"As a table"</summary>
                    {move || chart.with(|chart| times.with(|times| table(chart, times)))}
                </details>
            </Show>
        </figure>
    }
}

fn drawn(chart: &Chart, times: &[u64]) -> impl IntoView + use<> {
    let top = chart::top(&chart.lines);
    let said = chart
        .lines
        .iter()
        .filter_map(|line| Some(format!("{} now {}", line.name, chart::value(chart::newest(line)?, &line.unit))));
    let words = format!("{}: {}", chart.title, said.collect::<Vec<_>>().join(", "));
    let end = |at: Option<&u64>| {
        at.map(|at| {
            let at = *at as f64;
            view! { <span title=browser::moment(at)>{browser::clock(at)}</span> }
        })
    };
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
    let more = chart.more;
    view! {
        <svg viewBox=format!("0 0 {} {}", SIZE.0, SIZE.1) preserveAspectRatio="none" role="img" aria-label=words>
            <path class="grid-line" d=format!("M0 {0}H{1}M0 {2}H{1}M0 .5H{1}", SIZE.1 - 0.5, SIZE.0, SIZE.1 / 2.0) />
            {paths.collect_view()}
        </svg>
        <p class="chart-axis quiet">{end(times.first())}{end(times.last())}</p>
        <ul class="keys-of-lines">{legend.collect_view()}</ul>
        {(more > 0).then(|| view! { <p class="quiet">{format!("{more} smaller ones are left out.")}</p> })}
    }
}

fn table(chart: &Chart, times: &[u64]) -> impl IntoView + use<> {
    let step = times.len().div_ceil(TABLE_ROWS).max(1);
    let body = times.iter().enumerate().rev().step_by(step).map(|(index, at)| {
        let cells = chart.lines.iter().map(|line| {
            let value = line.values.get(index).copied().flatten();
            view! { <td class="numeral">{value.map_or_else(|| "–".to_owned(), |value| chart::value(value, &line.unit))}</td> }
        });
        view! { <tr><th scope="row" title=browser::moment(*at as f64)>{browser::clock(*at as f64)}</th>{cells.collect_view()}</tr> }
    });
    let heads =
        chart.lines.iter().map(|line| view! { <th scope="col" class="numeral">{format::middle(&line.name, 24)}</th> });
    view! {
        <div class="wide" tabindex="0" role="group" aria-label=chart.title.clone()>
            <table class="small">
                <caption class="unseen">{chart.title.clone()}</caption>
                <thead><tr><th scope="col">"Time"</th>{heads.collect_view()}</tr></thead>
                <tbody>{body.collect_view()}</tbody>
            </table>
        </div>
    }
}
