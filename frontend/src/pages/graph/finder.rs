//! A field for an expression: examples while it is empty, completion while one types, and what is wrong in words.

use leptos::{ev, html::Input, prelude::*};

use super::{Answer, Shown};
use crate::{
    components::shape::Glyph,
    graph::query::{EXAMPLES, Suggestion, complete},
    icons::Icon,
};

/// A line of the list below the field.
fn examples() -> Vec<Suggestion> {
    let all = EXAMPLES.into_iter();
    all.map(|(text, meaning)| Suggestion { word: text.into(), meaning, text: text.into() }).collect()
}

/// The field. `name` tells two of them apart, `count` says what the expression does.
#[component]
pub fn Finder(
    name: &'static str,
    label: &'static str,
    placeholder: &'static str,
    icon: Icon,
    text: Memo<String>,
    set: Callback<String>,
    answer: Memo<Answer>,
    count: Signal<Option<String>>,
) -> impl IntoView {
    let Shown(shown) = expect_context();
    let field = NodeRef::<Input>::new();
    let open = RwSignal::new(false);
    let chosen: RwSignal<Option<usize>> = RwSignal::new(None);
    let offers = Memo::new(move |_| {
        if !open.get() {
            return Vec::new();
        }
        let text = text.get();
        if text.trim().is_empty() {
            return examples();
        }
        shown.with(|shown| shown.as_ref().map(|shown| complete(&text, &shown.whole)).unwrap_or_default())
    });
    let error = Memo::new(move |_| answer.with(|(_, error)| error.clone()));
    // What is still being typed is not wrong yet; it is said once the field is left, or when there is nothing to offer.
    let problem = move || error.get().filter(|_| !open.get() || offers.with(Vec::is_empty));
    let take = move |index: usize| {
        if let Some(offer) = offers.with(|offers| offers.get(index).cloned()) {
            set.run(offer.text);
            chosen.set(None);
            if let Some(field) = field.get_untracked() {
                let _ = field.focus();
            }
        }
    };
    let keys = move |event: ev::KeyboardEvent| {
        let count = offers.with(Vec::len);
        match event.key().as_str() {
            "ArrowDown" if count > 0 => {
                chosen.update(|at| *at = Some(at.map_or(0, |at| (at + 1) % count)));
                event.prevent_default();
            }
            "ArrowUp" if count > 0 => {
                chosen.update(|at| *at = Some(at.map_or(count - 1, |at| (at + count - 1) % count)));
                event.prevent_default();
            }
            "Enter" => match chosen.get() {
                Some(index) => {
                    take(index);
                    event.prevent_default();
                }
                None => open.set(false),
            },
            "Tab" if chosen.with(Option::is_some) => {
                take(chosen.get().unwrap_or_default());
                event.prevent_default();
            }
            "Escape" => open.set(false),
            _ => {}
        }
    };
    let list = format!("{name}-offers");
    let (controls, says) = (list.clone(), format!("{name}-problem"));
    let option = move |index: usize| format!("{name}-offer-{index}");
    view! {
        <div class="finder" class:filled=move || !text.with(String::is_empty)>
            <label class="search" class:wrong=move || problem().is_some()>
                <Glyph icon />
                <input
                    node_ref=field
                    type="text"
                    role="combobox"
                    autocomplete="off"
                    spellcheck="false"
                    data-testid=if name == "find" { "graph-search" } else { "graph-hide" }
                    placeholder=placeholder
                    aria-label=label
                    aria-autocomplete="list"
                    aria-expanded=move || (!offers.with(Vec::is_empty)).to_string()
                    aria-controls=controls
                    aria-activedescendant=move || chosen.get().map(option)
                    aria-invalid=move || problem().is_some().to_string()
                    aria-describedby=says.clone()
                    title=move || Some(text.get()).filter(|text| !text.is_empty())
                    prop:value=move || text.get()
                    on:input:target=move |event| {
                        chosen.set(None);
                        open.set(true);
                        set.run(event.target().value());
                    }
                    on:focus=move |_| open.set(true)
                    on:blur=move |_| {
                        open.set(false);
                        chosen.set(None);
                    }
                    on:keydown=keys
                />
                {move || {
                    count.get().map(|count| {
                        let title = count.clone();
                        view! { <span class="count" title=title data-testid=format!("{name}-count")>{count}</span> }
                    })
                }}
                <Show when=move || !text.with(String::is_empty)>
                    <button
                        class="clear"
                        aria-label=format!("Clear: {label}")
                        on:mousedown=move |event| event.prevent_default()
                        on:click=move |event| {
                            event.prevent_default();
                            set.run(String::new());
                        }
                    >
                        <Glyph icon=Icon::Close />
                    </button>
                </Show>
            </label>
            <p class="problem" id=says role="status" data-testid=format!("{name}-problem")>
                {move || problem().map(|error| format!("Column {}: {} {}", error.column, error.what, error.remedy))}
            </p>
            <ul class="offers" id=list role="listbox" aria-label=format!("{label}: completions") hidden=move || offers.with(Vec::is_empty)>
                {move || {
                    offers
                        .get()
                        .into_iter()
                        .enumerate()
                        .map(|(index, offer)| {
                            view! {
                                <li
                                    role="option"
                                    id=option(index)
                                    aria-selected=move || (chosen.get() == Some(index)).to_string()
                                    on:mousedown=move |event| {
                                        // The field keeps the focus, or the list would close before the press ends.
                                        event.prevent_default();
                                        take(index);
                                    }
                                >
                                    <code>{offer.word}</code>
                                    <span class="quiet">{offer.meaning}</span>
                                </li>
                            }
                        })
                        .collect_view()
                }}
            </ul>
        </div>
    }
}
