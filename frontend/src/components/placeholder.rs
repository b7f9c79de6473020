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

/// Something failed: what, why, what to do, again.
#[component]
pub fn Failure(problem: Problem, retry: Callback<()>) -> impl IntoView {
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
}

/// What to tell of the queries behind an answer: how many failed and what is missing for it, or what is odd about what
/// came. `said` is whether the page has told already that Prometheus is away. The first part stands out.
fn told(sources: &Sources, said: bool) -> Option<(String, String)> {
    let note = sources.note.clone().unwrap_or_default();
    if said || (sources.answered >= sources.asked && sources.problem.is_none()) {
        return (!said && !note.is_empty()).then(|| (note, String::new()));
    }
    let count = match &sources.words {
        Some(words) => words.clone(),
        None if sources.asked == 0 => "Prometheus was not asked.".to_owned(),
        None => format!("Prometheus answered {} of {} queries.", sources.answered, sources.asked),
    };
    let rest = [sources.problem.clone().unwrap_or_default(), note];
    Some((count, rest.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")))
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
                        <strong>{format!("What you see is from {}. ", browser::clock(at_ms))}</strong>
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named_and_silence_explained() {
        let words = || Some("Prometheus answered 3 of 4 queries; missing: TCP.".to_owned());
        let partial =
            Sources { asked: 4, answered: 3, problem: Some("it is late".into()), words: words(), ..Sources::default() };
        assert_eq!(told(&partial, false), Some((words().unwrap(), "it is late".to_owned())));
        assert_eq!(told(&partial, true), None);
        let whole = Sources { asked: 4, answered: 4, ..Sources::default() };
        assert_eq!(told(&whole, false), None);
        let silent = Sources { note: Some("Nothing is scraped.".into()), ..whole };
        assert_eq!(told(&silent, false), Some(("Nothing is scraped.".to_owned(), String::new())));
    }
}
