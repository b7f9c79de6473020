//! Tables that the node's and the edge's panel share. Rows stay while their numbers change, so that a focused link is
//! not lost at each refresh.

use std::collections::BTreeMap;

use leptos::prelude::*;
use weft_model::graph::{CodeRate, Edge, Lock, NO_WORKLOAD, called};

use crate::{
    components::shape::{Glyph, HealthShape},
    format,
    graph::{reasons::failures, scene::call_rate},
    icons::Icon,
    order::Order,
    state::app,
    words,
};

/// Callers or called ones of a node in `namespace`, one row each; a row opens the edge.
#[component]
pub fn Peers(edges: Memo<Vec<Edge>>, incoming: bool, namespace: Memo<String>) -> impl IntoView {
    let ids = Memo::new(move |_| edges.with(|edges| edges.iter().map(|edge| edge.id.clone()).collect::<Vec<_>>()));
    view! {
        <Show when=move || !ids.with(Vec::is_empty)>
            <section>
                <h3>{if incoming { "Called by" } else { "Calls" }}</h3>
                <table class="small peers">
                    <thead>
                        <tr>
                            <th><span class="unseen">"Health"</span></th>
                            <th>{if incoming { "From" } else { "To" }}</th>
                            <th class="numeral">"Rate"</th>
                            <th class="numeral">"Errors"</th>
                            <th class="numeral">"p95"</th>
                            <th><span class="unseen">"Encryption"</span></th>
                        </tr>
                    </thead>
                    <tbody>
                        <For each=move || ids.get() key=|id| id.clone() let:id>
                            <Peer id=id edges=edges incoming=incoming namespace=namespace />
                        </For>
                    </tbody>
                </table>
            </section>
        </Show>
    }
}

#[component]
fn Peer(id: String, edges: Memo<Vec<Edge>>, incoming: bool, namespace: Memo<String>) -> impl IntoView {
    let app = app();
    let target = format!("edge:{id}");
    let edge = Memo::new(move |_| edges.with(|edges| edges.iter().find(|edge| edge.id == id).cloned()));
    let read = move |part: fn(&Edge) -> String| move || edge.with(|edge| edge.as_ref().map(part).unwrap_or_default());
    let health = Signal::derive(move || edge.with(|edge| edge.as_ref().map(|edge| edge.health).unwrap_or_default()));
    let name = Memo::new(move |_| {
        let end = |edge: &Edge| called(if incoming { &edge.source } else { &edge.destination });
        edge.with(|edge| edge.as_ref().map(end).unwrap_or_default())
    });
    // The namespace is said where it differs from the node's own.
    let short = move || {
        let (name, namespace) = (name.get(), namespace.get());
        let name = name.strip_suffix(NO_WORKLOAD).unwrap_or(&name);
        let bare = name.strip_prefix(&namespace).and_then(|rest| rest.strip_prefix('/')).unwrap_or(name);
        format::middle(bare, 24)
    };
    let unreached = move || name.with(|name| name.ends_with(NO_WORKLOAD)).then_some("no workload");
    let lock = Memo::new(move |_| edge.with(|edge| edge.as_ref().map(|edge| (edge.lock, edge.plaintext_share))));
    view! {
        <tr>
            <td>
                <HealthShape health=health />
            </td>
            <th scope="row">
                <button class="link" title=move || name.get() on:click=move |_| app.change(|view| view.select.clone_from(&target))>
                    {short}
                </button>
                {move || unreached().map(|words| view! { <span class="quiet">{words}</span> })}
            </th>
            <td class="numeral">{read(call_rate)}</td>
            <td class="numeral">{read(|edge| failures(edge.error_share, edge.client_error_share))}</td>
            <td class="numeral">{read(|edge| format::maybe(edge.p95_ms, format::millis))}</td>
            <td>
                {move || {
                    lock.get()
                        .filter(|(lock, _)| *lock != Lock::Unknown)
                        .map(|(lock, share)| {
                            let broken = matches!(lock, Lock::Mixed | Lock::Plaintext);
                            let words = words::lock_sentence(lock, share);
                            view! {
                                <span class="lock" class:broken=broken title=words.clone() role="img" aria-label=words>
                                    <Glyph icon=if broken { Icon::Unlock } else { Icon::Lock } />
                                </span>
                            }
                        })
                }}
            </td>
        </tr>
    }
}

/// Rates by code and flags, the flags in words below.
#[component]
pub fn Codes(codes: Memo<Vec<CodeRate>>) -> impl IntoView {
    let total = move || codes.with(|codes| codes.iter().map(|code| code.rate).sum::<f64>());
    let flags = Memo::new(move |_| {
        codes.with(|codes| codes.iter().flat_map(|code| words::response_flags(&code.flags)).collect::<BTreeMap<_, _>>())
    });
    let row = move |code: &CodeRate| {
        let total = total();
        let share = if total > 0.0 { code.rate / total } else { 0.0 };
        let bad = code.code == "0" || code.code.starts_with('5');
        let shown = if code.code == "0" { "none".to_owned() } else { code.code.clone() };
        let flags = (code.flags != "-" && !code.flags.is_empty()).then(|| code.flags.clone());
        view! {
            <tr class:bad=bad>
                <th scope="row" class="code-cell">{shown}</th>
                <td class="quiet">{words::response_code(&code.code)}</td>
                <td class="flags-cell">{flags.map(|flags| view! { <code>{flags}</code> })}</td>
                <td class="numeral">{format::digits(code.rate)}"/s"</td>
                <td class="numeral">{format::share(share)}</td>
            </tr>
        }
    };
    view! {
        <Show when=move || !codes.with(Vec::is_empty)>
            <section>
                <h3>"Answers"</h3>
                <table class="small">
                    <thead>
                        <tr>
                            <th>"Code"</th>
                            <th><span class="unseen">"Meaning"</span></th>
                            <th>"Flags"</th>
                            <th class="numeral">"Rate"</th>
                            <th class="numeral">"Share"</th>
                        </tr>
                    </thead>
                    <tbody>{move || codes.with(|codes| codes.iter().map(row).collect_view())}</tbody>
                </table>
                <dl class="flags">
                    {move || {
                        let flags = flags.get().into_iter();
                        flags.map(|(flag, words)| view! { <dt><code>{flag}</code></dt><dd>{words}</dd> }).collect_view()
                    }}
                </dl>
            </section>
        </Show>
    }
}

/// Adds up the codes of several edges, highest rate first.
pub fn sum_codes<'a>(edges: impl Iterator<Item = &'a Edge>) -> Vec<CodeRate> {
    let mut sums: BTreeMap<(String, String), f64> = BTreeMap::new();
    for code in edges.flat_map(|edge| &edge.codes) {
        *sums.entry((code.code.clone(), code.flags.clone())).or_default() += code.rate;
    }
    let mut codes: Vec<CodeRate> =
        sums.into_iter().map(|((code, flags), rate)| CodeRate { code, flags, rate, ..CodeRate::default() }).collect();
    codes.order(|a, b| b.rate.total_cmp(&a.rate));
    codes
}

/// One number with its name.
#[component]
pub fn Figure(#[prop(into)] name: Signal<&'static str>, #[prop(into)] value: Signal<String>) -> impl IntoView {
    view! {
        <div class="figure">
            <dt>{name}</dt>
            <dd>{value}</dd>
        </div>
    }
}
