//! Where somebody wanted to go who had to sign in first. A provider is told, and sends them there; a link that signs in leads
//! to the page's beginning, and the tab remembers.

use crate::{
    browser::{self, Tab},
    location::place,
};

const KEY: &str = "weft.wanted";

/// Remembers the place that the address names, in place of an earlier one.
pub fn keep() {
    match place(&browser::fragment()) {
        // A browser that keeps nothing leads to the beginning.
        Some(place) => _ = Tab::remember(KEY, place),
        None => Tab::forget(KEY),
    }
}

/// Whoever signs out leaves nothing to the next one.
pub fn forget() {
    Tab::forget(KEY);
}

/// Goes there, once, unless the address names another place by now.
pub fn go() {
    let Some(kept) = Tab::recall(KEY) else { return };
    Tab::forget(KEY);
    if place(&browser::fragment()).is_none()
        && let Some(kept) = place(&kept)
    {
        browser::set_fragment(kept, false);
    }
}
