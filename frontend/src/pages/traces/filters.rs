//! What is searched for.

use leptos::{prelude::*, task::spawn_local};
use weft_model::trace::TraceNames;

use crate::{
    api, browser,
    components::{copy::CopyLink, shape::Glyph},
    format,
    icons::Icon,
    location::traces::{micros, millis},
    state::app,
};

/// How far back the search goes, in hours, and the words for it; 0 is the window of the page.
const SPANS: [(u64, &str); 3] = [(0, "Window"), (6, "6h"), (24, "24h")];
/// Tags that may be asked for at once.
const MAX_TAGS: usize = 6;

/// The bar of filters, and below it what can be taken away again.
#[component]
pub fn Filters() -> impl IntoView {
    let app = app();
    let names: RwSignal<TraceNames> = RwSignal::default();
    let workload = Memo::new(move |_| app.view.with(|view| view.workload.clone()));
    Effect::new(move |_| {
        let workload = workload.get();
        spawn_local(async move {
            // Without them the fields take what is typed.
            if let Ok(answer) = api::trace_names(&workload).await {
                let _ = names.try_set(answer);
            }
        });
    });
    let options = move |part: fn(&TraceNames) -> &Vec<String>| {
        move || {
            names.with(|names| {
                part(names).iter().map(|name| view! { <option value=name.clone()></option> }).collect_view()
            })
        }
    };
    let limit = move |least: bool| {
        let shown = move || {
            let us = app.view.with(|view| if least { view.traces.min_us } else { view.traces.max_us });
            if us > 0 { millis(us) } else { String::new() }
        };
        view! {
            <input
                type="number"
                min="0"
                step="any"
                inputmode="decimal"
                data-testid=if least { "trace-min" } else { "trace-max" }
                aria-label=if least { "At least so many milliseconds" } else { "At most so many milliseconds" }
                placeholder=if least { "0" } else { "∞" }
                prop:value=shown
                on:change:target=move |event| {
                    let us = micros(&event.target().value()).unwrap_or(0);
                    app.change(|view| if least { view.traces.min_us = us } else { view.traces.max_us = us });
                }
            />
        }
    };
    view! {
        <label class="search">
            <Glyph icon=Icon::Search />
            <input
                type="search"
                data-testid="trace-workload"
                list="workloads"
                placeholder="Workload"
                title="namespace/name of a workload that took part"
                aria-label="Workload"
                prop:value=move || app.view.with(|view| view.workload.clone())
                on:change:target=move |event| {
                    let text = event.target().value();
                    app.change(|view| text.trim().clone_into(&mut view.workload));
                }
            />
            <datalist id="workloads">{options(|names| &names.workloads)}</datalist>
        </label>
        <label class="search">
            <input
                type="search"
                data-testid="trace-operation"
                list="operations"
                placeholder="Operation"
                title="Name of a span, such as GET cart.shop.svc.cluster.local:8080/*"
                aria-label="Operation"
                prop:value=move || app.view.with(|view| view.traces.operation.clone())
                on:change:target=move |event| {
                    let text = event.target().value();
                    app.change(|view| text.trim().clone_into(&mut view.traces.operation));
                }
            />
            <datalist id="operations">{options(|names| &names.operations)}</datalist>
        </label>
        <label class="search">
            <input
                type="search"
                data-testid="trace-tag"
                placeholder="Tag: http.status_code=503"
                title="key=value; several one after another. All are of one and the same span."
                aria-label="Tag, as key=value"
                on:change:target=move |event| {
                    let target = event.target();
                    let text = target.value();
                    let tag = text.trim();
                    if tag.split_once('=').is_some_and(|(key, _)| !key.is_empty()) {
                        app.change(|view| {
                            if view.traces.tags.len() < MAX_TAGS && !view.traces.tags.iter().any(|known| known == tag) {
                                view.traces.tags.push(tag.to_owned());
                            }
                        });
                        target.set_value("");
                    } else if !tag.is_empty() {
                        app.toast("A tag is written key=value, such as http.status_code=503.", true, None);
                    }
                }
            />
        </label>
        <div class="search limits" role="group" aria-label="Duration in milliseconds">
            {limit(true)} "–" {limit(false)} "ms"
        </div>
        <button
            class="toggle"
            aria-pressed=move || app.view.with(|view| view.errors).to_string()
            data-testid="trace-errors"
            on:click=move |_| app.change(|view| view.errors = !view.errors)
        >
            "Errors only"
        </button>
        <div class="segments" role="group" aria-label="How far back">
            {SPANS
                .into_iter()
                .map(|(hours, words)| {
                    view! {
                        <button
                            title=if hours == 0 { "The window of the top bar" } else { "" }
                            aria-pressed=move || app.view.with(|view| view.hours == hours).to_string()
                            data-testid=format!("trace-hours-{hours}")
                            on:click=move |_| app.change(|view| view.hours = hours)
                        >
                            {words}
                        </button>
                    }
                })
                .collect_view()}
        </div>
        <span class="spring"></span>
        <CopyLink />
        <Chips />
    }
}

/// Tags and the chosen cell, each with a way to take it away.
#[component]
fn Chips() -> impl IntoView {
    let app = app();
    let tags = Memo::new(move |_| app.view.with(|view| view.traces.tags.clone()));
    let cell = Memo::new(move |_| app.view.with(|view| view.traces.cell));
    let chip = |words: String, take: Box<dyn Fn()>| {
        let spoken = format!("Take away {words}");
        view! {
            <span class="chip" data-testid="trace-chip">
                <span class="cut" title=words.clone()>{format::middle(&words, 60)}</span>
                <button class="icon-button" title="Take away" aria-label=spoken on:click=move |_| take()>
                    <Glyph icon=Icon::Close />
                </button>
            </span>
        }
    };
    let chips = move || {
        let tags = tags.get().into_iter().map(|tag| {
            let gone = tag.clone();
            chip(tag, Box::new(move || app.change(|view| view.traces.tags.retain(|known| *known != gone))))
        });
        let cell = cell.get().map(|cell| {
            let (from, to) = (browser::clock(cell.from_ms as f64), browser::zoned(cell.to_ms as f64));
            let words = format!("{from} – {to}, {} – {}", format::micros(cell.min_us), format::micros(cell.max_us));
            chip(words, Box::new(move || app.change(|view| view.traces.cell = None)))
        });
        tags.chain(cell).collect_view()
    };
    let any = move || !tags.with(Vec::is_empty) || cell.with(Option::is_some);
    view! {
        <Show when=any>
            <div class="chips">{chips}</div>
        </Show>
    }
}
