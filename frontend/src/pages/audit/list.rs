//! What was done, newest first.

use gloo_timers::future::TimeoutFuture;
use leptos::{prelude::*, task::spawn_local};
use weft_model::audit::{AuditEntry, AuditList};

use super::query;
use crate::{
    api, browser, command,
    components::{
        copy::{Commands, curl},
        placeholder::{Empty, Failure, Skeleton},
        shape::Glyph,
    },
    format,
    patience::Patience,
    shown::visible,
    state::{Load, app},
    words,
};

/// How often the list looks for newer ones, in milliseconds.
const REFRESH_MS: u32 = 5_000;

/// The list; `people` takes the names in it, `chosen` the entry that the view selects, and `denied` whether the reader may
/// not see it.
#[component]
pub fn List(
    people: RwSignal<Vec<String>>,
    chosen: RwSignal<Option<AuditEntry>>,
    denied: RwSignal<bool>,
) -> impl IntoView {
    let app = app();
    let load: RwSignal<Load<AuditList>> = RwSignal::default();
    let patience = StoredValue::new(Patience::default());
    // Pages after the first, in the order in which they were asked for.
    let older: RwSignal<AuditList> = RwSignal::default();
    let busy = RwSignal::new(false);
    let filter = Memo::new(move |_| {
        app.view.with(|view| {
            (view.find.clone(), view.namespaces.clone(), view.action.clone(), view.hours, view.about.clone())
        })
    });
    let ask = move || async move {
        let Some(asked) = filter.try_get_untracked() else { return };
        let query = app.view.with_untracked(|view| query(view, browser::now()));
        let answer = api::audit(&query).await;
        // The room may be left, or the filter changed, by now.
        if filter.try_get_untracked() != Some(asked) {
            return;
        }
        if let Ok(list) = &answer {
            let mut names: Vec<String> =
                list.entries.iter().map(|entry| entry.who.clone()).filter(|who| !who.is_empty()).collect();
            names.sort();
            names.dedup();
            let _ = people.try_set(names);
        }
        let status = answer.as_ref().err().map_or(0, |problem| problem.status);
        let _ = patience.try_update_value(|patience| patience.settle(status));
        let _ = denied.try_set(status == 403);
        let _ = load.try_update(|load| load.settle(answer));
    };
    Effect::new(move |_| {
        let _ = filter.get();
        patience.set_value(Patience::default());
        load.set(Load::default());
        older.set(AuditList::default());
        spawn_local(ask());
    });
    app.on_person(move || spawn_local(ask()));
    spawn_local(async move {
        loop {
            TimeoutFuture::new(REFRESH_MS).await;
            if load.is_disposed() {
                return;
            }
            let looked_at = app.paused.get_untracked().is_none() && !document().hidden();
            if looked_at && patience.try_update_value(Patience::is_due).unwrap_or(false) {
                ask().await;
            }
        }
    });
    let entries = Memo::new(move |_| {
        load.with(|load| {
            let mut all = load.value.as_ref()?.entries.clone();
            let last = all.last().map(|entry| entry.id);
            // The first page grows at its top while older ones are open: none is shown twice.
            older.with(|older| all.extend(older.entries.iter().filter(|entry| Some(entry.id) < last).cloned()));
            Some(all)
        })
    });
    Effect::new(move |_| {
        let id = app.view.with(|view| view.select.parse::<u64>().ok());
        let found = entries.with(|entries| entries.iter().flatten().find(|entry| Some(entry.id) == id).cloned());
        if chosen.get_untracked() != found {
            chosen.set(found);
        }
    });
    // A link may name an entry that is further down, or that the filters leave out.
    let missing = Memo::new(move |_| {
        let wanted = app.view.with(|view| !view.select.is_empty());
        let id = app.view.with(|view| view.select.parse::<u64>().ok());
        entries
            .with(|entries| entries.as_ref().is_some_and(|all| wanted && !all.iter().any(|entry| Some(entry.id) == id)))
    });
    let next = Memo::new(move |_| {
        older.with(|older| {
            if older.entries.is_empty() {
                load.with(|load| load.value.as_ref()?.next.clone())
            } else {
                older.next.clone()
            }
        })
    });
    let more = move |_| {
        let (Some(cursor), false) = (next.get_untracked(), busy.get_untracked()) else { return };
        busy.set(true);
        spawn_local(async move {
            let mut query = app.view.with_untracked(|view| query(view, browser::now()));
            query.cursor = Some(cursor);
            let answer = api::audit(&query).await;
            let _ = busy.try_set(false);
            match answer {
                Ok(list) => {
                    let _ = older.try_update(|older| {
                        older.entries.extend(list.entries);
                        older.next = list.next;
                    });
                }
                Err(problem) => app.toast(format!("{} {}", problem.title, problem.detail), true, None),
            }
        });
    };
    let retry = Callback::new(move |()| spawn_local(ask()));
    let filtered = move || {
        filter.with(|(who, spaces, action, hours, about)| {
            ![who, action, about].into_iter().all(String::is_empty) || !spaces.is_empty() || *hours > 0
        })
    };
    let commands = Signal::derive(move || {
        let query = app.view.with(|view| query(view, browser::now()));
        vec![command::audit(&query), curl(&api::audit_address(&query))]
    });
    let known = Memo::new(move |_| entries.with(|entries| entries.as_ref().map(Vec::is_empty)));
    let told = move || {
        let number = entries.with(|entries| entries.as_ref().map_or(0, Vec::len));
        format!("{}, the oldest last.", format::plural(number, "entry", "entries"))
    };
    view! {
        {move || load.with(|load| load.error.clone()).map(|problem| view! { <Failure problem retry /> })}
        <Show when=move || missing.get()>
            <p class="partial" role="status" data-testid="audit-missing">
                <strong>"The entry that this link names is not in this list. "</strong>
                "Show older ones, or loosen the filters. "
                <button class="link" on:click=move |_| app.change(|view| view.select.clear())>"Leave it"</button>
            </p>
        </Show>
        {move || match known.get() {
            None if load.with(|load| load.error.is_some()) => ().into_any(),
            None => view! { <Skeleton words="Reading the audit …" rows=8 /> }.into_any(),
            Some(true) if filtered() => {
                view! {
                    <Empty title="Nothing fits">
                        <p>"Loosen the filters: person or address, action, time, what it is about, and the namespaces in the top bar. Sign-ins belong to no namespace."</p>
                    </Empty>
                }
                    .into_any()
            }
            Some(true) => {
                view! {
                    <Empty title="Nothing was done yet">
                        <p>"Every change made through this console is written down here: who, when, what, and the change itself; and who signed in, out, or could not."</p>
                    </Empty>
                }
                    .into_any()
            }
            Some(false) => {
                view! {
                    <table class="list" data-testid="audit-list">
                        <thead>
                            <tr>
                                <th>"What"</th>
                                <th>"Object"</th>
                                <th>"Who"</th>
                                <th class="extra">"In short"</th>
                                <th class="numeral">"When"</th>
                            </tr>
                        </thead>
                        <tbody>
                            <For each=move || entries.get().unwrap_or_default() key=|entry| entry.id let:entry>
                                <Row entry=entry />
                            </For>
                        </tbody>
                    </table>
                    <div class="list-foot">
                        <Show when=move || next.with(Option::is_some) fallback=move || view! { <span class="quiet">{told}</span> }>
                            <button class="button" data-testid="audit-more" disabled=move || busy.get() on:click=more>
                                {move || if busy.get() { "Reading …" } else { "Show older ones" }}
                            </button>
                        </Show>
                    </div>
                }
                    .into_any()
            }
        }}
        <Show when=move || !denied.get()>
            <Commands commands=commands />
        </Show>
    }
}

#[component]
fn Row(entry: AuditEntry) -> impl IntoView {
    let app = app();
    let id = entry.id.to_string();
    let (chosen, target) = (id.clone(), id.clone());
    let at = entry.at_ms as f64;
    let place = entry.object.as_ref().map(ToString::to_string).unwrap_or_default();
    let object = match entry.object {
        Some(object) => view! {
            {format::middle(&object.name, 40)}
            <span class="quiet">{format!(" {} · {}", object.kind, format::middle(&object.namespace, 28))}</span>
        }
        .into_any(),
        None => view! { <span class="quiet">"–"</span> }.into_any(),
    };
    let whose = if entry.who.is_empty() { entry.address.clone().unwrap_or_default() } else { entry.who.clone() };
    let from = entry.address.map(|address| format!(" from {address}")).unwrap_or_default();
    let title = if entry.who.is_empty() {
        format!("Not known who{from}")
    } else {
        format!("{} ({}){from}", entry.who, words::how(entry.how))
    };
    view! {
        <tr
            data-testid="audit-row"
            data-action=entry.action.as_str()
            data-id=id
            class:chosen=move || app.view.with(|view| view.select == chosen)
            on:click=move |_| app.change(|view| view.select.clone_from(&target))
        >
            <th scope="row">
                <Glyph icon=words::action_icon(entry.action) />
                <button class="link" data-row="">{words::action(entry.action)}</button>
            </th>
            <td title=visible(&place)>{object}</td>
            <td title=visible(&title)><bdi>{format::middle(&whose, 32)}</bdi></td>
            <td class="quiet extra" title=visible(&entry.detail)><bdi>{format::middle(&entry.detail, 48)}</bdi></td>
            <td class="numeral quiet" title=browser::moment(at)>{move || format::ago(app.now.get() - at)}</td>
        </tr>
    }
}
