//! Writing a Mesh's status, and an event for each change that people should hear of.

use k8s_openapi::{api::core::v1::ObjectReference, jiff::Timestamp};
use kube::{
    Resource,
    api::{DynamicObject, Patch, PatchParams},
    runtime::events::{Event, EventType, Recorder},
};
use serde_json::{Value, json};
use weft_api::mesh::{Condition, ConditionStatus, MeshStatus};

use super::{
    cluster::{Cluster, mesh_resource},
    conditions::{COMPONENTS_NOT_READY, NO_REPLICA_READY, PROGRESSING, wants_a_look},
    problem::Problem,
};

/// The status that a Mesh has now.
pub fn of(mesh: &DynamicObject) -> MeshStatus {
    mesh.data.get("status").and_then(|status| serde_json::from_value(status.clone()).ok()).unwrap_or_default()
}

/// Puts `conditions` into `status`; gives those whose status or reason is new.
pub fn merge(status: &mut MeshStatus, conditions: Vec<Condition>) -> Vec<Condition> {
    let now = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let mut news = Vec::new();
    for condition in conditions {
        let condition = Condition { last_transition_time: now.clone(), ..condition };
        let before = status.condition(&condition.kind).map(|old| (old.status, old.reason.clone()));
        if before != Some((condition.status, condition.reason.clone())) {
            news.push(condition.clone());
        }
        status.set_condition(condition);
    }
    news
}

/// Writes `status` if it differs, and tells `news` as events.
pub async fn write(
    cluster: &Cluster,
    recorder: &Recorder,
    mesh: &DynamicObject,
    status: &MeshStatus,
    news: &[Condition],
) -> Result<(), Problem> {
    if *status == of(mesh) && mesh.data.get("status").is_some() {
        return Ok(());
    }
    let name = mesh.metadata.name.as_deref().unwrap_or_default();
    let api = cluster.api(&mesh_resource(), "");
    // Only the leader writes here, so the whole of it is replaced; `test` keeps a Mesh of the same name, made anew, clean.
    let patch: Result<json_patch::Patch, _> = serde_json::from_value(json!([
        {"op": "test", "path": "/metadata/uid", "value": mesh.metadata.uid},
        {"op": "add", "path": "/status", "value": status},
    ]));
    let Ok(patch) = patch else { return Ok(()) };
    let params = PatchParams::default();
    let patch = Patch::Json::<()>(patch);
    let write = api.patch_status(name, &params, &patch);
    cluster.ask(&format!("write the status of Mesh {name}"), write).await?;
    for condition in news.iter().filter(|condition| condition.kind != PROGRESSING) {
        tracing::info!(
            mesh = name, condition = condition.kind, status = ?condition.status, reason = condition.reason, "{}", condition.message
        );
        tell(recorder, mesh, condition, status.version.is_empty()).await;
    }
    Ok(())
}

/// Whether a condition is no reason to worry. A Mesh that was never complete (`starting`) waits for its first pods.
fn good(condition: &Condition, starting: bool) -> bool {
    let expected = starting && [COMPONENTS_NOT_READY, NO_REPLICA_READY].contains(&condition.reason.as_str());
    !wants_a_look(condition)
        && (expected || (condition.status == ConditionStatus::True) == (condition.kind != super::conditions::DELETING))
}

async fn tell(recorder: &Recorder, mesh: &DynamicObject, condition: &Condition, starting: bool) {
    let type_ = if good(condition, starting) { EventType::Normal } else { EventType::Warning };
    publish(recorder, mesh, type_, &condition.reason, &format!("{}: {}", condition.kind, condition.message), None)
        .await;
}

/// Tells that what others did to `object`, one of ours, was put right: the first field, and words of all. Events of
/// different objects or fields are not counted as one.
pub async fn corrected(recorder: &Recorder, mesh: &DynamicObject, object: &Value, (field, words): (&str, &str)) {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let reference = ObjectReference {
        api_version: text(&object["apiVersion"]),
        kind: text(&object["kind"]),
        name: text(&object["metadata"]["name"]),
        namespace: text(&object["metadata"]["namespace"]),
        field_path: Some(field.to_owned()),
        ..ObjectReference::default()
    };
    publish(recorder, mesh, EventType::Warning, "Corrected", words, Some(reference)).await;
}

async fn publish(
    recorder: &Recorder,
    mesh: &DynamicObject,
    type_: EventType,
    reason: &str,
    note: &str,
    secondary: Option<ObjectReference>,
) {
    let note = Some(note.chars().take(900).collect());
    let event = Event { type_, reason: reason.into(), note, action: "Reconcile".into(), secondary };
    let reference = mesh.object_ref(&mesh_resource());
    match tokio::time::timeout(std::time::Duration::from_secs(5), recorder.publish(&event, &reference)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, "cannot publish an event"),
        Err(_) => tracing::warn!("publishing an event takes too long"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reconcile::conditions;

    fn ready(status: ConditionStatus, reason: &str, message: &str) -> Condition {
        Condition {
            kind: "Ready".into(),
            status,
            reason: reason.into(),
            message: message.into(),
            ..Condition::default()
        }
    }

    #[test]
    fn a_first_start_is_no_warning() {
        let waits = ready(ConditionStatus::False, COMPONENTS_NOT_READY, "0 of 3");
        assert!(good(&waits, true) && !good(&waits, false));
        assert!(!good(&ready(ConditionStatus::False, "Unschedulable", "pod a: Unschedulable"), true));
        assert!(!good(&ready(ConditionStatus::False, "Forbidden", "no"), true));
        for look in [conditions::ROOTS_KEPT, conditions::DISPUTED] {
            assert!(!good(&ready(ConditionStatus::True, look, "until"), false));
        }
        let deleting = |status| Condition { kind: "Deleting".into(), ..ready(status, "PodsRun", "") };
        assert!(!good(&deleting(ConditionStatus::True), false) && good(&deleting(ConditionStatus::False), false));
    }

    #[test]
    fn news_is_a_change_of_status_or_reason() {
        let mut status = MeshStatus::default();
        assert_eq!(merge(&mut status, vec![ready(ConditionStatus::False, "Waiting", "0 of 3")]).len(), 1);
        assert!(merge(&mut status, vec![ready(ConditionStatus::False, "Waiting", "1 of 3")]).is_empty());
        assert_eq!(status.condition("Ready").unwrap().message, "1 of 3");
        assert_eq!(merge(&mut status, vec![ready(ConditionStatus::False, "Forbidden", "no")]).len(), 1);
        assert_eq!(merge(&mut status, vec![ready(ConditionStatus::True, "Ready", "yes")]).len(), 1);
        assert_eq!(status.conditions.len(), 1);
    }
}
