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
    injected, install,
    problem::{Problem, Reason},
    status,
};
use crate::ca::cluster_tokens;

/// Looks again while pods are waited for.
const PODS: Duration = Duration::from_secs(2);
/// Looks again while objects are going.
const GOING: Duration = Duration::from_millis(500);

/// Removes what belongs to a Mesh that was deleted.
pub async fn remove(context: &Context, mesh: &DynamicObject) -> Result<Action, Problem> {
    let cluster = &context.cluster;
    if !mesh.finalizers().iter().any(|finalizer| finalizer == names::FINALIZER) {
        return Ok(Action::await_change());
    }
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
        say(context, mesh, "WaitingForPods", conditions::pods_wait(&pods, ttl)).await?;
        return Ok(Action::requeue(PODS));
    }
    if !present.is_empty() {
        let said = status::of(mesh).condition(DELETING).is_some_and(|condition| condition.reason == "Forced");
        if !pods.is_empty() && !said {
            let text = conditions::pods_abandoned(&pods, OffsetDateTime::now_utc(), ttl);
            say(context, mesh, "Forced", text).await?;
        } else if pods.is_empty() {
            say(context, mesh, "Removing", "every object of this Mesh is being removed".into()).await?;
        }
        for object in present.iter().filter(|object| !object.terminating) {
            cluster.delete(object).await?;
        }
        return Ok(Action::requeue(GOING));
    }
    if !context.has_others(mesh).await? {
        // First nobody makes them any more, then they go.
        context.active.send_replace(false);
        if shared(cluster, &context.namespace).await? > 0 {
            return Ok(Action::requeue(GOING));
        }
    }
    release(cluster, mesh).await?;
    tracing::info!(mesh = mesh.name_any(), "removed");
    Ok(Action::await_change())
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
    next.waiting_for = if reason == "WaitingForPods" { vec![message.clone()] } else { Vec::new() };
    let all = vec![
        condition(DELETING, ConditionStatus::True),
        condition(conditions::READY, ConditionStatus::False),
        Condition {
            message: "this Mesh's webhooks went first: only those of other Meshes inject and check".to_owned(),
            ..condition(conditions::WEBHOOKS_READY, ConditionStatus::False)
        },
    ];
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
