//! Certificates as a timeline: how much of each one's life is over.

use leptos::prelude::*;
use weft_model::{graph::Health, mesh::Certificate};

use crate::{browser, components::shape::HealthShape, format};

/// Width of a bar in the units of its view box.
const WIDTH: f64 = 100.0;

/// One bar for each, the earliest expiry first.
pub fn timeline(certificates: &[Certificate], now: f64) -> impl IntoView + use<> {
    let rows = certificates.iter().map(|one| {
        let (from, to) = (one.not_before_ms as f64, one.not_after_ms as f64);
        let left = (to - now).max(0.0);
        let over = if to > from { ((now - from) / (to - from)).clamp(0.0, 1.0) } else { 1.0 };
        // Workloads renew at half of a certificate's life; an authority is renewed by people.
        let health = match (left <= 0.0, one.role == "workload", over > 0.75, left < 30.0 * 86_400_000.0) {
            (true, ..) => Health::Failing,
            (_, true, true, _) | (_, false, _, true) => Health::Degraded,
            _ => Health::Healthy,
        };
        let words = if left <= 0.0 { "expired".to_owned() } else { format!("{} left", format::span(left)) };
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
