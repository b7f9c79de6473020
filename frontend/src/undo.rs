//! What can still be taken back, and for how long that is offered.

use serde::{Deserialize, Serialize};
use weft_model::{ObjectRef, canary::Canaries, config::ConfigList};

use crate::weights;

#[cfg(target_arch = "wasm32")]
mod store;

#[cfg(target_arch = "wasm32")]
pub use store::{forget, recall, remember};

/// An edit that can be taken back. What an older page kept lacks what is newer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Undo {
    /// Names it.
    pub id: String,
    /// Until when, milliseconds since the Unix epoch.
    pub until_ms: f64,
    /// What it changed.
    pub object: ObjectRef,
    /// The index of a route and its weights since, where it moved these.
    pub weights: Option<(usize, Vec<u32>)>,
    /// Whether it took the object away.
    pub gone: bool,
    /// What the object says since, as [`weft_model::config::ConfigRow::content`]; empty where that is not known.
    pub content: String,
    /// Whether the page has seen what it came to: until then, lists are from before it.
    pub seen: bool,
}

/// For how long the offer is shown in full before it is folded, in milliseconds.
const WHOLE_MS: f64 = 12_000.0;

/// Whether an offer that was made, or last had the pointer or the focus, at `since_ms` has been read by now.
pub fn is_read(since_ms: f64, now_ms: f64) -> bool {
    now_ms - since_ms >= WHOLE_MS
}

impl Undo {
    /// Whether it may still be taken back, as far as the lists tell: not once the object was changed again, or is gone.
    pub fn holds(&mut self, canaries: Option<&Canaries>, config: Option<&ConfigList>) -> bool {
        let stands = match &self.weights {
            Some((index, weights)) => canaries.map(|list| {
                let own = list.canaries.iter().find(|own| own.object == self.object && own.route_index == *index);
                own.is_some_and(|own| {
                    let shares: Vec<f64> = own.shares.iter().map(|share| share.configured_percent).collect();
                    weights::whole(&shares) == *weights
                })
            }),
            None => config.map(|list| {
                let row = list.rows.iter().find(|row| row.object == self.object);
                let says = |content: &str| self.content.is_empty() || content == self.content;
                row.map_or(self.gone, |row| !self.gone && says(&row.content))
            }),
        };
        self.seen |= stands == Some(true);
        !self.seen || stands != Some(false)
    }
}

#[cfg(test)]
mod tests {
    use weft_model::config::ConfigRow;

    use super::*;

    fn list(names: &[&str]) -> ConfigList {
        let row = |name: &&str| ConfigRow {
            object: ObjectRef { name: (*name).to_owned(), ..ObjectRef::default() },
            ..ConfigRow::default()
        };
        ConfigList { rows: names.iter().map(row).collect(), ..ConfigList::default() }
    }

    #[test]
    fn an_offer_is_whole_for_some_seconds() {
        assert!(!is_read(1_000.0, 1_000.0) && !is_read(1_000.0, 12_999.0));
        assert!(is_read(1_000.0, 13_000.0));
    }

    #[test]
    fn what_is_gone_again_is_not_offered() {
        let object = ObjectRef { name: "a".to_owned(), ..ObjectRef::default() };
        let mut made = Undo { object, ..Undo::default() };
        assert!(made.holds(None, None), "nothing is known yet");
        assert!(made.holds(None, Some(&list(&["b"]))), "the list is from before it");
        assert!(made.holds(None, Some(&list(&["a", "b"]))));
        assert!(!made.holds(None, Some(&list(&["b"]))));
        let mut removed = Undo { gone: true, seen: false, ..made };
        assert!(removed.holds(None, Some(&list(&["a"]))));
        assert!(removed.holds(None, Some(&list(&[]))));
        assert!(!removed.holds(None, Some(&list(&["a"]))), "somebody made it anew");
    }

    #[test]
    fn what_somebody_else_saved_again_is_not_offered() {
        let object = ObjectRef { name: "a".to_owned(), ..ObjectRef::default() };
        let mut saved = Undo { object, content: "mine".to_owned(), ..Undo::default() };
        let of = |content: &str| {
            let mut list = list(&["a"]);
            content.clone_into(&mut list.rows[0].content);
            list
        };
        assert!(saved.holds(None, Some(&of("before"))), "the list is from before it");
        assert!(saved.holds(None, Some(&of("mine"))));
        assert!(!saved.holds(None, Some(&of("theirs"))));
    }

    #[test]
    fn what_an_older_page_kept_is_still_offered() {
        let object = ObjectRef { name: "a".to_owned(), ..ObjectRef::default() };
        let made = Undo { id: "e1".to_owned(), object, content: "mine".to_owned(), seen: true, ..Undo::default() };
        let mut kept = serde_json::to_value(&made).unwrap();
        kept.as_object_mut().unwrap().remove("content");
        let mut kept: Undo = serde_json::from_value(kept).unwrap();
        assert_eq!(kept.id, "e1");
        let mut list = list(&["a"]);
        "mine".clone_into(&mut list.rows[0].content);
        assert!(kept.holds(None, Some(&list)), "it does not know what the object says");
    }
}
