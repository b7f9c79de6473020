//! Where the browser enters.

use leptos::prelude::*;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::{graph::worker, pages::sign_in::Gate};

/// Called once when the module is loaded, by the page and by each of its workers.
#[wasm_bindgen(start)]
pub fn start() {
    if worker::serve() {
        return;
    }
    std::panic::set_hook(Box::new(|panic| {
        console_error_panic_hook::hook(panic);
        say_that_it_stopped();
    }));
    if let Some(boot) = document().get_element_by_id("boot") {
        boot.remove();
    }
    leptos::mount::mount_to_body(Gate);
}

/// A page that stopped must not look like one that is live.
fn say_that_it_stopped() {
    let Some(body) = document().body() else { return };
    let Ok(message) = document().create_element("div") else { return };
    message.set_class_name("crashed");
    let _ = message.set_attribute("role", "alert");
    message.set_text_content(Some(
        "This page stopped because of an error of its own; what it shows is no longer live. Load it again. \
         The browser's console says what happened.",
    ));
    let _ = body.prepend_with_node_1(&message);
}
