//! What lies over the page until it is closed: the focus goes in, stays in, and goes back to where it was.

use leptos::{ev, html, prelude::*};
use wasm_bindgen::JsCast;
use web_sys::HtmlElement;

use crate::browser;

/// What Tab stops at.
const STOPS: &str = "a[href], button:not([disabled]), input:not([disabled]), select:not([disabled]), \
                     textarea:not([disabled]), summary, [tabindex='0']";

/// A dialog; Escape and a click beside it run `close`, without which it stays. `labelled` is the id of its heading.
#[component]
pub fn Modal(
    #[prop(default = "dialog")] role: &'static str,
    labelled: &'static str,
    #[prop(optional)] testid: Option<&'static str>,
    #[prop(optional)] close: Option<Callback<()>>,
    children: Children,
) -> impl IntoView {
    let dialog = NodeRef::<html::Div>::new();
    let opener = StoredValue::new_local(browser::focused());
    Effect::new(move |_| {
        let Some(dialog) = dialog.get() else { return };
        // What the dialog itself put the focus on keeps it.
        if !browser::focused().is_some_and(|active| dialog.contains(Some(&active))) {
            let _ = stops(&dialog).first().unwrap_or(&dialog).focus();
        }
    });
    on_cleanup(move || {
        if let Some(opener) = opener.try_get_value().flatten().filter(|opener| opener.is_connected()) {
            let _ = opener.focus();
        }
    });
    let leave = move || {
        if let Some(close) = close {
            close.run(());
        }
    };
    let keys = move |event: ev::KeyboardEvent| {
        match event.key().as_str() {
            "Escape" => leave(),
            "?" if !browser::is_typing() => leave(),
            "Tab" => {
                if let Some(dialog) = dialog.get_untracked() {
                    turn(&dialog, &event);
                }
            }
            // Keys of the page are for the page: behind the dialog nothing moves.
            _ => {}
        }
        event.stop_propagation();
    };
    // A press beside the dialog would take the focus to the page behind it, where Tab and the page's keys work.
    view! {
        <div class="veil" on:mousedown=|event| event.prevent_default() on:click=move |_| leave()>
            <div
                node_ref=dialog
                class="dialog"
                role=role
                aria-modal="true"
                aria-labelledby=labelled
                tabindex="-1"
                data-testid=testid
                on:mousedown=|event| event.stop_propagation()
                on:click=|event| event.stop_propagation()
                on:keydown=keys
            >
                {children()}
            </div>
        </div>
    }
}

/// What Tab stops at within a dialog, in its order.
fn stops(dialog: &HtmlElement) -> Vec<HtmlElement> {
    let Ok(all) = dialog.query_selector_all(STOPS) else { return Vec::new() };
    let stops = (0..all.length()).filter_map(|index| all.item(index)?.dyn_into::<HtmlElement>().ok());
    stops.filter(|stop| stop.offset_parent().is_some()).collect()
}

/// After the last stop comes the first one, and before the first the last.
fn turn(dialog: &HtmlElement, event: &ev::KeyboardEvent) {
    let stops = stops(dialog);
    let active = browser::focused();
    let is = |stop: &HtmlElement| active.as_ref().is_some_and(|active| stop.is_same_node(Some(active)));
    // Where there is no stop at all, Tab leads nowhere.
    let next = match (event.shift_key(), stops.as_slice()) {
        (_, []) => None,
        (true, [first, ..]) if is(first) || is(dialog) => stops.last(),
        (false, [.., last]) if is(last) => stops.first(),
        _ => return,
    };
    event.prevent_default();
    if let Some(next) = next {
        let _ = next.focus();
    }
}
