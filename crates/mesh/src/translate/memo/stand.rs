//! From one snapshot to another.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use crate::{
    Snapshot,
    snapshot::{History, Since},
};

/// Steps that are remembered: streams that lag behind take longer ones.
const STEPS: usize = 8;

/// The snapshot that a memory was brought up to.
#[derive(Clone, Debug)]
pub(super) struct Stand {
    generation: u64,
    history: Arc<History>,
}

impl Stand {
    pub(super) fn of(snapshot: &Snapshot) -> Self {
        Self { generation: snapshot.generation(), history: Arc::clone(snapshot.history()) }
    }

    /// Whether it is this snapshot.
    pub(super) fn is(&self, snapshot: &Snapshot) -> bool {
        self.generation == snapshot.generation() && Arc::ptr_eq(&self.history, snapshot.history())
    }

    /// Whether it is a later snapshot of the same store.
    pub(super) fn is_after(&self, snapshot: &Snapshot) -> bool {
        self.generation > snapshot.generation() && self.history.is_of(snapshot.history())
    }

    /// What differs between two snapshots, whichever is older.
    pub(super) fn between(&self, snapshot: &Snapshot) -> Since {
        let (now, then) = (snapshot.generation(), self.generation);
        if now >= then {
            snapshot.history().since(now, &self.history, then)
        } else {
            self.history.since(then, snapshot.history(), now)
        }
    }
}

/// The way between two snapshots.
#[derive(Debug)]
pub(super) struct Step {
    /// Tells steps apart; never zero.
    pub(super) id: u64,
    from: Stand,
    to: Stand,
    /// What differs.
    pub(super) changed: Since,
}

/// The last steps that were taken. Many memories take the same.
#[derive(Debug, Default)]
pub(super) struct Steps(Mutex<(u64, VecDeque<Arc<Step>>)>);

impl Steps {
    /// The step from where a memory stands.
    pub(super) fn to(&self, snapshot: &Snapshot, from: &Stand) -> Arc<Step> {
        let mut guard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (last, steps) = &mut *guard;
        let same = |step: &&Arc<Step>| {
            step.to.is(snapshot)
                && step.from.generation == from.generation
                && Arc::ptr_eq(&step.from.history, &from.history)
        };
        if let Some(step) = steps.iter().find(same) {
            return Arc::clone(step);
        }
        *last += 1;
        let step =
            Arc::new(Step { id: *last, from: from.clone(), to: Stand::of(snapshot), changed: from.between(snapshot) });
        steps.truncate(STEPS - 1);
        steps.push_front(Arc::clone(&step));
        step
    }
}
