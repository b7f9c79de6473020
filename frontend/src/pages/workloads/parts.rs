//! What lists and pages share: cells, and links to other pages.

use leptos::prelude::*;
use weft_model::{
    details::{Findings, Proxies, Subject, SyncState},
    graph::{Health, Lock},
};

use crate::{
    browser,
    components::shape::{Glyph, HealthShape},
    format,
    icons::Icon,
    state::app,
    words,
    workloads::link,
};

/// A link to a page.
#[component]
pub fn Linked(subject: Subject, place: String, #[prop(into)] words: String) -> impl IntoView {
    let app = app();
    let href = move || app.view.with(|view| link(view, subject, &place));
    let title = words.clone();
    // Where there is less room, the style sheet would cut the end, which tells versions apart.
    let narrower = |width: &str| browser::media(&format!("(max-width: {width})"));
    let most = match (narrower("949px"), narrower("1023px")) {
        (true, _) => 16,
        (false, true) => 24,
        (false, false) => 48,
    };
    view! { <a href=href title=title data-row="">{format::middle(&words, most)}</a> }
}

/// The state of health that a proxy's state looks like.
pub fn sync_health(state: SyncState) -> Health {
    match state {
        SyncState::Synced => Health::Healthy,
        SyncState::Stale | SyncState::Missing => Health::Degraded,
        SyncState::Away | SyncState::Refused => Health::Failing,
        SyncState::Unknown => Health::Unknown,
        SyncState::None => Health::Idle,
    }
}

/// A proxy's state in a word or two.
pub fn sync_words(state: SyncState) -> &'static str {
    match state {
        SyncState::Synced => "in step",
        SyncState::Stale => "behind",
        SyncState::Missing => "no proxy",
        SyncState::Away => "not connected",
        SyncState::Refused => "refused",
        SyncState::Unknown => "not known",
        SyncState::None => "none needed",
    }
}

/// A proxy's state with its shape; hovering says more.
#[component]
pub fn Sync(state: SyncState, #[prop(into)] title: String) -> impl IntoView {
    view! {
        <span class="fact-part" title=title data-sync=sync_words(state)>
            <HealthShape health=sync_health(state) silent=true />
            {sync_words(state)}
        </span>
    }
}

/// What is to be said of many proxies: the worst, and how many. `unasked` when no control plane could say whether they
/// are in step.
#[component]
pub fn ProxyCount(proxies: Proxies, #[prop(into)] unasked: Signal<bool>) -> impl IntoView {
    let of = |count: usize, state: SyncState| (count > 0).then_some((count, state));
    let trouble = of(proxies.refused, SyncState::Refused)
        .or(of(proxies.away, SyncState::Away))
        .or(of(proxies.missing, SyncState::Missing))
        .or(of(proxies.stale, SyncState::Stale));
    move || match (trouble, proxies.present) {
        (Some((count, state)), _) => {
            let words = if proxies.instances == 1 {
                sync_words(state).to_owned()
            } else {
                format!("{count} of {} {}", proxies.instances, sync_words(state))
            };
            view! {
                <span class="fact-part">
                    <HealthShape health=sync_health(state) silent=true />
                    {words}
                </span>
            }
            .into_any()
        }
        (None, 0) => view! { <span class="quiet">"–"</span> }.into_any(),
        (None, present) => {
            let unknown = unasked.get();
            let title = if unknown { "Whether they are in step is not known" } else { "" };
            let health = if unknown { Health::Unknown } else { Health::Healthy };
            view! {
                <span class="fact-part" title=title>
                    <HealthShape health silent=true />
                    {present}
                    {unknown.then_some(" not known")}
                </span>
            }
            .into_any()
        }
    }
}

/// Encryption as observed, and the mode that is configured.
#[component]
pub fn Encryption(lock: Lock, share: Option<f64>, mode: String) -> impl IntoView {
    let broken = matches!(lock, Lock::Mixed | Lock::Plaintext);
    let icon = if broken { Icon::Unlock } else { Icon::Lock };
    let configured = mode.clone();
    let title = format!(
        "{} PeerAuthentication: {}.",
        words::lock_sentence(lock, share),
        if mode.is_empty() { "none of it has a proxy" } else { &configured }
    );
    view! {
        <span class="encryption" class:broken=broken title=title data-lock=words::lock(lock)>
            {(lock != Lock::Unknown).then(|| view! { <Glyph icon=icon /> })}
            {share.filter(|_| broken).map(|share| view! { <span>{format!("{} plain", format::share(share))}</span> })}
            <span class="quiet mode">{if mode.is_empty() { "–".to_owned() } else { mode.to_lowercase().replace('/', ", ") }}</span>
        </span>
    }
}

/// Findings by severity; nothing when there are none.
#[component]
pub fn FindingCount(findings: Findings) -> impl IntoView {
    let all = [
        (findings.errors, Health::Failing, "error", "errors"),
        (findings.warnings, Health::Degraded, "warning", "warnings"),
        (findings.notes, Health::Idle, "note", "notes"),
    ];
    all.into_iter()
        .filter(|(count, ..)| *count > 0)
        .map(|(count, health, one, many)| {
            view! {
                <span class="fact-part" title=format::plural(count, one, many)>
                    <HealthShape health silent=true />
                    {count}
                </span>
            }
        })
        .collect_view()
}
