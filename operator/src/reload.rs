//! The reload loop: what the source reads goes into the store, and the new snapshot to every stream.

use std::{
    collections::BTreeSet,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use kube::Client;
use tokio::{sync::watch, task::JoinError};
use weft_api::Change;
use weft_mesh::{Settings, Snapshot, Store};
use weft_model::{Diagnostic, Severity};
use weft_runtime::{Shutdown, StartupError};
use weft_source::{
    Batch, DirectoryOptions, DirectorySource, OpenError,
    kubernetes::{KubernetesOptions, KubernetesSource, Reader},
};

use crate::{
    ads::{
        AckBook, Published,
        published::{Watch, unix_ms},
    },
    metrics::{Metrics, ReloadLabels},
};

/// Where changes come from.
enum Source {
    Directory(Box<DirectorySource>),
    Kubernetes(Box<KubernetesSource>),
}

/// Changes to take up together.
struct Taken {
    changes: Vec<Change>,
    /// Findings of severity error: what is not taken up as it is written.
    errors: usize,
    /// Files in force; only of a directory.
    files: Option<usize>,
}

impl Source {
    async fn next(&mut self) -> Taken {
        match self {
            Self::Directory(source) => Taken::from(source.next().await),
            Self::Kubernetes(source) => {
                let batch = source.next().await;
                Taken { errors: errors(&batch.diagnostics), changes: batch.changes, files: None }
            }
        }
    }
}

impl From<Batch> for Taken {
    fn from(batch: Batch) -> Self {
        let errors = errors(&batch.diagnostics);
        let files: BTreeSet<_> = batch.index.documents().map(|document| document.file).collect();
        Self { errors, files: Some(files.len()), changes: batch.changes }
    }
}

fn errors(diagnostics: &[Diagnostic]) -> usize {
    diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error).count()
}

/// The one writer of desired state.
pub struct Reloader {
    source: Source,
    store: Store,
    publisher: watch::Sender<Published>,
    acks: Arc<AckBook>,
    metrics: Metrics,
}

impl Reloader {
    /// Reads the directory for the first time and begins to follow it. Files that cannot be read are reported and do not
    /// keep the operator from starting.
    pub async fn directory(
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
        let source = Source::Directory(Box::new(source));
        let reloader = Self { source, store, publisher, acks, metrics };
        let taken = Taken::from(batch);
        reloader.tell(&taken, taken.changes.len(), &snapshot, start.elapsed());
        Ok(reloader)
    }

    /// Reads the cluster for the first time, as far as it is meant for the reader and however long that takes: what is
    /// published is complete. `None` when stopped before that.
    pub async fn kubernetes(
        client: Client,
        settings: Settings,
        reader: Reader,
        acks: Arc<AckBook>,
        metrics: Metrics,
        shutdown: &Shutdown,
    ) -> Option<Self> {
        let start = Instant::now();
        let options = KubernetesOptions {
            root_namespace: settings.root_namespace.clone(),
            reader: Some(reader),
            ..KubernetesOptions::default()
        };
        let mut source = KubernetesSource::new(client, options);
        let mut store = Store::new(settings);
        let mut last = Vec::new();
        let mut changes = 0;
        while !source.synced() {
            let batch = tokio::select! { batch = source.next() => batch, () = shutdown.wait() => return None };
            changes += batch.changes.len();
            last = batch.diagnostics;
            store = tokio::task::spawn_blocking(move || {
                store.apply(batch.changes);
                store
            })
            .await
            .ok()?;
            if !source.synced() {
                tracing::info!(waiting_for = ?source.waiting_for(), "reading the cluster");
            }
        }
        let snapshot = store.snapshot();
        acks.publish(&snapshot, unix_ms());
        let (publisher, _) = watch::channel(Published::now(Arc::clone(&snapshot)));
        let source = Source::Kubernetes(Box::new(source));
        let reloader = Self { source, store, publisher, acks, metrics };
        let taken = Taken { errors: errors(&last), changes: Vec::new(), files: None };
        reloader.tell(&taken, changes, &snapshot, start.elapsed());
        Some(reloader)
    }

    /// Where streams learn of new snapshots.
    pub fn watch(&self) -> Watch {
        self.publisher.subscribe()
    }

    /// Follows the directory until shutdown. An error is a bug that kept a change from being taken up: proxies keep what
    /// they have, and a supervisor should start the operator afresh.
    pub async fn run(mut self, shutdown: Shutdown) -> Result<(), JoinError> {
        loop {
            let mut taken = tokio::select! {
                taken = self.source.next() => taken,
                () = shutdown.wait() => return Ok(()),
            };
            let start = Instant::now();
            let before = self.store.snapshot().generation();
            // Indexing a large mesh takes a while: off the network threads with it.
            let changes = std::mem::take(&mut taken.changes);
            let (mut store, count) = (self.store, changes.len());
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
            self.tell(&taken, count, &snapshot, start.elapsed());
        }
    }

    /// One line and a few numbers for each reload. The source has already logged what is wrong, and where.
    fn tell(&self, taken: &Taken, changes: usize, snapshot: &Snapshot, took: Duration) {
        let result = if taken.errors == 0 { "clean" } else { "errors" };
        let objects = snapshot.objects().count();
        self.metrics.reloads.get_or_create(&ReloadLabels { result }).inc();
        self.metrics.config_errors.set(i64::try_from(taken.errors).unwrap_or(i64::MAX));
        self.metrics.objects.set(i64::try_from(objects).unwrap_or(i64::MAX));
        self.metrics.generation.set(i64::try_from(snapshot.generation()).unwrap_or(i64::MAX));
        tracing::info!(
            changes,
            files = taken.files,
            objects,
            errors = taken.errors,
            generation = snapshot.generation(),
            ms = took.as_millis(),
            "configuration read"
        );
    }
}
