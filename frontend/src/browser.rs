//! What the page asks of the browser: time, storage, clipboard, the address.

use leptos::prelude::*;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{Element, HtmlElement, ScrollIntoViewOptions, ScrollLogicalPosition, Storage};

/// Milliseconds since the Unix epoch.
pub fn now() -> f64 {
    js_sys::Date::now()
}

/// Puts a mark on the browser's timeline, where its tools and tests find it.
pub fn mark(name: &str) {
    if let Some(performance) = window().performance() {
        // Fails only for names that the browser itself uses.
        let _ = performance.mark(name);
    }
}

/// Time of day as the reader's language and zone write it, to the second.
pub fn clock(ms: f64) -> String {
    written(ms, &[("hour", "2-digit"), ("minute", "2-digit"), ("second", "2-digit")])
}

/// The same with the zone's name, where it is not clear from what stands beside it.
pub fn zoned(ms: f64) -> String {
    let zone = ("timeZoneName", "short");
    written(ms, &[("hour", "2-digit"), ("minute", "2-digit"), ("second", "2-digit"), zone])
}

/// Time of day to the minute; with the day when that is not today.
pub fn minute(ms: f64) -> String {
    let day = |ms: f64| written(ms, &[("dateStyle", "short")]);
    let time = [("hour", "2-digit"), ("minute", "2-digit")];
    if day(ms) == day(now()) {
        return written(ms, &time);
    }
    written(ms, &[("day", "numeric"), ("month", "short"), time[0], time[1]])
}

/// Date, time and the zone's name, for tooltips.
pub fn moment(ms: f64) -> String {
    written(ms, &[("dateStyle", "medium"), ("timeStyle", "long")])
}

/// A moment written as RFC 3339, in milliseconds since the Unix epoch.
pub fn read_moment(text: &str) -> Option<f64> {
    Some(js_sys::Date::parse(text)).filter(|ms| ms.is_finite())
}

/// Writes at the cursor of the field that has the focus, as if it were typed: the browser can take it back.
pub fn type_text(text: &str) {
    let document = document();
    let command = js_sys::Reflect::get(&document, &JsValue::from_str("execCommand"));
    if let Some(command) = command.ok().and_then(|command| command.dyn_into::<js_sys::Function>().ok()) {
        let (name, text) = (JsValue::from_str("insertText"), JsValue::from_str(text));
        let _ = command.call3(&document, &name, &JsValue::FALSE, &text);
    }
}

/// A moment as `Intl.DateTimeFormat` writes it for the reader.
fn written(ms: f64, options: &[(&str, &str)]) -> String {
    let wishes = js_sys::Object::new();
    for (name, value) in options {
        // Fails only for an object that is frozen.
        let _ = js_sys::Reflect::set(&wishes, &JsValue::from_str(name), &JsValue::from_str(value));
    }
    let format = js_sys::Intl::DateTimeFormat::new(&js_sys::Array::new(), &wishes).format();
    let text = format.call1(&JsValue::UNDEFINED, &js_sys::Date::new(&JsValue::from_f64(ms)));
    text.ok().and_then(|text| text.as_string()).unwrap_or_default()
}

/// Width and height of the window's inside, in pixels.
pub fn window_size() -> (f64, f64) {
    let side = |value: Result<JsValue, _>| value.ok().and_then(|value| value.as_f64()).unwrap_or(0.0);
    (side(window().inner_width()), side(window().inner_height()))
}

/// Whether a press on a link is this page's to follow, which it then does by itself; others open it elsewhere.
pub fn follows(event: &leptos::ev::MouseEvent) -> bool {
    let own = !(event.ctrl_key() || event.meta_key() || event.shift_key());
    if own {
        event.prevent_default();
    }
    own
}

fn storage() -> Option<Storage> {
    window().local_storage().ok().flatten()
}

/// A remembered value; `None` when there is none or the browser keeps nothing.
pub fn recall(key: &str) -> Option<String> {
    storage()?.get_item(key).ok().flatten()
}

/// Remembers a value. A browser that keeps nothing is no error: the page works without memory.
pub fn remember(key: &str, value: &str) {
    if let Some(storage) = storage() {
        let _ = storage.set_item(key, value);
    }
}

/// Forgets a remembered value.
pub fn forget(key: &str) {
    if let Some(storage) = storage() {
        let _ = storage.remove_item(key);
    }
}

/// What is remembered for as long as the tab lives.
pub struct Tab;

impl Tab {
    fn storage() -> Option<Storage> {
        window().session_storage().ok().flatten()
    }

    /// A remembered value.
    pub fn recall(key: &str) -> Option<String> {
        Self::storage()?.get_item(key).ok().flatten()
    }

    /// Remembers a value; whether the browser took it.
    pub fn remember(key: &str, value: &str) -> bool {
        Self::storage().is_some_and(|storage| storage.set_item(key, value).is_ok())
    }

    /// Forgets a remembered value.
    pub fn forget(key: &str) {
        if let Some(storage) = Self::storage() {
            let _ = storage.remove_item(key);
        }
    }

    /// The keys that begin so.
    pub fn keys(prefix: &str) -> Vec<String> {
        let Some(storage) = Self::storage() else { return Vec::new() };
        let keys = (0..storage.length().unwrap_or(0)).filter_map(|index| storage.key(index).ok().flatten());
        keys.filter(|key| key.starts_with(prefix)).collect()
    }
}

/// The address's fragment.
pub fn fragment() -> String {
    window().location().hash().unwrap_or_default()
}

/// The address's path.
pub fn path() -> String {
    window().location().pathname().unwrap_or_default()
}

/// A value of the address's query.
pub fn query(name: &str) -> Option<String> {
    let search = window().location().search().ok()?;
    web_sys::UrlSearchParams::new_with_str(&search).ok()?.get(name)
}

/// Leaves for another address.
pub fn go(address: &str) {
    // Fails only for what is no address; the console sends none of those.
    let _ = window().location().assign(address);
}

/// Loads the page again where it stands.
pub fn reload() {
    let _ = window().location().reload();
}

/// The whole address with another fragment, to copy.
pub fn link(fragment: &str) -> String {
    let location = window().location();
    let part = |value: Result<String, JsValue>| value.unwrap_or_default();
    format!("{}{}{fragment}", part(location.origin()), part(location.pathname()))
}

/// The whole address of a path of this console.
pub fn address(path: &str) -> String {
    format!("{}{path}", window().location().origin().unwrap_or_default())
}

/// Changes the fragment; `push` makes an entry that the back button returns to.
pub fn set_fragment(fragment: &str, push: bool) {
    let Ok(history) = window().history() else { return };
    // Both fail only when called hundreds of times a second; the view is right all the same.
    let _ = if push {
        history.push_state_with_url(&JsValue::NULL, "", Some(fragment))
    } else {
        history.replace_state_with_url(&JsValue::NULL, "", Some(fragment))
    };
}

/// Puts text on the clipboard; the answer says whether it is there.
pub async fn copy(text: &str) -> bool {
    let navigator = window().navigator();
    // Browsers hide the clipboard from pages that did not come over TLS or from this machine.
    let clipboard = js_sys::Reflect::get(&navigator, &JsValue::from_str("clipboard"));
    if clipboard.is_ok_and(|value| value.is_undefined()) {
        return false;
    }
    JsFuture::from(navigator.clipboard().write_text(text)).await.is_ok()
}

/// Whether a media query holds.
pub fn media(query: &str) -> bool {
    window().match_media(query).ok().flatten().is_some_and(|list| list.matches())
}

/// Moves what scrolls around the first element that matches a selector as little as is needed to see it.
pub fn reveal(selector: &str) {
    let options = ScrollIntoViewOptions::new();
    options.set_block(ScrollLogicalPosition::Nearest);
    if let Some(element) = find(selector) {
        element.scroll_into_view_with_scroll_into_view_options(&options);
    }
}

/// The first element that matches a selector.
pub fn find(selector: &str) -> Option<HtmlElement> {
    document().query_selector(selector).ok().flatten()?.dyn_into().ok()
}

/// What has the focus.
pub fn focused() -> Option<HtmlElement> {
    let active = document().active_element().filter(|active| active.tag_name() != "BODY")?;
    active.dyn_into().ok()
}

/// What has the focus, where the keyboard put it there.
pub fn keyboard_focus() -> Option<HtmlElement> {
    let active = document().active_element()?;
    let shown = active.matches(":focus-visible").unwrap_or(false) && active.tag_name() != "BODY";
    shown.then(|| active.dyn_into().ok()).flatten()
}

/// Whether keys typed now belong to a field.
pub fn is_typing() -> bool {
    let Some(active) = document().active_element() else { return false };
    is_field(&active)
}

fn is_field(element: &Element) -> bool {
    match element.tag_name().as_str() {
        "TEXTAREA" | "SELECT" => true,
        "INPUT" => !matches!(element.get_attribute("type").as_deref(), Some("checkbox" | "radio" | "range" | "button")),
        _ => false,
    }
}

/// Gives the reader a file.
pub fn download(name: &str, kind: &str, text: &str) {
    let parts = js_sys::Array::of1(&JsValue::from_str(text));
    let options = web_sys::BlobPropertyBag::new();
    options.set_type(kind);
    if let Ok(blob) = web_sys::Blob::new_with_str_sequence_and_options(&parts, &options) {
        download_blob(name, &blob);
    }
}

/// The same of bytes that the browser holds.
pub fn download_blob(name: &str, blob: &web_sys::Blob) {
    let Ok(url) = web_sys::Url::create_object_url_with_blob(blob) else { return };
    let link = document().create_element("a").ok().and_then(|link| link.dyn_into::<HtmlElement>().ok());
    if let Some(link) = link {
        let _ = link.set_attribute("href", &url);
        let _ = link.set_attribute("download", name);
        link.click();
    }
    // The browser has begun to read it by the next turn.
    gloo_timers::callback::Timeout::new(10_000, move || {
        let _ = web_sys::Url::revoke_object_url(&url);
    })
    .forget();
}
