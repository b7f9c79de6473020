//! The traces' room: a search, a map of when and how long, a list, and a waterfall.

mod filters;
mod heat;
mod list;
mod waterfall;

use leptos::prelude::*;

use crate::{components::attention, state::app};
use filters::Filters;
use heat::HeatMap;
use list::List;
use waterfall::Waterfall;

/// The room.
#[component]
pub fn Traces() -> impl IntoView {
    let app = app();
    let selected = Memo::new(move |_| app.view.with(|view| view.select.clone()));
    attention::follow(selected);
    view! {
        <div class="room split traces" class:with-detail=move || !selected.with(String::is_empty)>
            <div class="scroll">
                <div class="room-head">
                    <h1>"Traces"</h1>
                    <Filters />
                </div>
                <HeatMap />
                <List />
            </div>
            {move || {
                let id = selected.get();
                (!id.is_empty()).then(|| view! { <Waterfall id=id /> })
            }}
        </div>
    }
}
