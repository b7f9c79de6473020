//! Handing connections to the least-loaded worker.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::sync::mpsc;

use super::Connection;
use crate::{
    listener::Slot,
    state::{Drain, LiveConnection},
};

/// Connections that may wait for a busy worker before new ones are refused.
pub(super) const QUEUE: usize = 1024;

/// A connection with what counts it.
pub(super) struct Job {
    pub connection: Connection,
    pub load: Load,
    pub live: LiveConnection,
    pub slot: Option<Slot>,
}

/// Counts one connection of a worker until it is dropped.
pub(super) struct Load(Arc<AtomicUsize>);

impl Drop for Load {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

pub(super) struct Lane {
    pub load: Arc<AtomicUsize>,
    pub queue: mpsc::Sender<Job>,
}

/// Hands accepted connections to workers. Cheap to clone.
#[derive(Clone)]
pub struct Dispatcher {
    lanes: Arc<[Lane]>,
    drain: Drain,
}

/// No worker could take the connection; it is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("all workers are busy: {QUEUE} connections wait on the least-loaded one")]
pub struct Refused;

impl Dispatcher {
    pub(super) fn new(lanes: Vec<Lane>, drain: Drain) -> Self {
        Self { lanes: lanes.into(), drain }
    }

    /// Gives the connection, with its place at the listener, to the worker with the fewest. Never waits.
    pub fn dispatch(&self, connection: Connection, slot: Option<Slot>) -> Result<(), Refused> {
        let lane = self.lanes.iter().min_by_key(|lane| lane.load.load(Ordering::Relaxed)).ok_or(Refused)?;
        lane.load.fetch_add(1, Ordering::Relaxed);
        let job = Job { connection, load: Load(lane.load.clone()), live: self.drain.connection(), slot };
        lane.queue.try_send(job).map_err(|_| Refused)
    }

    /// Connections per worker.
    pub fn loads(&self) -> Vec<usize> {
        self.lanes.iter().map(|lane| lane.load.load(Ordering::Relaxed)).collect()
    }
}
