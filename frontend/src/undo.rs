//! What can still be taken back, and for how long that is offered.

use serde::{Deserialize, Serialize};
use weft_model::{ObjectRef, canary::Canaries, config::ConfigList};

use crate::weights;

#[cfg(target_arch = "wasm32")]
mod store;

#[cfg(target_arch = "wasm32")]
pub use store::{forget, recall, remember};

/// An edit that can be taken back.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
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
    /// Whether the page has seen what it came to: until then, lists are from before it.
    pub seen: bool,
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
            None => config.map(|list| list.rows.iter().any(|row| row.object == self.object) != self.gone),
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
}
