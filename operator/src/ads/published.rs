//! The present snapshot, as every stream watches it.

use std::{
    sync::Arc,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use tokio::sync::watch;
use weft_mesh::Snapshot;

/// A snapshot and when it was taken up.
#[derive(Clone, Debug)]
pub struct Published {
    /// The snapshot.
    pub snapshot: Arc<Snapshot>,
    /// When it was taken up.
    pub at: Instant,
}

impl Published {
    /// Takes a snapshot up now.
    pub fn now(snapshot: Arc<Snapshot>) -> Self {
        Self { snapshot, at: Instant::now() }
    }
}

/// Where streams learn of new snapshots; one that lags sees only the newest.
pub type Watch = watch::Receiver<Published>;

/// Milliseconds since the Unix epoch.
pub fn unix_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
