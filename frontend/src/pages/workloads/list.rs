//! The four lists.

use std::cmp::Ordering;

use leptos::prelude::*;
use weft_model::{
    details::{Row, Subject},
    graph::Health,
};

use super::parts::{Encryption, FindingCount, Linked, ProxyCount};
use crate::{
    api, command,
    components::{
        copy::{Commands, CopyLink},
        placeholder::{Empty, Failure, Old, Partial, Skeleton},
        shape::{Glyph, HealthShape},
    },
    format,
    graph::reasons::failures,
    icons::Icon,
    order::Order,
    poll::{poll, regularly},
    state::app,
    words,
    workloads::{main_rate, only_sends, place, rate_words},
};

fn title(subject: Subject) -> &'static str {
    match subject {
        Subject::Namespace => "Namespaces",
        Subject::App => "Applications",
        Subject::Workload => "Workloads",
        Subject::Service => "Services",
    }
}

/// A column that rows can be sorted by: its name in the address, its head, whether it holds figures.
const COLUMNS: [(&str, &str, bool); 10] = [
    ("health", "Health", false),
    ("name", "Name", false),
    ("namespace", "Namespace", false),
    ("rate", "Requests in", true),
    ("errors", "Errors", true),
    ("p95", "p95", true),
    ("mtls", "Encryption", false),
    ("proxies", "Proxies", false),
    ("versions", "Versions", false),
    ("findings", "Findings", false),
];

/// The tabs and the table.
#[component]
pub fn Lists() -> impl IntoView {
    let app = app();
    let key = Memo::new(move |_| app.view.with(|view| (view.subject, view.window_s)));
    let (load, retry) = poll(key, regularly(), |(subject, window_s)| api::inventory(subject, window_s));
    let subject = Memo::new(move |_| key.get().0);
    let rows = Memo::new(move |_| {
        app.view.with(|view| {
            let words: Vec<String> = view.find.split_whitespace().map(str::to_lowercase).collect();
            let mut rows: Vec<Row> = load.with(|load| {
                let all = load.value.iter().flat_map(|list| &list.rows);
                all.filter(|row| view.shows(&row.namespace)).filter(|row| fits(row, &words)).cloned().collect()
            });
            rows.order(|a, b| order(a, b, &view.sort));
            rows
        })
    });
    let total = Memo::new(move |_| load.with(|load| load.value.as_ref().map(|list| list.rows.len())));
    let sources = Signal::derive(move || load.with(|load| load.part(|list| list.sources.clone())));
    let operator =
        Memo::new(move |_| load.with(|load| load.value.as_ref().and_then(|list| list.operator_problem.clone())));
    let unasked = Signal::derive(move || operator.with(Option::is_some));
    let commands = Signal::derive(move || {
        let (subject, window_s) = key.get();
        let own = app.view.with(|view| command::inventory(subject, window_s, &view.namespaces));
        let others = load.with(|load| load.part(|list| list.commands.clone()));
        std::iter::once(own).chain(others).collect::<Vec<_>>()
    });
    view! {
        <div class="room-head">
            <h1>{move || title(subject.get())}</h1>
            <div class="segments" role="group" aria-label="What is listed">
                {Subject::ALL
                    .into_iter()
                    .map(|one| {
                        view! {
                            <button
                                aria-pressed=move || (subject.get() == one).to_string()
                                data-testid=format!("tab-{}", one.slug())
                                on:click=move |_| app.change(|view| view.subject = one)
                            >
                                {title(one)}
                            </button>
                        }
                    })
                    .collect_view()}
            </div>
            <label class="search">
                <Glyph icon=Icon::Search />
                <input
                    type="search"
                    data-testid="inventory-filter"
                    placeholder="Name, version or state"
                    aria-label="Filter"
                    prop:value=move || app.view.with(|view| view.find.clone())
                    on:input:target=move |event| {
                        let text = event.target().value();
                        app.change(|view| view.find = text);
                    }
                />
            </label>
            <span class="spring"></span>
            <CopyLink />
        </div>
        <Partial sources=sources />
        <Old load retry />
        {move || operator.get().map(|problem| view! {
            <p class="partial" role="status"><Glyph icon=Icon::Alert />{format!("The state of proxies is not known. {problem}.")}</p>
        })}
        {move || match (total.get(), load.with(|load| load.error.clone())) {
            (None, Some(problem)) => view! { <Failure problem retry /> }.into_any(),
            (None, None) => view! { <Skeleton words="Reading the list …" rows=10 /> }.into_any(),
            (Some(0), _) => {
                view! {
                    <Empty title="There is nothing here yet">
                        <p>"Nothing of this kind is configured or has had traffic, or you may not see it. Save a manifest, or have pods injected."</p>
                    </Empty>
                }
                    .into_any()
            }
            (Some(total), _) => view! { <Table rows=rows total=total subject=subject unasked=unasked /> }.into_any(),
        }}
        <Commands commands=commands />
    }
}

fn fits(row: &Row, words: &[String]) -> bool {
    let mut text = format!("{} {} {} {} {}", row.namespace, row.name, row.kind, words::health(row.health), row.mode);
    for version in &row.versions {
        text.push(' ');
        text.push_str(version);
    }
    let text = text.to_lowercase();
    words.iter().all(|word| text.contains(word))
}

/// The worst first; by any other column as its kind suggests, equal ones by name.
fn order(a: &Row, b: &Row, sort: &str) -> Ordering {
    let (sort, reversed) = sort.strip_prefix('-').map_or((sort, false), |sort| (sort, true));
    let high = |value: fn(&Row) -> f64| value(b).total_cmp(&value(a));
    let bad = |row: &Row| {
        let proxies = row.proxies;
        (proxies.refused, proxies.away, proxies.missing, proxies.stale)
    };
    let first = match sort {
        "name" => a.name.cmp(&b.name),
        "namespace" => a.namespace.cmp(&b.namespace),
        "rate" => high(main_rate),
        "errors" => high(|row| row.error_share.unwrap_or(-1.0)),
        "p95" => high(|row| row.p95_ms.unwrap_or(-1.0)),
        "mtls" => high(|row| row.plaintext_share.unwrap_or(-1.0)),
        "proxies" => bad(b).cmp(&bad(a)),
        "versions" => b.versions.len().cmp(&a.versions.len()),
        "findings" => {
            let findings = |row: &Row| (row.findings.errors, row.findings.warnings, row.findings.notes);
            findings(b).cmp(&findings(a))
        }
        _ => b.health.cmp(&a.health),
    };
    let first = if reversed { first.reverse() } else { first };
    first.then_with(|| (&a.namespace, &a.name).cmp(&(&b.namespace, &b.name)))
}

#[component]
fn Table(rows: Memo<Vec<Row>>, total: usize, subject: Memo<Subject>, unasked: Signal<bool>) -> impl IntoView {
    let app = app();
    let sort = Memo::new(move |_| app.view.with(|view| view.sort.clone()));
    let shown = move |column: &str| column != "namespace" || subject.get() != Subject::Namespace;
    view! {
        <table class="list inventory">
            <thead>
                <tr>
                    {move || COLUMNS
                        .into_iter()
                        .filter(|(column, ..)| shown(column))
                        .map(|(column, head, numeral)| {
                            let sorted = move || {
                                let sort = sort.get();
                                match (sort.strip_prefix('-') == Some(column), sort == column || sort.is_empty() && column == "health") {
                                    (true, _) => "descending",
                                    (_, true) => "ascending",
                                    _ => "none",
                                }
                            };
                            view! {
                                <th class:numeral=numeral class:extra=column == "versions" aria-sort=sorted>
                                    <button
                                        class="link"
                                        on:click=move |_| app.change(|view| {
                                            view.sort = if view.sort == column { format!("-{column}") } else { column.to_owned() };
                                        })
                                    >
                                        {head}
                                    </button>
                                </th>
                            }
                        })
                        .collect_view()}
                </tr>
            </thead>
            <tbody>
                <For each=move || rows.get() key=|row| format!("{row:?}") let:row>
                    <One row=row unasked=unasked />
                </For>
            </tbody>
        </table>
        <Show when=move || rows.with(Vec::is_empty)>
            <Empty title="Nothing fits">
                <p>"The filter or the chosen namespaces leave none of "{total}"."</p>
            </Empty>
        </Show>
        <p class="quiet list-foot">{move || rows.with(Vec::len)}" of "{total}</p>
    }
}

/// One row; the pages of workloads and services use it too.
#[component]
pub fn One(row: Row, #[prop(into)] unasked: Signal<bool>) -> impl IntoView {
    let subject = row.subject;
    let target = place(&row);
    let versions = row.versions.join(", ");
    let none = only_sends(&row).then_some("Nobody in the mesh calls it: its rate is what it sends, its health too.");
    // There is little room: what is refused is told where health is what it is by that.
    let refused = if row.health >= Health::Degraded { row.client_error_share } else { 0.0 };
    let sent = words::are_errors_out(row.rate, row.rate_out)
        .then_some("Errors of what it sends: nothing that is counted comes in.");
    view! {
        <tr data-testid="inventory-row" data-place=target.clone() data-health=words::health(row.health)>
            <td>
                <span class="fact-part" title=row.reason.clone()>
                    <HealthShape health=row.health silent=true />
                    {words::health(row.health)}
                </span>
            </td>
            <th scope="row">
                <Linked subject=subject place=target.clone() words=row.name.clone() />
                <span class="quiet kind">{row.kind.clone()}</span>
            </th>
            {(subject != Subject::Namespace).then(|| view! { <td>{format::middle(&row.namespace, 28)}</td> })}
            <td class="numeral" title=none>{rate_words(&row)}</td>
            <td class="numeral" title=sent>{failures(row.error_share, refused)}</td>
            <td class="numeral" title=none>{format::maybe(row.p95_ms, format::millis)}</td>
            <td><Encryption lock=row.lock share=row.plaintext_share mode=row.mode.clone() /></td>
            <td><ProxyCount proxies=row.proxies unasked=unasked /></td>
            <td class="extra" title=versions.clone()>{format::middle(&versions, 24)}</td>
            <td><FindingCount findings=row.findings /></td>
        </tr>
    }
}
