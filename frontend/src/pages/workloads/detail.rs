//! The page of one namespace, application, workload or service.

mod ways;

use std::sync::Arc;

use leptos::prelude::*;
use weft_model::{
    Counted,
    details::{Applies, Call, Detail, Instance, Row, Subject},
    graph::{EXTERNAL, SERVICE, called},
};

use self::ways::Ways;
use super::{
    charts::Charts,
    list::One,
    logs::Logs,
    parts::{Encryption, FindingCount, Linked, ProxyCount, Sync},
    proxy::ProxyView,
};
use crate::{
    api, command,
    components::{
        copy::{Commands, CopyButton, CopyLink},
        placeholder::{Empty, Failure, Old, Partial, Skeleton},
        shape::{Glyph, HealthShape},
    },
    format,
    graph::reasons::failures,
    icons::Icon,
    location::{Room, View},
    pages::configuration::{key, wizard::links::Wizards},
    poll::{poll, regularly},
    state::app,
    words,
    workloads::{known_rate, only_sends, place},
};

/// Tabs: their name in the address, their words.
const TABS: [(&str, &str); 5] =
    [("", "Traffic"), ("instances", "Instances"), ("config", "Configuration"), ("logs", "Logs"), ("proxy", "Proxy")];

/// Whether a tab has a sense for a subject.
fn has(subject: Subject, tab: &str) -> bool {
    subject == Subject::Workload || tab != "proxy"
}

/// The page.
#[component]
pub fn DetailPage() -> impl IntoView {
    let app = app();
    let key = Memo::new(move |_| app.view.with(|view| (view.subject, view.place.clone(), view.window_s)));
    let (load, retry) =
        poll(
            key,
            regularly(),
            |(subject, place, window_s)| async move { api::detail(subject, &place, window_s).await },
        );
    let detail: Memo<Option<Arc<Detail>>> = Memo::new_with_compare(
        move |_| load.with(|load| load.value.clone()),
        |old, new| match (old, new) {
            (Some(Some(old)), Some(Some(new))) => !Arc::ptr_eq(old, new),
            _ => true,
        },
    );
    let subject = Memo::new(move |_| key.with(|key| key.0));
    let sends = Memo::new(move |_| detail.with(|detail| detail.as_ref().is_some_and(|one| only_sends(&one.row))));
    let tab = Memo::new(move |_| app.view.with(|view| view.tab.clone()));
    let known = Memo::new(move |_| detail.with(Option::is_some));
    let sources = Signal::derive(move || {
        detail.with(|detail| detail.as_ref().map(|one| one.sources.clone()).unwrap_or_default())
    });
    let commands = Signal::derive(move || {
        let own = key.with(|(subject, place, window_s)| command::detail(*subject, place, *window_s));
        let others = detail.with(|detail| detail.as_ref().map(|one| one.commands.clone()).unwrap_or_default());
        std::iter::once(own).chain(others).collect::<Vec<_>>()
    });
    let name = move || key.with(|(_, place, _)| place.rsplit('/').next().unwrap_or_default().to_owned());
    let back = move || app.view.with(|view| View { subject: view.subject, ..view.enter(Room::Workloads) }.fragment());
    // Kept apart from what comes with every answer: the page below keeps what was chosen on it.
    let missing = Memo::new(move |_| (!known.get()).then(|| load.with(|load| load.error.clone())));
    view! {
        <div class="room-head">
            <a class="back" href=back data-testid="back">{move || format!("{}s", capital(subject.get().word()))}</a>
            <h1 title=name data-testid="detail-title">{move || format::middle(&name(), 60)}</h1>
            <CopyButton text=Signal::derive(move || key.with(|key| key.1.clone())) title="Copy the name" />
            <span class="spring"></span>
            <Configure detail=detail />
            <Ways detail=detail />
            <CopyLink />
        </div>
        {move || match missing.get() {
            Some(Some(problem)) => view! { <Failure problem retry /> }.into_any(),
            Some(None) => view! { <Skeleton words="Reading what is known …" rows=8 /> }.into_any(),
            None => {
                view! {
                    <Partial sources=sources />
                    <Old load retry />
                    {move || detail.with(|detail| detail.as_ref().map(|one| head(&one.row, one.operator_problem.as_deref())))}
                    <div class="segments tabs" role="group" aria-label="Part of the page">
                        {move || {
                            let subject = subject.get();
                            TABS.into_iter().filter(|(slug, _)| has(subject, slug)).map(|(slug, words)| view! {
                                <button
                                    aria-pressed=move || (tab.get() == slug).to_string()
                                    data-testid=format!("detail-tab-{}", if slug.is_empty() { "traffic" } else { slug })
                                    on:click=move |_| app.change(|view| view.tab = slug.to_owned())
                                >
                                    {words}
                                </button>
                            }).collect_view()
                        }}
                    </div>
                    {move || match tab.get().as_str() {
                        "instances" => view! { <Instances detail=detail /> }.into_any(),
                        "config" => view! { <Related detail=detail /> }.into_any(),
                        "logs" if has(subject.get(), "logs") => view! { <Logs detail=detail /> }.into_any(),
                        "proxy" if has(subject.get(), "proxy") => view! { <ProxyView detail=detail /> }.into_any(),
                        _ => view! { <Charts sends=sends /><Peers detail=detail /> }.into_any(),
                    }}
                }
                    .into_any()
            }
        }}
        <Commands commands=commands />
    }
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// The way to the forms about what is open.
#[component]
fn Configure(detail: Memo<Option<Arc<Detail>>>) -> impl IntoView {
    let about = Memo::new(move |_| {
        detail.with(|detail| {
            let one = detail.as_ref()?;
            let service = match one.row.subject {
                Subject::Service => Some(place(&one.row)),
                Subject::Namespace => None,
                Subject::App | Subject::Workload => one.services.first().map(place),
            };
            Some((service, place(&one.row)))
        })
    });
    move || about.get().map(|(service, workloads)| view! { <Wizards service workloads /> })
}

fn figure(name: &'static str, value: impl IntoView + 'static) -> impl IntoView {
    view! { <div class="figure"><dt>{name}</dt><dd>{value}</dd></div> }
}

fn head(row: &Row, operator_problem: Option<&str>) -> impl IntoView + use<> {
    let versions = row.versions.join(", ");
    let place = match row.subject {
        Subject::Namespace => String::new(),
        Subject::Service => row.host.clone(),
        _ => format!("{} in namespace {}", row.kind, row.namespace),
    };
    // What goes round inside of a namespace is neither in nor out; its charts count every call.
    let inside = row.subject == Subject::Namespace;
    let unasked = operator_problem.is_some();
    let unasked = Signal::derive(move || unasked);
    let problem = operator_problem.map(|problem| {
        let words = format!("The state of proxies is not known. {problem}.");
        view! { <p class="partial" role="status"><Glyph icon=Icon::Alert />{words}</p> }
    });
    view! {
        {problem}
        <div class="verdict-line" data-testid="detail-health" data-health=words::health(row.health)>
            <HealthShape health=row.health silent=true />
            <strong>{capital(words::health(row.health))}</strong>
            <span>{row.reason.clone()}</span>
        </div>
        {(!place.is_empty()).then(|| view! { <p class="quiet place">{place}</p> })}
        <dl class="figures">
            {figure(if inside { "in, from outside of it" } else { "in" }, known_rate(row.rate, row.health))}
            {(row.subject != Subject::Service).then(|| figure(if inside { "out of it" } else { "out" }, known_rate(row.rate_out, row.health)))}
            {figure(words::errors(row.rate, row.rate_out), failures(row.error_share, row.client_error_share))}
            {figure("p95, slowest caller", format::maybe(row.p95_ms, format::millis))}
            {figure("encryption", view! { <Encryption lock=row.lock share=row.plaintext_share mode=row.mode.clone() /> })}
            {figure("proxies", view! { <ProxyCount proxies=row.proxies unasked=unasked /> })}
            {figure("versions", if versions.is_empty() { "–".to_owned() } else { format::middle(&versions, 32) })}
            {figure("findings", if row.findings == Default::default() { "none".into_any() } else { view! { <FindingCount findings=row.findings /> }.into_any() })}
        </dl>
    }
}

/// Who calls, and what is called.
#[component]
fn Peers(detail: Memo<Option<Arc<Detail>>>) -> impl IntoView {
    move || {
        detail.with(|detail| {
            detail.as_ref().map(|one| {
                let service = one.row.subject == Subject::Service;
                let counted = one.sources.problem.is_none();
                let none = |words: &'static str| if counted { words } else { "Not known: Prometheus did not answer." };
                view! {
                    <div class="two">
                        {calls("Called by", &one.callers, none("Nobody called it in this window."))}
                        {(!service).then(|| calls("Calls", &one.called, none("It called nobody in this window.")))}
                    </div>
                }
            })
        })
    }
}

fn calls(title: &'static str, calls: &[Call], nothing: &'static str) -> impl IntoView + use<> {
    let rows = calls
        .iter()
        .map(|call| {
            let peer = call.peer.clone();
            let name = match peer.as_str() {
                "hidden" => "Workloads that you may not see".to_owned(),
                "unknown" => "Callers that cannot be told apart".to_owned(),
                service if service.starts_with(SERVICE) => called(service),
                other => other.strip_prefix(EXTERNAL).unwrap_or(other).to_owned(),
            };
            let named = if call.known {
                view! { <Linked subject=Subject::Workload place=peer words=name /> }.into_any()
            } else {
                view! { <span title=name.clone()>{format::middle(&name, 48)}</span> }.into_any()
            };
            view! {
                <tr data-testid="call">
                    <th scope="row">
                        <span class="fact-part"><HealthShape health=call.health />{named}</span>
                    </th>
                    <td class="numeral">{format::rate(call.rate, Counted::by_protocol(&call.protocol))}</td>
                    <td class="numeral" data-testid="call-errors">{failures(call.error_share, call.client_error_share)}</td>
                    <td class="numeral">{format::maybe(call.p95_ms, format::millis)}</td>
                    <td>{match call.lock {
                        weft_model::graph::Lock::Mtls => "mTLS",
                        weft_model::graph::Lock::Mixed => "partly plain",
                        weft_model::graph::Lock::Plaintext => "plaintext",
                        weft_model::graph::Lock::Unknown => "–",
                    }}</td>
                </tr>
            }
        })
        .collect_view();
    let empty = calls.is_empty();
    view! {
        <section>
            <h2>{title}</h2>
            {if empty {
                view! { <p class="quiet">{nothing}</p> }.into_any()
            } else {
                view! {
                    <table class="small">
                        <thead><tr><th>"Peer"</th><th class="numeral">"Rate"</th><th class="numeral">"Errors"</th><th class="numeral">"p95"</th><th>"Security"</th></tr></thead>
                        <tbody>{rows}</tbody>
                    </table>
                }
                    .into_any()
            }}
        </section>
    }
}

/// Pods or WorkloadEntries with their proxies.
#[component]
fn Instances(detail: Memo<Option<Arc<Detail>>>) -> impl IntoView {
    move || {
        detail.with(|detail| {
            detail.as_ref().map(|one| {
                if one.instances.is_empty() {
                    return view! {
                        <Empty title="No instance runs">
                            <p>"Nothing selects a pod or a WorkloadEntry for it. Look at its labels, and at what should run it."</p>
                        </Empty>
                    }
                    .into_any();
                }
                let rows = one.instances.iter().map(|instance| instance_row(instance, one.row.subject)).collect_view();
                let more = (one.more_instances > 0)
                    .then(|| format!("{} more are not listed; those in trouble are.", one.more_instances));
                view! {
                    <table class="list instances">
                        <thead>
                            <tr>
                                <th>"Instance"</th><th>"Address"</th><th>"Version"</th><th>"Ready"</th>
                                <th>"Proxy"</th><th>"Proxy version"</th><th class="numeral">"Restarts"</th><th>"Account"</th>
                            </tr>
                        </thead>
                        <tbody>{rows}</tbody>
                    </table>
                    {more.map(|more| view! { <p class="quiet">{more}</p> })}
                }
                .into_any()
            })
        })
    }
}

fn instance_row(instance: &Instance, subject: Subject) -> impl IntoView + use<> {
    let app = app();
    let name = instance.name.clone();
    let open = {
        let name = name.clone();
        move |_| app.change(|view| (view.tab, view.instance) = ("proxy".to_owned(), name.clone()))
    };
    let ready = match (instance.terminating, instance.ready) {
        (true, _) => "ending",
        (false, true) => "yes",
        (false, false) => "no",
    };
    let named = if subject == Subject::Workload {
        view! { <button class="link" data-row="" title="Its proxy" on:click=open>{format::middle(&name, 48)}</button> }
            .into_any()
    } else {
        view! { <span title=name.clone()>{format::middle(&name, 48)}</span> }.into_any()
    };
    view! {
        <tr data-testid="instance" data-instance=name>
            <th scope="row">{named}</th>
            <td><code>{instance.address.clone()}</code></td>
            <td>{instance.version.clone()}</td>
            <td>{ready}</td>
            <td><Sync state=instance.sync title=instance.words.clone() /></td>
            <td>{instance.proxy_version.clone()}</td>
            <td class="numeral" title="Nothing counts restarts of what is no pod">{instance.restarts.map_or_else(|| "–".to_owned(), |count| count.to_string())}</td>
            <td class="quiet">{format::middle(&instance.service_account, 28)}</td>
        </tr>
    }
}

/// Objects that apply, and the workloads and services that belong to it.
#[component]
fn Related(detail: Memo<Option<Arc<Detail>>>) -> impl IntoView {
    let app = app();
    let rows = |title: &'static str, rows: &[Row], unasked: bool| {
        let unasked = Signal::derive(move || unasked);
        let shown = rows.iter().cloned().map(|row| view! { <One row=row unasked=unasked /> }).collect_view();
        (!rows.is_empty()).then(|| view! {
            <section>
                <h2>{title}</h2>
                <table class="list inventory">
                    <thead>
                        <tr>
                            <th>"Health"</th><th>"Name"</th><th>"Namespace"</th><th class="numeral">"Requests in"</th>
                            <th class="numeral">"Errors"</th><th class="numeral">"p95"</th><th>"Encryption"</th>
                            <th>"Proxies"</th><th class="extra">"Versions"</th><th>"Findings"</th>
                        </tr>
                    </thead>
                    <tbody>{shown}</tbody>
                </table>
            </section>
        })
    };
    let object = move |one: &Applies| {
        let select = key(&one.object);
        let href =
            move || app.view.with(|view| View { select: select.clone(), ..view.enter(Room::Configuration) }.fragment());
        let name = format!("{}/{}", one.object.namespace, one.object.name);
        view! {
            <tr data-testid="applies" data-kind=one.object.kind.clone() data-name=one.object.name.clone()>
                <td class="quiet">{one.object.kind.clone()}</td>
                <th scope="row"><a href=href data-row="" title=name.clone()>{format::middle(&name, 60)}</a></th>
                <td>{one.why.clone()}</td>
                <td><FindingCount findings=one.findings /></td>
            </tr>
        }
    };
    move || {
        detail.with(|detail| {
            detail.as_ref().map(|one| {
                let objects = one.config.iter().map(object).collect_view();
                let none = one.config.is_empty();
                let unasked = one.operator_problem.is_some();
                view! {
                    <section>
                        <h2>"Objects that apply here"</h2>
                        {if none {
                            view! { <p class="quiet">"No object that you may read concerns it: defaults hold."</p> }.into_any()
                        } else {
                            view! {
                                <table class="list applies">
                                    <thead><tr><th>"Kind"</th><th>"Name"</th><th>"What it does here"</th><th>"Findings"</th></tr></thead>
                                    <tbody>{objects}</tbody>
                                </table>
                            }
                                .into_any()
                        }}
                        {words::hidden_objects(one.hidden_config).map(|words| view! { <p class="quiet">{words}</p> })}
                    </section>
                    {rows("Workloads", &one.workloads, unasked)}
                    {rows("Services", &one.services, unasked)}
                }
            })
        })
    }
}
