//! When objects changed while this console watched, whoever changed them: its audit knows only what went through it.

use std::{
    collections::HashMap,
    time::{SystemTime, UNIX_EPOCH},
};

use weft_api::{Change, Object, ObjectKey};
use weft_mesh::Snapshot;

use super::UNLISTED;
use crate::clock::millis;

/// Objects whose times are kept; of more those go that changed longest ago.
const MOST: usize = 10_000;

/// Milliseconds since the Unix epoch by object. What has not changed since the console began is not in it.
#[derive(Clone, Debug, Default)]
pub struct Changed {
    known: HashMap<ObjectKey, u64>,
}

impl Changed {
    /// When an object changed last, if that is known.
    pub fn at(&self, key: &ObjectKey) -> Option<u64> {
        self.known.get(key).copied()
    }

    /// Notes what `changes` make of the state `before` them.
    pub fn note(&mut self, changes: &[Change], before: &Snapshot, now_ms: u64) {
        for change in changes {
            match change {
                Change::Delete(key) => _ = self.known.remove(key),
                Change::Put(object) if UNLISTED.contains(&object.reference.kind.as_str()) => {}
                Change::Put(object) => {
                    let key = ObjectKey::from(&object.reference);
                    let at_ms = match before.object(&key) {
                        // The same again, and whatever only moved within its file.
                        Some(known) if known.content == object.content => continue,
                        Some(_) => now_ms,
                        // It may be older than its first sight, when a cluster was away.
                        None => created_ms(object).map_or(now_ms, |made| made.min(now_ms)),
                    };
                    self.known.insert(key, at_ms);
                }
            }
        }
        if self.known.len() > MOST {
            let mut times: Vec<u64> = self.known.values().copied().collect();
            times.sort_unstable();
            // Half of them at once, so that it is not done again with each change.
            let oldest = times[times.len() - MOST / 2];
            self.known.retain(|_, at| *at >= oldest);
            // All of one moment, as when a cluster is first read late.
            if self.known.len() > MOST {
                self.known.clear();
            }
        }
    }
}

fn created_ms(object: &Object) -> Option<u64> {
    let made: SystemTime = humantime::parse_rfc3339_weak(object.meta.creation_timestamp.as_ref()?).ok()?;
    made.duration_since(UNIX_EPOCH).ok().map(millis)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;
    use weft_mesh::{Settings, Store};

    use super::*;

    fn put(name: &str, mode: &str, created: Option<&str>) -> Change {
        let object = json!({
            "apiVersion": "security.istio.io/v1", "kind": "PeerAuthentication",
            "metadata": {"name": name, "namespace": "shop", "creationTimestamp": created},
            "spec": {"mtls": {"mode": mode}},
        });
        Change::Put(Arc::new(weft_api::parse(&object, "default").unwrap().object))
    }

    fn key(change: &Change) -> ObjectKey {
        match change {
            Change::Put(object) => ObjectKey::from(&object.reference),
            Change::Delete(key) => key.clone(),
        }
    }

    #[test]
    fn what_a_file_says_anew_has_changed_and_what_it_says_again_has_not() {
        let (mut store, mut changed) = (Store::new(Settings::default()), Changed::default());
        let first = put("payment", "PERMISSIVE", None);
        let payment = key(&first);
        store.apply(vec![first.clone()]);
        changed.note(&[first], &store.snapshot(), 1_000);
        assert_eq!(changed.at(&payment), None, "it says what it said");
        let strict = put("payment", "STRICT", None);
        changed.note(std::slice::from_ref(&strict), &store.snapshot(), 2_000);
        store.apply(vec![strict.clone()]);
        changed.note(&[strict], &store.snapshot(), 3_000);
        assert_eq!(changed.at(&payment), Some(2_000));
        changed.note(&[Change::Delete(payment.clone())], &store.snapshot(), 4_000);
        assert_eq!(changed.at(&payment), None, "it is gone");
    }

    #[test]
    fn what_is_first_seen_late_is_as_old_as_its_cluster_says() {
        let (store, mut changed) = (Store::new(Settings::default()), Changed::default());
        let all = [put("old", "STRICT", Some("1970-01-01T00:00:05Z")), put("new", "STRICT", None)];
        changed.note(&all, &store.snapshot(), 9_000);
        assert_eq!([changed.at(&key(&all[0])), changed.at(&key(&all[1]))], [Some(5_000), Some(9_000)]);
    }

    #[test]
    fn times_are_bounded() {
        let (store, mut changed) = (Store::new(Settings::default()), Changed::default());
        let one = key(&put("a", "STRICT", None));
        let times = (0..MOST as u64).map(|nth| (ObjectKey { name: nth.to_string(), ..one.clone() }, nth));
        changed.known = times.collect();
        let last = put("last", "STRICT", None);
        changed.note(std::slice::from_ref(&last), &store.snapshot(), 1_000_000);
        assert!(changed.known.len() <= MOST / 2 + 1);
        assert_eq!(changed.at(&key(&last)), Some(1_000_000), "the newest stay");
    }
}
