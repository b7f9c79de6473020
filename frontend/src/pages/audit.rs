//! The audit's room: who did what, to which object, with the change itself; who came, went and was refused.

mod entry;
mod list;

use std::net::IpAddr;

use leptos::prelude::*;
use weft_model::audit::{Action, AuditEntry};

use crate::{
    api, browser,
    components::{attention, copy::CopyLink, shape::Glyph},
    icons::Icon,
    location::View,
    queries::AuditQuery,
    state::app,
    words,
    workloads::about_words,
};
use entry::Entry;
use list::List;

/// How far back the list goes, in hours, and the words for it; 0 is everything.
const SPANS: [(u64, &str); 4] = [(0, "All"), (1, "1h"), (24, "24h"), (168, "7d")];

/// What the view asks for, as of `now` in milliseconds.
fn query(view: &View, now: f64) -> AuditQuery {
    let find = view.find.trim().to_owned();
    // No name looks like an address.
    let (who, address) = if find.parse::<IpAddr>().is_ok() { (String::new(), find) } else { (find, String::new()) };
    AuditQuery {
        who,
        address,
        // What it is about is a scope of its own: a mesh-wide policy stands in another namespace.
        namespaces: if view.about.is_empty() { view.namespaces.clone() } else { Vec::new() },
        action: view.action.clone(),
        // To the minute, so that the address does not change each time it is written.
        from_ms: (view.hours > 0)
            .then(|| ((now / 60_000.0).floor() as u64 * 60_000).saturating_sub(view.hours * 3_600_000)),
        about: view.about.clone(),
        ..AuditQuery::default()
    }
}

/// The room.
#[component]
pub fn Audit() -> impl IntoView {
    let app = app();
    let chosen: RwSignal<Option<AuditEntry>> = RwSignal::default();
    let people: RwSignal<Vec<String>> = RwSignal::default();
    let denied = RwSignal::new(false);
    attention::follow(Memo::new(move |_| app.view.with(|view| view.select.clone())));
    let export =
        move |format: &'static str| move || app.view.with(|view| api::audit_file(&query(view, browser::now()), format));
    view! {
        <div class="room split audit" class:with-detail=move || chosen.with(Option::is_some)>
            <div class="scroll">
                <div class="room-head">
                    <h1>"Audit"</h1>
                    <label class="search">
                        <Glyph icon=Icon::Search />
                        <input
                            type="search"
                            data-testid="audit-who"
                            list="people"
                            placeholder="Who, address"
                            aria-label="Person or address"
                            prop:value=move || app.view.with(|view| view.find.clone())
                            on:change:target=move |event| {
                                let text = event.target().value();
                                app.change(|view| text.trim().clone_into(&mut view.find));
                            }
                        />
                        <datalist id="people">
                            {move || people.get().into_iter().map(|name| view! { <option value=name></option> }).collect_view()}
                        </datalist>
                    </label>
                    <select
                        class="choice"
                        data-testid="audit-action"
                        aria-label="Action"
                        prop:value=move || app.view.with(|view| view.action.clone())
                        on:change:target=move |event| {
                            let action = event.target().value();
                            app.change(|view| view.action = action);
                        }
                    >
                        <option value="">"Every action"</option>
                        {Action::ALL
                            .into_iter()
                            .map(|action| {
                                let chosen = move || app.view.with(|view| view.action == action.as_str());
                                view! { <option value=action.as_str() prop:selected=chosen>{words::action(action)}</option> }
                            })
                            .collect_view()}
                    </select>
                    <div class="segments" role="group" aria-label="How far back">
                        {SPANS
                            .into_iter()
                            .map(|(hours, words)| {
                                view! {
                                    <button
                                        aria-pressed=move || app.view.with(|view| view.hours == hours).to_string()
                                        data-testid=format!("audit-hours-{hours}")
                                        on:click=move |_| app.change(|view| view.hours = hours)
                                    >
                                        {words}
                                    </button>
                                }
                            })
                            .collect_view()}
                    </div>
                    <span class="spring"></span>
                    <Show when=move || !denied.get()>
                        <a class="button quiet-button" download="" href=export("csv") data-testid="audit-csv">"CSV"</a>
                        <a class="button quiet-button" download="" href=export("json") data-testid="audit-json">"JSON"</a>
                    </Show>
                    <CopyLink />
                </div>
                <About />
                <List people=people chosen=chosen denied=denied />
            </div>
            {move || chosen.get().map(|entry| view! { <Entry entry /> })}
        </div>
    }
}

/// What the list is about, with a way to take that away.
#[component]
fn About() -> impl IntoView {
    let app = app();
    let about = Memo::new(move |_| app.view.with(|view| view.about.clone()));
    let words = move || format!("What configures {}", about_words(&about.get()));
    view! {
        <Show when=move || !about.with(String::is_empty)>
            <div class="chips">
                <span class="chip" data-testid="audit-about">
                    <span class="cut" title="Of objects that are gone those that could have held for it are listed, too">{words}</span>
                    <button
                        class="icon-button"
                        title="Take away"
                        aria-label=move || format!("Take away {}", words())
                        on:click=move |_| app.change(|view| view.about.clear())
                    >
                        <Glyph icon=Icon::Close />
                    </button>
                </span>
            </div>
        </Show>
    }
}
