//! The list of keys.

use leptos::prelude::*;

use super::shape::Glyph;
use crate::{icons::Icon, keys, state::app};

/// An overlay over everything, closed by Escape, the button or a click beside it.
#[component]
pub fn Help() -> impl IntoView {
    let app = app();
    let close = NodeRef::<leptos::html::Button>::new();
    Effect::new(move |_| {
        if let Some(button) = close.get() {
            let _ = button.focus();
        }
    });
    view! {
        <Show when=move || app.help.get()>
            <div class="veil" on:click=move |_| app.help.set(false)>
                <div
                    class="dialog"
                    role="dialog"
                    aria-modal="true"
                    aria-labelledby="help-title"
                    on:click=|event| event.stop_propagation()
                >
                    <header>
                        <h2 id="help-title">"Keys"</h2>
                        <button node_ref=close class="icon-button" aria-label="Close" on:click=move |_| app.help.set(false)>
                            <Glyph icon=Icon::Close />
                        </button>
                    </header>
                    <dl class="keys">
                        {keys::HELP
                            .into_iter()
                            .map(|(key, what)| {
                                view! {
                                    <dt>{key.split("  ").map(|key| view! { <kbd>{key}</kbd> }).collect_view()}</dt>
                                    <dd>{what}</dd>
                                }
                            })
                            .collect_view()}
                    </dl>
                </div>
            </div>
        </Show>
    }
}
