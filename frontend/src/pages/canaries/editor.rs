//! Moving the weights: slider, presets and fields, then the preview with the one button that applies.

use std::sync::Arc;

use leptos::{ev, prelude::*};
use weft_model::canary::Canary;

use super::{bars::name, draft::Draft, preview::Preview};
use crate::{format, weights};

/// The editor of one route.
#[component]
pub fn Editor(draft: Draft, canary: Memo<Option<Arc<Canary>>>) -> impl IntoView {
    let names = Memo::new(move |_| {
        canary.with(|canary| canary.iter().flat_map(|canary| canary.shares.iter().map(name)).collect::<Vec<_>>())
    });
    let pair = Memo::new(move |_| names.with(Vec::len) == 2);
    let second = move || draft.shown().get(1).copied().flatten();
    let fault = move || {
        let typed = draft.typed.get();
        (!typed.is_empty()).then(|| weights::fault(&typed)).flatten()
    };
    view! {
        <section class="editor" aria-label="Move the weights">
            <div class="weights">
                {move || {
                    names
                        .get()
                        .into_iter()
                        .enumerate()
                        .map(|(index, name)| view! { <Weight draft=draft index=index name=name /> })
                        .collect_view()
                }}
                <Show when=move || pair.get()>
                    <Slider draft=draft name=Signal::derive(move || names.with(|names| names.get(1).cloned().unwrap_or_default())) />
                    <div class="segments presets" role="group" aria-label="Presets">
                        {weights::SNAPS
                            .into_iter()
                            .map(|percent| {
                                view! {
                                    <button
                                        aria-pressed=move || (second() == Some(percent)).to_string()
                                        title=move || names.with(|names| format!("{} for {}", format::percent(percent.into()), names.get(1).map_or("", String::as_str)))
                                        data-testid=format!("canary-preset-{percent}")
                                        on:click=move |_| draft.set(weights::pair(percent).into_iter().map(Some).collect())
                                    >
                                        {percent}
                                    </button>
                                }
                            })
                            .collect_view()}
                    </div>
                </Show>
            </div>
            {move || fault().map(|fault| view! { <p class="fault" role="alert">{fault}</p> })}
            <Preview draft=draft />
        </section>
    }
}

/// One destination's weight, typed.
#[component]
fn Weight(draft: Draft, index: usize, name: String) -> impl IntoView {
    // What is no number stays as it was typed, to be mended.
    let slip = RwSignal::new(String::new());
    let shown =
        move || draft.shown().get(index).copied().flatten().map_or_else(|| slip.get(), |weight| weight.to_string());
    let take = move |text: String| {
        slip.set(text.clone());
        draft.set_one(index, &text);
    };
    let arrows = move |event: ev::KeyboardEvent| {
        let by = match event.key().as_str() {
            "ArrowUp" => 1,
            "ArrowDown" => -1,
            _ => return,
        };
        event.prevent_default();
        let now = untrack(|| draft.shown()).get(index).copied().flatten().unwrap_or(0);
        take(now.saturating_add_signed(by).min(100).to_string());
    };
    let label = format!("Weight of {name} in percent");
    view! {
        <label class="weight">
            <span class=format!("swatch part-{}", index % 4 + 1)></span>
            <span class="cut">{name.clone()}</span>
            <input
                type="text"
                inputmode="numeric"
                autocomplete="off"
                aria-label=label
                data-testid="canary-weight-input"
                data-index=index.to_string()
                data-subset=name
                prop:value=shown
                on:keydown=arrows
                on:input:target=move |event| take(event.target().value())
            />
            <span class="quiet">"%"</span>
        </label>
    }
}

/// The second destination's share, dragged, or moved by arrow keys.
#[component]
fn Slider(draft: Draft, name: Signal<String>) -> impl IntoView {
    // While its field is empty, it has what the other one leaves.
    let value = move || match *draft.shown() {
        [_, Some(second)] => second.min(100),
        [Some(first), None] => 100_u32.saturating_sub(first),
        _ => 0,
    };
    let spoken = move || name.with(|name| format!("{} for {name}", format::percent(value().into())));
    let set = move |percent: u32| draft.set(weights::pair(percent).into_iter().map(Some).collect());
    let arrows = move |event: ev::KeyboardEvent| {
        let up = match event.key().as_str() {
            "ArrowRight" | "ArrowUp" => true,
            "ArrowLeft" | "ArrowDown" => false,
            _ => return,
        };
        // Those are the browser's own.
        if event.alt_key() || event.ctrl_key() || event.meta_key() {
            return;
        }
        event.prevent_default();
        // Elsewhere on the page they lead from row to row.
        event.stop_propagation();
        set(weights::step(untrack(value), up));
    };
    view! {
        <input
            class="slider"
            type="range"
            min="0"
            max="100"
            step="1"
            aria-label=move || format!("Share of {}", name.get())
            aria-valuetext=spoken
            data-testid="canary-slider"
            prop:value=move || value().to_string()
            on:keydown=arrows
            on:input:target=move |event| set(weights::snap(event.target().value().parse().unwrap_or(0)))
        />
    }
}
