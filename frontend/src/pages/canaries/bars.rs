//! Two bars over each other: the shares that are configured, the shares that are observed.

use leptos::prelude::*;
use weft_model::canary::{Canary, Share};

use crate::{format, shown::visible, sources::without_shares};

/// The name that a destination goes by: its subset, else its host.
pub fn name(share: &Share) -> String {
    visible(if share.subset.is_empty() { &share.host } else { &share.subset })
}

fn list(values: impl Iterator<Item = f64>) -> String {
    values.map(|value| format!("{value:.2}")).collect::<Vec<_>>().join(",")
}

/// Both bars; the observed one with a whisker at each boundary.
#[component]
pub fn Bars(canary: Canary) -> impl IntoView {
    let configured = list(canary.shares.iter().map(|share| share.configured_percent));
    let observed = list(canary.shares.iter().map(|share| share.observed_percent.unwrap_or(f64::NAN)));
    let counted = canary.shares.iter().any(|share| share.observed_percent.is_some());
    let part = |index: usize, share: &Share, percent: f64| {
        let words = format!("{} {}", name(share), format::percent(percent));
        (percent > 0.0).then(|| {
            // Only where it fits: seven pixels for each letter, on a bar of seven hundred.
            let inside = (percent > words.chars().count() as f64).then(|| words.clone());
            view! {
                <span class=format!("part part-{}", index % 4 + 1) style:width=format!("{percent}%") title=words>
                    {inside}
                </span>
            }
        })
    };
    let target = canary
        .shares
        .iter()
        .enumerate()
        .map(|(index, share)| part(index, share, share.configured_percent))
        .collect_view();
    let actual = canary
        .shares
        .iter()
        .enumerate()
        .map(|(index, share)| part(index, share, share.observed_percent.unwrap_or(0.0)))
        .collect_view();
    view! {
        <div class="bars">
            <span class="quiet">"Configured"</span>
            <div class="bar" data-testid="canary-configured" data-percent=configured role="img" aria-label=spoken(&canary, false)>
                {target}
            </div>
            <span class="quiet">"Observed"</span>
            {if counted {
                view! {
                    <div class="bar observed" data-testid="canary-observed" data-percent=observed role="img" aria-label=spoken(&canary, true)>
                        {actual}
                        {whiskers(&canary.shares)}
                    </div>
                }
                    .into_any()
            } else {
                view! {
                    <div class="bar none" data-testid="canary-observed" data-percent="">
                        {without_shares(&canary)}
                    </div>
                }
                    .into_any()
            }}
        </div>
    }
}

/// What a screen reader says instead of a bar.
fn spoken(canary: &Canary, observed: bool) -> String {
    let words = canary.shares.iter().map(|share| match (observed, share.observed_percent, share.interval) {
        (false, ..) => format!("{} {}", name(share), format::percent(share.configured_percent)),
        (true, Some(percent), Some((low, high))) => {
            format!("{} {} ({}–{})", name(share), format::percent(percent), format::digits(low), format::digits(high))
        }
        (true, percent, _) => format!("{} {}", name(share), format::maybe(percent, format::percent)),
    });
    words.collect::<Vec<_>>().join(", ")
}

/// One whisker for each boundary between two parts: the interval of the part to its left, from where that part begins.
fn whiskers(shares: &[Share]) -> impl IntoView {
    let mut start = 0.0;
    let mut out = Vec::new();
    for share in shares.iter().take(shares.len().saturating_sub(1)) {
        if let Some((low, high)) = share.interval {
            let (left, right) = ((start + low).clamp(0.0, 100.0), (start + high).clamp(0.0, 100.0));
            out.push(view! { <i class="whisker" style:left=format!("{left}%") style:width=format!("{}%", right - left)></i> });
        }
        start += share.observed_percent.unwrap_or(0.0);
    }
    out
}
