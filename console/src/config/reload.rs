//! Follows the place where configuration is kept and publishes a view for each of its states.

use std::{path::Path, sync::Arc, time::Duration};

use kube::Client;
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{Instant, timeout_at},
};
use weft_api::{Change, ObjectKey};
use weft_mesh::{Settings, Snapshot, Store};
use weft_model::Diagnostic;
use weft_runtime::{Shutdown, StartupError};
use weft_source::{DirectoryOptions, DirectorySource, Index, KubernetesOptions, KubernetesSource};

use super::{
    View,
    changed::Changed,
    findings,
    thresholds::Thresholds,
    told::{self, Told},
};
use crate::{clock::now_ms, metrics::Metrics};

/// The least time between two views of a cluster, where something changes all the time; each view is linted as a whole.
const CLUSTER_PACE: Duration = Duration::from_millis(500);
/// Lint that takes longer than this is not waited for by whoever has written.
const HASTE: Duration = Duration::from_millis(100);
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
    #[cfg(test)]
    Told(tokio::sync::mpsc::UnboundedReceiver<News>),
}

/// One state, as far as it differs from the one before.
struct News {
    changes: Vec<Change>,
    /// Everything that is wrong with the source's objects now.
    problems: Vec<Diagnostic>,
    index: Index,
    /// What stands in files that are not taken as they are.
    refused: Index,
}

impl Source {
    async fn next(&mut self) -> News {
        match self {
            Self::Directory(source) => {
                let batch = source.next().await;
                News { changes: batch.changes, problems: batch.diagnostics, index: batch.index, refused: batch.refused }
            }
            Self::Kubernetes(source) => {
                let batch = source.next().await;
                News {
                    changes: batch.changes,
                    problems: batch.diagnostics,
                    index: Index::default(),
                    refused: Index::default(),
                }
            }
            #[cfg(test)]
            Self::Told(news) => match news.recv().await {
                Some(news) => news,
                None => std::future::pending().await,
            },
        }
    }

    /// When the next view may be made at the earliest.
    fn due(&self, began: Instant) -> Instant {
        match self {
            Self::Directory(_) => began,
            Self::Kubernetes(_) => began + CLUSTER_PACE.max(began.elapsed() * REST),
            #[cfg(test)]
            Self::Told(_) => began,
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
    let first =
        News { changes: first.changes, problems: first.diagnostics, index: first.index, refused: first.refused };
    let followed = (thresholds, watch::channel(Told::default()).1);
    Ok(begin(Source::Directory(Box::new(source)), first, settings, followed, metrics, shutdown).await)
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
    let (publish, told) = watch::channel(Told::default());
    let (asked, ended) = (client.clone(), shutdown.clone());
    tokio::spawn(async move {
        tokio::select! {
            () = told::follow(asked, publish) => {}
            () = ended.wait() => {}
        }
    });
    let mut source = Source::Kubernetes(Box::new(KubernetesSource::new(client, options)));
    let first = source.next().await;
    begin(source, first, settings, (thresholds, told), metrics, shutdown).await
}

async fn begin(
    source: Source,
    first: News,
    settings: Settings,
    (mut thresholds, told): (watch::Receiver<Thresholds>, watch::Receiver<Told>),
    metrics: Arc<Metrics>,
    shutdown: Shutdown,
) -> Followed {
    let mut store = Store::new(settings);
    store.apply(first.changes);
    let present = thresholds.borrow_and_update().clone();
    let known = (first.index, first.problems);
    let began = Instant::now();
    let changed = Changed::default();
    let refused = first.refused;
    let view = view(1, store.snapshot(), &known, &refused, &present, &changed).await;
    let linting = began.elapsed();
    let (publish, views) = watch::channel(Arc::new(view));
    let follower = Follower { source, store, known, refused, changed, thresholds, told, publish, metrics, linting };
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
    /// What stands in files that are not taken as they are.
    refused: Index,
    changed: Changed,
    thresholds: watch::Receiver<Thresholds>,
    /// What the operator found.
    told: watch::Receiver<Told>,
    publish: watch::Sender<Arc<View>>,
    metrics: Arc<Metrics>,
    /// How long the last view took to lint.
    linting: Duration,
}

impl Follower {
    async fn follow(mut self) {
        let mut due = Instant::now();
        loop {
            tokio::select! {
                news = self.source.next() => self.take(news),
                () = changed(&mut self.thresholds) => {}
                () = changed(&mut self.told) => {}
            }
            let hurry = self.gather(due).await;
            let began = Instant::now();
            let thresholds = self.thresholds.borrow_and_update().clone();
            if hurry && self.linting > HASTE {
                let hasty = self.hasty(&thresholds);
                self.publish.send_replace(Arc::new(hasty));
            }
            let linted = Instant::now();
            let known = self.known();
            let (version, snapshot) = (self.version(), self.store.snapshot());
            let view = view(version, snapshot, &known, &self.refused, &thresholds, &self.changed).await;
            self.linting = linted.elapsed();
            self.metrics.reloaded();
            self.publish.send_replace(Arc::new(view));
            due = self.source.due(began);
        }
    }

    /// Takes what comes until the next view is due, or until what somebody has written is there. Whether it is. The source
    /// hands a write on only after a while: a view that were made at once would be without it, and the next one paced.
    async fn gather(&mut self, due: Instant) -> bool {
        loop {
            if self.metrics.hurry().has_come(&self.store.snapshot(), &self.known.0) {
                return true;
            }
            tokio::select! {
                // It may be there already.
                () = self.metrics.hurry().asked() => {}
                more = timeout_at(due, self.source.next()) => match more {
                    Ok(more) => self.take(more),
                    Err(_) => return false,
                },
            }
        }
    }

    /// The number of the next view.
    fn version(&self) -> u64 {
        self.publish.borrow().version + 1
    }

    /// The present state with what lint found in the one before, as far as its objects are still there.
    fn hasty(&mut self, thresholds: &Thresholds) -> View {
        let snapshot = self.store.snapshot();
        let last = self.publish.borrow().linted.clone();
        let is_there = |finding: &&Diagnostic| {
            finding.object.as_ref().is_none_or(|object| snapshot.object(&ObjectKey::from(object)).is_some())
        };
        let found: Vec<Diagnostic> = last.iter().flat_map(|found| found.iter()).filter(is_there).cloned().collect();
        assemble(self.version(), snapshot.clone(), &self.known(), thresholds, &found, &self.changed)
    }

    /// Where objects stand, and what is known to be wrong with them without lint.
    fn known(&mut self) -> (Index, Vec<Diagnostic>) {
        let (index, mut problems) = self.known.clone();
        let told = self.told.borrow_and_update().clone();
        problems.extend(told::present(&told, &problems, &self.store.snapshot()));
        (index, problems)
    }

    fn take(&mut self, news: News) {
        self.changed.note(&news.changes, &self.store.snapshot(), now_ms());
        self.store.apply(news.changes);
        self.known = (news.index, news.problems);
        self.refused = news.refused;
    }
}

/// Waits for other thresholds, or for other words of the operator; for ever where nothing follows them.
async fn changed<T>(followed: &mut watch::Receiver<T>) {
    if followed.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Linting takes a while on a large estate, so it is done beside the runtime.
async fn view(
    version: u64,
    snapshot: Arc<Snapshot>,
    known: &(Index, Vec<Diagnostic>),
    refused: &Index,
    thresholds: &Thresholds,
    changed: &Changed,
) -> View {
    let lint = {
        let (snapshot, index, refused) = (snapshot.clone(), known.0.clone(), refused.clone());
        tokio::task::spawn_blocking(move || {
            (findings::lint(&snapshot, &index), findings::lint_refused(&snapshot, &index, &refused))
        })
    };
    let (linted, of_refused): (Option<Arc<[Diagnostic]>>, _) = match lint.await {
        Ok((found, of_refused)) => (Some(found.into()), of_refused),
        Err(error) => {
            tracing::error!(%error, "lint failed; its findings are missing");
            (None, Vec::new())
        }
    };
    let found: Vec<Diagnostic> = linted.iter().flat_map(|found| found.iter()).cloned().chain(of_refused).collect();
    let mut view = assemble(version, snapshot, known, thresholds, &found, changed);
    view.linted = linted;
    view
}

/// Puts a view together from a state and what lint found in it.
fn assemble(
    version: u64,
    snapshot: Arc<Snapshot>,
    (index, problems): &(Index, Vec<Diagnostic>),
    thresholds: &Thresholds,
    found: &[Diagnostic],
    changed: &Changed,
) -> View {
    let mut problems = problems.clone();
    problems.extend(thresholds.finding.clone());
    // A check of one object alone may find what the reader found already.
    for finding in found {
        if !problems.iter().any(|known| findings::same(known, finding)) {
            problems.push(finding.clone());
        }
    }
    let mut view = View::watched(version, snapshot, index.clone(), problems, changed);
    view.estate.tolerances.mesh = thresholds.config.clone();
    view.estate.tolerances.findings.extend(thresholds.finding.clone());
    view
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use tokio::{sync::mpsc, time::timeout};

    use super::*;

    fn news(name: &str) -> News {
        let yaml = serde_json::json!({
            "apiVersion": "networking.istio.io/v1", "kind": "VirtualService",
            "metadata": {"name": name, "namespace": "shop"},
            "spec": {"hosts": ["cart"], "http": [{"route": [{"destination": {"host": "cart"}}]}]},
        });
        let object = weft_api::parse(&yaml, "default").unwrap().object;
        News {
            changes: vec![Change::Put(Arc::new(object))],
            problems: Vec::new(),
            index: Index::default(),
            refused: Index::default(),
        }
    }

    fn follower(source: mpsc::UnboundedReceiver<News>, metrics: Arc<Metrics>) -> Follower {
        let store = Store::new(Settings::default());
        let first = View::new(1, store.snapshot(), Index::default(), Vec::new());
        Follower {
            source: Source::Told(source),
            store,
            known: (Index::default(), Vec::new()),
            refused: Index::default(),
            changed: Changed::default(),
            thresholds: watch::channel(Thresholds::default()).1,
            told: watch::channel(Told::default()).1,
            publish: watch::channel(Arc::new(first)).0,
            metrics,
            linting: Duration::ZERO,
        }
    }

    #[test]
    fn what_comes_while_the_console_watches_has_its_time() {
        let mut follower = follower(mpsc::unbounded_channel().1, Arc::new(Metrics::new()));
        follower.store.apply(news("before").changes);
        let began = now_ms();
        follower.take(news("before"));
        follower.take(news("mine"));
        let view = follower.hasty(&Thresholds::default());
        let times: Vec<_> = view.list.rows.iter().map(|row| (row.object.name.as_str(), row.changed_ms)).collect();
        assert_eq!(times[0], ("before", None));
        assert!(times[1].0 == "mine" && times[1].1 >= Some(began), "{times:?}");
    }

    #[tokio::test]
    async fn a_write_hurries_when_the_source_hands_it_on() {
        let (tell, source) = mpsc::unbounded_channel();
        let metrics = Arc::new(Metrics::new());
        let mut follower = follower(source, metrics.clone());
        let due = Instant::now() + Duration::from_secs(3600);
        metrics.edited(|snapshot, _| snapshot.objects().any(|(_, object)| object.reference.name == "mine"));
        tell.send(news("another")).ok().unwrap();
        let mut gathering = Box::pin(follower.gather(due));
        assert_eq!((&mut gathering).now_or_never(), None, "a view without it would be of no use");
        tell.send(news("mine")).ok().unwrap();
        assert_eq!(timeout(Duration::from_secs(10), gathering).await, Ok(true));
    }
}
