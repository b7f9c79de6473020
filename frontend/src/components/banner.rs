//! Lines across the page: what is wrong with the page's own sources, and that nobody signs in.

use leptos::prelude::*;
use weft_model::config::Dependency;

use super::shape::Glyph;
use crate::{
    format,
    icons::Icon,
    sources::is_configured,
    state::{Link, app},
};

/// What the reader must know before trusting the page; nothing when all is well.
#[component]
pub fn Banners() -> impl IntoView {
    let app = app();
    let lost = Memo::new(move |_| matches!(app.link.get(), Link::Lost(_)));
    let away = |dependency: &Dependency| {
        (!dependency.up).then(|| (is_configured(dependency), dependency.problem.clone().unwrap_or_default()))
    };
    let prometheus =
        Memo::new(move |_| app.status.with(|load| load.value.as_ref().and_then(|status| away(&status.prometheus))));
    let operator =
        Memo::new(move |_| app.status.with(|load| load.value.as_ref().and_then(|status| away(&status.operator))));
    let database =
        Memo::new(move |_| app.status.with(|load| load.value.as_ref().and_then(|status| away(&status.database))));
    let again = move || match app.link.get() {
        Link::Lost(at) => format!("Next try in {}.", format::span((at - app.now.get()).max(0.0))),
        Link::Connecting | Link::Live => String::new(),
    };
    let lead = move || match app.refusal.with(Option::is_some) {
        true => "Live updates are refused.",
        false => "The console does not answer.",
    };
    let why = move || app.refusal.get().map(|problem| format!("{} {}", problem.title, problem.detail));
    view! {
        <Show when=move || lost.get()>
            <div class="banner" role="status" data-testid="banner-connection">
                <Glyph icon=Icon::Alert />
                <span>
                    <strong>{lead}</strong>
                    " "
                    {why}
                    " What you see is the last that it said. "
                    {again}
                </span>
            </div>
        </Show>
        {move || {
            prometheus
                .get()
                .filter(|_| !lost.get())
                .map(|(configured, problem)| {
                    let what = if configured {
                        "Prometheus does not answer: rates, errors and verdicts are old or not known."
                    } else {
                        "Rates, errors and verdicts are not known."
                    };
                    view! {
                        <div class="banner" role="status" data-testid="banner-prometheus">
                            <Glyph icon=Icon::Alert />
                            <span>
                                <strong>{what}</strong>
                                " Configuration and traces are as they are now. "
                                {sentence(&problem)}
                            </span>
                        </div>
                    }
                })
        }}
        {move || {
            database
                .get()
                .filter(|_| !lost.get())
                .map(|(_, problem)| {
                    view! {
                        <div class="banner" role="status" data-testid="banner-database">
                            <Glyph icon=Icon::Alert />
                            <span>
                                <strong>"The console's database is in trouble: saving, the audit and traces may fail."</strong>
                                " "
                                {sentence(&capital(&problem))}
                            </span>
                        </div>
                    }
                })
        }}
        {move || {
            operator
                .get()
                .filter(|_| !lost.get())
                .map(|(configured, problem)| {
                    let what = if configured {
                        "The operator does not answer: proxies keep the configuration that they have."
                    } else {
                        "Whether proxies are in step is not known."
                    };
                    view! {
                        <div class="banner" role="status" data-testid="banner-operator">
                            <Glyph icon=Icon::Alert />
                            <span>
                                <strong>{what}</strong>
                                " "
                                {sentence(&problem)}
                            </span>
                        </div>
                    }
                })
        }}
    }
}

fn capital(problem: &str) -> String {
    let mut letters = problem.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// A problem as a sentence of its own.
fn sentence(problem: &str) -> String {
    if problem.is_empty() || problem.ends_with('.') { problem.to_owned() } else { format!("{problem}.") }
}
