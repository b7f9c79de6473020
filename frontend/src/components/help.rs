//! The list of keys.

use leptos::prelude::*;

use super::{modal::Modal, shape::Glyph};
use crate::{icons::Icon, keys, state::app};

/// An overlay over everything, closed by Escape, the button or a click beside it.
#[component]
pub fn Help() -> impl IntoView {
    let app = app();
    let close = Callback::new(move |()| app.help.set(false));
    view! {
        <Show when=move || app.help.get()>
            <Modal labelled="help-title" testid="help" close>
                <header>
                    <h2 id="help-title">"Keys"</h2>
                    <button class="icon-button" aria-label="Close" on:click=move |_| close.run(())>
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
            </Modal>
        </Show>
    }
}
