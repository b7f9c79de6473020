//! Lines across the page: what is wrong with the page's own sources, and that nobody signs in.

use leptos::prelude::*;
use weft_model::config::Dependency;

use super::shape::Glyph;
use crate::{
    format,
    icons::Icon,
    state::{Link, app},
};

/// What the reader must know before trusting the page; nothing when all is well.
#[component]
pub fn Banners() -> impl IntoView {
    let app = app();
    let lost = Memo::new(move |_| matches!(app.link.get(), Link::Lost(_)));
    let away = |dependency: &Dependency| (!dependency.up).then(|| dependency.problem.clone().unwrap_or_default());
    let prometheus =
        Memo::new(move |_| app.status.with(|load| load.value.as_ref().and_then(|status| away(&status.prometheus))));
    let operator =
        Memo::new(move |_| app.status.with(|load| load.value.as_ref().and_then(|status| away(&status.operator))));
    let again = move || match app.link.get() {
        Link::Lost(at) => format!("Next try in {}.", format::span((at - app.now.get()).max(0.0))),
        Link::Connecting | Link::Live => String::new(),
    };
    view! {
        <Show when=move || lost.get()>
            <div class="banner" role="status" data-testid="banner-connection">
                <Glyph icon=Icon::Alert />
                <span>
                    <strong>"The console does not answer."</strong>
                    " What you see is the last that it said. "
                    {again}
                </span>
            </div>
        </Show>
        {move || {
            prometheus
                .get()
                .filter(|_| !lost.get())
                .map(|problem| {
                    view! {
                        <div class="banner" role="status" data-testid="banner-prometheus">
                            <Glyph icon=Icon::Alert />
                            <span>
                                <strong>"Prometheus does not answer: rates, errors and verdicts are old or not known."</strong>
                                " Configuration and traces are as they are now. "
                                {sentence(&problem)}
                            </span>
                        </div>
                    }
                })
        }}
        {move || {
            operator
                .get()
                .filter(|_| !lost.get())
                .map(|problem| {
                    view! {
                        <div class="banner" role="status" data-testid="banner-operator">
                            <Glyph icon=Icon::Alert />
                            <span>
                                <strong>"The operator does not answer: proxies keep the configuration that they have."</strong>
                                " "
                                {sentence(&problem)}
                            </span>
                        </div>
                    }
                })
        }}
    }
}

/// A problem as a sentence of its own.
fn sentence(problem: &str) -> String {
    if problem.is_empty() || problem.ends_with('.') { problem.to_owned() } else { format!("{problem}.") }
}
