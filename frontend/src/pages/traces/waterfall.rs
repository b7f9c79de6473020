//! One trace, a row for each span.

use leptos::{prelude::*, task::spawn_local};
use weft_model::{
    config::Problem,
    graph::Health,
    trace::{Span, Trace},
};

use crate::{
    api, browser,
    components::{
        copy::{CopyButton, CopyLink},
        placeholder::{Failure, Skeleton},
        shape::{Glyph, HealthShape},
    },
    format,
    icons::Icon,
    state::{Load, app},
    waterfall::{bar, extent, own_time, ticks},
    words,
};

/// Marks on the time axis.
const TICKS: usize = 5;
/// Deeper spans are not indented further.
const DEEPEST: usize = 12;

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
    view! {
        <aside class="panel waterfall" aria-labelledby="panel-title" data-testid="waterfall">
            <header>
                <div class="grow">
                    <h2 id="panel-title">"Trace"</h2>
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
            </div>
        </aside>
    }
}

#[component]
fn Spans(trace: Trace) -> impl IntoView {
    let (start, length) = extent(&trace);
    let open: RwSignal<Option<usize>> = RwSignal::new(None);
    let failed = trace.spans.iter().filter(|span| span.error).count();
    let at = start as f64 / 1000.0;
    let orphans = trace.missing_parents;
    let rows: Vec<_> = trace
        .spans
        .iter()
        .enumerate()
        .map(|(index, span)| view! { <SpanRow span=span.clone() own=own_time(&trace, span) index=index open=open start=start length=length /> })
        .collect();
    view! {
        <dl class="figures">
            <div class="figure"><dt>"duration"</dt><dd>{format::micros(length)}</dd></div>
            <div class="figure"><dt>"spans"</dt><dd>{trace.spans.len()}</dd></div>
            <div class="figure"><dt>"failed"</dt><dd>{failed}</dd></div>
            <div class="figure"><dt>"started"</dt><dd title=browser::moment(at)>{browser::clock(at)}</dd></div>
        </dl>
        {(orphans > 0)
            .then(|| {
                view! {
                    <p class="partial inline">
                        <Glyph icon=Icon::Alert />
                        <span>
                            {format::plural(orphans, "span came", "spans came")}
                            " without a parent, at the left edge. The parent may still come, or its proxy sends no spans."
                        </span>
                    </p>
                }
            })}
        <p class="tones quiet">
            <i class="tone client"></i>
            "outbound side: network and the other proxy"
            <i class="tone server"></i>
            "inbound side: the application and what it calls"
        </p>
        <div class="spans">
            <div class="span-head" aria-hidden="true">
                <span></span>
                <div class="axis">
                    {ticks(length, TICKS)
                        .into_iter()
                        .map(|tick| view! { <span style:left=format!("{:.2}%", tick as f64 / length as f64 * 100.0)>{format::micros(tick)}</span> })
                        .collect_view()}
                </div>
                <span></span>
            </div>
            {rows}
        </div>
    }
}

#[component]
fn SpanRow(
    span: Span,
    own: u64,
    index: usize,
    open: RwSignal<Option<usize>>,
    start: u64,
    length: u64,
) -> impl IntoView {
    let place = bar(&span, start, length);
    let client = span.kind == "client";
    let tone = if client { "client" } else { "server" };
    let shown = move || open.get() == Some(index);
    let indent = format!("{}px", span.depth.min(DEEPEST) * 12);
    let from = span.start_us.saturating_sub(start);
    let name = span.workload.rsplit('/').next().unwrap_or_default().to_owned();
    let duration = format::micros(span.duration_us);
    let spoken = format!(
        "{} {}, {}, {duration}{}",
        span.workload,
        span.name,
        span.kind,
        if span.error { ", failed" } else { "" }
    );
    let flags: Vec<(String, &'static str)> = span
        .attributes
        .iter()
        .filter(|(name, _)| name == "response_flags")
        .flat_map(|(_, flags)| words::response_flags(flags))
        .collect();
    let attributes = span.attributes.clone();
    let whole = (span.workload.clone(), span.span_id.clone());
    view! {
        <div class="span" data-testid="span-row" data-span=span.span_id.clone() data-kind=span.kind.clone() data-workload=span.workload.clone() data-error=span.error.to_string() data-depth=span.depth.to_string()>
            <button
                class="span-line"
                data-row=""
                aria-expanded=move || shown().to_string()
                aria-label=spoken
                on:click=move |_| open.update(|open| *open = if *open == Some(index) { None } else { Some(index) })
            >
                <span class="span-name" style:padding-left=indent>
                    {span.error.then(|| view! { <HealthShape health=Health::Failing silent=true /> })}
                    <strong class="cut" title=span.workload.clone()>{name}</strong>
                    <span class="quiet cut" title=span.name.clone()>{span.name.clone()}</span>
                </span>
                <span class="track">
                    <i class=format!("tone {tone}") class:failing=span.error style:left=format!("{:.3}%", place.left) style:width=format!("{:.3}%", place.width)></i>
                </span>
                <span class="numeral">{duration}</span>
            </button>
            <Show when=shown>
                <dl class="attributes">
                    <dt>"side"</dt>
                    <dd>{if client { "client (outbound)" } else { "server (inbound)" }}" of "{whole.0.clone()}</dd>
                    <dt>"starts after"</dt>
                    <dd>{format::micros(from)}</dd>
                    <dt>"of its own"</dt>
                    <dd>{format::micros(own)}{if client { " in the network and proxies" } else { " in the application and proxy" }}</dd>
                    {flags.clone().into_iter().map(|(flag, words)| view! { <dt><code>{flag}</code></dt><dd>{words}</dd> }).collect_view()}
                    <dt>"span"</dt>
                    <dd><code>{whole.1.clone()}</code></dd>
                    {attributes.clone().into_iter().map(|(name, value)| view! { <dt>{name}</dt><dd><code>{value}</code></dd> }).collect_view()}
                </dl>
            </Show>
        </div>
    }
}
