//! What the panels have in common: the focus comes and goes with them, and nothing typed is lost without a question.

use leptos::{html, prelude::*};

use crate::{
    browser,
    state::{App, Unfinished, app},
};

/// Moves the focus to the panel's heading when the keyboard opened it, and back to what opened it when it closes.
pub fn follow(heading: NodeRef<html::H2>) {
    let opener = StoredValue::new_local(browser::keyboard_focus());
    Effect::new(move |_| {
        // A list of choices keeps it: its arrows go on to the next one.
        let moves = opener.with_value(|opener| opener.as_ref().is_some_and(|opener| opener.tag_name() != "SELECT"));
        if let Some(heading) = heading.get().filter(|_| moves) {
            let _ = heading.focus();
        }
    });
    on_cleanup(move || {
        let inside = browser::find("aside.detail:focus-within").is_some();
        if let Some(opener) = opener.try_get_value().flatten().filter(|opener| inside && opener.is_connected()) {
            let _ = opener.focus();
        }
    });
}

/// Moves the focus into the open panel, if there is one.
pub fn enter() -> bool {
    browser::find("aside.detail #panel-title").is_some_and(|heading| heading.focus().is_ok())
}

/// Takes the question back.
pub fn keep_editing(app: App) {
    app.unfinished.set(Unfinished::Changed);
    let field = browser::find("aside.detail textarea").or_else(|| browser::find("aside.detail [data-at] input"));
    if let Some(field) = field {
        let _ = field.focus();
    }
}

/// Asks before changes are lost; `discard` forgets them.
#[component]
pub fn Guard(changed: Signal<bool>, discard: Callback<()>) -> impl IntoView {
    let app = app();
    Effect::new(move |_| app.unfinished.set(if changed.get() { Unfinished::Changed } else { Unfinished::Nothing }));
    on_cleanup(move || app.unfinished.set(Unfinished::Nothing));
    let asked = Memo::new(move |_| app.unfinished.get() == Unfinished::Asked);
    view! {
        <Show when=move || asked.get()>
            <Question discard />
        </Show>
    }
}

#[component]
fn Question(discard: Callback<()>) -> impl IntoView {
    let app = app();
    let keep = NodeRef::<html::Button>::new();
    Effect::new(move |_| {
        if let Some(button) = keep.get() {
            let _ = button.focus();
        }
    });
    let leave = move |_| {
        app.unfinished.set(Unfinished::Nothing);
        discard.run(());
        app.close_panel();
    };
    view! {
        <div class="conflict" role="alertdialog" aria-label="Discard your changes?" data-testid="unfinished">
            <div class="grow">
                <p><strong>"Discard your changes?"</strong>" They were not applied."</p>
                <p>
                    <button class="button" data-testid="unfinished-discard" on:click=leave>"Discard"</button>
                    " "
                    <button class="button primary" data-testid="unfinished-keep" node_ref=keep on:click=move |_| keep_editing(app)>"Keep editing"</button>
                </p>
            </div>
        </div>
    }
}
