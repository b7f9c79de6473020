//! What stands where data is not: loading, empty, partial, failed. A blank never leaves a guess.

use leptos::prelude::*;
use weft_model::{config::Problem, graph::Sources};

use super::{
    copy::CopyButton,
    shape::{Glyph, HealthShape},
};
use crate::{
    browser,
    icons::Icon,
    sources::{lacks_rights, told},
    state::{Link, Load, app},
};

/// Grey rows while an answer is awaited, with words.
#[component]
pub fn Skeleton(#[prop(into)] words: String, #[prop(default = 6)] rows: usize) -> impl IntoView {
    view! {
        <div class="skeleton" role="status">
            <p class="quiet">{words}</p>
            {(0..rows).map(|_| view! { <div class="bone"></div> }).collect_view()}
        </div>
    }
}

/// Nothing is there: why, and what to do.
#[component]
pub fn Empty(#[prop(into)] title: Signal<String>, #[prop(optional)] children: Option<Children>) -> impl IntoView {
    view! {
        <div class="empty" data-testid="empty">
            <p class="empty-title">{title}</p>
            {children.map(|children| view! { <div class="quiet">{children()}</div> })}
        </div>
    }
}

/// Something failed: what, why, what to do, again. That the reader may not see it is nothing that failed.
#[component]
pub fn Failure(problem: Problem, retry: Callback<()>) -> impl IntoView {
    if lacks_rights(&problem) {
        return view! { <NoRights problem retry /> }.into_any();
    }
    let code = if problem.status > 0 { format!("{} ({})", problem.kind, problem.status) } else { problem.kind.clone() };
    let copied = format!("{code}: {} {}", problem.title, problem.detail);
    view! {
        <div class="failure" role="alert" data-testid="failure">
            <HealthShape health=weft_model::graph::Health::Failing silent=true />
            <div>
                <p class="failure-title">{problem.title}</p>
                <p>{problem.detail}</p>
                <p class="failure-row">
                    <button class="button" on:click=move |_| retry.run(())>"Try again"</button>
                    <code class="code">{code}</code>
                    <CopyButton text=copied title="Copy the error" />
                </p>
            </div>
        </div>
    }
    .into_any()
}

/// The reader may not see it: whose it is, and how to get there. Rights that are given later are not noticed by themselves.
#[component]
fn NoRights(problem: Problem, retry: Callback<()>) -> impl IntoView {
    let Problem { kind, title, detail, .. } = problem;
    let copied = format!("{kind}: {title} {detail}");
    view! {
        <div data-testid="no-rights" data-kind=kind role="status">
            <Empty title=Signal::stored(title)>
                <p>{detail}</p>
                <p>
                    <button class="button" data-testid="look-again" on:click=move |_| retry.run(())>"Look again"</button>
                    <CopyButton text=copied title="Copy what was refused" />
                </p>
            </Empty>
        </div>
    }
}

/// Some of the queries behind an answer failed, or what came needs an explanation.
#[component]
pub fn Partial(#[prop(into)] sources: Signal<Sources>) -> impl IntoView {
    let app = app();
    // When Prometheus is away altogether, the page's banner has said so.
    let said = move || app.status.with(|load| load.value.as_ref().is_some_and(|status| !status.prometheus.up));
    let words = Memo::new(move |_| {
        let said = said();
        sources.with(|sources| told(sources, said))
    });
    move || {
        words.get().map(|(count, problem)| {
            view! {
                <div class="partial" role="status" data-testid="partial">
                    <Glyph icon=Icon::Alert />
                    <span><strong>{count}</strong>" "{problem}</span>
                </div>
            }
        })
    }
}

/// An answer that is still shown although the newest question failed: from when it is, why, and asking again.
#[component]
pub fn Old<T>(load: RwSignal<Load<T>>, retry: Callback<()>) -> impl IntoView
where
    T: Send + Sync + 'static,
{
    let app = app();
    // That nobody answers at all, the page's banner has said.
    let lost = Memo::new(move |_| matches!(app.link.get(), Link::Lost(_)));
    let failed = Memo::new(move |_| {
        let known = load.with(|load| load.value.is_some().then(|| (load.error.clone(), load.at_ms)));
        known.and_then(|(error, at_ms)| Some((error?, at_ms))).filter(|_| !lost.get())
    });
    move || {
        failed.get().map(|(problem, at_ms)| {
            view! {
                <div class="partial" role="status" data-testid="old">
                    <Glyph icon=Icon::Alert />
                    <span>
                        <strong>{format!("What you see is from {}. ", browser::zoned(at_ms))}</strong>
                        {problem.title}
                        " "
                        {problem.detail}
                        " "
                        <button class="link" on:click=move |_| retry.run(())>"Try again"</button>
                    </span>
                </div>
            }
        })
    }
}
