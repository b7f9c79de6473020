//! One instance's proxy: in what it differs from its control plane, and what is in force in it.

use std::sync::Arc;

use leptos::prelude::*;
use weft_model::{
    details::{Detail, SyncState},
    mesh::{Drift, ProxyDetail, Table},
};

use super::parts::Sync;
use crate::{
    api, browser,
    components::{
        copy::Commands,
        placeholder::{Empty, Failure, Old, Skeleton},
    },
    format,
    location::{Room, View},
    pages::{configuration::key as object_key, mesh::certificates},
    poll::{poll, regularly},
    state::app,
    words,
};

/// Rows of a table that are shown until more are asked for.
const FIRST_ROWS: usize = 200;

/// The tab.
#[component]
pub fn ProxyView(detail: Memo<Option<Arc<Detail>>>) -> impl IntoView {
    let app = app();
    let instances = Memo::new(move |_| {
        let of = |one: &Arc<Detail>| {
            let proxied = one.instances.iter().filter(|one| ![SyncState::None, SyncState::Missing].contains(&one.sync));
            proxied.map(|one| (one.namespace.clone(), one.name.clone())).collect::<Vec<_>>()
        };
        detail.with(|detail| detail.as_ref().map(of).unwrap_or_default())
    });
    let chosen = Memo::new(move |_| {
        let wanted = app.view.with(|view| view.instance.clone());
        instances.with(|all| all.iter().find(|(_, name)| *name == wanted).or(all.first()).cloned())
    });
    view! {
        <section class="proxy" data-testid="proxy">
            {move || match chosen.get() {
                None => view! {
                    <Empty title="It has no proxy">
                        <p>"Nothing of it is under the mesh's control: its calls are plaintext and not counted."</p>
                    </Empty>
                }.into_any(),
                Some((namespace, name)) => {
                    let picked = name.clone();
                    view! {
                        <div class="section-head">
                            <h2>"Proxy of "</h2>
                            <select
                                aria-label="Instance"
                                on:change:target=move |event| {
                                    let instance = event.target().value();
                                    app.change(|view| view.instance = instance);
                                }
                            >
                                {instances.get().into_iter().map(|(_, name)| {
                                    let selected = name == picked;
                                    view! { <option value=name.clone() selected=selected>{name.clone()}</option> }
                                }).collect_view()}
                            </select>
                        </div>
                        <One place=format!("{namespace}/{name}") />
                    }.into_any()
                }
            }}
        </section>
    }
}

#[component]
fn One(place: String) -> impl IntoView {
    let key = Memo::new(move |_| place.clone());
    let (load, retry) = poll(key, regularly(), |place| async move { api::proxy(&place).await });
    let names: Memo<Vec<(String, usize)>> = Memo::new(move |_| {
        let parts = |one: &Arc<ProxyDetail>| {
            let tables = one.tables.iter().map(|table| (table.key.clone(), table.rows.len() + table.more));
            tables.chain((!one.stats.is_empty()).then(|| ("stats".to_owned(), one.stats.len()))).collect()
        };
        load.with(|load| load.value.as_ref().map(parts).unwrap_or_default())
    });
    let part = RwSignal::new(String::from("listeners"));
    let find = RwSignal::new(String::new());
    let commands = Signal::derive(move || load.with(|load| load.part(|one| one.commands.clone())));
    view! {
        <Old load retry />
        {move || load.with(|load| match (&load.value, &load.error) {
            (Some(proxy), _) => summary(proxy).into_any(),
            (None, Some(problem)) => view! { <Failure problem=problem.clone() retry /> }.into_any(),
            (None, None) => view! { <Skeleton words="Asking the control plane and the proxy …" rows=8 /> }.into_any(),
        })}
        {move || {
            let names = names.get();
            (!names.is_empty()).then(|| view! {
                <div class="section-head">
                    <h2>"In force"</h2>
                    <div class="segments" role="group" aria-label="Part of the configuration">
                        {names.into_iter().map(|(name, count)| {
                            let (own, target) = (name.clone(), name.clone());
                            view! {
                                <button aria-pressed=move || part.with(|part| *part == own).to_string() data-testid=format!("proxy-{name}") on:click=move |_| part.set(target.clone())>
                                    {name.clone()}" "<span class="quiet">{count}</span>
                                </button>
                            }
                        }).collect_view()}
                    </div>
                    <label class="search">
                        <input type="search" placeholder="Text of a row" aria-label="Filter rows"
                            prop:value=move || find.get() on:input:target=move |event| find.set(event.target().value()) />
                    </label>
                </div>
            })
        }}
        {move || load.with(|load| load.value.as_ref().map(|one| part.with(|part| find.with(|find| table(one, part, find)))))}
        <Commands commands=commands words="Show command for the proxy" />
    }
}

fn summary(proxy: &ProxyDetail) -> impl IntoView + use<> {
    let row = &proxy.row;
    let notes =
        proxy.notes.iter().map(|note| view! { <p class="partial" role="status">{note.clone()}</p> }).collect_view();
    let types = proxy.types.iter().map(|one| {
        let state = match (&one.nack, one.synced) {
            (Some(_), _) => SyncState::Refused,
            (None, true) => SyncState::Synced,
            (None, false) => SyncState::Stale,
        };
        view! {
            <tr data-testid="proxy-type" data-type=one.kind.clone()>
                <th scope="row">{one.kind.to_uppercase()}</th>
                <td class="numeral">{one.resources}</td>
                <td><Sync state=state title=one.nack.clone().unwrap_or_default() /></td>
            </tr>
        }
    });
    let drift = proxy.drift.iter().map(difference).collect_view();
    let (connected, version) = (row.connected_at_ms as f64, row.version.clone());
    let sees_all = app().person.with(|person| person.as_ref().is_none_or(|person| person.sees_all));
    let (host, why) = words::control_plane(&row.control_plane, sees_all);
    let host = host.to_owned();
    view! {
        {notes}
        <div class="verdict-line" data-testid="proxy-sync">
            <Sync state=row.sync title="" />
            <span>{row.words.clone()}</span>
        </div>
        <dl class="figures">
            <div class="figure"><dt>"version"</dt><dd>{if version.is_empty() { "–".to_owned() } else { version }}{row.skewed.then_some(" (too far from its control plane's)")}</dd></div>
            <div class="figure"><dt>"control plane"</dt><dd title=why data-testid="proxy-control-plane">{host}</dd></div>
            <div class="figure"><dt>"connected"</dt><dd title=browser::moment(connected)>{if connected > 0.0 { format::ago(browser::now() - connected) } else { "–".to_owned() }}</dd></div>
            <div class="figure"><dt>"identity"</dt><dd title=proxy.identity.clone()>{format::middle(&proxy.identity, 56)}</dd></div>
            <div class="figure"><dt>"resources wanted"</dt><dd>{format::count(proxy.wanted as u64)}</dd></div>
        </dl>
        <div class="two">
            <section>
                <h2>"What differs from the control plane"</h2>
                {if proxy.drift.is_empty() {
                    view! { <p class="quiet" data-testid="no-drift">{if proxy.wanted == 0 { "Not known: no control plane says what it should have." } else { "Nothing: everything that is wanted was confirmed." }}</p> }.into_any()
                } else {
                    view! { <ul class="drift">{drift}</ul> }.into_any()
                }}
                {(proxy.more_drift > 0).then(|| format!("{} more are not shown.", proxy.more_drift))}
            </section>
            <section>
                <h2>"By type"</h2>
                <table class="small"><thead><tr><th>"Type"</th><th class="numeral">"Resources"</th><th>"State"</th></tr></thead><tbody>{types.collect_view()}</tbody></table>
            </section>
        </div>
        {(!proxy.certificates.is_empty()).then(|| view! {
            <section>
                <h2>"Certificates"</h2>
                {certificates::timeline(&proxy.certificates, browser::now() as u64)}
            </section>
        })}
    }
}

fn difference(drift: &Drift) -> impl IntoView + use<> {
    let app = app();
    let origins = drift.origins.iter().map(|object| {
        let select = object_key(object);
        let href =
            move || app.view.with(|view| View { select: select.clone(), ..view.enter(Room::Configuration) }.fragment());
        view! { <a href=href>{object.to_string()}</a>" " }
    });
    let hidden = (drift.hidden_origins > 0).then(|| {
        let others = format::plural(drift.hidden_origins, "object", "objects");
        view! { <span data-testid="hidden-origins">"made from "{others}" that you may not see"</span> }
    });
    view! {
        <li data-testid="drift" data-state=drift.state.clone()>
            <strong>{drift.state.clone()}</strong>" "<span class="quiet">{drift.kind.to_uppercase()}</span>" "<code>{format::middle(&drift.name, 90)}</code>
            <p>{drift.words.clone()}</p>
            <p class="quiet">{(!drift.version.is_empty()).then(|| format!("wanted version {} ", format::middle(&drift.version, 20)))}{origins.collect_view()}{hidden}</p>
        </li>
    }
}

fn table(proxy: &ProxyDetail, part: &str, find: &str) -> impl IntoView + use<> {
    let find = find.to_lowercase();
    let stats = (part == "stats").then(|| Table {
        key: "stats".to_owned(),
        head: vec!["Figure".to_owned(), "Value".to_owned()],
        rows: proxy.stats.iter().map(|(name, value)| vec![name.clone(), value.clone()]).collect(),
        more: 0,
    });
    let table = stats.or_else(|| proxy.tables.iter().find(|table| table.key == part).cloned())?;
    let fits = |row: &&Vec<String>| find.is_empty() || row.iter().any(|cell| cell.to_lowercase().contains(&find));
    let all: Vec<&Vec<String>> = table.rows.iter().filter(fits).collect();
    let left = all.len().saturating_sub(FIRST_ROWS) + table.more;
    let rows = all.iter().take(FIRST_ROWS).map(|row| {
        let cells =
            row.iter().map(|cell| view! { <td title=cell.clone()>{format::middle(cell, 64)}</td> }).collect_view();
        view! { <tr data-testid="proxy-row">{cells}</tr> }
    });
    let heads = table.head.iter().map(|head| view! { <th scope="col">{head.clone()}</th> }).collect_view();
    let none = all.is_empty();
    Some(view! {
        <div class="wide" tabindex="0" role="group" aria-label="What is in force">
            <table class="small dump"><thead><tr>{heads}</tr></thead><tbody>{rows.collect_view()}</tbody></table>
        </div>
        {none.then(|| view! { <p class="quiet">"Nothing fits."</p> })}
        {(left > 0).then(|| view! { <p class="quiet">{format!("{left} more: filter, or use the command.")}</p> })}
    })
}
