//! A weighted route over time: what was configured and what came of it, and how each version fared meanwhile.

use std::sync::Arc;

use leptos::prelude::*;
use weft_model::{
    Counted,
    canary::{ArmCourse, Canary, Course},
    details::Chart,
    graph::Line,
};

use crate::{
    api, command,
    components::{
        chart::Figures,
        copy::Commands,
        placeholder::{Failure, Old, Partial, Skeleton},
    },
    format,
    poll::{poll, regularly},
    sources::{is_whole, known},
    verdicts,
};

/// Times that can be looked at, in seconds.
const WINDOWS: [(u64, &str); 4] = [(900, "15 minutes"), (3_600, "hour"), (21_600, "6 hours"), (86_400, "day")];

/// The charts and the comparison under a card; `course` hears of each answer.
#[component]
pub fn OverTime(canary: Memo<Option<Arc<Canary>>>, course: RwSignal<Option<Arc<Course>>>) -> impl IntoView {
    let window = RwSignal::new(WINDOWS[0].0);
    let key = Memo::new(move |_| {
        let route = canary.with(|canary| canary.as_ref().map(|canary| (canary.object.clone(), canary.route_index)));
        let (object, index) = route.unwrap_or_default();
        (object, index, window.get())
    });
    let (load, retry) =
        poll(key, regularly(), |(object, index, window_s)| async move { api::course(&object, index, window_s).await });
    Effect::new(move |_| course.set(load.with(|load| load.value.clone())));
    let there = Memo::new(move |_| load.with(|load| load.value.is_some()));
    let counted =
        Memo::new(move |_| canary.with(|canary| canary.as_deref().map_or(Counted::REQUESTS, Canary::counted)));
    let testers =
        Memo::new(move |_| canary.with(|canary| canary.as_ref().is_some_and(|canary| !canary.testers.is_empty())));
    let charts = Memo::new(move |_| load.with(|load| load.part(|course| charts(course, counted.get(), testers.get()))));
    let times = Signal::derive(move || load.with(|load| load.part(|course| course.times_ms.clone())));
    let sources = Signal::derive(move || load.with(|load| load.part(|course| course.sources.clone())));
    let commands = Signal::derive(move || {
        let own = key.with(|(object, index, window_s)| command::past(object, *index, *window_s));
        let queries = load.with(|load| load.part(|course| course.commands.clone()));
        own.into_iter().chain(queries).collect::<Vec<_>>()
    });
    let arms = Memo::new(move |_| load.with(|load| load.part(|course| course.arms.clone())));
    let answered = Memo::new(move |_| sources.with(is_whole));
    view! {
        <section class="course" aria-label="Over time" data-testid="canary-course">
            <div class="section-head">
                <h3>"Over the last"</h3>
                <select
                    class="choose"
                    aria-label="How long back"
                    data-testid="canary-window"
                    on:change:target=move |event| {
                        if let Ok(seconds) = event.target().value().parse() {
                            window.set(seconds);
                        }
                    }
                >
                    {WINDOWS
                        .into_iter()
                        .map(|(seconds, words)| view! { <option value=seconds.to_string()>{words}</option> })
                        .collect_view()}
                </select>
            </div>
            <Show
                when=move || there.get()
                fallback=move || match load.with(|load| load.error.clone()) {
                    Some(problem) => view! { <Failure problem retry /> }.into_any(),
                    None => view! { <Skeleton words="Asking Prometheus …" rows=3 /> }.into_any(),
                }
            >
                <Partial sources=sources />
                <Old load retry />
                <Figures charts=charts times=times sources=sources />
                {move || arms.with(|arms| compared(arms, counted.get(), answered.get(), testers.get()))}
                <Commands commands=commands words="Show commands and PromQL" />
            </Show>
        </section>
    }
}

/// Shares, errors, durations where there are any, and rates. Of two destinations the second one's share says it all.
/// `testers` is whether routes come before this one.
fn charts(course: &Course, counted: Counted, testers: bool) -> Vec<Chart> {
    let line = |name: String, unit: &str, values: &[Option<f64>]| Line {
        name,
        unit: unit.to_owned(),
        values: values.to_vec(),
    };
    let shares = course.arms.iter().skip(1).flat_map(|arm| {
        [
            line(format!("{} observed", arm.name), "%", &arm.observed_percent),
            line(format!("{} configured", arm.name), "%", &arm.configured_percent),
        ]
    });
    let each = |unit: &str, part: fn(&ArmCourse) -> &Vec<Option<f64>>| -> Vec<Line> {
        course.arms.iter().map(|arm| line(arm.name.clone(), unit, part(arm))).collect()
    };
    let chart = |key: &str, title: &str, lines: Vec<Line>| Chart {
        key: key.to_owned(),
        title: title.to_owned(),
        lines,
        more: 0,
    };
    let mut charts = vec![
        chart("split", &format!("Share of this route's {}", counted.many), shares.collect()),
        chart("version-errors", &format!("Failed {}", counted.many), each("%", |arm| &arm.error_percent)),
    ];
    if counted.timed {
        charts.push(chart("duration", "Duration, p95", each("ms", |arm| &arm.p95_ms)));
    }
    let by = if verdicts::comes_by_others(testers, &course.arms) { ", by any route" } else { "" };
    charts.push(chart("requests", &format!("{} received{by}", counted.title), each(counted.unit, |arm| &arm.rate)));
    charts
}

/// Rate, errors and duration of each version over the same time; `answered` is whether all that was asked was, `testers`
/// whether routes come before this one.
fn compared(arms: &[ArmCourse], counted: Counted, answered: bool, testers: bool) -> impl IntoView + use<> {
    let base = arms.first().cloned().unwrap_or_default();
    let row = |(index, arm): (usize, &ArmCourse)| {
        let whole = &arm.whole;
        let rate = (answered || whole.rate > 0.0).then_some(whole.rate);
        let errors = whole.more_errors.map(|(more, low, high)| {
            let percent = |share: f64| format::signed(share * 100.0);
            let sure = low > 0.0 || high < 0.0;
            let words = if sure { "outside of chance" } else { "may be chance" };
            view! {
                <small class:sure=sure title=format!("95 % interval of the difference to {}: {words}", base.name)>
                    {format!("{} pp ({} to {})", percent(more), percent(low), percent(high))}
                </small>
            }
        });
        // What this route never sent there took its time on other ways.
        let compared = index > 0 && whole.picked != Some(0) && base.whole.picked != Some(0);
        let slower = compared.then(|| Some(whole.p95_ms? - base.whole.p95_ms?)).flatten();
        view! {
            <tr data-version=arm.name.clone()>
                <th scope="row"><span class=format!("swatch part-{}", index % 4 + 1)></span>{format::middle(&arm.name, 32)}</th>
                <td class="numeral">{known(whole.requests, answered)}</td>
                <td class="numeral">{format::maybe(rate, |rate| format::rate(rate, counted))}</td>
                <td class="numeral">{format::maybe(whole.error_share, format::share)}" "{errors}</td>
                {counted.timed.then(|| view! {
                    <td class="numeral">
                        {format::maybe(whole.p95_ms, format::millis)}" "
                        <small>{slower.filter(|slower| slower.abs() >= 0.005).map(|slower| format!("{} ms", format::signed(slower)))}</small>
                    </td>
                })}
            </tr>
        }
    };
    let rows = arms.iter().enumerate().map(row).collect_view();
    let elsewhere = verdicts::comes_by_others(testers, arms);
    view! {
        {elsewhere.then(|| view! {
            <p class="quiet" data-testid="canary-elsewhere">
                {format!("All {} to these versions, by any route: the shares are of this one alone.", counted.many)}
            </p>
        })}
        <div class="wide" tabindex="0" role="group" aria-label="Versions compared">
            <table class="small shares" data-testid="canary-compared">
                <thead>
                    <tr>
                        <th scope="col">"Version"</th>
                        <th scope="col" class="numeral" title="All that it received in this time, over this route or any other">{counted.title}</th>
                        <th scope="col" class="numeral">"Rate"</th>
                        <th scope="col" class="numeral" title="With the difference to the first one in percentage points, and its 95 % interval">"Errors"</th>
                        {counted.timed.then(|| view! { <th scope="col" class="numeral">"p95"</th> })}
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
    }
}
