//! The rows of a waterfall.

use super::logs::RequestLogs;
use leptos::prelude::*;
use weft_model::{
    graph::Health,
    trace::{Span, Tone},
};

use crate::{
    components::shape::HealthShape,
    format,
    location::Room,
    shown::visible,
    state::app,
    waterfall::{bar, compared},
    words,
};

/// Deeper spans are not indented further.
const DEEPEST: usize = 12;

/// A hop that sent no span.
#[component]
pub fn GapRow(span: Span, start: u64, length: u64) -> impl IntoView {
    let place = bar(span.start_us, span.duration_us, start, length);
    let indent = format!("{}px", span.depth.min(DEEPEST) * 12);
    let name = short(&span.workload);
    view! {
        <div class="span gap" data-testid="span-gap" data-workload=span.workload.clone()>
            <div class="span-line">
                <span class="span-name" style:padding-left=indent>
                    <strong class="cut" title=visible(&span.workload)>{if name.is_empty() { "?".to_owned() } else { name }}</strong>
                    <span class="quiet cut" title=visible(&span.name)>{visible(&span.name)}</span>
                </span>
                <span class="track">
                    <i class="hatched" style:left=format!("{:.3}%", place.left) style:width=format!("{:.3}%", place.width)></i>
                </span>
                <span class="numeral quiet">"not known"</span>
                <span></span>
            </div>
        </div>
    }
}

fn short(workload: &str) -> String {
    format::middle(workload.rsplit('/').next().unwrap_or_default(), 40)
}

/// A span; pressed, it tells everything that it says.
#[component]
pub fn SpanRow(
    span: Span,
    trace: String,
    index: usize,
    open: RwSignal<Option<usize>>,
    start: u64,
    length: u64,
) -> impl IntoView {
    let place = bar(span.start_us, span.duration_us, start, length);
    let shown = move || open.get() == Some(index);
    let indent = format!("{}px", span.depth.min(DEEPEST) * 12);
    let duration = format::micros(span.duration_us);
    let usual = span.usual.as_ref().map(|usual| (format::micros(usual.p50_us), compared(span.duration_us, usual)));
    let slow = usual.as_ref().is_some_and(|(_, (slow, _))| *slow);
    let why = usual.as_ref().map(|(_, (_, words))| words.clone());
    let tries = match (span.attempt, span.attempts) {
        (Some(attempt), _) => Some(format!("attempt {} of {}", attempt.number, attempt.of)),
        (None, attempts) if attempts > 1 => Some(format!("{attempts} attempts")),
        _ => None,
    };
    let spoken = format!(
        "{} {}, {}, {duration}{}{}{}",
        span.workload,
        span.name,
        span.kind,
        tries.as_ref().map(|tries| format!(", {tries}")).unwrap_or_default(),
        if slow { ", slower than usual" } else { "" },
        if span.error { ", failed" } else { "" }
    );
    let parts = span
        .parts
        .iter()
        .map(|part| {
            let place = bar(part.start_us, part.duration_us, start, length);
            let tone = tone(part.tone);
            view! {
                <i class=format!("tone {tone}") class:failing=span.error title=words::tone(tone) style:left=format!("{:.3}%", place.left) style:width=format!("{:.3}%", place.width)></i>
            }
        })
        .collect_view();
    let whole = StoredValue::new(span.clone());
    // Of what is no workload of the mesh there are no logs to read.
    let logs = StoredValue::new(span.workload.contains('/').then(|| (span.workload.clone(), trace)));
    view! {
        <div
            class="span"
            data-testid="span-row"
            data-span=span.span_id.clone()
            data-kind=span.kind.clone()
            data-workload=span.workload.clone()
            data-error=span.error.to_string()
            data-depth=span.depth.to_string()
            data-attempt=span.attempt.map(|attempt| attempt.number.to_string())
        >
            <button
                class="span-line"
                data-row=""
                aria-expanded=move || shown().to_string()
                aria-label=visible(&spoken)
                on:click=move |_| open.update(|open| *open = if *open == Some(index) { None } else { Some(index) })
            >
                <span class="span-name" style:padding-left=indent>
                    {span.error.then(|| view! { <HealthShape health=Health::Failing silent=true /> })}
                    <strong class="cut" title=visible(&span.workload)>{short(&span.workload)}</strong>
                    {tries.map(|tries| view! { <span class="tries">{tries}</span> })}
                    <span class="quiet cut" title=visible(&span.name)>{format::middle(&span.name, 80)}</span>
                </span>
                <span class="track">
                    <i class="whole-span" style:left=format!("{:.3}%", place.left) style:width=format!("{:.3}%", place.width)></i>
                    {parts}
                </span>
                <span class="numeral">{duration}</span>
                <span class="numeral quiet usual" class:slow=slow title=why>
                    {slow.then(|| view! { <HealthShape health=Health::Degraded silent=true /> })}
                    {usual.map(|(p50, _)| p50)}
                </span>
            </button>
            <Show when=shown>
                {move || whole.with_value(|span| view! { <Facts span=span.clone() start=start /> })}
                {move || logs.get_value().map(|(workload, trace)| view! { <RequestLogs workload=workload trace=trace /> })}
            </Show>
        </div>
    }
}

/// Everything that a span says.
#[component]
fn Facts(span: Span, start: u64) -> impl IntoView {
    let app = app();
    let flags: Vec<(String, &'static str)> = span
        .attributes
        .iter()
        .filter(|(name, _)| name == "response_flags")
        .flat_map(|(_, flags)| words::response_flags(flags))
        .collect();
    let side = match span.kind.as_str() {
        "client" => "client (outbound)",
        "server" => "server (inbound)",
        _ => "inside of the application",
    };
    let own = own(&span);
    let usual = span.usual.as_ref().map(|usual| compared(span.duration_us, usual).1);
    let edge = (!span.edge.is_empty()).then(|| span.edge.clone());
    view! {
        <dl class="attributes">
            <dt>"side"</dt>
            <dd>{side}" of "{visible(&span.workload)}</dd>
            {edge
                .map(|edge| {
                    let target = format!("edge:{edge}");
                    view! {
                        <dt>"call"</dt>
                        <dd>
                            <button
                                class="link"
                                data-testid="span-edge"
                                title="Show this call in the graph"
                                on:click=move |_| app.enter(Room::Graph, |view| view.select.clone_from(&target))
                            >
                                {edge.replacen("->", " → ", 1)}
                            </button>
                        </dd>
                    }
                })}
            <dt>"starts after"</dt>
            <dd>{format::micros(span.start_us.saturating_sub(start))}</dd>
            {(!own.is_empty()).then(|| view! { <dt>"of its own"</dt><dd>{own}</dd> })}
            {usual.map(|words| view! { <dt>"compared"</dt><dd data-testid="span-usual">{words}</dd> })}
            {(span.skew_us != 0)
                .then(|| {
                    let moved = format::micros(span.skew_us.unsigned_abs());
                    let way = if span.skew_us > 0 { "later" } else { "earlier" };
                    view! { <dt>"clock"</dt><dd>{format!("moved {moved} {way}: as it was sent, it began outside of the call that caused it")}</dd> }
                })}
            {flags.into_iter().map(|(flag, words)| view! { <dt><code>{visible(&flag)}</code></dt><dd>{words}</dd> }).collect_view()}
            <dt>"span"</dt>
            <dd><code>{span.span_id.clone()}</code></dd>
            {span.attributes.into_iter().map(|(name, value)| view! { <dt>{visible(&name)}</dt><dd><code>{visible(&value)}</code></dd> }).collect_view()}
        </dl>
    }
}

fn tone(tone: Tone) -> &'static str {
    match tone {
        Tone::Proxy => "proxy",
        Tone::Network => "network",
        Tone::Application => "application",
        Tone::Unknown => "unknown",
    }
}

/// A span's own time in words: `2 ms proxy, 8 ms network`.
fn own(span: &Span) -> String {
    let sum =
        |wanted: Tone| span.parts.iter().filter(|part| part.tone == wanted).map(|part| part.duration_us).sum::<u64>();
    let all = [Tone::Proxy, Tone::Network, Tone::Application, Tone::Unknown].map(|wanted| (wanted, sum(wanted)));
    let words = all
        .into_iter()
        .filter(|(_, us)| *us > 0)
        .map(|(wanted, us)| format!("{} {}", format::micros(us), tone(wanted)));
    words.collect::<Vec<_>>().join(", ")
}
