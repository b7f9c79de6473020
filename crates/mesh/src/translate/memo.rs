//! Translations that remember. What is made for a client is kept in units, each with what it read of the snapshot; with
//! the next snapshot only those are made again that read something that differs. Proxies that look alike to the outside
//! share one client's memory, and clients that answer alike share units and pieces of the whole.

mod group;
mod own;
mod stand;
mod stock;

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, PoisonError},
};

use self::{
    group::Group,
    own::Own,
    stand::Steps,
    stock::{Made, Stock},
};
use super::workloads;
use crate::{
    Client, Proxy, ProxyKind, Resource, Resources, Snapshot,
    resource::{Pieces, type_url},
    snapshot::{Mark, Since},
};

/// Memories of one kind are dropped when so many more snapshots have gone by without them.
const IDLE: u64 = 64;
/// Memories of one kind that are kept at most.
const MOST: usize = 10_000;

/// Translates, and remembers how. May be used by several threads at once, with snapshots in any order.
#[derive(Debug, Default)]
pub struct Translator {
    /// What proxies are told about others.
    groups: Shelf<GroupKey, Group>,
    /// What is each proxy's own.
    proxies: Shelf<Proxy, Own>,
    shared: Shared,
}

/// What memories have in common.
#[derive(Debug, Default)]
struct Shared {
    stock: Stock,
    /// Of what proxies are told.
    pieces: Pieces<Resource>,
    /// Of the units that it is made of.
    runs: Pieces<Made>,
    steps: Steps,
}

/// Proxies whose keys are equal are told the same about others. A gateway is told of what its own servers lead to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct GroupKey {
    client: Client,
    gateway: Option<Proxy>,
}

impl Translator {
    /// What [`super::translate`] gives, to the byte.
    pub fn translate(&self, snapshot: &Snapshot, proxy: &Proxy) -> Resources {
        let client = Client::new(snapshot, proxy);
        let gateway = (proxy.kind == ProxyKind::Gateway).then(|| proxy.clone());
        let key = GroupKey { client, gateway };
        let shared =
            self.groups.with(&key, snapshot, |group| group.refresh(&self.shared, snapshot, &key.client, &key.gateway));
        let rows = workloads::resources(snapshot);
        self.proxies.with(proxy, snapshot, |own| {
            let mut resources = own.refresh(snapshot, proxy, &key.client, shared).clone();
            resources.set(type_url::WORKLOAD, rows.clone());
            resources
        })
    }

    /// How many units were made, and not remembered, by all translations so far.
    pub fn made(&self) -> u64 {
        self.groups.sum(|group| group.units_made) + self.proxies.sum(|own| own.made)
    }
}

/// Memories by key, each with the snapshot of its last use.
#[derive(Debug)]
struct Shelf<K, M>(Mutex<HashMap<K, Slot<M>>>);

#[derive(Debug)]
struct Slot<M> {
    used: u64,
    memory: Arc<Mutex<M>>,
}

impl<K, M> Default for Shelf<K, M> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Clone + Eq + Hash, M: Default> Shelf<K, M> {
    /// Works with the memory of a key; others wait for the same, and not for each other.
    fn with<T>(&self, key: &K, snapshot: &Snapshot, work: impl FnOnce(&mut M) -> T) -> T {
        let now = snapshot.generation();
        let memory = {
            // A memory is only ever replaced as a whole or corrected by its marks; a panic elsewhere harms none.
            let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            match slots.get_mut(key) {
                Some(slot) => {
                    slot.used = now;
                    Arc::clone(&slot.memory)
                }
                None => {
                    slots.retain(|_, slot| slot.used.saturating_add(IDLE) >= now);
                    if slots.len() >= MOST {
                        slots.clear();
                    }
                    let memory = Arc::<Mutex<M>>::default();
                    slots.insert(key.clone(), Slot { used: now, memory: Arc::clone(&memory) });
                    memory
                }
            }
        };
        let mut memory = match memory.lock() {
            Ok(memory) => memory,
            // Whoever panicked may have left half of it: begin anew.
            Err(poisoned) => {
                memory.clear_poison();
                let mut memory = poisoned.into_inner();
                *memory = M::default();
                memory
            }
        };
        work(&mut memory)
    }

    fn sum(&self, count: impl Fn(&M) -> u64) -> u64 {
        let slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        slots.values().map(|slot| count(&slot.memory.lock().unwrap_or_else(PoisonError::into_inner))).sum()
    }
}

/// Whether something that was read is among what changed.
fn touches(changed: &Since, reads: &[Mark]) -> bool {
    match changed {
        Since::Unknown => true,
        // Reads are sorted, and mostly there are fewer marks than reads.
        Since::Marks(marks) if marks.len() < reads.len() => marks.iter().any(|mark| reads.binary_search(mark).is_ok()),
        Since::Marks(marks) => reads.iter().any(|read| marks.contains(read)),
    }
}
