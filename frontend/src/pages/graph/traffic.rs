//! Tables that the node's and the edge's panel share.

use std::collections::BTreeMap;

use leptos::prelude::*;
use weft_model::graph::{CodeRate, Edge, Lock};

use crate::{
    components::shape::{Glyph, HealthShape},
    format,
    icons::Icon,
    state::app,
    words,
};

/// Callers or called ones, one row each; a row opens the edge.
#[component]
pub fn Peers(edges: Vec<Edge>, incoming: bool, namespace: String) -> impl IntoView {
    let app = app();
    // The namespace is said where it differs from the node's own.
    let short = |name: &str, namespace: &str| {
        let bare = name.strip_prefix(namespace).and_then(|rest| rest.strip_prefix('/')).unwrap_or(name);
        format::middle(bare, 24)
    };
    let row = move |edge: Edge| {
        let name = if incoming { edge.source.clone() } else { edge.destination.clone() };
        let target = format!("edge:{}", edge.id);
        let lock = words::lock_sentence(edge.lock, edge.plaintext_share);
        let broken = matches!(edge.lock, Lock::Mixed | Lock::Plaintext);
        let icon = if broken { Icon::Unlock } else { Icon::Lock };
        view! {
            <tr>
                <td>
                    <HealthShape health=edge.health />
                </td>
                <th scope="row">
                    <button class="link" title=name.clone() on:click=move |_| app.change(|view| view.select.clone_from(&target))>
                        {short(&name, &namespace)}
                    </button>
                </th>
                <td class="numeral">{format::rate(edge.rate, &edge.protocol)}</td>
                <td class="numeral">{format::maybe(edge.error_share, format::share)}</td>
                <td class="numeral">{format::maybe(edge.p95_ms, format::millis)}</td>
                <td>
                    {(edge.lock != Lock::Unknown)
                        .then(|| view! { <span class="lock" class:broken=broken title=lock.clone() role="img" aria-label=lock><Glyph icon=icon /></span> })}
                </td>
            </tr>
        }
    };
    view! {
        <table class="small">
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
            <tbody>{edges.into_iter().map(row).collect_view()}</tbody>
        </table>
    }
}

/// Rates by code and flags, the flags in words below.
#[component]
pub fn Codes(codes: Vec<CodeRate>) -> impl IntoView {
    let total: f64 = codes.iter().map(|code| code.rate).sum();
    let mut flags: BTreeMap<String, &'static str> = BTreeMap::new();
    for code in &codes {
        flags.extend(words::response_flags(&code.flags));
    }
    let row = move |code: CodeRate| {
        let share = if total > 0.0 { code.rate / total } else { 0.0 };
        let bad = code.code == "0" || code.code.starts_with('5');
        let shown = if code.code == "0" { "none".to_owned() } else { code.code.clone() };
        view! {
            <tr class:bad=bad>
                <th scope="row" class="code-cell">{shown}</th>
                <td class="quiet">{words::response_code(&code.code)}</td>
                <td>{(code.flags != "-" && !code.flags.is_empty()).then(|| view! { <code>{code.flags.clone()}</code> })}</td>
                <td class="numeral">{format::digits(code.rate)}"/s"</td>
                <td class="numeral">{format::share(share)}</td>
            </tr>
        }
    };
    view! {
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
            <tbody>{codes.into_iter().map(row).collect_view()}</tbody>
        </table>
        {(!flags.is_empty())
            .then(|| {
                view! {
                    <dl class="flags">
                        {flags.into_iter().map(|(flag, words)| view! { <dt><code>{flag}</code></dt><dd>{words}</dd> }).collect_view()}
                    </dl>
                }
            })}
    }
}

/// Adds up the codes of several edges, highest rate first.
pub fn sum_codes<'a>(edges: impl Iterator<Item = &'a Edge>) -> Vec<CodeRate> {
    let mut sums: BTreeMap<(String, String), f64> = BTreeMap::new();
    for code in edges.flat_map(|edge| &edge.codes) {
        *sums.entry((code.code.clone(), code.flags.clone())).or_default() += code.rate;
    }
    let mut codes: Vec<CodeRate> =
        sums.into_iter().map(|((code, flags), rate)| CodeRate { code, flags, rate }).collect();
    codes.sort_by(|a, b| b.rate.total_cmp(&a.rate));
    codes
}

/// One number with its name.
#[component]
pub fn Figure(name: &'static str, #[prop(into)] value: String) -> impl IntoView {
    view! {
        <div class="figure">
            <dt>{name}</dt>
            <dd>{value}</dd>
        </div>
    }
}
