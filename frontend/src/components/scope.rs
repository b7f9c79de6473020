//! The namespaces that are shown.

use std::collections::BTreeSet;

use leptos::prelude::*;

use super::shape::Glyph;
use crate::{icons::Icon, state::app};

/// A button with a list of namespaces to choose from.
#[component]
pub fn Scope() -> impl IntoView {
    let app = app();
    let known = Memo::new(move |_| {
        let mut names: BTreeSet<String> = app.view.with(|view| view.namespaces.iter().cloned().collect());
        app.meta.with(|load| names.extend(load.value.iter().flat_map(|meta| meta.namespaces.iter().cloned())));
        app.graph.with(|load| {
            names.extend(load.value.iter().flat_map(|graph| graph.nodes.iter().map(|node| node.namespace.clone())))
        });
        names.into_iter().filter(|name| !name.is_empty()).collect::<Vec<_>>()
    });
    let words = move || {
        app.view.with(|view| match view.namespaces.as_slice() {
            [] => "All namespaces".to_owned(),
            [one] => one.clone(),
            [first, rest @ ..] => format!("{first} +{}", rest.len()),
        })
    };
    let toggle = move |name: String| {
        app.change(|view| {
            let chosen = view.namespaces.iter().position(|other| *other == name);
            match chosen {
                Some(index) => drop(view.namespaces.remove(index)),
                None => view.namespaces.push(name),
            }
            view.namespaces.sort();
        });
    };
    view! {
        <details class="menu" data-testid="scope">
            <summary title="Namespaces that are shown">
                <span class="menu-words">{words}</span>
                <Glyph icon=Icon::Chevron />
            </summary>
            <div class="menu-list" role="group" aria-label="Namespaces">
                <button class="menu-all" on:click=move |_| app.change(|view| view.namespaces.clear())>
                    "All namespaces"
                </button>
                <For each=move || known.get() key=|name| name.clone() let:name>
                    {
                        let (own, chosen) = (name.clone(), name.clone());
                        view! {
                            <label>
                                <input
                                    type="checkbox"
                                    prop:checked=move || app.view.with(|view| view.namespaces.contains(&chosen))
                                    on:change=move |_| toggle(own.clone())
                                />
                                {name}
                            </label>
                        }
                    }
                </For>
                <Show when=move || known.with(Vec::is_empty)>
                    <p class="quiet">"No namespaces are known yet."</p>
                </Show>
            </div>
        </details>
    }
}
