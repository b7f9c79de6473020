//! Shapes of health, and drawings.

use leptos::prelude::*;
use weft_model::{Severity, graph::Health};

use crate::{icons::Icon, words};

/// The shape of a state of health; its colour comes from the style sheet. Said aloud unless the words stand beside it.
#[component]
pub fn HealthShape(#[prop(into)] health: Signal<Health>, #[prop(optional)] silent: bool) -> impl IntoView {
    let class = move || format!("shape {}", words::health(health.get()));
    let path = move || match health.get() {
        Health::Healthy => "M6 1a5 5 0 1 0 0 10a5 5 0 1 0 0-10z",
        Health::Degraded => "M6 1L11.6 11H.4z",
        Health::Failing => "M1.2 1.2h9.6v9.6H1.2z",
        Health::Idle => "M6 1.8a4.2 4.2 0 1 0 0 8.4a4.2 4.2 0 1 0 0-8.4z",
        Health::Unknown => "M1.8 1.8h8.4v8.4H1.8zM1.8 6L6 1.8M1.8 10.2l8.4-8.4M6 10.2L10.2 6",
    };
    view! {
        <svg
            class=class
            viewBox="0 0 12 12"
            role="img"
            aria-hidden=silent.then_some("true")
            aria-label=move || (!silent).then(|| words::health(health.get()))
        >
            <path d=path />
        </svg>
    }
}

/// The shape of a finding's severity, its word beside it.
#[component]
pub fn SeverityMark(severity: Severity) -> impl IntoView {
    view! {
        <span class="severity">
            <HealthShape health=words::severity_health(severity) silent=true />
            {severity.to_string()}
        </span>
    }
}

/// A drawing. It says nothing aloud; what holds it has a name.
#[component]
pub fn Glyph(#[prop(into)] icon: Signal<Icon>) -> impl IntoView {
    view! {
        <svg class="glyph" viewBox="0 0 16 16" aria-hidden="true">
            <path d=move || icon.get().path() />
        </svg>
    }
}
