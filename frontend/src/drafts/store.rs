//! Where they are kept: the tab's own storage, which outlives a reload and ends with the tab.

use super::{Kept, MOST, is_anothers, surplus};
use crate::{
    browser::{self, Tab},
    undo,
};

const PREFIX: &str = "weft.draft.";
/// Whose they are.
const OWNER: &str = "weft.drafts-of";

fn key(place: &str) -> String {
    format!("{PREFIX}{place}")
}

/// The unfinished edit of a place; one that is too old is forgotten.
pub fn recall(place: &str) -> Option<Kept> {
    let kept = Kept::read(&Tab::recall(&key(place))?)?;
    if kept.is_old(browser::now()) {
        forget(place);
        return None;
    }
    Some(kept)
}

/// Forgets the one of a place.
pub fn forget(place: &str) {
    Tab::forget(&key(place));
}

/// Makes them those of `person`, as [`super::owner`] names them, before any is shown. A session may end without a word to
/// this tab, and the next to sign in here be somebody else: what another one typed is forgotten.
pub fn belong_to(person: &str) {
    let known = whose();
    if is_anothers(known.as_deref(), person) {
        clear();
    }
    // Where there is no room left to say whose they are, they are nobody's.
    if known.as_deref() != Some(person) && !Tab::remember(OWNER, person) {
        clear();
        let _ = Tab::remember(OWNER, person);
    }
}

/// Whose they are, as [`super::owner`] names them; `None` where that is not known.
pub fn whose() -> Option<String> {
    Tab::recall(OWNER)
}

/// Forgets all, edits that could be taken back among them; whoever signs in next is somebody else.
pub fn clear() {
    Tab::keys(PREFIX).iter().for_each(|key| Tab::forget(key));
    undo::forget();
}

/// Keeps what a place's text is now; forgets it where that is what it began from.
pub fn keep(place: &str, revision: String, base: String, text: String) {
    if text == base {
        forget(place);
        return;
    }
    // The same again is not newer.
    if recall(place).is_some_and(|kept| kept.text == text && kept.revision == revision) {
        return;
    }
    let Some(written) = (Kept { at_ms: browser::now(), revision, base, text }).write() else {
        forget(place);
        return;
    };
    let own = key(place);
    let others: Vec<String> = Tab::keys(PREFIX).into_iter().filter(|key| *key != own).collect();
    if others.len() >= MOST {
        let timed = |key: String| {
            let at = Tab::recall(&key).and_then(|written| Kept::read(&written)).map(|kept| kept.at_ms);
            (key, at)
        };
        surplus(others.into_iter().map(timed).collect()).iter().for_each(|key| Tab::forget(key));
    }
    // An old text that is not the one on the screen is worse than none.
    if !Tab::remember(&own, &written) {
        Tab::forget(&own);
    }
}
