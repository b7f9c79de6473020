//! The ways from a page of details to the graph and to traces.

use std::sync::Arc;

use leptos::prelude::*;
use weft_model::details::Detail;

use crate::{
    components::shape::Glyph,
    icons::Icon,
    location::View,
    state::app,
    workloads::{graph_of, traces_of},
};

/// The ways to the graph around what is open, and to its traces.
#[component]
pub fn Ways(detail: Memo<Option<Arc<Detail>>>) -> impl IntoView {
    let app = app();
    let known = Memo::new(move |_| detail.with(Option::is_some));
    let to = move |place: fn(&Detail, &View) -> View| {
        move || detail.with(|detail| detail.as_ref().map(|one| app.view.with(|view| place(one, view).fragment())))
    };
    view! {
        <Show when=move || known.get()>
            <a class="button" href=to(graph_of) data-testid="detail-graph"><Glyph icon=Icon::Graph />"Graph"</a>
            <a class="button" href=to(traces_of) data-testid="detail-traces"><Glyph icon=Icon::Traces />"Traces"</a>
        </Show>
    }
}
