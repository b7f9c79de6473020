//! Messages at the lower edge; one about an edit offers to take it back.

use leptos::{prelude::*, task::spawn_local};

use super::shape::Glyph;
use crate::{
    api, format,
    icons::Icon,
    state::{Toast, app},
    undo,
};

/// All messages, the newest last.
#[component]
pub fn Toasts() -> impl IntoView {
    let app = app();
    Effect::new(move |_| {
        let now = app.now.get();
        let late = |toast: &Toast| toast.until_ms <= now;
        if app.toasts.with_untracked(|toasts| toasts.iter().any(late)) {
            app.toasts.update(|toasts| toasts.retain(|toast| !late(toast)));
        }
    });
    Effect::new(move |_| app.toasts.with(|toasts| undo::remember(toasts)));
    view! {
        <div class="toasts" role="status" aria-live="polite">
            <For each=move || app.toasts.get() key=|toast| toast.id let:toast>
                <Message toast />
            </For>
        </div>
    }
}

#[component]
fn Message(toast: Toast) -> impl IntoView {
    let app = app();
    let Toast { id, text, undo, until_ms, failed } = toast;
    let close = move || app.toasts.update(|toasts| toasts.retain(|toast| toast.id != id));
    let busy = RwSignal::new(false);
    let left = move || format::span(until_ms - app.now.get());
    view! {
        <div class="toast" class:failed=failed data-testid="toast">
            <span>{text}</span>
            {undo
                .map(|(edit, _)| {
                    let undo = move |_| {
                        let edit = edit.clone();
                        busy.set(true);
                        spawn_local(async move {
                            match api::undo(&edit).await {
                                Ok(_) => {
                                    close();
                                    app.toast("Taken back: all is as it was before.", false, None);
                                    app.canaries.update(|load| load.error = None);
                                    if let Ok(list) = api::canaries().await {
                                        app.canaries.update(|load| load.settle(Ok(list)));
                                    }
                                }
                                Err(problem) => {
                                    busy.set(false);
                                    app.toast(format!("Not taken back. {} {}", problem.title, problem.detail), true, None);
                                }
                            }
                        });
                    };
                    view! {
                        <button class="button" data-testid="canary-undo" disabled=move || busy.get() on:click=undo>
                            "Undo"
                        </button>
                        <span class="quiet numeral">{left}" left"</span>
                    }
                })}
            <button class="icon-button" aria-label="Dismiss" on:click=move |_| close()>
                <Glyph icon=Icon::Close />
            </button>
        </div>
    }
}
