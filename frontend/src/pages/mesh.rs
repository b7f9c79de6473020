//! The mesh's room: what is wrong, control planes, proxies, certificates, and what it all costs.

pub mod certificates;

use leptos::prelude::*;
use weft_model::{config::Dependency, details::SyncState, graph::Health, mesh::MeshState};

use crate::{
    api, browser, chart, command,
    components::{
        copy::{Commands, CopyLink},
        placeholder::{Failure, Old, Skeleton},
        shape::HealthShape,
    },
    format,
    location::{Room, View},
    pages::workloads::parts::Sync,
    poll::{poll, regularly},
    sources::{in_step, is_configured, known},
    state::app,
    words,
};

/// Proxies shown until all are asked for.
const FIRST_PROXIES: usize = 100;

/// The room.
#[component]
pub fn Mesh() -> impl IntoView {
    let app = app();
    let key = Memo::new(|_| ());
    let (load, retry) = poll(key, regularly(), |()| api::mesh());
    let commands = Signal::derive(move || {
        let others = load.with(|load| load.part(|one| one.commands.clone()));
        std::iter::once(command::mesh()).chain(others).collect::<Vec<_>>()
    });
    view! {
        <div class="room mesh">
            <div class="scroll">
                <div class="room-head">
                    <h1>"Mesh"</h1>
                    <span class="spring"></span>
                    <CopyLink />
                </div>
                <Old load retry />
                {move || load.with(|load| match (&load.value, &load.error) {
                    (Some(state), _) => {
                        let find = app.view.with(|view| view.namespaces.clone());
                        page(state, &find).into_any()
                    }
                    (None, Some(problem)) => view! { <Failure problem=problem.clone() retry /> }.into_any(),
                    (None, None) => view! { <Skeleton words="Asking control planes and Prometheus …" rows=10 /> }.into_any(),
                })}
                <Commands commands=commands />
            </div>
        </div>
    }
}

fn page(state: &MeshState, scope: &[String]) -> impl IntoView + use<> {
    let verdicts = state.verdicts.iter().map(|one| {
        view! {
            <li data-testid="mesh-verdict" data-health=words::health(one.health)>
                <HealthShape health=one.health silent=true />
                {match one.place.as_str() {
                    "" => view! { <span>{one.text.clone()}</span> }.into_any(),
                    place => {
                        let href = View { namespaces: scope.to_vec(), ..View::parse(place) }.fragment();
                        view! { <a href=href>{one.text.clone()}</a> }.into_any()
                    }
                }}
            </li>
        }
    });
    let versions =
        state.versions.iter().map(|(version, count)| format!("{version} ({count})")).collect::<Vec<_>>().join(", ");
    let dependency = |name: &'static str, one: &Dependency| {
        let (health, words) = match one.up {
            true => (Health::Healthy, "answers"),
            false if is_configured(one) => (Health::Failing, "does not answer"),
            false => (Health::Unknown, "not configured"),
        };
        view! {
            <div class="figure"><dt>{name}</dt><dd><span class="fact-part"><HealthShape health silent=true />{words}</span></dd></div>
        }
    };
    let costs = state.costs.iter().map(|cost| {
        view! {
            <tr data-testid="mesh-cost">
                <th scope="row">{format::middle(&cost.namespace, 40)}</th>
                <td class="numeral">{cost.proxies}</td>
                <td class="numeral">{chart::bytes(cost.memory)}</td>
                <td class="numeral">{format::digits(cost.cpu)}" cores"</td>
            </tr>
        }
    });
    let total =
        (state.costs.iter().map(|cost| cost.memory).sum::<f64>(), state.costs.iter().map(|cost| cost.cpu).sum::<f64>());
    let everything = app().person.with(|person| person.as_ref().is_none_or(|person| person.sees_all));
    view! {
        <ul class="verdicts" aria-live="polite">{verdicts.collect_view()}</ul>
        <dl class="figures">
            <div class="figure"><dt>"proxies in step"</dt><dd data-testid="mesh-in-step">{in_step(state.in_step, state.operator.up)}</dd></div>
            <div class="figure"><dt>"mutual TLS, last minute"</dt><dd>{format::maybe(state.mtls_share, format::share)}</dd></div>
            <div class="figure"><dt>"proxy versions"</dt><dd>{if versions.is_empty() { "–".to_owned() } else { versions }}</dd></div>
            <div class="figure"><dt>"console"</dt><dd>{state.console_version.clone()}</dd></div>
            {dependency("operator", &state.operator)}
            {dependency("Prometheus", &state.prometheus)}
        </dl>
        {planes(state)}
        <div class="two">
            <section>
                <h2>"Certificates"</h2>
                {state.certificates_note.clone().map(|note| view! { <p class="partial" role="status">{note}</p> })}
                {(state.certificates.is_empty() && state.certificates_note.is_none()).then(|| view! {
                    <p class="quiet">"No certificate is known: neither a control plane nor a proxy has told of one."</p>
                })}
                {certificates::timeline(&state.certificates, state.at_ms)}
            </section>
            <section>
                <h2>"What proxies cost"</h2>
                {state.costs_note.clone().map(|note| view! { <p class="partial" role="status">{note}</p> })}
                {(state.costs.is_empty() && state.costs_note.is_none()).then(|| view! {
                    <p class="quiet">"Nobody has told what proxies need: none runs, or Prometheus does not scrape them."</p>
                })}
                {(!state.costs.is_empty()).then(|| view! {
                    <table class="small">
                        <thead><tr><th>"Namespace"</th><th class="numeral">"Proxies"</th><th class="numeral">"Memory"</th><th class="numeral">"CPU, 5 min"</th></tr></thead>
                        <tbody>{costs.collect_view()}</tbody>
                        <tfoot><tr><th scope="row">"All"</th><td></td><td class="numeral">{chart::bytes(total.0)}</td><td class="numeral">{format::digits(total.1)}" cores"</td></tr></tfoot>
                    </table>
                })}
            </section>
        </div>
        <section>
            <h2>"Serving certificates"</h2>
            {certificates::serving(&state.serving, state.serving_note.as_deref(), scope, everything, state.at_ms)}
        </section>
        {proxies(state, scope)}
    }
}

fn planes(state: &MeshState) -> impl IntoView + use<> {
    let rows = state.control_planes.iter().map(|plane| {
        let answers = plane.problem.is_none();
        let health = if answers { Health::Healthy } else { Health::Failing };
        view! {
            <tr data-testid="control-plane">
                <th scope="row">
                    <span class="fact-part"><HealthShape health />{plane.name.trim_start_matches("http://").to_owned()}</span>
                    {plane.problem.clone().map(|problem| view! { <p class="quiet">{problem}</p> })}
                </th>
                <td>{if plane.revision.is_empty() { "–".to_owned() } else { plane.revision.clone() }}</td>
                <td>{if plane.version.is_empty() { "–".to_owned() } else { plane.version.clone() }}</td>
                <td class="numeral" data-part="proxies">{known(plane.proxies as u64, answers)}</td>
                <td class="numeral">{words::confirmations(plane.pushes, answers)}</td>
                <td class="numeral">{format::maybe(plane.push_p50_ms, format::millis)}</td>
                <td class="numeral">{format::maybe(plane.push_p99_ms, format::millis)}</td>
                <td class="numeral" data-part="refusals">{known(plane.nacks, answers)}</td>
            </tr>
        }
    });
    let none = state.control_planes.is_empty();
    view! {
        <section>
            <h2>"Control planes"</h2>
            {if none {
                view! { <p class="quiet">"No operator is configured; start the console with --operator-admin."</p> }.into_any()
            } else {
                view! {
                    <table class="list planes">
                        <thead>
                            <tr>
                                <th>"Replica"</th><th>"Revision"</th><th>"Version"</th><th class="numeral">"Proxies"</th>
                                <th class="numeral" title="By proxies, of changes since it started; what they got when they came is none">"Confirmations"</th>
                                <th class="numeral" title="From a change to a proxy's confirmation">"Push p50"</th>
                                <th class="numeral">"Push p99"</th><th class="numeral">"Refusals"</th>
                            </tr>
                        </thead>
                        <tbody>{rows.collect_view()}</tbody>
                    </table>
                }.into_any()
            }}
        </section>
    }
}

fn proxies(state: &MeshState, scope: &[String]) -> impl IntoView + use<> {
    let app = app();
    let shown: Vec<_> =
        state.proxies.iter().filter(|proxy| scope.is_empty() || scope.contains(&proxy.namespace)).collect();
    let left = shown.len().saturating_sub(FIRST_PROXIES);
    let none = shown.is_empty().then(|| match state.proxies.len() {
        0 => "No proxy is known: have pods injected, or start a proxy with this control plane's address.".to_owned(),
        all => words::out_of_scope(all),
    });
    let rows = shown.into_iter().take(FIRST_PROXIES).map(|proxy| {
        let (namespace, find) = (proxy.namespace.clone(), proxy.name.clone());
        let href = move || {
            app.view.with(|view| View { find: find.clone(), namespaces: vec![namespace.clone()], ..view.enter(Room::Workloads) }.fragment())
        };
        let words = if proxy.sync == SyncState::Synced { String::new() } else { proxy.words.clone() };
        let connected = proxy.connected_at_ms as f64;
        view! {
            <tr data-testid="mesh-proxy" data-proxy=format!("{}/{}", proxy.namespace, proxy.name)>
                <td><Sync state=proxy.sync title=proxy.words.clone() /></td>
                <th scope="row"><a href=href data-row="">{format::middle(&proxy.name, 48)}</a></th>
                <td>{proxy.namespace.clone()}</td>
                <td>{proxy.version.clone()}{proxy.skewed.then_some(" too old or new")}</td>
                <td class="numeral" title=browser::moment(connected)>{if connected > 0.0 { format::ago(browser::now() - connected) } else { "–".to_owned() }}</td>
                <td class="words" title=words.clone()>{words.clone()}</td>
            </tr>
        }
    });
    view! {
        <section>
            <h2>"Proxies"</h2>
            {match none {
                Some(words) => view! { <p class="quiet" data-testid="mesh-no-proxies">{words}</p> }.into_any(),
                None => view! {
                    <table class="list mesh-proxies">
                        <thead><tr><th>"State"</th><th>"Proxy"</th><th>"Namespace"</th><th>"Version"</th><th class="numeral">"Connected"</th><th>"In its words"</th></tr></thead>
                        <tbody>{rows.collect_view()}</tbody>
                    </table>
                }.into_any(),
            }}
            {(left > 0).then(|| view! { <p class="quiet">{format!("{left} more are in step or further down: choose a namespace, or use the command.")}</p> })}
        </section>
    }
}
