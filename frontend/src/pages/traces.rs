//! The traces' room: a list with filters, and a waterfall.

mod list;
mod waterfall;

use leptos::prelude::*;

use crate::{components::shape::Glyph, icons::Icon, state::app};
use list::List;
use waterfall::Waterfall;

/// The room.
#[component]
pub fn Traces() -> impl IntoView {
    let app = app();
    let selected = Memo::new(move |_| app.view.with(|view| view.select.clone()));
    let workloads = Memo::new(move |_| {
        app.graph.with(|load| {
            load.value
                .iter()
                .flat_map(|graph| &graph.nodes)
                .map(|node| node.id.clone())
                .filter(|id| id.contains('/') && !id.starts_with("external/"))
                .collect::<Vec<_>>()
        })
    });
    view! {
        <div class="room split traces" class:with-detail=move || !selected.with(String::is_empty)>
            <div class="scroll">
                <div class="room-head">
                    <h1>"Traces"</h1>
                    <label class="search">
                        <Glyph icon=Icon::Search />
                        <input
                            type="search"
                            data-search=""
                            data-testid="trace-workload"
                            list="workloads"
                            placeholder="namespace/workload (/)"
                            aria-label="Workload"
                            prop:value=move || app.view.with(|view| view.workload.clone())
                            on:change:target=move |event| {
                                let text = event.target().value();
                                app.change(|view| text.trim().clone_into(&mut view.workload));
                            }
                        />
                        <datalist id="workloads">
                            {move || workloads.get().into_iter().map(|id| view! { <option value=id></option> }).collect_view()}
                        </datalist>
                    </label>
                    <button
                        class="toggle"
                        aria-pressed=move || app.view.with(|view| view.errors).to_string()
                        data-testid="trace-errors"
                        on:click=move |_| app.change(|view| view.errors = !view.errors)
                    >
                        "Errors only"
                    </button>
                    <label class="search minimum">
                        "at least"
                        <input
                            type="number"
                            min="0"
                            step="10"
                            inputmode="numeric"
                            data-testid="trace-min"
                            aria-label="At least so many milliseconds"
                            placeholder="0"
                            prop:value=move || app.view.with(|view| if view.min_ms > 0 { view.min_ms.to_string() } else { String::new() })
                            on:change:target=move |event| {
                                let minimum = event.target().value().parse().unwrap_or(0);
                                app.change(|view| view.min_ms = minimum);
                            }
                        />
                        "ms"
                    </label>
                </div>
                <List />
            </div>
            {move || {
                let id = selected.get();
                (!id.is_empty()).then(|| view! { <Waterfall id=id /> })
            }}
        </div>
    }
}
