//! Brings the cluster to what a Mesh says.

mod parts;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use k8s_openapi::api::apps::v1::Deployment;
use kube::{
    Api, ResourceExt,
    api::{DynamicObject, Patch, PatchParams},
    runtime::controller::Action,
};
use serde_json::{Value, json};
use time::OffsetDateTime;
use weft_api::mesh::{MeshSpec, MeshStatus, Profile};
use weft_install::{Capabilities, MeshInput, names, version::tag_of};

use self::parts::{Parts, hindrances, parts, serves};
use super::{
    authority,
    cluster::{Cluster, Name, Present, mesh_resource, superfluous},
    conditions::Facts,
    controller::{Context, as_json},
    definitions::{self, There},
    fleet::{self, Survey},
    foreign::Drift,
    problem::{Problem, Reason},
    rivals, rollout, scaled, status, window,
};
use crate::{ca::cluster::Terms, clock};

/// Lifetime of leaves where the Mesh sets none: the default of `--cert-ttl`.
pub(super) const DEFAULT_TTL: Duration = Duration::from_secs(24 * 3600);
/// The variable of the control plane that sets it.
const CERT_TTL: &str = "WEFT_CERT_TTL";
/// Looks again when nothing is waited for: status counts proxies, roots age.
const SETTLED: Duration = Duration::from_secs(30);
/// Looks again while something is on its way.
const WAITING: Duration = Duration::from_secs(2);
/// How long a Mesh is looked at often.
const YOUNG: Duration = Duration::from_secs(120);

/// What a reconciliation saw.
#[derive(Default)]
pub struct Outcome {
    /// For conditions.
    pub conditions: Facts,
    revision: String,
    version: Option<String>,
    survey: Option<Survey>,
}

impl Outcome {
    /// Puts what is no condition into the status. What was not seen stays.
    pub fn into_status(self, status: &mut MeshStatus) {
        if !self.revision.is_empty() {
            status.revision = self.revision;
        }
        if let Some(version) = self.version {
            status.version = version;
        }
        if let Some(survey) = self.survey {
            status.connected_proxies = i64::try_from(survey.proxies).unwrap_or(i64::MAX);
        }
        if let Some(components) = self.conditions.components {
            status.components = components;
        }
    }
}

/// Reconciles a Mesh that is not being removed. What went wrong is in the outcome as well, so that the status says it.
pub async fn install(context: &Context, mesh: &DynamicObject) -> (Outcome, Result<Action, Problem>) {
    let mut outcome = Outcome::default();
    outcome.conditions.generation = mesh.metadata.generation.unwrap_or(0);
    let result = steps(context, mesh, &mut outcome).await;
    let action = match result {
        Ok(()) => {
            let behind = outcome.conditions.components.iter().flatten().any(|(_, c)| c.ready < c.replicas)
                || !outcome.conditions.going.is_empty();
            let rotating = outcome.conditions.authority.as_ref().is_some_and(|a| a.rotation.is_some());
            // Right after an installation proxies come one by one, and people look at how many there are.
            let young = age(mesh).is_some_and(|seconds| (0..YOUNG.as_secs() as i64).contains(&seconds));
            Ok(Action::requeue(if behind || rotating || young { WAITING } else { SETTLED }))
        }
        Err(problem) => {
            outcome.conditions.problem = Some(problem.clone());
            Err(problem)
        }
    };
    (outcome, action)
}

async fn steps(context: &Context, mesh: &DynamicObject, outcome: &mut Outcome) -> Result<(), Problem> {
    let cluster = &context.cluster;
    let name = mesh.name_any();
    let capabilities = capabilities(cluster).await?;
    let mut input = MeshInput::from_json(&as_json(mesh), &context.namespace, capabilities)
        .map_err(|error| Problem::new(Reason::InvalidSpec, error.to_string()))?;
    outcome.revision = input.mesh.revision_label().to_owned();
    rivals::ask(cluster, context.meshes.state(), mesh, &input.mesh).await?;
    check_clock(cluster).await?;
    let survey = match fleet::survey(cluster, &context.namespace, Some(&name)).await {
        Ok(survey) => Some(survey),
        Err(problem) if problem.reason == Reason::Forbidden => return Err(problem),
        Err(_) => None,
    };
    let running = control_plane(cluster, &input).await?;
    window::check(cluster, &input, &status::of(mesh).version, running.as_ref(), survey.as_ref()).await?;
    outcome.survey = survey;
    // One that is being removed, as of a Mesh of this name that was there before, answers for nothing.
    input.ready = running.is_some_and(|found| rollout::leaving(&found).is_none() && serves(&found));

    claim(cluster, mesh).await?;
    context.active.send_if_modified(|active| !std::mem::replace(active, true));
    match definitions::ensure(cluster).await {
        // An older form of our own kind does: what it does not know is told when the Mesh is written.
        Err(unmet) if unmet.there == There::All => unmet.tell(),
        done => done.map_err(|unmet| unmet.problem)?,
    }
    let mut terms = terms(&input.mesh);
    terms.max_ttl = longest(&context.meshes.state(), terms.max_ttl);
    let spread = context.spread.borrow().clone();
    let requests = context.rotation_requests();
    let wish = authority::Wish {
        namespace: &context.namespace,
        terms: &terms,
        requests,
        spread,
        revisions: context.revisions(),
    };
    let authority = authority::ensure(cluster, &wish).await?;
    outcome.conditions.authority = Some(authority.facts);
    outcome.conditions.clock_ahead_s = outcome.survey.as_ref().and_then(|survey| survey.clock_ahead_s);
    input.ca_bundle = Some(authority.roots).filter(|roots| !roots.is_empty());

    let mut objects =
        weft_install::render(&input).map_err(|error| Problem::new(Reason::InvalidSpec, error.to_string()))?;
    scaled::respect(cluster, &context.namespace, &mut objects).await?;
    outcome.conditions.disputed = apply(context, mesh, &mut objects).await?;
    let wanted: BTreeSet<Name> = objects.iter().map(Name::of).collect();
    let present = cluster.inventory(&name, &context.namespace).await?;
    let old = superfluous(&present, &wanted, mesh.uid().as_deref().unwrap_or_default());
    let (classes, others): (Vec<_>, Vec<_>) = old.into_iter().partition(|object| object.name.kind == "PriorityClass");
    prune(context, &name, &others).await?;

    let Parts { asked: parts, going } = parts(cluster, &context.namespace, &name, &wanted).await?;
    outcome.conditions.going = going;
    if input.mesh.profile() != Profile::Remote {
        let found = parts.iter().find(|part| part.component == "control-plane");
        outcome.conditions.control_plane_ready = Some(found.is_some_and(|part| part.serves));
        outcome.version = found
            .map(|part| &part.status)
            .filter(|found| found.ready >= found.replicas && found.replicas > 0)
            .map(|found| tag_of(&found.image).to_owned());
    }
    if parts.iter().any(|part| part.status.ready < part.status.replicas) {
        outcome.conditions.hindrances = hindrances(cluster, &context.namespace, &name).await;
        // It comes before any pod: while it lasts, no new one is even made.
        let held =
            parts.iter().filter_map(|part| Some((part.component.clone(), rollout::Hindrance::of(part.held.clone()?))));
        outcome.conditions.hindrances.extend(held);
    } else {
        // Until the last pod of an older template is replaced, one that is lost could not be made again without its class.
        prune(context, &name, &classes).await?;
    }
    outcome.conditions.old = parts.iter().map(|part| (part.component.clone(), part.old)).collect();
    outcome.conditions.components = Some(parts.into_iter().map(|part| (part.component, part.status)).collect());
    Ok(())
}

async fn capabilities(cluster: &Cluster) -> Result<Capabilities, Problem> {
    let version = cluster.ask("ask for the API server's version", cluster.client.apiserver_version()).await?;
    let digits: String = version.minor.chars().take_while(char::is_ascii_digit).collect();
    let pod_monitor = cluster.serves_pod_monitors().await?;
    Ok(Capabilities { kubernetes_minor: digits.parse().unwrap_or(0), pod_monitor })
}

/// Seconds since a Mesh was created, by this machine's clock; below 0 when that lies ahead of it.
fn age(mesh: &DynamicObject) -> Option<i64> {
    Some(OffsetDateTime::now_utc().unix_timestamp() - mesh.creation_timestamp()?.0.as_second())
}

/// An authority that is made by a clock that is far off would be refused by everybody.
async fn check_clock(cluster: &Cluster) -> Result<(), Problem> {
    match clock::complaint("the operator", clock::ahead(&cluster.client).await, clock::SEVERE) {
        Some(complaint) => Err(Problem::new(Reason::ClockOff, complaint)),
        None => Ok(()),
    }
}

/// Puts our finalizer on the Mesh, so that nothing is left behind when it goes.
async fn claim(cluster: &Cluster, mesh: &DynamicObject) -> Result<(), Problem> {
    if mesh.finalizers().iter().any(|finalizer| finalizer == names::FINALIZER) {
        return Ok(());
    }
    let mut finalizers = mesh.finalizers().to_vec();
    finalizers.push(names::FINALIZER.to_owned());
    let name = mesh.name_any();
    // With the resource version, so that another's finalizer is never overwritten.
    let version = mesh.resource_version();
    let patch = json!({"metadata": {"finalizers": finalizers, "resourceVersion": version}});
    let api = cluster.api(&mesh_resource(), "");
    let params = PatchParams::default();
    let doing = format!("put the finalizer on Mesh {name}");
    cluster.ask(&doing, api.patch(&name, &params, &Patch::Merge(patch))).await?;
    Ok(())
}

/// What certificates of this Mesh are issued with.
pub fn terms(spec: &MeshSpec) -> Terms {
    let ttl = lifetime(spec.components.control_plane.env.get(CERT_TTL).map(String::as_str));
    let trust_domain = spec.mesh_config.trust_domain.clone().unwrap_or_else(|| "cluster.local".to_owned());
    Terms { trust_domain, max_ttl: ttl }
}

fn lifetime(written: Option<&str>) -> Duration {
    written.and_then(|text| humantime::parse_duration(text).ok()).unwrap_or(DEFAULT_TTL)
}

/// The longest life of a certificate of any Mesh, from this one's: all sign with the same root, so none can be forgotten when
/// an old one is taken out of the bundle.
fn longest(meshes: &[Arc<DynamicObject>], own: Duration) -> Duration {
    let written =
        |mesh: &Arc<DynamicObject>| lifetime(mesh.data["spec"]["components"]["controlPlane"]["env"][CERT_TTL].as_str());
    meshes.iter().map(written).fold(own, Duration::max)
}

async fn control_plane(cluster: &Cluster, input: &MeshInput) -> Result<Option<Deployment>, Problem> {
    let api: Api<Deployment> = Api::namespaced(cluster.client.clone(), &input.namespace);
    let name = input.mesh.revisioned(names::CONTROL_PLANE);
    cluster.ask(&format!("read Deployment {name}"), api.get_opt(&name)).await
}

/// Applies everything in order, and ties Deployments to the very ServiceAccounts that they run as: tokens of running pods
/// do not count for an account that was deleted and made anew, so its pods have to be made anew as well. What others
/// added goes; gives what of it stays, a sentence each.
async fn apply(context: &Context, mesh: &DynamicObject, objects: &mut [Value]) -> Result<Vec<String>, Problem> {
    let mut accounts = BTreeMap::new();
    let mut disputed = Vec::new();
    for object in objects {
        bind(object, &accounts);
        let mut drifts = Vec::new();
        let made = context.cluster.establish(&context.corrections, object, &mut drifts).await;
        for drift in drifts {
            match drift {
                Drift::Corrected { field, words } => {
                    tracing::warn!(mesh = mesh.name_any(), "{words}");
                    status::corrected(&context.recorder, mesh, object, (&field, &words)).await;
                }
                Drift::Stays(words) => disputed.push(words),
            }
        }
        let meta = made?;
        if object["kind"] == "ServiceAccount" {
            accounts.insert(meta.name.unwrap_or_default(), meta.uid.unwrap_or_default());
        }
    }
    Ok(disputed)
}

/// Writes the UID of a Deployment's account into its pods' annotations.
fn bind(object: &mut Value, accounts: &BTreeMap<String, String>) {
    if object["kind"] != "Deployment" {
        return;
    }
    let template = &mut object["spec"]["template"];
    if let Some(uid) = template["spec"]["serviceAccountName"].as_str().and_then(|name| accounts.get(name)) {
        template["metadata"]["annotations"][names::ACCOUNT_ANNOTATION] = uid.as_str().into();
    }
}

async fn prune(context: &Context, mesh: &str, old: &[&Present]) -> Result<(), Problem> {
    for object in old {
        context.corrections.forget(&object.name);
        context.cluster.delete(object).await?;
        tracing::info!(mesh, object = %object.name, "removed what the Mesh no longer asks for");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pods_are_bound_to_their_account() {
        let mut deployment = json!({
            "kind": "Deployment",
            "spec": {"template": {"metadata": {"annotations": {"a": "b"}}, "spec": {"serviceAccountName": "one"}}},
        });
        let accounts = |uid: &str| BTreeMap::from([("one".to_owned(), uid.to_owned())]);
        bind(&mut deployment, &accounts("u1"));
        let first = deployment.clone();
        bind(&mut deployment, &accounts("u1"));
        assert_eq!(deployment, first, "the same account changes nothing");
        bind(&mut deployment, &accounts("u2"));
        let annotations = &deployment["spec"]["template"]["metadata"]["annotations"];
        assert_eq!(*annotations, json!({"a": "b", names::ACCOUNT_ANNOTATION: "u2"}));
    }

    #[test]
    fn terms_are_the_meshes() {
        let mut spec = MeshSpec::default();
        assert_eq!(terms(&spec).max_ttl, DEFAULT_TTL);
        spec.components.control_plane.env.insert("WEFT_CERT_TTL".into(), "2m".into());
        spec.mesh_config.trust_domain = Some("td".into());
        assert_eq!((terms(&spec).max_ttl, terms(&spec).trust_domain.as_str()), (Duration::from_secs(120), "td"));
    }

    #[test]
    fn a_rotation_waits_for_the_longest_life_of_all() {
        let mesh = |ttl: &str| {
            let mut mesh = DynamicObject::new("other", &mesh_resource());
            mesh.data = json!({"spec": {"components": {"controlPlane": {"env": {"WEFT_CERT_TTL": ttl}}}}});
            Arc::new(mesh)
        };
        let hour = Duration::from_secs(3600);
        assert_eq!(longest(&[], hour), hour);
        assert_eq!(longest(&[mesh("2h"), mesh("1m")], hour), 2 * hour);
        assert_eq!(longest(&[Arc::new(DynamicObject::new("plain", &mesh_resource()))], hour), DEFAULT_TTL);
    }
}
