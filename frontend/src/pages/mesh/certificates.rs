//! Certificates: the mesh's own as a timeline of how much of each one's life is over, and those that gateways show.

use leptos::prelude::*;
use weft_model::{
    graph::Health,
    mesh::{Certificate, ServingCertificate},
    validity::Validity,
};

use crate::{
    browser,
    certificates::{none_shown, words},
    components::shape::HealthShape,
    format,
};

/// Width of a bar in the units of its view box.
const WIDTH: f64 = 100.0;
/// Rows of certificates that gateways show.
const MOST: usize = 200;

/// One bar for each, the earliest expiry first; `now_ms` is the console's time, as browsers' clocks may be wrong.
pub fn timeline(certificates: &[Certificate], now_ms: u64) -> impl IntoView + use<> {
    let rows = certificates.iter().map(|one| {
        let (from, to) = (one.not_before_ms as f64, one.not_after_ms as f64);
        let over = if to > from { ((now_ms as f64 - from) / (to - from)).clamp(0.0, 1.0) } else { 1.0 };
        // A workload's is renewed at half of its life: in its last quarter something keeps it from that, too.
        let health = Validity::of(one.not_before_ms, one.not_after_ms, now_ms).health();
        let words = words(one.not_before_ms, one.not_after_ms, now_ms);
        let print: String = one.fingerprint.chars().take(16).collect();
        view! {
            <li data-testid="certificate" data-role=one.role.clone() title=format!("{} to {}\n{}", browser::moment(from), browser::moment(to), one.fingerprint)>
                <span class="fact-part"><HealthShape health silent=true /><strong>{one.role.clone()}</strong></span>
                <span class="certificate-name">{format::middle(&one.name, 64)}{one.signs.then(|| view! { <span class="quiet">" · signs"</span> })}</span>
                <code class="quiet">{print}</code>
                <svg viewBox=format!("0 0 {WIDTH} 6") preserveAspectRatio="none" role="img" aria-label=format!("{} of its time is over, {words}", format::share(over))>
                    <rect class="life" width=WIDTH height="6" />
                    <rect class="life-over" width=over * WIDTH height="6" />
                </svg>
                <span class="numeral">{words}</span>
            </li>
        }
    });
    view! { <ol class="certificates">{rows.collect_view()}</ol> }
}

/// One row for each certificate that a gateway of the namespaces in `scope` shows, the earliest expiry first; `note` says
/// why not all of them are known, if so; `everything` is whether whoever looks sees every namespace.
pub fn serving(
    all: &[ServingCertificate],
    note: Option<&str>,
    scope: &[String],
    everything: bool,
    now_ms: u64,
) -> impl IntoView + use<> {
    let shown: Vec<_> = all.iter().filter(|one| scope.is_empty() || scope.contains(&one.gateway.namespace)).collect();
    let left = shown.len().saturating_sub(MOST);
    let none = if shown.is_empty() { none_shown(all.len(), note.is_some(), everything) } else { None };
    let rows: Vec<_> = shown.into_iter().take(MOST).map(|one| serving_row(one, now_ms)).collect();
    let some = !rows.is_empty();
    view! {
        {note.map(|note| view! { <p class="partial" role="status" data-testid="serving-note">{note.to_owned()}</p> })}
        {none.map(|words| view! { <p class="quiet" data-testid="serving-none">{words}</p> })}
        {some.then(|| view! {
            <table class="list serving">
                <thead>
                    <tr>
                        <th scope="col">"Gateway"</th><th scope="col">"Secret"</th><th scope="col">"Names"</th>
                        <th scope="col">"Issuer"</th><th scope="col" class="numeral">"Expires"</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        })}
        {(left > 0).then(|| view! {
            <p class="quiet">{format!("{left} more expire later: choose a namespace, or use the command.")}</p>
        })}
    }
}

fn serving_row(one: &ServingCertificate, now_ms: u64) -> impl IntoView + use<> {
    let (health, words) = match &one.problem {
        Some(problem) => (Health::Failing, problem.clone()),
        None => {
            let validity = Validity::of(one.not_before_ms, one.not_after_ms, now_ms);
            (validity.health(), words(one.not_before_ms, one.not_after_ms, now_ms))
        }
    };
    let names = if one.names.is_empty() { one.subject.clone() } else { one.names.join(", ") };
    let place = |namespace: &str, name: &str| format::middle(&format!("{namespace}/{name}"), 48);
    let gateway = format!("{}/{}", one.gateway.namespace, one.gateway.name);
    let (from, to) = (browser::moment(one.not_before_ms as f64), browser::moment(one.not_after_ms as f64));
    let known = one.problem.is_none();
    let print: String = one.fingerprint.chars().take(16).collect();
    let dates = if known { format!("{from} to {to}\n{}", one.fingerprint) } else { String::new() };
    view! {
        <tr data-testid="serving-certificate" data-health=crate::words::health(health) title=dates>
            <th scope="row"><span class="fact-part"><HealthShape health /><span class="cut" title=gateway.clone()>{format::middle(&gateway, 48)}</span></span></th>
            <td>{place(&one.namespace, &one.secret)}{known.then(|| view! { <p class="quiet"><code>{print}</code></p> })}</td>
            <td class="words" title=names.clone()>{format::middle(&names, 64)}</td>
            <td class="words" title=one.issuer.clone()>{format::middle(&one.issuer, 40)}</td>
            <td class="numeral">{words}{known.then(|| view! { <p class="quiet">{from}" to "{to}</p> })}</td>
        </tr>
    }
}
