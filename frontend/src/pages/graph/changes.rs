//! What was changed about what a panel is about: by whom, as the audit has it, and outside of the console.

use leptos::prelude::*;
use weft_model::audit::{Action, AuditEntry, Outside};

use super::{applies::Way, trends::SHORTEST_S};
use crate::{
    api, browser,
    changes::{Change, together},
    components::{placeholder::Old, shape::Glyph},
    format,
    location::{Room, View},
    objects,
    poll::{every, poll},
    queries::AuditQuery,
    shown::visible,
    state::app,
    words,
    workloads::about,
};

/// How often they are asked for at least, in milliseconds.
const EVERY_MS: f64 = 30_000.0;
/// Changes that are shown; the audit has the rest.
const SHOWN: usize = 5;

/// Changes of the objects that configure it, or what it calls and fails on (`called`), over the time of the charts.
#[component]
pub fn Changes(way: Memo<Option<Way>>, #[prop(optional)] called: Option<Memo<Vec<Way>>>) -> impl IntoView {
    move || {
        way.get().map(|own| {
            let all = std::iter::once(own).chain(called.into_iter().flat_map(|called| called.get()));
            let all = all.map(|(subject, place)| about(subject, &place)).collect::<Vec<_>>().join(",");
            view! { <Changed about=all /> }
        })
    }
}

#[component]
fn Changed(about: String) -> impl IntoView {
    let app = app();
    let place = StoredValue::new(about.clone());
    let key = Memo::new(move |_| {
        let (window_s, at_ms) = app.view.with(|view| (view.window_s.max(SHORTEST_S), view.graph.at_ms));
        (about.clone(), window_s, at_ms)
    });
    // What was changed here changes the configuration; the rest is that changes grow old and leave the window.
    let (slowly, config) = (every(EVERY_MS), Memo::new(move |_| app.config.with(|load| load.at_ms)));
    let again = move || _ = (slowly.get(), config.get());
    let (load, retry) = poll(key, again, |(about, window_s, at_ms)| async move {
        let to_ms = (at_ms > 0).then_some(at_ms);
        let from_ms = to_ms.unwrap_or_else(|| browser::now() as u64).saturating_sub(window_s * 1000);
        let limit = Some(SHOWN + 1);
        api::audit(&AuditQuery { about, from_ms: Some(from_ms), to_ms, limit, ..AuditQuery::default() }).await
    });
    // Only what is shown, so that links stay while nothing changes.
    let listed =
        Memo::new(move |_| load.with(|load| load.value.as_ref().map(|list| (together(list), list.next.is_some()))));
    let span = move || {
        let (_, window_s, at_ms) = key.get();
        let span = format::span(window_s as f64 * 1000.0);
        if at_ms > 0 {
            format!("What changed in the {span} before")
        } else {
            format!("What changed in the last {span}")
        }
    };
    let all = move || app.view.with(|view| in_audit(view, place.get_value(), String::new()).fragment());
    let outside = move |Outside { object, at_ms }: Outside| {
        let (select, at) = (objects::key(&object), at_ms as f64);
        let title =
            format!("{object} changed in its file or on its cluster; no entry of the console's audit says by whom");
        let href =
            move || app.view.with(|view| View { select: select.clone(), ..view.enter(Room::Configuration) }.fragment());
        view! {
            <li data-testid="node-change" data-action="outside">
                <Glyph icon=words::action_icon(Action::Update) />
                <a class="link" href=href title=title>
                    {object.kind.clone()} " " {format::middle(&object.name, 32)}
                </a>
                <span class="quiet cut grow">"changed outside of this console"</span>
                <span class="quiet numeral" title=browser::moment(at)>{move || format::ago(app.now.get() - at)}</span>
            </li>
        }
        .into_any()
    };
    let line = move |entry: AuditEntry| {
        let select = entry.id.to_string();
        let href = move || app.view.with(|view| in_audit(view, place.get_value(), select.clone()).fragment());
        let object = entry.object.as_ref().map(ToString::to_string).unwrap_or_default();
        let what = entry.object.map(|object| format!("{} {}", object.kind, format::middle(&object.name, 32)));
        let detail = if entry.detail.is_empty() { object } else { format!("{object}: {}", entry.detail) };
        let who = if entry.who.is_empty() { "not known who".to_owned() } else { entry.who };
        let at = entry.at_ms as f64;
        view! {
            <li data-testid="node-change" data-action=entry.action.as_str()>
                <Glyph icon=words::action_icon(entry.action) />
                <a class="link" href=href title=visible(&detail)>
                    {words::action(entry.action)} " " {what}
                </a>
                <span class="quiet cut grow"><bdi>{visible(&who)}</bdi></span>
                <span class="quiet numeral" title=browser::moment(at)>{move || format::ago(app.now.get() - at)}</span>
            </li>
        }
        .into_any()
    };
    let line = move |change: Change| match change {
        Change::Entry(entry) => line(entry),
        Change::Outside(one) => outside(one),
    };
    let body = move || {
        match listed.get() {
            // A page ends where enough was looked through, whether anything fitted or not.
            Some((changes, more)) if changes.is_empty() => {
                view! { <p class="quiet">{words::unchanged(more)}</p> }.into_any()
            }
            Some((changes, _)) => {
                view! { <ul class="lines">{changes.into_iter().take(SHOWN).map(line).collect_view()}</ul> }.into_any()
            }
            None => match load.with(|load| load.error.clone()) {
                None => view! { <p class="quiet">"Reading the audit …"</p> }.into_any(),
                Some(problem) => view! {
                    <p class="fault" role="alert">
                        "What changed is not known. "{problem.title}" "{problem.detail}" "
                        <button class="link" on:click=move |_| retry.run(())>"Try again"</button>
                    </p>
                }
                .into_any(),
            },
        }
    };
    view! {
        <section data-testid="node-changes">
            <h3>{span}</h3>
            <Old load retry />
            {body}
            <p><a class="link" href=all data-testid="node-audit">"All of its changes"</a></p>
        </section>
    }
}

/// The audit about what is selected; with `select` one entry is open.
fn in_audit(view: &View, about: String, select: String) -> View {
    View { about, select, ..view.enter(Room::Audit) }
}
