//! The top bar: what is shown, over which time, how fresh it is, and whether anything is wrong.

use leptos::prelude::*;
use weft_model::graph::Health;

use super::{
    person::PersonMenu,
    scope::Scope,
    search::Search,
    shape::{Glyph, HealthShape},
    token::{self, Badge},
};
use crate::{
    browser, format,
    icons::Icon,
    keys,
    location::{Room, WINDOWS},
    sources::is_away,
    state::{Link, app},
};

/// Data older than this is said to be old, in milliseconds.
const STALE_MS: f64 = 20_000.0;

/// The bar.
#[component]
pub fn Topbar() -> impl IntoView {
    let app = app();
    let name = move || app.meta.with(|load| load.value.as_ref().map(|meta| meta.name.clone()));
    view! {
        <header class="topbar">
            <a class="mark" href="#/graph" aria-label="Weft: graph">
                <svg viewBox="0 0 16 16" aria-hidden="true">
                    <path class="warp" d="M1 4h14M1 8h14M1 12h14" />
                    <path class="woof" d="M4 1.5v5M4 9.5v5M8 1.5v1M8 5.5v5M8 13.5v1M12 1.5v5M12 9.5v5" />
                </svg>
                "Weft"
            </a>
            {move || name().map(|name| view! { <span class="estate" title=name.clone()>{format::middle(&name, 28)}</span> })}
            <Scope />
            <Windows />
            <Freshness />
            <span class="spring"></span>
            <Search />
            <Encryption />
            <Findings />
            <Badge />
            <PersonMenu />
            <Notice />
            <span class="tools">
            <button
                class="icon-button"
                title=move || format!("Colours: {} (press to change)", app.theme.get().name())
                aria-label=move || format!("Colours: {}", app.theme.get().name())
                data-testid="theme"
                on:click=move |_| app.theme.update(|theme| *theme = theme.next())
            >
                <Glyph icon=Icon::Theme />
            </button>
            <button class="icon-button" title="Keys (?)" aria-label="Keys" on:click=move |_| app.help.set(true)>
                <span aria-hidden="true" class="question">"?"</span>
            </button>
            </span>
        </header>
    }
}

#[component]
fn Windows() -> impl IntoView {
    let app = app();
    view! {
        <div class="segments" role="group" aria-label="Time window">
            {WINDOWS
                .into_iter()
                .map(|(seconds, words)| {
                    let chosen = move || app.view.with(|view| view.window_s) == seconds;
                    view! {
                        <button
                            aria-pressed=move || chosen().to_string()
                            title=format!("Rates over the last {}", format::span(seconds as f64 * 1000.0))
                            on:click=move |_| app.change(|view| view.window_s = seconds)
                        >
                            {words}
                        </button>
                    }
                })
                .collect_view()}
        </div>
    }
}

/// Live, paused, or how old what is shown is.
#[component]
fn Freshness() -> impl IntoView {
    let app = app();
    let age = move || {
        let (at, age) = app.graph.with(|load| (load.at_ms, load.value.as_ref().map_or(0, |graph| graph.age_ms)));
        (at > 0.0).then(|| (app.now.get() - at).max(0.0) + age as f64)
    };
    let past = Memo::new(move |_| {
        app.view.with(|view| (view.room == Room::Graph).then_some(view.graph.at_ms).filter(|at| *at > 0))
    });
    // What the banner says, and what is shown grows old meanwhile, holds here, too.
    let away = Memo::new(move |_| {
        app.status.with(|load| load.value.as_ref().is_some_and(|status| is_away(&status.prometheus)))
    });
    let state = move || match (app.paused.get(), app.link.get(), age()) {
        _ if past.get().is_some() => ("stale", format!("Past: {}", browser::minute(past.get().unwrap_or(0) as f64))),
        (Some(since), ..) => ("paused", format!("Paused at {}", browser::clock(since))),
        (None, _, Some(age)) if age > STALE_MS || away.get() => ("stale", format!("Data is {} old", format::span(age))),
        (None, Link::Live, Some(_)) => ("live", "Live".to_owned()),
        (None, Link::Lost(_), Some(age)) => ("stale", format!("Data is {} old", format::span(age))),
        (None, Link::Lost(_), None) => ("stale", "No connection".to_owned()),
        _ => ("waiting", "Connecting".to_owned()),
    };
    let title = move || match (app.paused.get(), age()) {
        _ if past.get().is_some() => {
            format!("{}. Back to live", browser::moment(past.get().unwrap_or_default() as f64))
        }
        (Some(since), _) => format!("Since {}. Go on (.)", browser::moment(since)),
        (None, Some(age)) => format!("Last data {}. Pause (.)", format::ago(age)),
        (None, None) => "Pause (.)".to_owned(),
    };
    let icon = Signal::derive(move || if app.paused.get().is_some() { Icon::Play } else { Icon::Pause });
    view! {
        <button
            class="live"
            data-state=move || state().0
            data-testid="live"
            title=title
            aria-pressed=move || app.paused.get().is_some().to_string()
            on:click=move |_| {
                if past.get().is_some() {
                    app.change(|view| view.graph.at_ms = 0);
                } else {
                    keys::pause(app);
                }
            }
        >
            <Glyph icon=icon />
            <span>{move || state().1}</span>
        </button>
    }
}

/// How much of the mesh's traffic is mutual TLS.
#[component]
fn Encryption() -> impl IntoView {
    let app = app();
    let share = Memo::new(move |_| app.status.with(|load| load.value.as_ref().and_then(|status| status.mtls_share)));
    let icon =
        Signal::derive(move || if share.get().is_some_and(|share| share < 1.0) { Icon::Unlock } else { Icon::Lock });
    let health = move || match share.get() {
        None => "unknown",
        Some(share) if share >= 1.0 => "healthy",
        Some(_) => "degraded",
    };
    let words = move || {
        share.get().map_or_else(|| "mTLS not known".to_owned(), |share| format!("mTLS {}", format::share(share)))
    };
    let title = move || match share.get() {
        None => "No destination has reported requests over the last minute.".to_owned(),
        Some(share) if share >= 1.0 => "All requests of the last minute were mutual TLS.".to_owned(),
        Some(share) => format!(
            "{} of the last minute's requests were plaintext; broken locks in the graph say where.",
            format::share(1.0 - share)
        ),
    };
    view! {
        <a
            class=move || format!("fact {}", health())
            href=move || app.view.with(|view| view.enter(Room::Mesh).fragment())
            title=title
            data-testid="mtls"
        >
            <Show when=move || share.with(Option::is_some) fallback=|| view! { <HealthShape health=Health::Unknown silent=true /> }>
                <Glyph icon=icon />
            </Show>
            {words}
        </a>
    }
}

/// Findings by severity, leading to their list.
#[component]
fn Findings() -> impl IntoView {
    let app = app();
    let counts = Memo::new(move |_| app.status.with(|load| load.value.as_ref().map(|status| status.findings)));
    // With findings the list opens on them; without, on everything.
    let target = move || {
        let any = counts.get().is_some_and(|(errors, warnings, infos)| errors + warnings + infos > 0);
        app.view.with(|view| crate::location::View { errors: any, ..view.enter(Room::Configuration) }.fragment())
    };
    let parts = move || {
        let (errors, warnings, infos) = counts.get()?;
        let all = [
            (errors, Health::Failing, "error", "errors"),
            (warnings, Health::Degraded, "warning", "warnings"),
            (infos, Health::Idle, "note", "notes"),
        ];
        Some(all.into_iter().filter(|(count, ..)| *count > 0).collect::<Vec<_>>())
    };
    view! {
        <a class="fact" href=target data-testid="findings-count" title="Findings about configuration">
            {move || match parts() {
                None => view! { <span class="wordy">"Findings not known"</span> }.into_any(),
                Some(parts) if parts.is_empty() => {
                    view! {
                        <HealthShape health=Health::Healthy silent=true />
                        "No findings"
                    }
                        .into_any()
                }
                Some(parts) => {
                    parts
                        .into_iter()
                        .map(|(count, health, one, many)| {
                            view! {
                                <span class="fact-part">
                                    <HealthShape health silent=true />
                                    <span class="numeral">{format::count(count as u64)}</span>
                                    <span class="wordy">{if count == 1 { one } else { many }}</span>
                                </span>
                            }
                        })
                        .collect_view()
                        .into_any()
                }
            }}
        </a>
    }
}

/// That nobody signs in yet.
#[component]
fn Notice() -> impl IntoView {
    let app = app();
    let open = move || app.meta.with(|load| load.value.as_ref().is_some_and(|meta| !meta.sign_in));
    view! {
        <Show when=open>
            <p class="notice" data-testid="sign-in-notice">
                <Glyph icon=Icon::Info />
                <span>
                    {move || {
                        if token::is_needed(app) {
                            "Sign-in is off: whoever reaches this page can read it; changes need a token"
                        } else {
                            "Sign-in is off: anyone on this machine can use this page"
                        }
                    }}
                </span>
            </p>
        </Show>
    }
}
