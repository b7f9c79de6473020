//! One weighted route.

use std::sync::Arc;

use leptos::prelude::*;
use weft_model::canary::{Canary, Share, TesterRoute};

use super::{
    bars::{Bars, name},
    draft::Draft,
    editor::Editor,
    history::History,
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
    state::app,
    words,
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
    let verdict = Memo::new(move |_| canary.with(|canary| canary.as_ref().map(|canary| canary.verdict)));
    let sentence = Memo::new(move |_| canary.with(|canary| canary.as_deref().map(read)));
    let health = Signal::derive(move || verdict.get().map(words::verdict_health).unwrap_or_default());
    let commands = Signal::derive(move || {
        canary.with(|canary| {
            canary.iter().map(|canary| ("requests per destination (PromQL)".to_owned(), canary.query.clone())).collect()
        })
    });
    // Only what never changes, so that a focused link stays.
    let title = Memo::new(move |_| {
        canary.with(|canary| {
            canary.as_ref().map(|canary| (canary.object.clone(), canary.route.clone(), canary.route_index))
        })
    });
    let heading = move || {
        title.get().map(|(object, route, index)| {
            let target = configuration::key(&object);
            let route = if route.parse::<usize>().is_ok() { format!("http[{index}]") } else { route };
            view! {
                <h2>
                    <button class="link" title="Open the configuration" on:click=move |_| app.enter(Room::Configuration, |view| view.select.clone_from(&target))>
                        {object.name}
                    </button>
                </h2>
                <span class="quiet">{object.namespace}" · route "{route}</span>
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
                    {move || verdict.get().map(words::verdict_title)}
                </span>
            </header>
            <p class="sentence" aria-live="polite">{move || sentence.get()}</p>
            {move || canary.get().map(|canary| view! { <Bars canary=(*canary).clone() /> })}
            {move || canary.get().map(|canary| view! { <Versions canary=(*canary).clone() /> })}
            <Editor draft=draft canary=canary />
            <History canary=canary />
            <Commands commands=commands words="Show query" />
        </article>
    }
}

/// The verdict's sentence with its moment as the reader's clock shows it.
fn read(canary: &Canary) -> String {
    match (canary.since_ms, canary.since_text.as_str()) {
        (None, _) | (_, "") => canary.sentence.clone(),
        (Some(since), text) => canary.sentence.replace(text, &browser::minute(since as f64)),
    }
}

/// Rate, errors and duration side by side, with the difference to the first.
#[component]
fn Versions(canary: Canary) -> impl IntoView {
    let base = canary.shares.first().cloned();
    let since = canary.since_ms.map(|since| since as f64);
    let row = move |index: usize, share: Share| {
        let base = base.as_ref().filter(|_| index > 0);
        let errors = difference(share.error_share, base.and_then(|base| base.error_share), 100.0, "pp");
        let p95 = difference(share.p95_ms, base.and_then(|base| base.p95_ms), 1.0, "ms");
        let interval = share.interval.map(|(low, high)| format!("{low:.1}–{high:.1}"));
        view! {
            <tr>
                <th scope="row">
                    <span class=format!("swatch part-{}", index % 4 + 1)></span>
                    <span title=share.host.clone()>{name(&share).to_owned()}</span>
                </th>
                <td class="numeral">{format::percent(share.configured_percent)}</td>
                <td class="numeral">{format::maybe(share.observed_percent, format::percent)}</td>
                <td class="numeral quiet">{interval}</td>
                <td class="numeral">{format::count(share.requests)}</td>
                <td class="numeral">{format::rate(share.rate, "http")}</td>
                <td class="numeral">{format::maybe(share.error_share, format::share)} <small>{errors}</small></td>
                <td class="numeral">{format::maybe(share.p95_ms, format::millis)} <small>{p95}</small></td>
            </tr>
        }
    };
    let testers = canary.testers.clone();
    view! {
        <div class="wide">
            <table class="small versions">
                <thead>
                    <tr>
                        <th>"Destination"</th>
                        <th class="numeral">"Configured"</th>
                        <th class="numeral">"Observed"</th>
                        <th class="numeral" title="The true share lies here with 95 % certainty">"95 % interval"</th>
                        <th class="numeral" title=since.map(|since| format!("since {}", browser::moment(since)))>
                            {since.map_or_else(|| "Requests".to_owned(), |since| format!("Requests since {}", browser::minute(since)))}
                        </th>
                        <th class="numeral" title="Over the last minute">"Rate"</th>
                        <th class="numeral" title="Over the last minute; the difference to the first destination in percentage points">"Errors"</th>
                        <th class="numeral" title="Over the last minute; the difference to the first destination">"p95"</th>
                    </tr>
                </thead>
                <tbody>{canary.shares.clone().into_iter().enumerate().map(|(index, share)| row(index, share)).collect_view()}</tbody>
            </table>
        </div>
        {(!testers.is_empty()).then(|| view! { <Testers testers /> })}
    }
}

fn difference(value: Option<f64>, base: Option<f64>, factor: f64, unit: &str) -> Option<String> {
    let difference = (value? - base?) * factor;
    (difference.abs() >= 0.005).then(|| format!("{} {unit}", format::signed(difference)))
}

/// Routes that come first and do not count.
#[component]
fn Testers(testers: Vec<TesterRoute>) -> impl IntoView {
    view! {
        <ul class="testers">
            {testers
                .into_iter()
                .map(|tester| {
                    view! {
                        <li data-testid="canary-testers" data-requests=tester.requests.to_string()>
                            <Glyph icon=Icon::ArrowRight />
                            <span>
                                "Testers ("
                                <code>{tester.matches}</code>
                                ") always go to "
                                {tester.destination}
                                ": "
                                {format::plural(tester.requests as usize, "request", "requests")}
                                ", counted apart."
                            </span>
                        </li>
                    }
                })
                .collect_view()}
        </ul>
    }
}
