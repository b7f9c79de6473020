//! Messages at the lower edge; one about an edit offers to take it back.

use leptos::{prelude::*, task::spawn_local};

use super::shape::Glyph;
use crate::{
    browser, format,
    icons::Icon,
    shown::visible,
    state::{App, Toast, app},
    undo::{self, Undo, is_read},
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
    // Of an object that was changed again, or is gone, nothing is offered any more.
    Effect::new(move |_| {
        let toasts = app.toasts.get();
        let (canaries, config) =
            (app.canaries.with(|load| load.value.clone()), app.config.with(|load| load.value.clone()));
        let mut left = toasts.clone();
        let holds = |undo: &mut Undo| undo.holds(canaries.as_deref(), config.as_deref());
        left.retain_mut(|toast| toast.undo.as_mut().is_none_or(holds));
        if left != toasts {
            app.toasts.set(left);
        }
    });
    // One is whole; the older ones are folded into a button.
    let open = RwSignal::new(false);
    let older = Memo::new(move |_| {
        app.toasts.with(|toasts| toasts.iter().rev().skip(1).filter(|toast| toast.undo.is_some()).count())
    });
    let held = RwSignal::new(false);
    fold(app, held);
    let shown = move || {
        let mut toasts = app.toasts.get();
        if app.folded.get() {
            toasts.retain(|toast| toast.undo.is_none());
        }
        let folded = if open.get() { 0 } else { toasts.len().saturating_sub(1) };
        toasts.split_off(folded)
    };
    view! {
        <div
            class="toasts"
            role="status"
            aria-live="polite"
            on:mouseenter=move |_| held.set(true)
            on:mouseleave=move |_| held.set(false)
            on:focusin=move |_| held.set(true)
            on:focusout=move |_| held.set(false)
        >
            <Show when=move || older.get() != 0 && !app.folded.get()>
                <button
                    class="button older"
                    data-testid="toasts-older"
                    aria-expanded=move || open.get().to_string()
                    on:click=move |_| open.update(|open| *open = !*open)
                >
                    {move || if open.get() { "Fold".to_owned() } else { format!("{} more to undo", older.get()) }}
                </button>
            </Show>
            <For each=shown key=|toast| toast.id let:toast>
                <Message toast />
            </For>
        </div>
    }
}

/// Folds what can be taken back once it was read, and unfolds it when there is something new.
fn fold(app: App, held: RwSignal<bool>) {
    let newest = Memo::new(move |_| {
        app.toasts.with(|toasts| toasts.iter().filter(|toast| toast.undo.is_some()).map(|toast| toast.id).max())
    });
    let since = StoredValue::new(browser::now());
    Effect::new(move |before: Option<Option<u64>>| {
        let now = newest.get();
        // The older ones stay as they are when the newest goes.
        if before.is_none_or(|before| now > before) {
            app.folded.set(false);
            since.set_value(browser::now());
        }
        // A button that goes with the keyboard on it tells nobody that it has lost it.
        held.set(false);
        now
    });
    // Whoever unfolds them reads them anew; without any there is nothing to hold.
    Effect::new(move |_| {
        if !app.folded.get() {
            since.set_value(browser::now());
        }
        if newest.get().is_none() {
            held.set(false);
        }
    });
    Effect::new(move |_| {
        let now = app.now.get();
        if held.get() {
            since.set_value(now);
        } else if newest.get_untracked().is_some() && is_read(since.get_value(), now) && !app.folded.get_untracked() {
            app.folded.set(true);
        }
    });
}

/// What the rail shows of the folded ones.
#[component]
pub fn Folded() -> impl IntoView {
    let app = app();
    let count =
        Memo::new(move |_| app.toasts.with(|toasts| toasts.iter().filter(|toast| toast.undo.is_some()).count()));
    let unfold = move |_| {
        app.folded.set(false);
        // They are in the document by then.
        request_animation_frame(|| {
            let _ = browser::find(".toast [data-testid=canary-undo]").map(|undo| undo.focus());
        });
    };
    view! {
        <Show when=move || app.folded.get() && count.get() != 0>
            <button class="button folded" data-testid="toasts-folded" title="Show what can be taken back" on:click=unfold>
                {move || format!("{} to undo", count.get())}
            </button>
        </Show>
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
            <span>{visible(&text)}</span>
            {undo
                .map(|Undo { id: edit, .. }| {
                    let undo = move |_| {
                        let edit = edit.clone();
                        busy.set(true);
                        spawn_local(async move {
                            undo::take_back(app, &edit).await;
                            let _ = busy.try_set(false);
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
