//! The loop over Meshes: every change of a Mesh, or of anything that belongs to one, leads here.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::{Duration, Instant},
};

use futures::{StreamExt, stream};
use kube::{
    ResourceExt,
    api::{DynamicObject, ListParams},
    runtime::{
        Controller,
        controller::{Action, Config},
        events::Recorder,
        reflector::{ObjectRef, Store},
        utils::Backoff,
        watcher,
    },
};
use parking_lot::Mutex;
use serde_json::Value;
use tokio::{sync::watch, time::sleep};
use tokio_stream::wrappers::WatchStream;
use weft_install::names;

use super::{
    cluster::{Cluster, KINDS, mesh_resource},
    conditions, findings, foreign, install,
    problem::Problem,
    pulse::Pulse,
    removal, rivals, rotation, status,
};
use crate::ca::cluster::Secrets;

/// Between two looks whether there is any Mesh.
const ANY: Duration = Duration::from_secs(10);
/// How long events about one Mesh may gather.
const DEBOUNCE: Duration = Duration::from_millis(100);
/// From one failed watch to the next try of any.
const RETRY: Duration = Duration::from_secs(1);
/// How long what a watch failed with is not logged again.
const AGAIN: Duration = Duration::from_secs(60);

/// All watches rest together when one of them fails, so a rest that grew, as it would by default to half a minute and more,
/// would make the loop deaf to Meshes because one kind of their objects is refused. Together they ask once in [`RETRY`].
struct Steady;

impl Iterator for Steady {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        Some(RETRY)
    }
}

impl Backoff for Steady {
    fn reset(&mut self) {}
}

/// Failures of watches that were logged within [`AGAIN`], and when: no more than there are tries in it.
#[derive(Default)]
struct Told(Mutex<HashMap<String, Instant>>);

impl Told {
    /// Whether a failure is to be logged: each once in [`AGAIN`].
    fn is_news(&self, error: &str) -> bool {
        let mut told = self.0.lock();
        told.retain(|_, at| at.elapsed() < AGAIN);
        let news = !told.contains_key(error);
        if news {
            told.insert(error.to_owned(), Instant::now());
        }
        news
    }
}

/// What every reconciliation needs.
pub struct Context {
    /// The API server.
    pub cluster: Cluster,
    /// Publishes events.
    pub recorder: Recorder,
    /// Namespace of the installation.
    pub namespace: String,
    /// Every Mesh, as last seen.
    pub meshes: Store<DynamicObject>,
    /// Whether there is a mesh whose roots belong into every namespace.
    pub active: watch::Sender<bool>,
    /// What Meshes answer to, for findings.
    pub answering: watch::Sender<findings::Names>,
    /// Version of the roots that every namespace has.
    pub spread: watch::Receiver<Option<String>>,
    /// What of the configuration cannot be read.
    pub unread: watch::Receiver<findings::Unread>,
    /// Is told of each pass.
    pub pulse: Pulse,
    /// Since when the findings of the last Mesh are being taken back, and that Mesh's UID.
    pub forgetting: Mutex<Option<(String, Instant)>>,
    /// Where that stands.
    pub forgotten: Mutex<findings::Forgetting>,
    /// When what others added was taken away.
    pub corrections: foreign::Corrections,
}

impl Context {
    /// How long it is that findings are being taken back for this Mesh.
    pub fn forgets_since(&self, mesh: &DynamicObject) -> Duration {
        let uid = mesh.uid().unwrap_or_default();
        let mut slot = self.forgetting.lock();
        let known = slot.as_ref().filter(|(known, _)| *known == uid).map(|(_, since)| *since);
        let since = known.unwrap_or_else(Instant::now);
        *slot = Some((uid, since));
        since.elapsed()
    }

    /// Requests of all Meshes for a rotation of the root.
    pub fn rotation_requests(&self) -> BTreeSet<String> {
        let request = |mesh: &DynamicObject| {
            let value = mesh.annotations().get(rotation::REQUEST).filter(|value| !value.is_empty())?;
            Some(format!("{}:{value}", mesh.uid()?))
        };
        self.meshes.state().iter().filter_map(|mesh| request(mesh)).collect()
    }

    /// Revisions of all Meshes.
    pub fn revisions(&self) -> BTreeSet<String> {
        self.meshes.state().iter().map(|mesh| rivals::revision(mesh)).collect()
    }

    /// Says which names Meshes answer to, where that is news.
    fn answer(&self) {
        let names = Some(rivals::installed(&self.meshes.state()));
        self.answering.send_if_modified(|told| {
            let news = *told != names;
            *told = names;
            news
        });
    }

    /// Whether another Mesh than this one is there. Asked of the API server: what a watch knows may be a moment old.
    pub async fn has_others(&self, mesh: &DynamicObject) -> Result<bool, Problem> {
        let api = self.cluster.api(&mesh_resource(), "");
        let all = self.cluster.ask("list Meshes", api.list_metadata(&ListParams::default())).await?;
        Ok(all.items.iter().any(|other| other.metadata.uid != mesh.metadata.uid))
    }
}

/// What the loop tells others, and hears from them.
pub struct Signals {
    /// [`Context::active`].
    pub active: watch::Sender<bool>,
    /// [`Context::answering`].
    pub answering: watch::Sender<findings::Names>,
    /// [`Context::spread`].
    pub spread: watch::Receiver<Option<String>>,
    /// [`Context::unread`].
    pub unread: watch::Receiver<findings::Unread>,
    /// [`Context::pulse`].
    pub pulse: Pulse,
}

/// Reconciles until dropped.
pub async fn run(
    cluster: Cluster,
    recorder: Recorder,
    namespace: String,
    secrets: watch::Receiver<Option<Secrets>>,
    signals: Signals,
) {
    let Signals { active, answering, spread, unread, pulse } = signals;
    let meshes = cluster.api(&mesh_resource(), "");
    let mut controller = Controller::new_with(meshes, watcher::Config::default(), mesh_resource())
        .with_config(Config::default().debounce(DEBOUNCE).concurrency(1))
        .trigger_backoff(Steady);
    let ours = watcher::Config::default().labels(names::MESH_LABEL);
    for kind in KINDS {
        let resource = kind.resource();
        let api = cluster.api(&resource, kind.namespace(&namespace));
        controller = controller.watches_with(api, resource, ours.clone(), |object: DynamicObject| {
            let mesh = object.labels().get(names::MESH_LABEL).cloned();
            mesh.map(|name| ObjectRef::new_with(&name, mesh_resource()))
        });
    }
    let known = controller.store();
    let gives_up = move |changed: DynamicObject| rivals::waiting(&known.state(), &changed);
    let all = cluster.api(&mesh_resource(), "");
    controller = controller.watches_with(all, mesh_resource(), watcher::Config::default(), gives_up);
    let changes = stream::select(
        WatchStream::from_changes(secrets).map(|_| ()),
        stream::select(
            WatchStream::from_changes(spread.clone()).map(|_| ()),
            WatchStream::from_changes(unread.clone()).map(|_| ()),
        ),
    );
    let controller = controller.reconcile_all_on(changes);
    let meshes = controller.store();
    let context = Context {
        cluster,
        recorder,
        namespace,
        meshes,
        active,
        answering,
        spread,
        unread,
        pulse,
        forgetting: Mutex::default(),
        forgotten: Mutex::default(),
        corrections: foreign::Corrections::default(),
    };
    let context = Arc::new(context);
    let (meshes, pulse) = (context.meshes.clone(), context.pulse.clone());
    let told = &Told::default();
    let work = controller
        .run(reconcile, |_, problem: &Problem, _| Action::requeue(problem.reason.retry()), context)
        .for_each(|done| async move {
            match done {
                Ok((mesh, _)) => tracing::debug!(mesh = mesh.name, "reconciled"),
                Err(kube::runtime::controller::Error::ReconcilerFailed(problem, mesh)) => {
                    tracing::warn!(mesh = mesh.name, reason = problem.reason.as_str(), "{problem}");
                }
                Err(error) if told.is_news(&error.to_string()) => {
                    tracing::warn!(%error, "cannot watch what belongs to meshes");
                }
                Err(_) => {}
            }
        });
    tokio::select! {
        () = work => {}
        () = rest(meshes, pulse) => {}
    }
}

/// Expects no pass while there is no Mesh to come back to: one that never was installed goes without a word.
async fn rest(meshes: Store<DynamicObject>, pulse: Pulse) {
    loop {
        sleep(ANY).await;
        if meshes.state().iter().all(|mesh| mesh.metadata.deletion_timestamp.is_some()) {
            pulse.idle();
        }
    }
}

async fn reconcile(mesh: Arc<DynamicObject>, context: Arc<Context>) -> Result<Action, Problem> {
    let mut pass = context.pulse.pass(Instant::now());
    context.answer();
    if mesh.metadata.deletion_timestamp.is_some() {
        pass.again = false;
        return removal::remove(&context, &mesh).await;
    }
    let (mut facts, action) = install::install(&context, &mesh).await;
    facts.conditions.unread = context.unread.borrow().clone();
    let mut next = status::of(&mesh);
    let (all, waiting) = conditions::conditions(&facts.conditions);
    next.observed_generation = mesh.metadata.generation.unwrap_or(0);
    facts.into_status(&mut next);
    next.waiting_for = waiting;
    let news = status::merge(&mut next, all);
    status::write(&context.cluster, &context.recorder, &mesh, &next, &news).await?;
    action
}

/// A Mesh as JSON, with the type that an API server's lists leave out.
pub fn as_json(mesh: &DynamicObject) -> Value {
    let mut value = serde_json::to_value(mesh).unwrap_or_default();
    let resource = mesh_resource();
    value["apiVersion"] = resource.api_version.into();
    value["kind"] = resource.kind.into();
    value
}

#[cfg(test)]
mod tests {
    use futures::future;
    use kube::runtime::utils::StreamBackoff;
    use tokio::time::timeout;

    use super::*;

    #[test]
    fn two_kinds_that_are_refused_fill_no_log() {
        let told = Told::default();
        let logged = ["a", "b", "a", "b"].map(|error| told.is_news(error));
        assert_eq!(logged, [true, true, false, false]);
    }

    #[tokio::test]
    async fn a_kind_that_is_refused_keeps_the_loop_from_nothing_else() {
        // A watch that fails whenever it is polled, and a Mesh that changes after a few failures.
        let (change, changes) = tokio::sync::mpsc::unbounded_channel();
        let refused = stream::repeat_with(|| Err("429"));
        let meshes = tokio_stream::wrappers::UnboundedReceiverStream::new(changes).map(Ok);
        let mut all = StreamBackoff::new(stream::select(refused, meshes), Steady).boxed();
        for _ in 0..4 {
            assert_eq!(all.next().await, Some(Err("429")));
        }
        change.send("mesh").unwrap();
        let mut heard = all.by_ref().filter(|item| future::ready(item.is_ok()));
        assert_eq!(timeout(3 * RETRY, heard.next()).await, Ok(Some(Ok("mesh"))), "the fifth rest would be longer");
    }
}
