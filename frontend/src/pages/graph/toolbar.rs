//! What the graph shows, and finding something in it.

use leptos::prelude::*;

use crate::{components::shape::Glyph, icons::Icon, location::Label, state::app};

/// Search, labels, locks, list.
#[component]
pub fn Toolbar() -> impl IntoView {
    let app = app();
    view! {
        <div class="toolbar">
            <label class="search">
                <Glyph icon=Icon::Search />
                <input
                    type="search"
                    data-search=""
                    data-testid="graph-search"
                    placeholder="Find a workload (/)"
                    aria-label="Find a workload"
                    prop:value=move || app.view.with(|view| view.find.clone())
                    on:input:target=move |event| {
                        let text = event.target().value();
                        app.change(|view| view.find = text);
                    }
                />
            </label>
            <div class="segments" role="group" aria-label="Labels on edges">
                {Label::ALL
                    .into_iter()
                    .map(|label| {
                        view! {
                            <button
                                aria-pressed=move || (app.view.with(|view| view.label) == label).to_string()
                                data-testid=format!("label-{}", label.slug())
                                on:click=move |_| app.change(|view| view.label = label)
                            >
                                {label.title()}
                            </button>
                        }
                    })
                    .collect_view()}
            </div>
            <button
                class="toggle"
                aria-pressed=move || app.view.with(|view| view.locks).to_string()
                title="Also draw closed locks; broken ones are always drawn"
                data-testid="locks"
                on:click=move |_| app.change(|view| view.locks = !view.locks)
            >
                <Glyph icon=Icon::Lock />
                "Locks"
            </button>
            <span class="spring"></span>
            <button
                class="toggle"
                aria-pressed=move || app.view.with(|view| view.list).to_string()
                title="The graph as a list (l)"
                data-testid="list"
                on:click=move |_| app.change(|view| view.list = !view.list)
            >
                <Glyph icon=Icon::List />
                "List"
            </button>
        </div>
    }
}
