//! Findings in the status of objects, and as events.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ManagedFieldsEntry, ObjectMeta};
use kube::{
    Api,
    api::{ApiResource, DynamicObject, GroupVersionKind, ListParams, Patch, PatchParams},
    runtime::events::{Event, EventType, Recorder},
};
use serde_json::{Value, json};
use tokio::{sync::watch, time::timeout};
use weft_api::{Kind, ObjectKey};
use weft_model::{Diagnostic, Severity};

use super::{Found, Names};
use crate::reconcile::{
    cluster::Cluster,
    problem::{Problem, Reason},
};

/// Field manager of what is written into others' status.
const FIELD_MANAGER: &str = "weft-operator-findings";
/// Findings that one object's status lists.
const MAX_MESSAGES: usize = 20;
/// Objects of one page of a list: of a large cluster they are never all in memory, with all that others note in them.
const PAGE: u32 = 500;
/// Statuses of one kind that may fail to be written before a pass leaves the rest of that kind to the next one.
const MAX_FAILURES: usize = 5;
/// Time for one pass that takes findings back, beside the request that is under way then: nothing else is reconciled meanwhile.
const PASS: Duration = Duration::from_secs(10);
/// Time for one event.
const WRITE: Duration = Duration::from_secs(5);

/// Tells findings, and takes back those that are mended.
pub(super) struct Told {
    pub(super) cluster: Cluster,
    recorder: Recorder,
    names: watch::Receiver<Names>,
    /// What each object's status says, as the operator wrote it.
    messages: HashMap<ObjectKey, Value>,
    /// Kinds in which what an earlier leader wrote has still to be found.
    unlisted: Vec<Kind>,
}

impl Told {
    /// Has told nothing.
    pub(super) fn new(cluster: Cluster, recorder: Recorder, names: watch::Receiver<Names>) -> Self {
        Self { cluster, recorder, names, messages: HashMap::new(), unlisted: kinds().collect() }
    }

    /// Whether everything could be written.
    pub(super) async fn tell(&mut self, found: Found) -> bool {
        let mut done = self.recall().await;
        let mended: Vec<_> = self.messages.keys().filter(|key| !found.contains_key(*key)).cloned().collect();
        for key in mended {
            if self.write(&key, None).await {
                self.messages.remove(&key);
            } else {
                done = false;
            }
        }
        for (key, findings) in found {
            // The last Mesh goes, and takes along what stands in any status.
            if self.names.borrow().as_ref().is_none_or(|names| names.is_empty()) {
                return true;
            }
            let messages = messages(&findings);
            if self.messages.get(&key) == Some(&messages) {
                continue;
            }
            if self.write(&key, Some(&messages)).await {
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

    /// Finds what an earlier leader wrote, so that it is taken back when it is mended. What others wrote is theirs. A kind that
    /// cannot be listed is looked at again with the next findings; whether none waits for an API server that is away.
    async fn recall(&mut self) -> bool {
        let mut done = true;
        for kind in std::mem::take(&mut self.unlisted) {
            let messages = &mut self.messages;
            let listed = each_told(&self.cluster, kind, |key, told| drop(messages.insert(key, told))).await;
            if let Err(problem) = listed {
                tracing::debug!(%problem, "cannot look for findings of an earlier leader");
                done &= !problem.reason.passes();
                self.unlisted.push(kind);
            }
        }
        done
    }

    async fn write(&self, key: &ObjectKey, messages: Option<&Value>) -> bool {
        let written = write(&self.cluster, key, messages).await;
        if let Err(problem) = &written {
            tracing::warn!(object = %key, %problem, "cannot write findings into the status");
        }
        written.is_ok()
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

/// What a pass that takes findings back leaves to the next one.
#[derive(Debug, Default)]
pub struct Forgetting {
    /// Index of the kind to begin with.
    from: usize,
    /// How often each status could not be written: what failed least comes first.
    failures: HashMap<ObjectKey, u32>,
}

/// What a pass that takes findings back came to.
#[derive(Debug, Default)]
pub(in crate::reconcile) struct Forgotten {
    /// Statuses that were written.
    pub(in crate::reconcile) count: usize,
    /// Whether it ended before it had seen every kind.
    pub(in crate::reconcile) more: bool,
    /// The first problem that may pass. What may not be written at all stays, and is none.
    pub(in crate::reconcile) problem: Option<Problem>,
}

impl Forgotten {
    /// Whether there was nothing left.
    pub(in crate::reconcile) fn is_all(&self) -> bool {
        self.count == 0 && !self.more && self.problem.is_none()
    }
}

/// Takes back everything that was ever told, whoever led then. One status that cannot be written now keeps no other, and no
/// kind another kind.
pub(in crate::reconcile) async fn forget(cluster: &Cluster, state: &mut Forgetting) -> Forgotten {
    forget_within(cluster, state, PASS).await
}

/// The same for about so long. The next pass goes on with the kind after the last one.
async fn forget_within(cluster: &Cluster, state: &mut Forgetting, time: Duration) -> Forgotten {
    let began = Instant::now();
    let mut done = Forgotten::default();
    let kinds: Vec<Kind> = kinds().collect();
    for _ in 0..kinds.len() {
        if done.more {
            return done;
        }
        let kind = kinds[state.from % kinds.len()];
        state.from = (state.from + 1) % kinds.len();
        let mut keys = match told_of(cluster, kind).await {
            Ok(keys) => keys,
            Err(problem) => {
                if problem.reason.passes() {
                    done.problem.get_or_insert(problem);
                }
                Vec::new()
            }
        };
        keys.sort_by_key(|key| state.failures.get(key).copied().unwrap_or(0));
        let mut failed = 0;
        for key in keys {
            if let Err(problem) = write(cluster, &key, None).await {
                if problem.reason.passes() {
                    failed += 1;
                    done.problem.get_or_insert(problem);
                } else {
                    tracing::warn!(object = %key, %problem, "findings stay in a status");
                }
                *state.failures.entry(key).or_default() += 1;
            } else {
                done.count += 1;
            }
            if failed >= MAX_FAILURES || began.elapsed() >= time {
                break;
            }
        }
        done.more = began.elapsed() >= time;
    }
    done
}

/// Objects whose status still tells something of ours, as `Kind namespace/name`; of kinds that cannot be listed, their name.
pub(in crate::reconcile) async fn kept(cluster: &Cluster) -> Vec<String> {
    let mut kept = Vec::new();
    for kind in kinds() {
        match told_of(cluster, kind).await {
            Ok(keys) => kept.extend(keys.iter().map(ToString::to_string)),
            Err(_) => kept.push(format!("any of the {}, which cannot be listed", kind.plural())),
        }
    }
    kept
}

/// Objects of a kind whose status tells something of ours.
async fn told_of(cluster: &Cluster, kind: Kind) -> Result<Vec<ObjectKey>, Problem> {
    let mut keys = Vec::new();
    each_told(cluster, kind, |key, _| keys.push(key)).await?;
    Ok(keys)
}

/// Shows each object of a kind whose status tells something of ours, with what it tells; page by page. A kind that is not
/// served has none.
async fn each_told(cluster: &Cluster, kind: Kind, mut seen: impl FnMut(ObjectKey, Value)) -> Result<(), Problem> {
    let doing = format!("list {}", kind.plural());
    'versions: for version in kind.versions() {
        let api = cluster.api(&resource(kind, version), "");
        let mut params = ListParams::default().limit(PAGE);
        loop {
            let page = match cluster.ask(&doing, api.list(&params)).await {
                Ok(page) => page,
                Err(problem) if problem.reason == Reason::MissingKind => continue 'versions,
                Err(problem) => return Err(problem),
            };
            for object in page.items.iter().filter(|object| is_told(&object.metadata)) {
                seen(key_of(kind, &object.metadata), object.data["status"]["validationMessages"].clone());
            }
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => params = params.continue_token(&token),
                None => return Ok(()),
            }
        }
    }
    Ok(())
}

/// Makes the status say so, or nothing of ours any more. An object that is gone, or has no status, is done with too.
async fn write(cluster: &Cluster, key: &ObjectKey, messages: Option<&Value>) -> Result<(), Problem> {
    let Some(kind) = Kind::of(&key.group, &key.kind) else { return Ok(()) };
    for version in kind.versions() {
        let resource = resource(kind, version);
        let api = Api::<DynamicObject>::namespaced_with(cluster.client.clone(), &key.namespace, &resource);
        // A field that an apply leaves out goes, unless others have it too. An empty status would be ours, and be made `null`
        // when its last field goes, which the kind's schema refuses.
        let mut status = json!({
            "apiVersion": resource.api_version,
            "kind": resource.kind,
            "metadata": {"name": key.name},
        });
        if let Some(messages) = messages {
            status["status"] = json!({"validationMessages": messages});
        }
        let params = PatchParams::apply(FIELD_MANAGER).force();
        // A patch by server-side apply would make an object that is gone; on a subresource it does not.
        let doing = format!("write the status of {key}");
        match cluster.ask(&doing, api.patch_status(&key.name, &params, &Patch::Apply(&status))).await {
            Err(problem) if problem.reason == Reason::MissingKind => {}
            written => return written.map(|_| ()),
        }
    }
    Ok(())
}

/// Whether an object's status tells something of ours, as the API server remembers. An entry of ours that owns no messages is
/// what is left of one that was taken back.
fn is_told(meta: &ObjectMeta) -> bool {
    let owns = |entry: &ManagedFieldsEntry| {
        entry.fields_v1.as_ref().is_some_and(|fields| !fields.0["f:status"]["f:validationMessages"].is_null())
    };
    meta.managed_fields.iter().flatten().any(|entry| entry.manager.as_deref() == Some(FIELD_MANAGER) && owns(entry))
}

fn key_of(kind: Kind, meta: &ObjectMeta) -> ObjectKey {
    ObjectKey::new(kind, meta.namespace.clone().unwrap_or_default(), meta.name.clone().unwrap_or_default())
}

/// Kinds whose status is ours to write.
fn kinds() -> impl Iterator<Item = Kind> {
    Kind::ALL.iter().copied().filter(|kind| kind.group().ends_with(".istio.io"))
}

fn resource(kind: Kind, version: &str) -> ApiResource {
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(kind.group(), version, kind.name()), kind.plural())
}

pub(super) fn sentence(finding: &Diagnostic) -> String {
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
mod tests;
