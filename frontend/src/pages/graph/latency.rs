//! What a reader should know about the graph's latency.

use leptos::prelude::*;

use super::Shown;

/// Of which time it is and how old it may be, where that is not the time of the rest.
#[component]
pub fn LatencyNote() -> impl IntoView {
    let Shown(shown) = expect_context();
    let note = Memo::new(move |_| shown.with(|shown| shown.as_ref()?.whole.quantiles.note.clone()));
    move || note.get().map(|words| view! { <p class="quiet" data-testid="latency-note">{words}</p> })
}
