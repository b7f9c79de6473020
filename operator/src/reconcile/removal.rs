//! Takes an installation away: webhooks first, so that no pod creation is ever blocked; then waits for the pods that
//! need its certificates; then everything, until nothing of it is left.

use std::time::Duration;

use k8s_openapi::{api::core::v1::Secret, jiff::Timestamp};
use kube::{
    Api, ResourceExt,
    api::{DynamicObject, Patch, PatchParams},
    core::PartialObjectMeta,
    runtime::controller::Action,
};
use serde_json::json;
use time::OffsetDateTime;
use weft_api::mesh::{Condition, ConditionStatus, MeshSpec};
use weft_install::names;

use super::{
    cluster::{Cluster, Name, Present, mesh_resource, resource},
    conditions::{self, DELETING, FORCE},
    controller::{Context, as_json},
    findings, injected, install,
    problem::{Problem, Reason},
    status,
};
use crate::ca::cluster_tokens;

/// Looks again while pods are waited for.
const PODS: Duration = Duration::from_secs(2);
/// Looks again while objects are going.
const GOING: Duration = Duration::from_millis(500);

/// How long findings that cannot be taken back out of others' status may keep the last Mesh.
const FORGETTING: Duration = Duration::from_secs(60);

/// Reason: injected pods run.
const WAITING_FOR_PODS: &str = "WaitingForPods";
/// Reason: injected pods run, and somebody wants it all the same.
const FORCED: &str = "Forced";
/// Reason: nothing is in the way.
const REMOVING: &str = "Removing";
/// Reason: everything is gone but what some objects' status says.
const FINDINGS_KEPT: &str = "FindingsKept";

/// Removes what belongs to a Mesh that was deleted. What keeps it from getting through is told by the Mesh, unless it passes.
pub async fn remove(context: &Context, mesh: &DynamicObject) -> Result<Action, Problem> {
    if !mesh.finalizers().iter().any(|finalizer| finalizer == names::FINALIZER) {
        return Ok(Action::await_change());
    }
    let done = steps(context, mesh).await;
    if let Err(problem) = &done
        && !problem.reason.passes()
    {
        let text = format!("{problem}. The Mesh goes once that is put right");
        if let Err(untold) = say(context, mesh, problem.reason.as_str(), text).await {
            tracing::warn!(mesh = mesh.name_any(), problem = %untold, "cannot tell why the Mesh is not removed");
        }
    }
    done
}

/// A step is told once it was done, so that one which fails again and again writes the same each time.
async fn steps(context: &Context, mesh: &DynamicObject) -> Result<Action, Problem> {
    let cluster = &context.cluster;
    let namespace = &context.namespace;
    let spec = spec(mesh);
    let ttl = install::terms(&spec).max_ttl;
    let uid = mesh.uid().unwrap_or_default();
    let ours = |object: &Present| object.managed && object.owners.contains(&uid);
    let present: Vec<Present> =
        cluster.inventory(&mesh.name_any(), namespace).await?.into_iter().filter(ours).collect();
    for webhook in present.iter().filter(|o| o.resource.group == "admissionregistration.k8s.io" && !o.terminating) {
        cluster.delete(webhook).await?;
        tracing::info!(object = %webhook.name, "removed a webhook");
    }

    let pods = injected::alive(cluster, spec.revision_label()).await?;
    let forced = mesh.annotations().get(FORCE).is_some_and(|value| value == "true");
    if !pods.is_empty() && !forced {
        say(context, mesh, WAITING_FOR_PODS, conditions::pods_wait(&pods, ttl)).await?;
        return Ok(Action::requeue(PODS));
    }
    if !present.is_empty() {
        for object in present.iter().filter(|object| !object.terminating) {
            cluster.delete(object).await?;
        }
        let said = status::of(mesh).condition(DELETING).is_some_and(|condition| condition.reason == FORCED);
        if !pods.is_empty() && !said {
            let text = conditions::pods_abandoned(&pods, OffsetDateTime::now_utc(), ttl);
            say(context, mesh, FORCED, text).await?;
        } else if pods.is_empty() {
            say(context, mesh, REMOVING, going(&present)).await?;
        }
        return Ok(Action::requeue(GOING));
    }
    if !context.has_others(mesh).await? {
        // First nobody makes them any more, then they go.
        context.active.send_replace(false);
        if shared(cluster, &context.namespace).await? > 0 || !forgotten(context, mesh).await? {
            return Ok(Action::requeue(GOING));
        }
    }
    release(cluster, mesh).await?;
    tracing::info!(mesh = mesh.name_any(), "removed");
    Ok(Action::await_change())
}

/// Whether no status tells findings any more, or that was tried for long enough: what one object refuses keeps no Mesh.
async fn forgotten(context: &Context, mesh: &DynamicObject) -> Result<bool, Problem> {
    let left = findings::forget(&context.cluster).await;
    if !matches!(left, Ok(0)) && context.forgets_since(mesh) < FORGETTING {
        return left.map(|_| false);
    }
    let kept = findings::kept(&context.cluster).await;
    if !kept.is_empty() {
        let text = findings_kept(&kept);
        tracing::warn!(mesh = mesh.name_any(), "{text}");
        if let Err(untold) = say(context, mesh, FINDINGS_KEPT, text).await {
            tracing::warn!(mesh = mesh.name_any(), problem = %untold, "cannot tell which findings stay");
        }
    }
    Ok(true)
}

fn findings_kept(kept: &[String]) -> String {
    let more = kept.len().saturating_sub(10);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!(
        "the Mesh goes, and status.validationMessages still tells what it found in {}{more}: these could not be written. \
         Remove the field there (kubectl edit --subresource=status)",
        kept.iter().take(10).cloned().collect::<Vec<_>>().join(", ")
    )
}

/// What is being removed; by name once nothing else is left to do than to wait for it.
fn going(present: &[Present]) -> String {
    if present.iter().any(|object| !object.terminating) {
        return "every object of this Mesh is being removed".to_owned();
    }
    let first: Vec<String> = present.iter().take(3).map(|object| object.name.to_string()).collect();
    let more = present.len() - first.len();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!(
        "waiting until these are gone: {}{more}. Where one stays, its metadata.finalizers name who holds it",
        first.join(", ")
    )
}

/// The spec, as far as it can be read: a Mesh that never was valid goes too.
fn spec(mesh: &DynamicObject) -> MeshSpec {
    match weft_api::parse(&as_json(mesh), "").map(|parsed| parsed.object.spec) {
        Ok(weft_api::Spec::Mesh(spec)) => (*spec).clone(),
        _ => {
            let revision = mesh.data["spec"]["revision"].as_str().unwrap_or_default().to_owned();
            MeshSpec { revision, ..MeshSpec::default() }
        }
    }
}

async fn say(context: &Context, mesh: &DynamicObject, reason: &str, message: String) -> Result<(), Problem> {
    let generation = mesh.metadata.generation.unwrap_or(0);
    let steps = [WAITING_FOR_PODS, FORCED, REMOVING, FINDINGS_KEPT];
    let condition = |kind: &str, status| Condition {
        kind: kind.to_owned(),
        status,
        reason: reason.to_owned(),
        message: message.clone(),
        observed_generation: generation,
        last_transition_time: Timestamp::now().to_string(),
    };
    let mut next = status::of(mesh);
    next.observed_generation = generation;
    next.waiting_for = if reason == WAITING_FOR_PODS { vec![message.clone()] } else { Vec::new() };
    let mut all =
        vec![condition(DELETING, ConditionStatus::True), condition(conditions::READY, ConditionStatus::False)];
    // A problem may be that these cannot be deleted.
    if steps.contains(&reason) {
        all.push(Condition {
            message: "this Mesh's webhooks went first: only those of other Meshes inject and check".to_owned(),
            ..condition(conditions::WEBHOOKS_READY, ConditionStatus::False)
        });
    }
    let news = status::merge(&mut next, all);
    let news: Vec<_> = news.into_iter().filter(|condition| condition.kind == DELETING).collect();
    match status::write(&context.cluster, &context.recorder, mesh, &next, &news).await {
        // It went meanwhile.
        Err(problem) if problem.reason == Reason::MissingKind => Ok(()),
        written => written,
    }
}

/// Removes what all Meshes of the cluster share, once the last one goes. How many objects there were.
async fn shared(cluster: &Cluster, namespace: &str) -> Result<usize, Problem> {
    let mut left = cluster.named(&resource(("", "v1", "ConfigMap")), names::ROOT_CONFIG_MAP).await?;
    left.retain(|map| map.managed);
    let secrets: Api<Secret> = Api::namespaced(cluster.client.clone(), namespace);
    for name in [names::CA_SECRET, names::ROOTS_SECRET, cluster_tokens::SECRET] {
        let found = cluster.ask(&format!("read Secret {name}"), secrets.get_metadata_opt(name)).await?;
        let managed = |meta: &PartialObjectMeta<Secret>| {
            meta.labels().get("app.kubernetes.io/managed-by").is_some_and(|by| by == names::FIELD_MANAGER)
        };
        if let Some(found) = found.filter(managed) {
            let full = Name { kind: "Secret".into(), namespace: namespace.into(), name: name.into() };
            let terminating = found.metadata.deletion_timestamp.is_some();
            let resource = resource(("", "v1", "Secret"));
            left.push(Present { name: full, resource, owners: Vec::new(), managed: true, terminating });
        }
    }
    for object in left.iter().filter(|object| !object.terminating) {
        cluster.delete(object).await?;
    }
    Ok(left.len())
}

/// Takes our finalizer off, which lets the Mesh go.
async fn release(cluster: &Cluster, mesh: &DynamicObject) -> Result<(), Problem> {
    let left: Vec<_> = mesh.finalizers().iter().filter(|finalizer| *finalizer != names::FINALIZER).collect();
    let name = mesh.name_any();
    let patch = json!({"metadata": {"finalizers": left, "resourceVersion": mesh.resource_version()}});
    let api = cluster.api(&mesh_resource(), "");
    let params = PatchParams::default();
    let doing = format!("take the finalizer off Mesh {name}");
    match cluster.ask(&doing, api.patch(&name, &params, &Patch::Merge(patch))).await {
        Err(problem) if problem.reason == Reason::MissingKind => Ok(()),
        answer => answer.map(|_| ()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use kube::runtime::{
        events::{Recorder, Reporter},
        reflector::store::Writer,
    };
    use parking_lot::Mutex;
    use serde_json::Value;
    use tokio::sync::watch;

    use super::*;
    use crate::reconcile::{fake::FakeApi, pulse::Pulse};

    const WEBHOOKS: &str = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations";
    const STATUS: &str = "PATCH /apis/weft.dev/v1alpha1/meshes/weft/status";

    fn context(api: &FakeApi) -> Context {
        let reporter = Reporter { controller: "test".into(), instance: None };
        Context {
            cluster: Cluster { client: api.client() },
            recorder: Recorder::new(api.client(), reporter),
            namespace: "weft-system".into(),
            meshes: Writer::new(mesh_resource()).as_reader(),
            active: watch::channel(true).0,
            answering: watch::channel(None).0,
            spread: watch::channel(None).1,
            unread: watch::channel(None).1,
            pulse: Pulse::new(Instant::now()),
            forgetting: Mutex::default(),
        }
    }

    fn mesh() -> DynamicObject {
        serde_json::from_value(json!({
            "apiVersion": "weft.dev/v1alpha1", "kind": "Mesh",
            "metadata": {
                "name": "weft", "uid": "u", "generation": 2, "resourceVersion": "7", "finalizers": [names::FINALIZER],
                "deletionTimestamp": "2026-01-01T00:00:00Z",
            },
            "spec": {},
        }))
        .unwrap()
    }

    /// The conditions that were written last, by type.
    fn told(api: &FakeApi, kind: &str) -> Option<Value> {
        let written = api.asked(STATUS).pop()?;
        let conditions = written[1]["value"]["conditions"].as_array().cloned().unwrap_or_default();
        conditions.into_iter().find(|condition| condition["type"] == kind)
    }

    #[tokio::test]
    async fn what_keeps_a_mesh_is_told_by_it() {
        let api = FakeApi::default();
        let webhook = json!({"metadata": {"name": "weft-sidecar-injector", "ownerReferences":
            [{"apiVersion": "weft.dev/v1alpha1", "kind": "Mesh", "name": "weft", "uid": "u"}],
            "labels": {"app.kubernetes.io/managed-by": names::FIELD_MANAGER}}});
        let list = json!({"kind": "List", "apiVersion": "v1", "metadata": {}, "items": [webhook]});
        api.answer(&format!("GET {WEBHOOKS}"), list);
        api.refuse(&format!("DELETE {WEBHOOKS}/weft-sidecar-injector"), 403);
        let problem = remove(&context(&api), &mesh()).await.unwrap_err();
        assert_eq!(problem.reason, Reason::Forbidden);
        let deleting = told(&api, DELETING).unwrap();
        assert_eq!((&deleting["status"], &deleting["reason"]), (&json!("True"), &json!("Forbidden")));
        let message = deleting["message"].as_str().unwrap();
        assert!(message.contains("weft-sidecar-injector") && message.contains("words of the server"), "{message}");
        assert_eq!(told(&api, conditions::READY).unwrap()["reason"], "Forbidden");
        assert_eq!(told(&api, conditions::WEBHOOKS_READY), None, "they are still there");
        let events = api.asked("POST /apis/events.k8s.io/v1/namespaces/default/events");
        assert_eq!(
            (events.len(), &events[0]["type"], &events[0]["reason"]),
            (1, &json!("Warning"), &json!("Forbidden"))
        );
    }

    #[tokio::test]
    async fn what_passes_is_not_told() {
        let api = FakeApi::default();
        api.refuse(&format!("GET {WEBHOOKS}"), 503);
        assert_eq!(remove(&context(&api), &mesh()).await.unwrap_err().reason, Reason::ApiUnavailable);
        assert_eq!(told(&api, DELETING), None);
    }

    #[tokio::test]
    async fn a_status_that_cannot_be_written_does_not_keep_the_last_mesh_for_ever() {
        let release = "PATCH /apis/weft.dev/v1alpha1/meshes/weft";
        let services = "/apis/networking.istio.io/v1";
        let api = FakeApi::default();
        let told_about = json!({"metadata": {"name": "web", "namespace": "shop", "managedFields": [
            {"manager": "weft-operator-findings", "fieldsV1": {"f:status": {"f:validationMessages": {}}}}]}});
        let list = json!({"kind": "List", "apiVersion": "v1", "metadata": {}, "items": [told_about]});
        api.answer(&format!("GET {services}/virtualservices"), list);
        api.refuse(&format!("PATCH {services}/namespaces/shop/virtualservices/web/status"), 500);
        let context = context(&api);
        assert_eq!(remove(&context, &mesh()).await.unwrap_err().reason, Reason::ApiUnavailable, "it may pass");
        assert!(api.asked(release).is_empty());

        // Written, and there again: somebody else keeps it so.
        api.answer(&format!("PATCH {services}/namespaces/shop/virtualservices/web/status"), json!({"metadata": {}}));
        assert_eq!(remove(&context, &mesh()).await.unwrap(), Action::requeue(GOING));
        assert!(api.asked(release).is_empty());

        let long_ago = Instant::now().checked_sub(FORGETTING).unwrap();
        *context.forgetting.lock() = Some(("u".to_owned(), long_ago));
        assert_eq!(remove(&context, &mesh()).await.unwrap(), Action::await_change());
        assert_eq!(api.asked(release).len(), 1);
        let said = told(&api, DELETING).unwrap();
        assert_eq!(said["reason"], FINDINGS_KEPT);
        assert!(said["message"].as_str().unwrap().contains("VirtualService shop/web: these could not"), "{said}");
        let events = api.asked("POST /apis/events.k8s.io/v1/namespaces/default/events");
        assert_eq!((events.len(), &events[0]["reason"]), (1, &json!(FINDINGS_KEPT)));
    }

    /// The time of one Mesh is not another's.
    #[tokio::test]
    async fn each_mesh_has_its_own_time_to_forget() {
        let context = context(&FakeApi::default());
        let long_ago = Instant::now().checked_sub(FORGETTING).unwrap();
        *context.forgetting.lock() = Some(("another".to_owned(), long_ago));
        assert!(context.forgets_since(&mesh()) < FORGETTING);
        *context.forgetting.lock() = Some(("u".to_owned(), long_ago));
        assert!(context.forgets_since(&mesh()) >= FORGETTING);
    }

    #[test]
    fn who_is_waited_for_is_named() {
        let object = |name: &str, terminating: bool| Present {
            name: Name { kind: "Deployment".into(), namespace: "weft-system".into(), name: name.into() },
            resource: resource(("apps", "v1", "Deployment")),
            owners: Vec::new(),
            managed: true,
            terminating,
        };
        assert_eq!(going(&[object("a", true), object("b", false)]), "every object of this Mesh is being removed");
        let all = ["a", "b", "c", "d", "e"].map(|name| object(name, true));
        let text = going(&all);
        assert!(text.contains("Deployment weft-system/c and 2 more. Where one stays"), "{text}");
        assert!(!going(&all[..3]).contains("more"));
    }
}
