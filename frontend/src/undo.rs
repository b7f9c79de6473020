//! What can still be taken back, and for how long that is offered.

use serde::{Deserialize, Serialize};
use weft_model::{ObjectRef, audit::WeightChange, canary::Canaries, config::ConfigList};

use crate::weights;

#[cfg(target_arch = "wasm32")]
mod store;
#[cfg(target_arch = "wasm32")]
mod take;

#[cfg(target_arch = "wasm32")]
pub use self::{
    store::{forget, recall, remember},
    take::take_back,
};

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

/// For how long the console takes an edit back, in milliseconds.
const OFFERED_MS: f64 = 600_000.0;

/// Between the id of an edit of a whole object and the route, in what a route's history calls what it did there.
const OF_ROUTE: char = '.';

/// The edit that a change in a route's history was made by.
pub fn edit(change: &str) -> &str {
    change.split_once(OF_ROUTE).map_or(change, |(edit, _)| edit)
}

/// The newest of a route's changes, which come newest first, where it can be taken back: it is not old, takes nothing back
/// itself, and its weights are the `configured` ones, in whole percent. What an edit of the whole object did is taken back
/// by who made it: that is `me`, where it is known.
pub fn newest<'a>(
    changes: &'a [WeightChange],
    configured: &[u32],
    me: Option<&str>,
    now_ms: f64,
) -> Option<&'a WeightChange> {
    let newest = changes.first()?;
    let young = now_ms < newest.at_ms as f64 + OFFERED_MS;
    let undone = changes.iter().any(|change| change.undoes.as_deref() == Some(newest.id.as_str()));
    let shares: Vec<f64> = newest.to.iter().copied().map(f64::from).collect();
    let stands = weights::whole(&shares) == configured;
    let mine = edit(&newest.id) == newest.id || me.is_none_or(|me| me == newest.by);
    (young && !undone && newest.undoes.is_none() && stands && mine).then_some(newest)
}

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

    fn change(id: &str, at_ms: u64, undoes: Option<&str>) -> WeightChange {
        let undoes = undoes.map(str::to_owned);
        WeightChange { id: id.to_owned(), at_ms, by: "ada".to_owned(), from: vec![9, 1], to: vec![3, 1], undoes }
    }

    #[test]
    fn the_newest_change_is_offered_while_it_stands() {
        let own = |changes: &[WeightChange], configured: &[u32], now_ms: f64| {
            newest(changes, configured, Some("bob"), now_ms).map(|change| change.id.clone())
        };
        let all = [change("b", 2_000, None), change("a", 1_000, None)];
        assert_eq!(own(&all, &[75, 25], 3_000.0).as_deref(), Some("b"), "weights are shares, whatever they add up to");
        assert_eq!(own(&all, &[75, 25], 601_999.0).as_deref(), Some("b"));
        assert_eq!(own(&all, &[75, 25], 602_000.0), None, "the console takes back no older one");
        assert_eq!(own(&all, &[90, 10], 3_000.0), None, "somebody moved them elsewhere");
        assert_eq!(own(&[], &[75, 25], 3_000.0), None);
        let taken = [change("c", 3_000, Some("b")), change("b", 2_000, None)];
        assert_eq!(own(&taken, &[75, 25], 3_000.0), None, "it takes one back itself");
        let at_once = [change("b", 2_000, None), change("a", 2_000, Some("b"))];
        assert_eq!(own(&at_once, &[75, 25], 3_000.0), None, "one of the same moment took it back");
    }

    #[test]
    fn an_edit_of_the_whole_object_is_offered_to_who_made_it() {
        let all = [change("b.1.0", 2_000, None)];
        let offered = |me: Option<&str>| newest(&all, &[75, 25], me, 3_000.0).map(|change| edit(&change.id));
        assert_eq!([offered(Some("ada")), offered(None), offered(Some("bob"))], [Some("b"), Some("b"), None]);
        assert_eq!(edit("b"), "b");
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
