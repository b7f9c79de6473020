//! Labels and annotations as they are kept.

use std::{cmp::Ordering, collections::BTreeMap, fmt, sync::Arc};

use serde::Deserialize;

/// Labels or annotations of an object, in the order of their keys. A large mesh keeps tens of thousands of them, so they
/// lie in one piece, which clones share.
#[derive(Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(from = "BTreeMap<String, String>")]
pub struct Labels {
    /// Key, value, key, value, …
    text: Arc<str>,
    /// Where each of them ends in `text`, in bytes.
    ends: Arc<[u32]>,
}

impl Labels {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.ends.len() / 2
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&str> {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low.midpoint(high);
            match self.part(2 * middle).cmp(key) {
                Ordering::Less => low = middle + 1,
                Ordering::Equal => return Some(self.part(2 * middle + 1)),
                Ordering::Greater => high = middle,
            }
        }
        None
    }

    /// Keys and values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        (0..self.len()).map(|at| (self.part(2 * at), self.part(2 * at + 1)))
    }

    /// The keys.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.iter().map(|(key, _)| key)
    }

    /// Whether everything is there that `selector` asks for; an empty selector asks for nothing.
    pub fn carry(&self, selector: &BTreeMap<String, String>) -> bool {
        selector.iter().all(|(key, value)| self.get(key) == Some(value))
    }

    /// Those that `keep` names by key and value.
    #[must_use]
    pub fn filtered(&self, keep: impl Fn(&str, &str) -> bool) -> Self {
        if self.iter().all(|(key, value)| keep(key, value)) {
            return self.clone();
        }
        self.iter().filter(|(key, value)| keep(key, value)).collect()
    }

    fn part(&self, at: usize) -> &str {
        let end = |at: usize| self.ends.get(at).map_or(0, |end| *end as usize);
        let begin = at.checked_sub(1).map_or(0, end);
        self.text.get(begin..end(at)).unwrap_or_default()
    }
}

impl<K: AsRef<str>, V: AsRef<str>> FromIterator<(K, V)> for Labels {
    /// Collects labels; the last of a key stays.
    fn from_iter<I: IntoIterator<Item = (K, V)>>(labels: I) -> Self {
        let mut rows: Vec<(K, V)> = labels.into_iter().collect();
        rows.reverse();
        rows.sort_by(|(a, _), (b, _)| a.as_ref().cmp(b.as_ref()));
        rows.dedup_by(|(later, _), (first, _)| later.as_ref() == first.as_ref());
        if rows.is_empty() {
            return Self::default();
        }
        let (mut text, mut ends) = (String::new(), Vec::with_capacity(2 * rows.len()));
        for (key, value) in &rows {
            for part in [key.as_ref(), value.as_ref()] {
                text.push_str(part);
                // No object is as large as that.
                ends.push(u32::try_from(text.len()).unwrap_or(u32::MAX));
            }
        }
        Self { text: text.into(), ends: ends.into() }
    }
}

impl From<BTreeMap<String, String>> for Labels {
    fn from(labels: BTreeMap<String, String>) -> Self {
        labels.into_iter().collect()
    }
}

impl fmt::Debug for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_found_by_key_and_told_in_order() {
        let labels: Labels = [("b", "2"), ("", "none"), ("ä", "3"), ("a", ""), ("b", "4")].into_iter().collect();
        assert_eq!(labels.iter().collect::<Vec<_>>(), [("", "none"), ("a", ""), ("b", "4"), ("ä", "3")]);
        for (key, value) in [("", Some("none")), ("a", Some("")), ("b", Some("4")), ("ä", Some("3")), ("c", None)] {
            assert_eq!(labels.get(key), value, "{key}");
        }
        assert_eq!(labels.len(), 4);
        assert!(Labels::default().is_empty() && Labels::default().get("").is_none());
        let read: Labels = serde_json::from_str(r#"{"b": "4", "a": "", "ä": "3", "": "none"}"#).expect("labels");
        assert_eq!(read, labels);
        assert_ne!(labels, [("", "nonea"), ("", "b")].into_iter().collect());
    }

    #[test]
    fn only_what_is_left_out_is_copied() {
        let labels: Labels = [("a", "1"), ("b", "2")].into_iter().collect();
        assert!(Arc::ptr_eq(&labels.filtered(|_, _| true).text, &labels.text));
        assert_eq!(labels.filtered(|key, _| key == "b"), [("b", "2")].into_iter().collect());
        assert!(labels.filtered(|_, _| false).is_empty());
    }
}
