//! What lint finds over the whole cluster, told where its owners look: in the status of the object and as an event. Such
//! findings never refuse an object: the other half may be on its way.

mod credentials;

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use kube::{
    Client, ResourceExt,
    api::{ApiResource, DynamicObject, GroupVersionKind, ListParams, Patch, PatchParams},
    runtime::events::{Event, EventType, Recorder},
};
use serde_json::{Value, json};
use tokio::{
    sync::watch,
    time::{Instant, sleep_until, timeout},
};
use weft_api::{Kind, ObjectKey};
use weft_mesh::{Settings, Snapshot, Store};
use weft_model::{Diagnostic, Severity};
use weft_source::kubernetes::{KubernetesOptions, KubernetesSource};

use super::cluster::Cluster;

/// Changes rest this long before everything is looked at again.
const SETTLE: Duration = Duration::from_secs(1);
/// Field manager of what is written into others' status.
const FIELD_MANAGER: &str = "weft-operator-findings";
/// Findings that one object's status lists.
const MAX_MESSAGES: usize = 20;
/// Before what could not be told is tried again.
const RETRY: Duration = Duration::from_secs(30);
/// Time for one write.
const WRITE: Duration = Duration::from_secs(5);

/// What of the configuration cannot be read, a sentence each; `None` before the first look.
pub type Unread = Option<Vec<String>>;

/// Follows the cluster and tells findings until dropped. Those of no object go to `unread`.
pub async fn run(cluster: Cluster, recorder: Recorder, settings: Settings, unread: watch::Sender<Unread>) {
    let options = KubernetesOptions { root_namespace: settings.root_namespace.clone(), ..KubernetesOptions::default() };
    let mut source = KubernetesSource::new(cluster.client.clone(), options);
    let mut store = Store::new(settings);
    let mut objects: Vec<Diagnostic> = Vec::new();
    let mut told = Told { cluster, recorder, messages: HashMap::new(), began: false };
    let mut due: Option<Instant> = None;
    loop {
        let pause = due.unwrap_or_else(|| Instant::now() + Duration::from_secs(3600));
        tokio::select! {
            batch = source.next() => {
                let now = of_no_object(&batch.diagnostics);
                unread.send_if_modified(|told| told.replace(now.clone()) != Some(now));
                objects = batch.diagnostics;
                let applied = tokio::task::spawn_blocking(move || { store.apply(batch.changes); store }).await;
                let Ok(applied) = applied else {
                    tracing::error!("findings are not told any more: indexing was interrupted");
                    return;
                };
                store = applied;
                let settled = Instant::now() + SETTLE;
                due = Some(due.map_or(settled, |due| due.min(settled)));
            }
            () = sleep_until(pause), if due.is_some() && source.synced() => {
                let snapshot = store.snapshot();
                let more = objects.clone();
                let found = tokio::task::spawn_blocking(move || {
                    (by_object(&snapshot, more), credentials::unmet(&snapshot))
                });
                let done = match found.await {
                    Ok((mut found, unmet)) => {
                        let (more, complete) = credentials::confirmed(&told.cluster, unmet).await;
                        add(&mut found, more);
                        told.tell(found).await && complete
                    }
                    Err(error) => {
                        tracing::error!(%error, "looking for findings was interrupted");
                        false
                    }
                };
                due = (!done).then(|| Instant::now() + RETRY);
            }
        }
        if due.is_some_and(|due| due <= Instant::now()) && !source.synced() {
            due = Some(Instant::now() + SETTLE);
        }
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

struct Told {
    cluster: Cluster,
    recorder: Recorder,
    /// What each object's status says, as this process wrote it.
    messages: HashMap<ObjectKey, Value>,
    began: bool,
}

impl Told {
    /// Whether everything could be written.
    async fn tell(&mut self, found: Found) -> bool {
        let mut done = true;
        if !self.began {
            self.began = true;
            self.recall().await;
        }
        let mended: Vec<_> = self.messages.keys().filter(|key| !found.contains_key(*key)).cloned().collect();
        for key in mended {
            if self.write(&key, &json!([])).await {
                self.messages.remove(&key);
            } else {
                done = false;
            }
        }
        for (key, findings) in found {
            let messages = messages(&findings);
            if self.messages.get(&key) == Some(&messages) {
                continue;
            }
            if self.write(&key, &messages).await {
                let old = self.messages.insert(key, messages).unwrap_or_default();
                for finding in findings.iter().filter(|finding| !mentions(&old, finding)).take(MAX_MESSAGES) {
                    self.publish(finding).await;
                }
            } else {
                done = false;
            }
        }
        done
    }

    /// Finds what an earlier leader wrote, so that it is taken back when it is mended.
    async fn recall(&mut self) {
        for kind in Kind::ALL.iter().filter(|kind| kind.group().ends_with(".istio.io")) {
            for version in kind.versions() {
                let resource = resource(*kind, version);
                let api = self.cluster.api(&resource, "");
                let Ok(list) = self.cluster.ask("list objects", api.list(&ListParams::default())).await else {
                    continue;
                };
                for object in list {
                    let messages = object.data["status"]["validationMessages"].clone();
                    if messages.as_array().is_some_and(|all| !all.is_empty()) {
                        let namespace = object.namespace().unwrap_or_default();
                        self.messages.insert(ObjectKey::new(*kind, namespace, object.name_any()), messages);
                    }
                }
                break;
            }
        }
    }

    /// Whether the status now says so; an object that is gone, or has no status, is done with too.
    async fn write(&self, key: &ObjectKey, messages: &Value) -> bool {
        let Some(kind) = Kind::of(&key.group, &key.kind) else { return true };
        let client: &Client = &self.cluster.client;
        for version in kind.versions() {
            let resource = resource(kind, version);
            let api = kube::Api::<DynamicObject>::namespaced_with(client.clone(), &key.namespace, &resource);
            let status = json!({
                "apiVersion": resource.api_version,
                "kind": resource.kind,
                "metadata": {"name": key.name},
                "status": {"validationMessages": messages},
            });
            let params = PatchParams::apply(FIELD_MANAGER).force();
            // A patch by server-side apply would make an object that is gone; on a subresource it does not.
            let written = timeout(WRITE, api.patch_status(&key.name, &params, &Patch::Apply(&status))).await;
            match written {
                Ok(Ok(_)) => return true,
                Ok(Err(kube::Error::Api(status))) if matches!(status.code, 404 | 405) => {}
                Ok(Err(error)) => {
                    tracing::warn!(object = %key, %error, "cannot write findings into the status");
                    return false;
                }
                Err(_) => {
                    tracing::warn!(object = %key, "writing findings into the status takes too long");
                    return false;
                }
            }
        }
        true
    }

    async fn publish(&self, finding: &Diagnostic) {
        let Some(object) = &finding.object else { return };
        let reference = k8s_openapi::api::core::v1::ObjectReference {
            api_version: Some(object.api_version.clone()),
            kind: Some(object.kind.clone()),
            namespace: Some(object.namespace.clone()),
            name: Some(object.name.clone()),
            ..Default::default()
        };
        let event = Event {
            type_: EventType::Warning,
            reason: finding.code.clone(),
            note: Some(sentence(finding).chars().take(900).collect()),
            action: "Lint".into(),
            secondary: None,
        };
        if let Ok(Err(error)) = timeout(WRITE, self.recorder.publish(&event, &reference)).await {
            tracing::warn!(%error, "cannot publish a finding as an event");
        }
    }
}

fn resource(kind: Kind, version: &str) -> ApiResource {
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(kind.group(), version, kind.name()), kind.plural())
}

fn sentence(finding: &Diagnostic) -> String {
    let place = if finding.field.is_empty() { String::new() } else { format!("{}: ", finding.field) };
    let remedy = finding.suggestion.as_ref().map_or_else(String::new, |text| format!(" ({text})"));
    format!("{place}{}{remedy}", finding.message)
}

/// Istio's `status.validationMessages`, with the sentence beside the code.
fn messages(findings: &[Diagnostic]) -> Value {
    let one = |finding: &Diagnostic| {
        let level = if finding.severity == Severity::Error { "ERROR" } else { "WARNING" };
        let code = finding.aliases.first().unwrap_or(&finding.code);
        json!({
            "type": {"name": finding.code, "code": code},
            "level": level,
            "message": sentence(finding),
        })
    };
    Value::Array(findings.iter().take(MAX_MESSAGES).map(one).collect())
}

fn mentions(messages: &Value, finding: &Diagnostic) -> bool {
    let text = sentence(finding);
    messages.as_array().is_some_and(|all| all.iter().any(|message| message["message"] == text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_read_as_istios_messages() {
        let virtual_service = weft_api::parse(
            &json!({
                "apiVersion": "networking.istio.io/v1", "kind": "VirtualService",
                "metadata": {"name": "web", "namespace": "shop"},
                "spec": {"hosts": ["web"], "http": [{"route": [{"destination": {"host": "nowhere"}}]}]},
            }),
            "shop",
        );
        let mut store = Store::new(Settings::default());
        store.apply(vec![weft_api::Change::Put(Arc::new(virtual_service.unwrap().object))]);
        let found = by_object(&store.snapshot(), Vec::new());
        let (key, findings) = found.iter().next().unwrap();
        assert_eq!(key.name, "web");
        let told = messages(findings);
        assert!(told[0]["message"].as_str().unwrap().contains("nowhere"), "{told}");
        assert!(["ERROR", "WARNING"].contains(&told[0]["level"].as_str().unwrap()));
        assert!(mentions(&told, &findings[0]) && !mentions(&json!([]), &findings[0]));
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
