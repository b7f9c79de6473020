//! Where the keyboard's focus goes when a panel opens and closes.

use leptos::{ev, prelude::*};
use wasm_bindgen::JsCast;
use web_sys::HtmlElement;

use crate::browser;

/// The heading of the panel.
const HEADING: &str = ".panel #panel-title";

/// Moves the focus into a panel that was opened by keyboard, and back to what opened it when it closes. `panel` is what
/// the panel is of; empty while there is none.
pub fn follow(panel: Memo<String>) {
    let by_keyboard = StoredValue::new(false);
    let opener: StoredValue<Option<HtmlElement>, LocalStorage> = StoredValue::new_local(None);
    // The room may be gone by the time that a key is pressed.
    let note = move |keys: bool| {
        let _ = by_keyboard.try_set_value(keys);
    };
    let key = window_event_listener(ev::keydown, move |_| note(true));
    let pointer = window_event_listener(ev::pointerdown, move |_| note(false));
    on_cleanup(move || {
        key.remove();
        pointer.remove();
    });
    Effect::new(move |before: Option<bool>| {
        let open = panel.with(|panel| !panel.is_empty());
        // What a link opened has no opener.
        let Some(was_open) = before else { return open };
        if !was_open && !open {
            return open;
        }
        let active = document().active_element().and_then(|active| active.dyn_into::<HtmlElement>().ok());
        let outside = active.filter(|active| {
            active.tag_name() != "BODY" && active.closest(".panel, [data-menu]").ok().flatten().is_none()
        });
        if open && outside.is_some() {
            opener.set_value(outside);
        } else if open && !was_open {
            opener.set_value(None);
        }
        let keys = by_keyboard.get_value();
        // The panel is in the document by then, or out of it.
        request_animation_frame(move || {
            if open && keys {
                let _ = browser::find(HEADING).map(|heading| heading.focus());
            } else if !open {
                let lost = document().active_element().is_none_or(|active| active.tag_name() == "BODY");
                let back = opener.try_update_value(Option::take).flatten().filter(|back| back.is_connected() && lost);
                let _ = back.map(|back| back.focus());
            }
        });
        open
    });
}
