//! Edits that can still be taken back outlive a reload of the page, in the tab that made them: as drafts do, they belong to
//! whoever made them, and go when somebody else signs in ([`crate::drafts::belong_to`]).

use crate::{
    browser::{self, Tab},
    state::Toast,
};

const KEY: &str = "weft.undo";

/// The messages that still offer to take something back, numbered anew.
pub fn recall() -> Vec<Toast> {
    let stored: Option<Vec<Toast>> = Tab::recall(KEY).and_then(|text| serde_json::from_str(&text).ok());
    let now = browser::now();
    let open = stored.unwrap_or_default().into_iter().filter(|toast| toast.undo.is_some() && toast.until_ms > now);
    (1..).zip(open).map(|(id, toast)| Toast { id, ..toast }).collect()
}

/// Remembers those of `toasts` that offer to take something back.
pub fn remember(toasts: &[Toast]) {
    let open: Vec<&Toast> = toasts.iter().filter(|toast| toast.undo.is_some()).collect();
    // An old list is worse than none.
    let kept = !open.is_empty() && serde_json::to_string(&open).is_ok_and(|text| Tab::remember(KEY, &text));
    if !kept {
        forget();
    }
}

/// Forgets them.
pub fn forget() {
    Tab::forget(KEY);
}
