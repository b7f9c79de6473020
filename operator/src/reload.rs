//! The reload loop: what the source reads goes into the store, and the new snapshot to every stream.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{sync::watch, task::JoinError};
use weft_mesh::{Settings, Snapshot, Store};
use weft_model::Severity;
use weft_runtime::{Shutdown, StartupError};
use weft_source::{Batch, DirectoryOptions, DirectorySource, OpenError};

use crate::{
    ads::{
        AckBook, Published,
        published::{Watch, unix_ms},
    },
    metrics::{Metrics, ReloadLabels},
};

/// The one writer of desired state.
pub struct Reloader {
    source: DirectorySource,
    store: Store,
    publisher: watch::Sender<Published>,
    acks: Arc<AckBook>,
    metrics: Metrics,
}

impl Reloader {
    /// Reads the directory for the first time and begins to follow it. Files that cannot be read are reported and do not
    /// keep the operator from starting.
    pub async fn open(
        dir: &Path,
        settings: Settings,
        acks: Arc<AckBook>,
        metrics: Metrics,
    ) -> Result<Self, StartupError> {
        let start = Instant::now();
        let unusable = |error: &dyn std::fmt::Display| {
            StartupError::new(
                format!("cannot read the configuration in {}", dir.display()),
                error,
                "create the directory, or choose another with --config-dir",
            )
        };
        let root = dir.to_owned();
        let read = tokio::task::spawn_blocking(move || -> Result<_, OpenError> {
            let (source, batch) = DirectorySource::open(root, DirectoryOptions::default())?;
            let mut store = Store::new(settings);
            store.apply(batch.changes.clone());
            Ok((source, batch, store))
        });
        let read = read.await.map_err(|error| unusable(&error))?;
        let (source, batch, store) = read.map_err(|error| unusable(&error))?;
        let snapshot = store.snapshot();
        acks.publish(&snapshot, unix_ms());
        let (publisher, _) = watch::channel(Published::now(Arc::clone(&snapshot)));
        let reloader = Self { source, store, publisher, acks, metrics };
        reloader.tell(&batch, &snapshot, start.elapsed());
        Ok(reloader)
    }

    /// Where streams learn of new snapshots.
    pub fn watch(&self) -> Watch {
        self.publisher.subscribe()
    }

    /// Follows the directory until shutdown. An error is a bug that kept a change from being taken up: proxies keep what
    /// they have, and a supervisor should start the operator afresh.
    pub async fn run(mut self, shutdown: Shutdown) -> Result<(), JoinError> {
        loop {
            let batch = tokio::select! {
                batch = self.source.next() => batch,
                () = shutdown.wait() => return Ok(()),
            };
            let start = Instant::now();
            let before = self.store.snapshot().generation();
            // Indexing a large mesh takes a while: off the network threads with it.
            let (mut store, changes) = (self.store, batch.changes.clone());
            let applied = tokio::task::spawn_blocking(move || {
                store.apply(changes);
                store
            });
            self.store = applied.await.inspect_err(|_| shutdown.begin())?;
            let snapshot = self.store.snapshot();
            if snapshot.generation() != before {
                // The book first: no proxy may confirm what the book has not heard of.
                self.acks.publish(&snapshot, unix_ms());
                self.publisher.send_replace(Published::now(Arc::clone(&snapshot)));
            }
            self.tell(&batch, &snapshot, start.elapsed());
        }
    }

    /// One line and a few numbers for each reload. The source has already logged what is wrong, and where.
    fn tell(&self, batch: &Batch, snapshot: &Snapshot, took: Duration) {
        let errors = batch.diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error).count();
        let result = if errors == 0 { "clean" } else { "errors" };
        let objects = snapshot.objects().count();
        self.metrics.reloads.get_or_create(&ReloadLabels { result }).inc();
        self.metrics.config_errors.set(i64::try_from(errors).unwrap_or(i64::MAX));
        self.metrics.objects.set(i64::try_from(objects).unwrap_or(i64::MAX));
        self.metrics.generation.set(i64::try_from(snapshot.generation()).unwrap_or(i64::MAX));
        tracing::info!(
            changes = batch.changes.len(),
            objects,
            errors,
            generation = snapshot.generation(),
            ms = took.as_millis(),
            "configuration read"
        );
    }
}
