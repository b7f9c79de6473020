use std::{
    borrow::Cow,
    collections::{HashMap, HashSet, hash_map::DefaultHasher},
    hash::{Hash, Hasher},
    sync::Arc,
};

use super::Peer;

/// Longest value of a label that is taken as it is, in bytes; names in Kubernetes have at most 253.
const LONGEST: usize = 256;
/// How much of a longer one is kept.
const KEPT: usize = 200;

/// One copy of each name, however many series carry it.
#[derive(Default)]
pub(super) struct Names {
    known: HashSet<Arc<str>>,
    derived: HashMap<Arc<str>, Arc<str>>,
    peers: HashMap<[Arc<str>; 5], Arc<Peer>>,
}

impl Names {
    /// The copy of `name`, made harmless: names too long are cut, and characters that draw nothing or turn the writing
    /// direction are replaced.
    pub fn get(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.known.get(name) {
            return known.clone();
        }
        if plain(name) {
            let new: Arc<str> = name.into();
            self.known.insert(new.clone());
            return new;
        }
        tamed(name).into()
    }

    /// A name made of another one as it is, however long; remembered.
    pub fn derive(&mut self, name: &str, make: impl FnOnce(&str) -> String) -> Arc<str> {
        if let Some(derived) = self.derived.get(name) {
            return derived.clone();
        }
        let derived: Arc<str> = tamed_host(&make(name)).into();
        // What is absurd is not kept.
        if plain(name) {
            let name = self.get(name);
            self.derived.insert(name, derived.clone());
        }
        derived
    }

    /// The peer of namespace, workload, app, version and cluster.
    pub fn peer(&mut self, labels: [&str; 5]) -> Arc<Peer> {
        let key = labels.map(|label| self.get(label));
        if let Some(peer) = self.peers.get(&key) {
            return peer.clone();
        }
        let [namespace, workload, app, version, cluster] = key.clone();
        let id = if workload.is_empty() { Arc::default() } else { format!("{namespace}/{workload}").into() };
        let peer = Arc::new(Peer { namespace, workload, app, version, cluster, id });
        self.peers.insert(key, peer.clone());
        peer
    }
}

/// Invisible characters and those that turn the direction of writing: an honest name has none, and a name with them can
/// pass for another.
fn misleading(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// Whether a name needs no second look.
fn plain(name: &str) -> bool {
    name.is_ascii() && name.len() <= LONGEST && !name.bytes().any(|byte| byte.is_ascii_control())
}

/// A text whose every character is seen, in the order in which it is written.
pub(crate) fn clean(text: &str) -> Cow<'_, str> {
    if !text.chars().any(misleading) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().map(|c| if misleading(c) { '\u{fffd}' } else { c }).collect())
}

/// A name as it is shown, wherever it comes from: of metrics and of configuration alike, so that both are one node. It is
/// cut when it is too long to be one, and has no characters that draw nothing or turn the writing direction.
pub(crate) fn tamed(name: &str) -> Cow<'_, str> {
    if plain(name) {
        return Cow::Borrowed(name);
    }
    let clean = clean(name);
    if clean.len() <= LONGEST {
        return clean;
    }
    let end = (0..=KEPT).rev().find(|at| clean.is_char_boundary(*at)).unwrap_or(0);
    Cow::Owned(format!("{}…{}", &clean[..end], digest(name)))
}

/// A full name of a host as it is shown. Of one that is too long the namespace stays whole where it says one: what a
/// reader may not see is told by it.
pub(crate) fn tamed_host(host: &str) -> Cow<'_, str> {
    let parts = host.split_once('.').filter(|(_, rest)| rest.contains(".svc."));
    let Some((name, rest)) = parts.filter(|_| clean(host).len() > LONGEST) else { return tamed(host) };
    let start: String = clean(name).chars().take(63).collect();
    // A namespace that is too long to be one is cut as well, and then it is nobody's.
    let namespace = tamed(rest.split('.').next().unwrap_or_default());
    Cow::Owned(format!("{start}…{}.{namespace}.svc.…", digest(host)))
}

/// Two long names that begin alike stay two.
fn digest(name: &str) -> String {
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    format!("{:08x}", hasher.finish() >> 32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absurd_names_become_harmless_and_stay_apart() {
        let mut names = Names::default();
        assert_eq!(&*names.get("payment-v1"), "payment-v1");
        assert!(Arc::ptr_eq(&names.get("payment-v1"), &names.get("payment-v1")));
        assert_eq!(&*names.get("pay\u{202e}tnem\u{200b}\n"), "pay\u{fffd}tnem\u{fffd}\u{fffd}");
        assert_eq!(&*names.get("<script>alert(1)</script>"), "<script>alert(1)</script>");
        let (a, b) = (names.get(&format!("{}a", "ü".repeat(5000))), names.get(&format!("{}b", "ü".repeat(5000))));
        assert!(a != b && a.len() < 256 && b.len() < 256, "{a} {b}");
        let peer = names.peer(["shop", "payment", "", "", ""]);
        assert_eq!(peer.id(), Some("shop/payment"));
        assert_eq!(names.peer(["", "", "x", "", ""]).id(), None);
    }
    #[test]
    fn a_long_host_keeps_its_namespace() {
        let long = |name: &str, namespace: &str| format!("{name}.{namespace}.svc.cluster.local");
        assert_eq!(tamed_host("till.bank.svc.cluster.local"), "till.bank.svc.cluster.local");
        let mut names = Names::default();
        let host = long(&"n".repeat(300), "bank");
        let shown = names.derive(&host.to_uppercase(), str::to_lowercase);
        assert_eq!(*shown, *tamed_host(&host), "what it is made of was not cut before");
        assert!(shown.contains(".bank.svc.") && shown.len() < 256, "{shown}");
        assert_ne!(tamed_host(&host), tamed_host(&long(&"n".repeat(301), "bank")));
        let absurd = long("a", &format!("bank{}", "k".repeat(300)));
        assert_ne!(tamed_host(&absurd).split('.').nth(1), Some("bank"));
        let outside = format!("{}.example.org", "n".repeat(300));
        assert_eq!(tamed_host(&outside), tamed(&outside));
    }
}
