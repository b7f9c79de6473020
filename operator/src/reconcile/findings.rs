//! What lint finds over the whole cluster, told where its owners look: in the status of the object and as an event. Such
//! findings never refuse an object: the other half may be on its way. Told is what a Mesh answers for: nothing while there is
//! none, and nothing about configuration that names another control plane.

mod credentials;
mod told;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use kube::runtime::events::Recorder;
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};
use weft_api::{Change, ObjectKey, core::REVISION_LABEL};
use weft_mesh::{Settings, Snapshot, Store};
use weft_model::{Diagnostic, Severity};
use weft_source::kubernetes::{KubernetesOptions, KubernetesSource};

use self::told::{Told, sentence};
use super::cluster::Cluster;

pub use told::Forgetting;
pub(super) use told::{forget, kept};

/// Changes rest this long before everything is looked at again: while pods come and go, that is the dearest of what this
/// program does.
const SETTLE: Duration = Duration::from_secs(5);
/// The longest that a change waits for others.
const LIMIT: Duration = Duration::from_secs(20);
/// Before what could not be told is tried again.
const RETRY: Duration = Duration::from_secs(30);

/// Revisions and tags that Meshes answer to; `None` before any Mesh was looked at.
pub type Names = Option<BTreeSet<String>>;

/// What of the configuration cannot be read, a sentence each; `None` before the first look.
pub type Unread = Option<Vec<String>>;

/// Follows the cluster and tells findings until dropped. Those of no object go to `unread`.
pub async fn run(
    cluster: Cluster,
    recorder: Recorder,
    settings: Settings,
    mut names: watch::Receiver<Names>,
    unread: watch::Sender<Unread>,
) {
    // No finding reads endpoints, which are a good part of a cluster and change most often.
    let options = KubernetesOptions {
        root_namespace: settings.root_namespace.clone(),
        endpoints: false,
        ..KubernetesOptions::default()
    };
    let mut source = KubernetesSource::new(cluster.client.clone(), options);
    let mut store = Store::new(settings);
    let mut objects: Vec<Diagnostic> = Vec::new();
    let mut changes: Vec<Change> = Vec::new();
    let mut told = Told::new(cluster, recorder, names.clone());
    let mut pace = Pace::default();
    loop {
        let pause = pace.due.unwrap_or_else(|| Instant::now() + Duration::from_secs(3600));
        tokio::select! {
            batch = source.next() => {
                let now = of_no_object(&batch.diagnostics);
                unread.send_if_modified(|told| told.replace(now.clone()) != Some(now));
                let changed = !batch.changes.is_empty();
                changes.extend(batch.changes);
                if changed || batch.diagnostics != objects {
                    pace.changed(Instant::now());
                }
                objects = batch.diagnostics;
            }
            Ok(()) = names.changed() => pace.now(Instant::now()),
            () = sleep_until(pause), if pace.due.is_some() => {
                let synced = source.synced();
                let ours = names.borrow_and_update().clone().filter(|_| synced);
                let looks = ours.as_ref().is_some_and(|ours| !ours.is_empty());
                let (news, more) = (std::mem::take(&mut changes), objects.clone());
                let found = tokio::task::spawn_blocking(move || {
                    store.apply(news);
                    let snapshot = store.snapshot();
                    let found = looks.then(|| (by_object(&snapshot, more), credentials::unmet(&snapshot)));
                    (store, snapshot, found.unwrap_or_default())
                });
                let (kept, snapshot, (mut found, unmet)) = match found.await {
                    Ok(done) => done,
                    Err(error) => {
                        tracing::error!(%error, "findings are not told any more: looking for them was interrupted");
                        return;
                    }
                };
                store = kept;
                let again = match ours {
                    Some(ours) => {
                        let (more, complete) = credentials::confirmed(&told.cluster, unmet).await;
                        add(&mut found, more);
                        found.retain(|key, _| is_ours(&snapshot, key, &ours));
                        let done = told.tell(found).await && complete;
                        (!done).then_some(RETRY)
                    }
                    // The first Mesh that comes is told of at once.
                    None => (!synced).then_some(SETTLE),
                };
                pace = Pace { first: None, due: again.map(|after| Instant::now() + after) };
            }
        }
    }
}

/// When everything is looked at.
#[derive(Debug, Default)]
struct Pace {
    /// The first change that was not looked at.
    first: Option<Instant>,
    due: Option<Instant>,
}

impl Pace {
    fn changed(&mut self, now: Instant) {
        let first = *self.first.get_or_insert(now);
        self.due = Some((now + SETTLE).min(first + LIMIT));
    }

    fn now(&mut self, now: Instant) {
        self.due = Some(now);
    }
}

/// Kinds and Secrets that cannot be read have no object whose status could tell it.
fn of_no_object(findings: &[Diagnostic]) -> Vec<String> {
    let all = findings.iter().filter(|finding| finding.object.is_none() && finding.severity != Severity::Info);
    all.map(sentence).collect()
}

/// Findings by object, of kinds whose status is ours to write.
type Found = BTreeMap<ObjectKey, Vec<Diagnostic>>;

fn by_object(snapshot: &Arc<Snapshot>, more: Vec<Diagnostic>) -> Found {
    let mut found = Found::new();
    add(&mut found, weft_lint::analyze(snapshot, &weft_lint::Options::default()));
    add(&mut found, more);
    found
}

fn add(found: &mut Found, findings: Vec<Diagnostic>) {
    for finding in findings {
        let Some(key) = finding.object.as_ref().map(ObjectKey::from) else { continue };
        if finding.severity != Severity::Info && key.group.ends_with(".istio.io") {
            found.entry(key).or_default().push(finding);
        }
    }
}

/// Whether a Mesh answers for an object: there is one, and the object names none or this one.
fn is_ours(snapshot: &Snapshot, key: &ObjectKey, names: &BTreeSet<String>) -> bool {
    let named = snapshot.object(key).and_then(|object| object.meta.labels.get(REVISION_LABEL));
    !names.is_empty() && named.is_none_or(|name| name.is_empty() || names.contains(name))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    pub(super) fn virtual_service(name: &str, labels: &Value) -> Change {
        let parsed = weft_api::parse(
            &json!({
                "apiVersion": "networking.istio.io/v1", "kind": "VirtualService",
                "metadata": {"name": name, "namespace": "shop", "labels": labels},
                "spec": {"hosts": ["web"], "http": [{"route": [{"destination": {"host": "nowhere"}}]}]},
            }),
            "shop",
        );
        Change::Put(Arc::new(parsed.unwrap().object))
    }

    #[test]
    fn only_what_a_mesh_answers_for_is_told() {
        let mut store = Store::new(Settings::default());
        let labelled = |name: &str, revision: &str| virtual_service(name, &json!({"istio.io/rev": revision}));
        store.apply(vec![virtual_service("plain", &json!({})), labelled("own", "prod"), labelled("istios", "1-24")]);
        let snapshot = store.snapshot();
        let told = |names: &[&str]| -> Vec<String> {
            let names: BTreeSet<String> = names.iter().map(|name| (*name).to_owned()).collect();
            let found = by_object(&snapshot, Vec::new()).into_keys().filter(|key| is_ours(&snapshot, key, &names));
            found.map(|key| key.name).collect()
        };
        assert_eq!(told(&["default", "prod"]), ["own", "plain"]);
        assert!(told(&[]).is_empty(), "there is no Mesh");
    }

    #[test]
    fn changes_rest_and_do_not_wait_for_ever() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut pace = Pace::default();
        pace.changed(start);
        assert_eq!(pace.due, Some(at(5)));
        (1..=19).for_each(|second| pace.changed(at(second)));
        assert_eq!(pace.due, Some(at(20)), "pods that come and go all the time hide nothing");
        pace.now(at(19));
        assert_eq!(pace.due, Some(at(19)));
    }

    #[test]
    fn what_cannot_be_read_is_told_of_no_object() {
        let finding = |object: Option<weft_model::ObjectRef>, severity| Diagnostic {
            code: weft_api::code::FORBIDDEN.to_owned(),
            aliases: Vec::new(),
            severity,
            message: "the API server does not let us read Gateway objects".to_owned(),
            object,
            field: String::new(),
            file: None,
            line: None,
            column: None,
            suggestion: Some("bind a ClusterRole".to_owned()),
        };
        let findings = [
            finding(None, Severity::Error),
            finding(None, Severity::Info),
            finding(Some(weft_model::ObjectRef::default()), Severity::Error),
        ];
        let expected = "the API server does not let us read Gateway objects (bind a ClusterRole)";
        assert_eq!(of_no_object(&findings), [expected]);
    }
}
