//! Edits that can still be taken back outlive a reload of the page.

use crate::{browser, state::Toast};

const KEY: &str = "weft.undo";

/// The messages that still offer to take something back, numbered anew.
pub fn recall() -> Vec<Toast> {
    let stored: Option<Vec<Toast>> = browser::recall(KEY).and_then(|text| serde_json::from_str(&text).ok());
    let now = browser::now();
    let open = stored.unwrap_or_default().into_iter().filter(|toast| toast.undo.is_some() && toast.until_ms > now);
    (1..).zip(open).map(|(id, toast)| Toast { id, ..toast }).collect()
}

/// Remembers those of `toasts` that offer to take something back.
pub fn remember(toasts: &[Toast]) {
    let open: Vec<&Toast> = toasts.iter().filter(|toast| toast.undo.is_some()).collect();
    if let Ok(text) = serde_json::to_string(&open) {
        browser::remember(KEY, &text);
    }
}
