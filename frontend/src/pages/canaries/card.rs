//! One weighted route.

use std::sync::Arc;

use leptos::prelude::*;
use weft_model::{
    Counted,
    canary::{Canary, Share, TesterRoute},
    graph::Health,
};

use super::{
    bars::{Bars, name},
    course::OverTime,
    draft::Draft,
    editor::Editor,
    history::History,
    preview::Findings,
};
use crate::{
    browser,
    components::{
        copy::Commands,
        shape::{Glyph, HealthShape},
    },
    format,
    icons::Icon,
    location::Room,
    pages::configuration,
    shown::visible,
    sources::{is_counted, known},
    state::app,
    verdicts, words,
};

/// The card of the route with this key; it stays while numbers change, and so does what was typed into it.
#[component]
pub fn Card(key: String) -> impl IntoView {
    let app = app();
    let wanted = key.clone();
    let canary: Memo<Option<Arc<Canary>>> = Memo::new(move |_| {
        app.canaries.with(|load| {
            load.value.as_ref()?.canaries.iter().find(|canary| super::key(canary) == wanted).cloned().map(Arc::new)
        })
    });
    let draft = Draft::new(app, canary);
    let kept = draft.keep(super::place(&key));
    let kept = move || kept.filter(|_| draft.changed()).map(browser::minute);
    let course = RwSignal::new(None);
    let verdict = Memo::new(move |_| canary.with(|canary| canary.as_ref().map(|canary| canary.verdict)));
    let sentence = Memo::new(move |_| canary.with(|canary| canary.as_deref().map(read)));
    let findings = Memo::new(move |_| {
        canary.with(|canary| canary.as_ref().map(|canary| canary.findings.clone()).unwrap_or_default())
    });
    // Shares may be as configured while what is sent to one of them is lost.
    let lost = Memo::new(move |_| canary.with(|canary| canary.as_deref().map(lost).unwrap_or_default()));
    let health = Signal::derive(move || {
        let of_shares = verdict.get().map(words::verdict_health).unwrap_or_default();
        if lost.with(Vec::is_empty) { of_shares } else { Health::Failing }
    });
    let verdict_words = move || verdict.get().map(|verdict| lost.with(|lost| verdicts::pill(verdict, lost)));
    // Only what never changes, so that a focused link stays.
    let title = Memo::new(move |_| {
        canary.with(|canary| {
            canary.as_ref().map(|canary| (canary.object.clone(), canary.route.clone(), canary.route_index))
        })
    });
    let heard = move || {
        let verdict = verdict_words()?;
        title.with(|title| title.as_ref().map(|(object, ..)| format!("{}: {verdict}", object.name)))
    };
    let commands = Signal::derive(move || {
        canary.with(|canary| {
            let query = |canary: &Arc<Canary>| {
                (format!("{} per destination (PromQL)", canary.counted().many), canary.query.clone())
            };
            canary.iter().map(query).collect()
        })
    });
    let heading = move || {
        title.get().map(|(object, route, index)| {
            let target = configuration::key(&object);
            let route = if route.parse::<usize>().is_ok() { format!("http[{index}]") } else { route };
            view! {
                <h2>
                    <button class="link" title="Open the configuration" on:click=move |_| app.enter(Room::Configuration, |view| view.select.clone_from(&target))>
                        {visible(&object.name)}
                    </button>
                </h2>
                <span class="quiet cut" title=visible(&route)>{object.namespace}" · route "{format::middle(&route, 60)}</span>
            }
        })
    };
    view! {
        <article class="card" data-testid="canary-card" data-canary=key>
            <header>
                {heading}
                <span class="spring"></span>
                <span
                    class=move || format!("verdict {}", words::health(health.get()))
                    data-testid="canary-verdict"
                    data-verdict=move || verdict.get().map(words::verdict)
                >
                    <HealthShape health=health silent=true />
                    {verdict_words}
                </span>
            </header>
            <p class="sentence">{move || sentence.get()}</p>
            // The counts in the sentence change all the time; what is heard is the verdict, when it changes.
            <p class="unseen" aria-live="polite" data-testid="canary-heard">{heard}</p>
            {move || view! { <Findings title="Findings" findings=findings.get() /> }}
            {move || canary.get().map(|canary| view! { <Bars canary=(*canary).clone() /> })}
            {move || canary.get().map(|canary| view! { <Versions canary=(*canary).clone() /> })}
            {move || kept().map(|at| view! {
                <p class="quiet" role="status" data-testid="canary-kept">{format!("Your unfinished weights of {at} were kept; discard them below.")}</p>
            })}
            <Editor draft=draft canary=canary />
            <OverTime canary=canary course=course />
            <History canary=canary course=course />
            <Commands commands=commands words="Show query" />
        </article>
    }
}

/// The verdict's sentence with its moment as the reader's clock shows it.
fn read(canary: &Canary) -> String {
    match (canary.since_ms, canary.since_text.as_str()) {
        (None, _) | (_, "") => visible(&canary.sentence),
        (Some(since), text) => visible(&canary.sentence).replace(text, &browser::minute(since as f64)),
    }
}

/// Names of the destinations that answer nothing.
fn lost(canary: &Canary) -> Vec<String> {
    canary.lost().map(|share| format::middle(&name(share), 32)).collect()
}

/// What each destination should get and what it gets, with the interval.
#[component]
fn Versions(canary: Canary) -> impl IntoView {
    let counted = canary.counted();
    let since = canary.since_ms.map(|since| since as f64);
    let answered = is_counted(&canary);
    let row = |(index, share): (usize, Share)| {
        let interval = share.interval.map(|(low, high)| format!("{low:.1}–{high:.1}"));
        view! {
            <tr>
                <th scope="row">
                    <span class=format!("swatch part-{}", index % 4 + 1)></span>
                    <span title=visible(&share.host)>{name(&share)}</span>
                </th>
                <td class="numeral">{format::percent(share.configured_percent)}</td>
                <td class="numeral">{format::maybe(share.observed_percent, format::percent)}</td>
                <td class="numeral quiet">{interval}</td>
                <td class="numeral">{known(share.requests, answered)}</td>
            </tr>
        }
    };
    let testers = canary.testers.clone();
    view! {
        <div class="wide" tabindex="0" role="group" aria-label="Shares">
            <table class="small shares" data-testid="canary-shares">
                <thead>
                    <tr>
                        <th scope="col">"Destination"</th>
                        <th scope="col" class="numeral">"Configured"</th>
                        <th scope="col" class="numeral">"Observed"</th>
                        <th scope="col" class="numeral" title="The true share lies here with 95 % certainty">"95 % interval"</th>
                        <th scope="col" class="numeral" title=since.map(|since| format!("since {}", browser::moment(since)))>
                            {words::counted_since(counted, since.map(browser::minute).as_deref())}
                        </th>
                    </tr>
                </thead>
                <tbody>{canary.shares.into_iter().enumerate().map(row).collect_view()}</tbody>
            </table>
        </div>
        {(!testers.is_empty()).then(|| view! { <Testers testers counted answered /> })}
    }
}

/// Routes that come first and do not count.
#[component]
fn Testers(testers: Vec<TesterRoute>, counted: Counted, answered: bool) -> impl IntoView {
    view! {
        <ul class="testers">
            {testers
                .into_iter()
                .map(|tester| {
                    let (before, matches, after) = verdicts::earlier(&tester);
                    let count = match tester.requests {
                        0 if !answered => format!("how many {} is not known", counted.many),
                        requests => format!("{}, counted apart", format::plural(requests as usize, counted.one, counted.many)),
                    };
                    view! {
                        <li data-testid="canary-testers" data-requests=tester.requests.to_string()>
                            <Glyph icon=Icon::ArrowRight />
                            <span>
                                {before}
                                <code>{matches}</code>
                                {after}
                                {visible(&tester.destination)}
                                {format!(": {count}.")}
                            </span>
                        </li>
                    }
                })
                .collect_view()}
        </ul>
    }
}
