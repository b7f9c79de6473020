//! Follows the place where configuration is kept and publishes a view for each of its states.

use std::{path::Path, sync::Arc, time::Duration};

use kube::Client;
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{Instant, timeout_at},
};
use weft_api::Change;
use weft_mesh::{Settings, Snapshot, Store};
use weft_model::Diagnostic;
use weft_runtime::{Shutdown, StartupError};
use weft_source::{DirectoryOptions, DirectorySource, Index, KubernetesOptions, KubernetesSource};

use super::{View, findings, thresholds::Thresholds};
use crate::metrics::Metrics;

/// The least time between two views of a cluster, where something changes all the time; each view is linted as a whole.
const CLUSTER_PACE: Duration = Duration::from_millis(500);
/// A view that takes long to make is made more seldom: this share of the time is left for everything else.
const REST: u32 = 4;

/// A place that is followed.
pub struct Followed {
    /// The present view.
    pub views: watch::Receiver<Arc<View>>,
    /// Follows until shutdown.
    pub task: JoinHandle<()>,
}

enum Source {
    Directory(Box<DirectorySource>),
    Kubernetes(Box<KubernetesSource>),
}

/// One state, as far as it differs from the one before.
struct News {
    changes: Vec<Change>,
    /// Everything that is wrong with the source's objects now.
    problems: Vec<Diagnostic>,
    index: Index,
}

impl Source {
    async fn next(&mut self) -> News {
        match self {
            Self::Directory(source) => {
                let batch = source.next().await;
                News { changes: batch.changes, problems: batch.diagnostics, index: batch.index }
            }
            Self::Kubernetes(source) => {
                let batch = source.next().await;
                News { changes: batch.changes, problems: batch.diagnostics, index: Index::default() }
            }
        }
    }

    /// When the next view may be made at the earliest.
    fn due(&self, began: Instant) -> Instant {
        match self {
            Self::Directory(_) => began,
            Self::Kubernetes(_) => began + CLUSTER_PACE.max(began.elapsed() * REST),
        }
    }
}

/// Reads the directory, lints it and begins to follow it.
pub async fn open(
    dir: &Path,
    settings: Settings,
    thresholds: watch::Receiver<Thresholds>,
    metrics: Arc<Metrics>,
    shutdown: Shutdown,
) -> Result<Followed, StartupError> {
    let (source, first) = DirectorySource::open(dir, DirectoryOptions::default()).map_err(|error| {
        StartupError::new("cannot read the configuration", error, "name the directory of manifests with --config-dir")
    })?;
    let first = News { changes: first.changes, problems: first.diagnostics, index: first.index };
    Ok(begin(Source::Directory(Box::new(source)), first, settings, thresholds, metrics, shutdown).await)
}

/// Reads a cluster, lints it and begins to follow it. An API server that does not answer is a finding, not the end.
pub async fn open_cluster(
    client: Client,
    settings: Settings,
    thresholds: watch::Receiver<Thresholds>,
    metrics: Arc<Metrics>,
    shutdown: Shutdown,
) -> Followed {
    let options = KubernetesOptions {
        root_namespace: settings.root_namespace.clone(),
        secrets: false,
        ..KubernetesOptions::default()
    };
    let mut source = Source::Kubernetes(Box::new(KubernetesSource::new(client, options)));
    let first = source.next().await;
    begin(source, first, settings, thresholds, metrics, shutdown).await
}

async fn begin(
    source: Source,
    first: News,
    settings: Settings,
    mut thresholds: watch::Receiver<Thresholds>,
    metrics: Arc<Metrics>,
    shutdown: Shutdown,
) -> Followed {
    let mut store = Store::new(settings);
    store.apply(first.changes);
    let present = thresholds.borrow_and_update().clone();
    let known = (first.index, first.problems);
    let view = view(1, store.snapshot(), &known, &present).await;
    let (publish, views) = watch::channel(Arc::new(view));
    let follower = Follower { source, store, known, thresholds, publish, metrics };
    let task = tokio::spawn(async move {
        tokio::select! {
            () = follower.follow() => {}
            () = shutdown.wait() => {}
        }
    });
    Followed { views, task }
}

struct Follower {
    source: Source,
    store: Store,
    /// Where the objects of the last state stand, and what was wrong with them.
    known: (Index, Vec<Diagnostic>),
    thresholds: watch::Receiver<Thresholds>,
    publish: watch::Sender<Arc<View>>,
    metrics: Arc<Metrics>,
}

impl Follower {
    async fn follow(mut self) {
        let mut due = Instant::now();
        loop {
            tokio::select! {
                news = self.source.next() => self.take(news),
                () = changed(&mut self.thresholds) => {}
            }
            // What comes until the next view is due goes into it.
            while let Ok(more) = timeout_at(due, self.source.next()).await {
                self.take(more);
            }
            let began = Instant::now();
            let version = self.publish.borrow().version + 1;
            let thresholds = self.thresholds.borrow_and_update().clone();
            let view = view(version, self.store.snapshot(), &self.known, &thresholds).await;
            self.metrics.reloaded();
            self.publish.send_replace(Arc::new(view));
            due = self.source.due(began);
        }
    }

    fn take(&mut self, news: News) {
        self.store.apply(news.changes);
        self.known = (news.index, news.problems);
    }
}

/// Waits for other thresholds; for ever where nothing follows them.
async fn changed(thresholds: &mut watch::Receiver<Thresholds>) {
    if thresholds.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Linting takes a while on a large estate, so it is done beside the runtime.
async fn view(
    version: u64,
    snapshot: Arc<Snapshot>,
    (index, problems): &(Index, Vec<Diagnostic>),
    thresholds: &Thresholds,
) -> View {
    let mut problems = problems.clone();
    problems.extend(thresholds.finding.clone());
    let lint = {
        let (snapshot, index) = (snapshot.clone(), index.clone());
        tokio::task::spawn_blocking(move || findings::lint(&snapshot, &index))
    };
    let linted: Option<Arc<[Diagnostic]>> = match lint.await {
        Ok(found) => Some(found.into()),
        Err(error) => {
            tracing::error!(%error, "lint failed; its findings are missing");
            None
        }
    };
    // A check of one object alone may find what the reader found already.
    for finding in linted.iter().flat_map(|found| found.iter()) {
        if !problems.iter().any(|known| findings::same(known, finding)) {
            problems.push(finding.clone());
        }
    }
    let mut view = View::new(version, snapshot, index.clone(), problems);
    view.linted = linted;
    view.estate.tolerances.mesh = thresholds.config.clone();
    view.estate.tolerances.findings.extend(thresholds.finding.clone());
    view
}
