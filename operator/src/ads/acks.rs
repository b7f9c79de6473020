//! When an object's present content has reached every proxy that it touches.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use parking_lot::Mutex;
use prometheus_client::metrics::histogram::Histogram;
use weft_mesh::Snapshot;
use weft_model::{ObjectRef, sync::ObjectAck};

use super::registry::ProxyId;

/// One object's way to the proxies.
#[derive(Debug)]
struct Tracked {
    content: String,
    generation: u64,
    changed_at_ms: u64,
    found: bool,
    acked_at_ms: Option<u64>,
    /// Proxies that were connected and have not confirmed this content.
    waiting: HashSet<ProxyId>,
    /// Whether any proxy has confirmed it: without one there is nobody to speak of.
    confirmed: bool,
    /// Whether the way from change to acknowledgement says how fast a push is: proxies were there at the time.
    timed: bool,
}

/// The book of acknowledgements, by VirtualService.
///
/// An object waits for every proxy that was connected when it changed or that connected since. A proxy confirms it once
/// its configuration was made from a snapshot with this content and nothing that the object shaped, before or after, is
/// still on its way. A proxy that goes is not waited for; one that comes back with an older content in force opens the
/// object again until it confirms.
#[derive(Debug)]
pub struct AckBook {
    inner: Mutex<Inner>,
    latency: Histogram,
}

#[derive(Debug, Default)]
struct Inner {
    /// Whether any snapshot was taken up.
    begun: bool,
    objects: BTreeMap<ObjectRef, Tracked>,
    /// Objects that are not acknowledged, so that a report costs nothing in a quiet mesh.
    open: HashSet<ObjectRef>,
    proxies: HashMap<ProxyId, String>,
}

impl AckBook {
    /// An empty book; `latency` observes the seconds from change to last acknowledgement.
    pub fn new(latency: Histogram) -> Self {
        Self { inner: Mutex::default(), latency }
    }

    /// Takes up a snapshot. To be called before any proxy hears of it.
    pub fn publish(&self, snapshot: &Snapshot, now_ms: u64) {
        let present = snapshot.virtual_services().iter().map(|row| &row.object);
        self.take_up(snapshot.generation(), present.map(|object| (&object.reference, object.content.as_str())), now_ms);
    }

    fn take_up<'s>(&self, generation: u64, present: impl Iterator<Item = (&'s ObjectRef, &'s str)>, now_ms: u64) {
        let mut guard = self.inner.lock();
        let Inner { begun, objects, open, proxies } = &mut *guard;
        let first = !std::mem::replace(begun, true);
        let mut seen: HashSet<&ObjectRef> = HashSet::new();
        for (object, content) in present {
            seen.insert(object);
            if objects.get(object).is_some_and(|tracked| tracked.content == content) {
                continue;
            }
            open.insert(object.clone());
            objects.insert(
                object.clone(),
                Tracked {
                    content: content.to_owned(),
                    generation,
                    changed_at_ms: now_ms,
                    found: first,
                    acked_at_ms: None,
                    waiting: proxies.keys().copied().collect(),
                    confirmed: false,
                    timed: !proxies.is_empty(),
                },
            );
        }
        objects.retain(|object, _| seen.contains(object));
        open.retain(|object| seen.contains(object));
    }

    /// Whether any object is not acknowledged yet.
    pub fn waits(&self) -> bool {
        !self.inner.lock().open.is_empty()
    }

    /// A proxy's stream was accepted.
    pub fn connected(&self, proxy: ProxyId, node: &str) {
        let mut guard = self.inner.lock();
        let Inner { objects, open, proxies, .. } = &mut *guard;
        proxies.insert(proxy, node.to_owned());
        for object in open.iter() {
            if let Some(tracked) = objects.get_mut(object) {
                tracked.waiting.insert(proxy);
            }
        }
    }

    /// A proxy's stream ended.
    pub fn disconnected(&self, proxy: ProxyId, now_ms: u64) {
        let mut guard = self.inner.lock();
        guard.proxies.remove(&proxy);
        self.settle(&mut guard, now_ms, |_, tracked| {
            tracked.waiting.remove(&proxy);
        });
    }

    /// What a proxy has: its target is of `generation`, it has not confirmed `unconfirmed`, and it came back with an older
    /// content of `stale`.
    pub fn report(
        &self,
        proxy: ProxyId,
        generation: u64,
        unconfirmed: &BTreeSet<ObjectRef>,
        stale: &BTreeSet<ObjectRef>,
        now_ms: u64,
    ) {
        let mut guard = self.inner.lock();
        for object in stale {
            let Inner { objects, open, .. } = &mut *guard;
            if let Some(tracked) = objects.get_mut(object) {
                tracked.acked_at_ms = None;
                tracked.timed = false;
                // Somebody had other content until now.
                tracked.found = false;
                tracked.waiting.insert(proxy);
                open.insert(object.clone());
            }
        }
        self.settle(&mut guard, now_ms, |object, tracked| {
            let confirms = generation >= tracked.generation && !unconfirmed.contains(object);
            if confirms && tracked.waiting.remove(&proxy) {
                tracked.confirmed = true;
            }
        });
    }

    /// Applies `change` to every open object and closes those that wait for nobody any more.
    fn settle(&self, inner: &mut Inner, now_ms: u64, mut change: impl FnMut(&ObjectRef, &mut Tracked)) {
        let Inner { objects, open, .. } = inner;
        open.retain(|object| {
            let Some(tracked) = objects.get_mut(object) else { return false };
            change(object, tracked);
            if !tracked.waiting.is_empty() || !tracked.confirmed {
                return true;
            }
            tracked.acked_at_ms = Some(now_ms);
            if tracked.timed {
                let after_ms = now_ms.saturating_sub(tracked.changed_at_ms);
                self.latency.observe(after_ms as f64 / 1000.0);
                tracing::info!(%object, after_ms, "acknowledged by every proxy");
            }
            false
        });
    }

    /// The book's present state, by object.
    pub fn list(&self) -> Vec<ObjectAck> {
        let inner = self.inner.lock();
        let row = |(object, tracked): (&ObjectRef, &Tracked)| {
            let mut pending: Vec<String> =
                tracked.waiting.iter().filter_map(|proxy| inner.proxies.get(proxy).cloned()).collect();
            pending.sort();
            ObjectAck {
                object: object.clone(),
                content: tracked.content.clone(),
                changed_at_ms: tracked.changed_at_ms,
                found: tracked.found,
                acked_at_ms: tracked.acked_at_ms,
                pending,
            }
        };
        inner.objects.iter().map(row).collect()
    }
}

#[cfg(test)]
mod tests;
