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
    conditions::{self, DELETING, FORCE, first},
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
/// The same while there are more of them than one pass can write, and it gets on.
const FORGETTING_MANY: Duration = Duration::from_secs(600);

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
    // One Mesh is reconciled at a time, so nobody else has it meanwhile.
    let mut state = std::mem::take(&mut *context.forgotten.lock());
    let pass = findings::forget(&context.cluster, &mut state).await;
    *context.forgotten.lock() = state;
    let limit = if pass.more && pass.count > 0 { FORGETTING_MANY } else { FORGETTING };
    if !pass.is_all() && context.forgets_since(mesh) < limit {
        return pass.problem.map_or(Ok(false), Err);
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
    format!(
        "the Mesh goes, and status.validationMessages still tells what it found in {}: these could not be written. \
         Remove the field there (kubectl edit --subresource=status)",
        first(kept, 10, ", ")
    )
}

/// What is being removed; by name once nothing else is left to do than to wait for it.
fn going(present: &[Present]) -> String {
    if present.iter().any(|object| !object.terminating) {
        return "every object of this Mesh is being removed".to_owned();
    }
    let names: Vec<String> = present.iter().map(|object| object.name.to_string()).collect();
    format!(
        "waiting until these are gone: {}. Where one stays, its metadata.finalizers name who holds it",
        first(&names, 3, ", ")
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

/// Takes our finalizer off, which lets the Mesh go. It is read anew: what its status was told a moment ago made another version
/// of it.
async fn release(cluster: &Cluster, mesh: &DynamicObject) -> Result<(), Problem> {
    let name = mesh.name_any();
    let api = cluster.api(&mesh_resource(), "");
    let now = match cluster.ask(&format!("read Mesh {name}"), api.get_metadata(&name)).await {
        Err(problem) if problem.reason == Reason::MissingKind => return Ok(()),
        found => found?,
    };
    // Another one of its name is none of ours to let go.
    if now.metadata.uid != mesh.metadata.uid {
        return Ok(());
    }
    let finalizers = now.metadata.finalizers.iter().flatten();
    let left: Vec<_> = finalizers.filter(|finalizer| *finalizer != names::FINALIZER).collect();
    // Whoever adds a finalizer at this moment keeps it.
    let patch = json!({"metadata": {"finalizers": left, "resourceVersion": now.metadata.resource_version}});
    let params = PatchParams::default();
    let doing = format!("take the finalizer off Mesh {name}");
    match cluster.ask(&doing, api.patch(&name, &params, &Patch::Merge(patch))).await {
        Err(problem) if problem.reason == Reason::MissingKind => Ok(()),
        answer => answer.map(|_| ()),
    }
}

#[cfg(test)]
mod tests;
