//! What the operator said of the weights' way to the proxies, and what is remembered of it.

use std::{collections::HashMap, sync::Arc};

use weft_api::ObjectKey;
use weft_model::sync::ObjectAck;

use super::Split;
use crate::operator::{Acks, OperatorError};

/// What the operator said last; kept while it is away.
#[derive(Clone, Default)]
pub(super) struct Heard {
    pub(super) acks: Arc<HashMap<ObjectKey, ObjectAck>>,
    /// Since when content has been in force that had arrived, of what has weighted routes.
    arrived: Arc<HashMap<ObjectKey, Arrived>>,
    /// Why replicas of it had no answer last time, each by its address.
    problems: Vec<OperatorError>,
}

#[derive(Clone)]
struct Arrived {
    content: String,
    at_ms: u64,
}

impl Heard {
    /// Whether everybody had an answer.
    pub(super) fn is_whole(&self) -> bool {
        self.problems.is_empty()
    }

    /// Who had no answer and why; `None` when all had one.
    pub(super) fn problem(&self) -> Option<String> {
        let told: Vec<String> = self.problems.iter().map(ToString::to_string).collect();
        (!told.is_empty()).then(|| told.join("; "))
    }

    /// What is known after these answers. Whoever has none may be the only one that knows an object: weights of a split that
    /// had arrived by its word still have. `changed` tells when an object changed last, as far as that was seen.
    pub(super) fn after(&self, heard: Acks, splits: &[Split], changed: impl Fn(&ObjectKey) -> Option<u64>) -> Self {
        let keys = || splits.iter().map(|split| ObjectKey::from(&split.object));
        let mut acks = HashMap::new();
        if !heard.problems.is_empty() {
            let arrived = |key: &ObjectKey| self.acks.get(key).filter(|ack| ack.acked_at_ms.is_some()).cloned();
            acks.extend(keys().filter_map(|key| Some((key.clone(), arrived(&key)?))));
        }
        acks.extend(heard.acks.into_iter().map(|ack| (ObjectKey::from(&ack.object), ack)));
        let mut arrived = HashMap::new();
        for key in keys() {
            let known = self.arrived.get(&key);
            match acks.get_mut(&key) {
                Some(ack) => {
                    // An operator that began anew knows since when proxies have told it so, not since when they have it.
                    let same = |known: &&Arrived| {
                        let moved = changed(&key).is_some_and(|at| at > known.at_ms);
                        ack.found && known.content == ack.content && !moved
                    };
                    let since = known.filter(same).map(|known| known.at_ms);
                    ack.acked_at_ms = ack.acked_at_ms.map(|at| since.map_or(at, |since| since.min(at)));
                    if let Some(at_ms) = ack.acked_at_ms.or(since) {
                        arrived.insert(key, Arrived { content: ack.content.clone(), at_ms });
                    }
                }
                None => arrived.extend(known.map(|known| (key, known.clone()))),
            }
        }
        Self { acks: Arc::new(acks), arrived: Arc::new(arrived), problems: heard.problems }
    }
}

#[cfg(test)]
mod tests {
    use weft_model::ObjectRef;

    use super::*;
    use crate::canary::{
        card::{Settled, settle},
        tracker_key,
    };

    fn split(name: &str) -> Split {
        Split {
            object: ObjectRef { kind: "VirtualService".into(), name: name.into(), ..ObjectRef::default() },
            content: "c".into(),
            route_index: 0,
            route: String::new(),
            arms: Vec::new(),
            testers: Vec::new(),
            ambiguous: None,
        }
    }

    fn ack(name: &str, acked_at_ms: Option<u64>) -> ObjectAck {
        let pending = if acked_at_ms.is_some() { Vec::new() } else { vec!["sidecar~10.0.0.7~web.shop~x".to_owned()] };
        ObjectAck {
            object: split(name).object,
            content: "c".into(),
            changed_at_ms: 1,
            found: false,
            acked_at_ms,
            pending,
        }
    }

    /// What each split has come to, in order.
    fn settled(heard: &Heard, splits: &[Split]) -> Vec<&'static str> {
        let all = settle(heard, splits);
        let word = |split: &Split| match &all[&tracker_key(split)] {
            Settled::At(_) => "at",
            Settled::Waiting(_) => "waiting",
            Settled::Unknown => "unknown",
        };
        splits.iter().map(word).collect()
    }

    #[test]
    fn a_control_plane_that_does_not_answer_hides_nothing_of_what_others_know() {
        let splits = ["mine", "slow", "others"].map(split);
        let never = |_: &ObjectKey| None;
        let all =
            Acks { acks: vec![ack("mine", Some(5)), ack("others", Some(6)), ack("slow", None)], ..Acks::default() };
        let heard = Heard::default().after(all, &splits, never);
        assert_eq!((settled(&heard, &splits), heard.problem()), (vec!["at", "waiting", "at"], None));

        let refused = |url: &str| OperatorError::Refused { url: url.into(), why: "status 401".into() };
        let problems = vec![refused("http://10.0.0.2:15014"), refused("http://10.0.0.3:15014")];
        let some = Acks { acks: vec![ack("mine", Some(5)), ack("slow", None)], problems };
        let heard = heard.after(some.clone(), &splits, never);
        assert_eq!(settled(&heard, &splits), ["at", "waiting", "at"], "what had arrived has");
        let told = heard.problem().unwrap();
        assert!(told.contains("10.0.0.2") && told.contains("10.0.0.3"), "each is named: {told}");
        assert_eq!(settled(&Heard::default().after(some, &splits, never), &splits), ["at", "waiting", "unknown"]);

        // When nobody answers, who is waited for is not known.
        let none = Acks { acks: Vec::new(), problems: vec![OperatorError::NotConfigured] };
        assert_eq!(settled(&heard.after(none, &splits, never), &splits), ["at", "unknown", "at"]);
    }

    #[test]
    fn an_operator_that_begins_anew_moves_no_weights() {
        let splits = [split("order")];
        let key = ObjectKey::from(&splits[0].object);
        let hear = |heard: &Heard, ack: Option<ObjectAck>, changed: Option<u64>| {
            heard.after(Acks { acks: ack.into_iter().collect(), ..Acks::default() }, &splits, |_| changed)
        };
        let since = |heard: &Heard| heard.acks.get(&key).and_then(|ack| ack.acked_at_ms);
        let anew = |acked_at_ms| ObjectAck { found: true, changed_at_ms: 900, ..ack("order", acked_at_ms) };

        let before = hear(&Heard::default(), Some(ack("order", Some(5))), Some(3));
        // It is away, comes back and knows nobody, and then everybody.
        let away = hear(&before, None, Some(3));
        let alone = hear(&away, Some(anew(None)), Some(3));
        assert_eq!(since(&alone), None, "nobody has told it yet");
        let again = hear(&alone, Some(anew(Some(950))), Some(3));
        assert_eq!(since(&again), Some(5));
        assert_eq!(since(&hear(&again, Some(anew(Some(950))), Some(3))), Some(5), "and so it stays");

        // What is known of other content, of what has moved there and back, and of a proxy that had fallen behind, is no more.
        let other = ObjectAck { content: "d".into(), ..anew(Some(950)) };
        assert_eq!(since(&hear(&alone, Some(other), Some(3))), Some(950));
        assert_eq!(since(&hear(&alone, Some(anew(Some(950))), Some(700))), Some(950));
        let behind = ObjectAck { found: false, ..anew(Some(990)) };
        assert_eq!(since(&hear(&again, Some(behind), Some(3))), Some(990));
        assert_eq!(since(&hear(&Heard::default(), Some(anew(Some(950))), None)), Some(950), "nothing else is known");
    }
}
