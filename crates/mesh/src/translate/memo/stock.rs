//! Units as they were made, for whoever they hold. Groups that differ in their namespaces are told nearly the same, and
//! what is the same is made once and kept once.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use super::{
    stand::{Stand, Step},
    touches,
};
use crate::{
    Ask, Class, Client, Resource, Snapshot,
    resolve::scope::Egress,
    snapshot::{Mark, Since},
    translate::plan::Unit,
};

/// What units depend on without asking.
#[derive(Debug, PartialEq)]
pub(super) struct Audience {
    /// What is known of the client.
    pub(super) class: Class,
    /// Namespace and name of the Sidecar that holds.
    pub(super) sidecar: Option<(String, String)>,
    /// What the egress listeners know, without services.
    pub(super) egress: Vec<Egress>,
}

/// A unit as it was made.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) unit: Unit,
    audience: Arc<Audience>,
    /// What was read of the snapshot.
    reads: Box<[Mark]>,
    /// What was asked of the client, with the answers.
    asked: Box<[(Ask, bool)]>,
    /// What came of it.
    pub(super) resources: Box<[Arc<Resource>]>,
    /// The last step that it was held against, doubled, and one more if that touched it.
    verdict: AtomicU64,
}

impl Made {
    /// Resources that `before` had alike stay the very same.
    pub(super) fn new(
        unit: Unit,
        audience: &Arc<Audience>,
        reads: Box<[Mark]>,
        asked: Box<[(Ask, bool)]>,
        resources: Vec<Resource>,
        before: Option<&Self>,
    ) -> Self {
        let old = before.map_or(&[][..], |before| &before.resources);
        let resources = resources.into_iter().map(|resource| {
            let same = old.iter().find(|old| ***old == resource);
            same.map_or_else(|| Arc::new(resource), Arc::clone)
        });
        Self {
            unit,
            audience: Arc::clone(audience),
            reads,
            asked,
            resources: resources.collect(),
            verdict: AtomicU64::new(0),
        }
    }

    /// Whether a step changed something that this has read. Found out once, and remembered for whoever asks next.
    pub(super) fn touched(&self, step: &Step) -> bool {
        let known = self.verdict.load(Ordering::Relaxed);
        if known >> 1 == step.id {
            return known & 1 == 1;
        }
        let touched = touches(&step.changed, &self.reads);
        self.verdict.store(step.id << 1 | u64::from(touched), Ordering::Relaxed);
        touched
    }

    fn holds_for(&self, audience: &Arc<Audience>, client: &Client, unit: &Unit) -> bool {
        Arc::ptr_eq(&self.audience, audience)
            && self.asked.iter().all(|(ask, answer)| client.answers(ask) == *answer)
            && self.unit == *unit
    }
}

/// All that was made and is in use.
#[derive(Debug, Default)]
pub(super) struct Stock(Mutex<Shelves>);

#[derive(Debug, Default)]
struct Shelves {
    audiences: Vec<Arc<Audience>>,
    /// The snapshot in which everything here holds.
    stand: Option<Stand>,
    /// By audience and key of the unit.
    made: HashMap<u64, Vec<Arc<Made>>>,
}

impl Stock {
    /// The audience that equals this one.
    pub(super) fn audience(&self, audience: Audience) -> Arc<Audience> {
        let mut shelves = self.lock();
        if let Some(known) = shelves.audiences.iter().find(|known| ***known == audience) {
            return Arc::clone(known);
        }
        shelves.audiences.retain(|audience| Arc::strong_count(audience) > 1);
        let audience = Arc::new(audience);
        shelves.audiences.push(Arc::clone(&audience));
        audience
    }

    /// Clears away what does not hold in a snapshot any more, and what nobody uses. It never goes back: for a snapshot
    /// that others have left behind nothing is found here, and nothing is put.
    pub(super) fn advance(&self, snapshot: &Snapshot) {
        self.lock().advance(snapshot);
    }

    /// A unit that somebody who answers alike has made of this snapshot.
    pub(super) fn find(
        &self,
        snapshot: &Snapshot,
        audience: &Arc<Audience>,
        client: &Client,
        unit: &Unit,
    ) -> Option<Arc<Made>> {
        let key = key(audience, unit);
        let mut shelves = self.lock();
        if !shelves.advance(snapshot) {
            return None;
        }
        let candidates = shelves.made.get(&key)?;
        candidates.iter().find(|made| made.holds_for(audience, client, unit)).map(Arc::clone)
    }

    /// Puts a unit that was made of this snapshot where others find it; the one that is there already if another was
    /// quicker.
    pub(super) fn put(&self, snapshot: &Snapshot, client: &Client, made: Made) -> Arc<Made> {
        let mut shelves = self.lock();
        if !shelves.stand.as_ref().is_some_and(|stand| stand.is(snapshot)) {
            // The others have moved on.
            return Arc::new(made);
        }
        let shelf = shelves.made.entry(key(&made.audience, &made.unit)).or_default();
        if let Some(there) = shelf.iter().find(|there| there.holds_for(&made.audience, client, &made.unit)) {
            return Arc::clone(there);
        }
        let made = Arc::new(made);
        shelf.push(Arc::clone(&made));
        made
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Shelves> {
        // Whatever is on a shelf is whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shelves {
    /// Goes on to a snapshot; whether that is where it stands now.
    fn advance(&mut self, snapshot: &Snapshot) -> bool {
        let changed = match &self.stand {
            Some(stand) if stand.is(snapshot) => return true,
            Some(stand) if stand.is_after(snapshot) => return false,
            Some(stand) => stand.between(snapshot),
            None => Since::Unknown,
        };
        self.made.retain(|_, shelf| {
            shelf.retain(|made| Arc::strong_count(made) > 1 && !touches(&changed, &made.reads));
            !shelf.is_empty()
        });
        self.stand = Some(Stand::of(snapshot));
        true
    }
}

fn key(audience: &Arc<Audience>, unit: &Unit) -> u64 {
    let mut hasher = DefaultHasher::new();
    Arc::as_ptr(audience).hash(&mut hasher);
    unit.hash_key(&mut hasher);
    hasher.finish()
}
