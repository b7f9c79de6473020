//! Follows the directory of manifests and publishes a view for each of its states.

use std::{path::Path, sync::Arc};

use tokio::{sync::watch, task::JoinHandle};
use weft_mesh::{Settings, Snapshot, Store};
use weft_model::Diagnostic;
use weft_runtime::{Shutdown, StartupError};
use weft_source::{Batch, DirectoryOptions, DirectorySource, Index};

use super::{View, findings};
use crate::metrics::Metrics;

/// A directory that is followed.
pub struct Followed {
    /// The present view.
    pub views: watch::Receiver<Arc<View>>,
    /// Follows until shutdown.
    pub task: JoinHandle<()>,
}

/// Reads the directory, lints it and begins to follow it.
pub async fn open(
    dir: &Path,
    settings: Settings,
    metrics: Arc<Metrics>,
    shutdown: Shutdown,
) -> Result<Followed, StartupError> {
    let (source, first) = DirectorySource::open(dir, DirectoryOptions::default()).map_err(|error| {
        StartupError::new("cannot read the configuration", error, "name the directory of manifests with --config-dir")
    })?;
    let mut store = Store::new(settings);
    store.apply(first.changes);
    let view = view(1, store.snapshot(), first.index, first.diagnostics).await;
    let (publish, views) = watch::channel(Arc::new(view));
    let task = tokio::spawn(follow(source, store, publish, metrics, shutdown));
    Ok(Followed { views, task })
}

async fn follow(
    mut source: DirectorySource,
    mut store: Store,
    publish: watch::Sender<Arc<View>>,
    metrics: Arc<Metrics>,
    shutdown: Shutdown,
) {
    loop {
        let Batch { changes, diagnostics, index } = tokio::select! {
            batch = source.next() => batch,
            () = shutdown.wait() => return,
        };
        store.apply(changes);
        let version = publish.borrow().version + 1;
        let view = view(version, store.snapshot(), index, diagnostics).await;
        metrics.reloaded();
        publish.send_replace(Arc::new(view));
    }
}

/// Linting takes a while on a large estate, so it is done beside the runtime.
async fn view(version: u64, snapshot: Arc<Snapshot>, index: Index, mut problems: Vec<Diagnostic>) -> View {
    let lint = {
        let (snapshot, index) = (snapshot.clone(), index.clone());
        tokio::task::spawn_blocking(move || findings::lint(&snapshot, &index))
    };
    match lint.await {
        // A check of one object alone may find what the reader found already.
        Ok(found) => {
            for finding in found {
                if !problems.iter().any(|known| findings::same(known, &finding)) {
                    problems.push(finding);
                }
            }
        }
        Err(error) => tracing::error!(%error, "lint failed; its findings are missing"),
    }
    View::new(version, snapshot, index, problems)
}
