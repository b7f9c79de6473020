//! One trace, a row for each span.

mod logs;
mod rows;

use leptos::{prelude::*, task::spawn_local};
use weft_model::{
    config::Problem,
    trace::{Trace, TraceLink},
};

use crate::{
    api, browser, command,
    components::{
        copy::{Commands, CopyButton, CopyLink, curl},
        placeholder::{Failure, Skeleton},
        shape::Glyph,
    },
    format,
    icons::Icon,
    state::{Load, app},
    waterfall::{extent, shares, ticks},
    words,
};
use rows::{GapRow, SpanRow};

/// Marks on the time axis.
const TICKS: usize = 5;
/// Kind of a hop that sent no span.
const GAP: &str = "gap";

/// The panel of one trace.
#[component]
pub fn Waterfall(id: String) -> impl IntoView {
    let app = app();
    let load: RwSignal<Load<Trace>> = RwSignal::default();
    let wanted = StoredValue::new(id.clone());
    let ask = move || {
        spawn_local(async move {
            let Some(id) = wanted.try_get_value() else { return };
            let answer: Result<Trace, Problem> = api::trace(&id).await;
            // The panel may be closed by now.
            let _ = load.try_update(|load| load.settle(answer));
        });
    };
    ask();
    let retry = Callback::new(move |()| ask());
    let commands = vec![command::trace(&id), curl(&api::trace_address(&id))];
    view! {
        <aside class="panel waterfall" aria-labelledby="panel-title" data-testid="waterfall">
            <header>
                <div class="grow">
                    <h2 id="panel-title" tabindex="-1">"Trace"</h2>
                    <p class="quiet"><code>{id.clone()}</code></p>
                </div>
                <CopyLink />
                <CopyButton text=id title="Copy the trace id" />
                <button class="icon-button" title="Close (Esc)" aria-label="Close" on:click=move |_| app.change(|view| view.select.clear())>
                    <Glyph icon=Icon::Close />
                </button>
            </header>
            <div class="panel-body">
                {move || load.with(|load| match (&load.value, &load.error) {
                    (Some(trace), _) => view! { <Spans trace=(**trace).clone() /> }.into_any(),
                    (None, Some(problem)) => view! { <Failure problem=problem.clone() retry /> }.into_any(),
                    (None, None) => view! { <Skeleton words="Reading the spans …" rows=8 /> }.into_any(),
                })}
                <Commands commands=Signal::stored(commands) />
            </div>
        </aside>
    }
}

#[component]
fn Spans(trace: Trace) -> impl IntoView {
    let (start, length) = extent(&trace);
    let open: RwSignal<Option<usize>> = RwSignal::new(None);
    let failed = trace.spans.iter().filter(|span| span.error).count();
    let received = trace.spans.iter().filter(|span| span.kind != GAP).count();
    let at = start as f64 / 1000.0;
    let rows: Vec<_> = trace
        .spans
        .iter()
        .enumerate()
        .map(|(index, span)| {
            if span.kind == GAP {
                view! { <GapRow span=span.clone() start=start length=length /> }.into_any()
            } else {
                view! { <SpanRow span=span.clone() trace=trace.trace_id.clone() index=index open=open start=start length=length /> }.into_any()
            }
        })
        .collect();
    view! {
        <dl class="figures">
            <div class="figure"><dt>"duration"</dt><dd>{format::micros(length)}</dd></div>
            <div class="figure"><dt>"spans"</dt><dd>{received}</dd></div>
            <div class="figure"><dt>"failed"</dt><dd>{failed}</dd></div>
            <div class="figure"><dt>"started"</dt><dd title=browser::moment(at)>{browser::clock(at)}</dd></div>
        </dl>
        {remarks(&trace)
            .into_iter()
            .map(|(id, words)| {
                view! {
                    <p class="partial inline" data-testid=id>
                        <Glyph icon=Icon::Alert />
                        <span>{words}</span>
                    </p>
                }
            })
            .collect_view()}
        {links(&trace.links)}
        <Whole trace=trace />
        <div class="spans">
            <div class="span-head" aria-hidden="true">
                <span></span>
                <div class="axis">
                    {ticks(length, TICKS)
                        .into_iter()
                        .map(|tick| view! { <span style:left=format!("{:.2}%", tick as f64 / length as f64 * 100.0)>{format::micros(tick)}</span> })
                        .collect_view()}
                </div>
                <span class="numeral">"took"</span>
                <span class="numeral">"p50"</span>
            </div>
            {rows}
        </div>
    }
}

/// What a reader has to know about the trace as a whole.
fn remarks(trace: &Trace) -> Vec<(&'static str, String)> {
    let mut remarks = Vec::new();
    if trace.gaps > 0 {
        let hops = format::plural(trace.gaps, "hop sent no span", "hops sent no spans");
        remarks
            .push(("trace-gaps", format!("{hops}. Each stands where it would be, hatched; what it did is not known.")));
    }
    if trace.skewed > 0 {
        let most = trace.spans.iter().map(|span| span.skew_us.unsigned_abs()).max().unwrap_or(0);
        let mut off: Vec<&str> =
            trace.spans.iter().filter(|span| span.skew_us != 0).map(|span| span.workload.as_str()).collect();
        off.sort_unstable();
        off.dedup();
        let named: Vec<String> = off.iter().take(3).map(|name| format::middle(name, 40)).collect();
        let others = if off.len() > 3 { format!(" and {} more", off.len() - 3) } else { String::new() };
        remarks.push((
            "trace-skew",
            format!(
                "{} by up to {}: clocks differ at {}{others}. Durations are as they were sent; starts are estimates.",
                format::plural(trace.skewed, "span was moved", "spans were moved"),
                format::micros(most),
                named.join(", "),
            ),
        ));
    }
    remarks
}

/// Where else the trace is shown.
fn links(links: &[TraceLink]) -> Option<impl IntoView + use<>> {
    let links = links.iter().filter(|link| link.url.starts_with("http://") || link.url.starts_with("https://"));
    let links: Vec<_> = links
        .map(|link| {
            view! { <a class="button quiet-button" data-testid="trace-link" target="_blank" rel="external noopener" href=link.url.clone()>"Open in "{format::middle(&link.name, 40)}</a> }
        })
        .collect();
    (!links.is_empty()).then(|| view! { <p class="trace-links">{links}</p> })
}

/// What the time was spent on, over all hops; it is the legend too.
#[component]
fn Whole(trace: Trace) -> impl IntoView {
    let shares = shares(&trace.totals);
    let bars = shares
        .iter()
        .map(|(name, _, share)| view! { <i class=format!("tone {name}") style:width=format!("{share:.2}%")></i> })
        .collect_view();
    let words = shares
        .iter()
        .map(|(name, us, share)| {
            view! {
                <span data-tone=*name title=words::tone(name)>
                    <i class=format!("tone {name}")></i>
                    {*name}
                    " "
                    <strong>{format::micros(*us)}</strong>
                    " "
                    {format::percent(*share)}
                </span>
            }
        })
        .collect_view();
    view! {
        <section class="whole" aria-label="Own time of all hops, added up" data-testid="trace-totals">
            <div class="whole-bar" aria-hidden="true">{bars}</div>
            <p class="tones quiet">{words}</p>
        </section>
    }
}
