//! Certificates: the mesh's own as a timeline of how much of each one's life is over, and those that gateways show.

use leptos::prelude::*;
use weft_model::{
    graph::Health,
    mesh::{Certificate, ServingCertificate},
};

use crate::{
    browser,
    certificates::{by_people, words},
    components::shape::HealthShape,
    format,
};

/// Width of a bar in the units of its view box.
const WIDTH: f64 = 100.0;
/// Rows of certificates that gateways show.
const MOST: usize = 200;

/// One bar for each, the earliest expiry first.
pub fn timeline(certificates: &[Certificate], now: f64) -> impl IntoView + use<> {
    let rows = certificates.iter().map(|one| {
        let (from, to) = (one.not_before_ms as f64, one.not_after_ms as f64);
        let left = (to - now).max(0.0);
        let over = if to > from { ((now - from) / (to - from)).clamp(0.0, 1.0) } else { 1.0 };
        // Workloads renew at half of a certificate's life; an authority is renewed by people.
        let health = if one.role == "workload" && left > 0.0 {
            if over > 0.75 { Health::Degraded } else { Health::Healthy }
        } else {
            by_people(left)
        };
        let words = words(left);
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

/// One row for each certificate that a gateway of the namespaces in `scope` shows, the earliest expiry first.
pub fn serving(all: &[ServingCertificate], scope: &[String], now: f64) -> impl IntoView + use<> {
    let shown = all.iter().filter(|one| scope.is_empty() || scope.contains(&one.gateway.namespace));
    let rows: Vec<_> = shown.take(MOST).map(|one| serving_row(one, now)).collect();
    let none = rows.is_empty();
    view! {
        {none.then(|| view! { <p class="quiet">"No gateway shows a certificate of a Secret."</p> })}
        {(!none).then(|| view! {
            <table class="list serving">
                <thead><tr><th>"Gateway"</th><th>"Secret"</th><th>"Names"</th><th>"Issuer"</th><th class="numeral">"Expires"</th></tr></thead>
                <tbody>{rows}</tbody>
            </table>
        })}
    }
}

fn serving_row(one: &ServingCertificate, now: f64) -> impl IntoView + use<> {
    let left = one.not_after_ms as f64 - now;
    let (health, words) = match &one.problem {
        Some(problem) => (Health::Failing, problem.clone()),
        None => (by_people(left), words(left)),
    };
    let names = if one.names.is_empty() { one.subject.clone() } else { one.names.join(", ") };
    let place = |namespace: &str, name: &str| format::middle(&format!("{namespace}/{name}"), 48);
    let dates = if one.problem.is_some() {
        String::new()
    } else {
        let (from, to) = (browser::moment(one.not_before_ms as f64), browser::moment(one.not_after_ms as f64));
        format!("{from} to {to}\n{}", one.fingerprint)
    };
    view! {
        <tr data-testid="serving-certificate" data-health=crate::words::health(health) title=dates>
            <th scope="row"><span class="fact-part"><HealthShape health silent=true />{place(&one.gateway.namespace, &one.gateway.name)}</span></th>
            <td>{place(&one.namespace, &one.secret)}</td>
            <td class="words" title=names.clone()>{format::middle(&names, 64)}</td>
            <td class="words" title=one.issuer.clone()>{format::middle(&one.issuer, 40)}</td>
            <td class="numeral">{words}</td>
        </tr>
    }
}
