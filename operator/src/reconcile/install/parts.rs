//! The Deployments of a Mesh, and how far they are.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::{apps::v1::Deployment, core::v1::Pod};
use kube::{Api, ResourceExt, api::ListParams};
use weft_api::mesh::ComponentStatus;
use weft_install::names;

use crate::reconcile::{
    cluster::{Cluster, Name},
    problem::Problem,
    rollout::{self, Hindrance, Rollout},
};

/// The Deployments of a Mesh.
pub(super) struct Parts {
    /// Those that it asks for.
    pub(super) asked: Vec<Part>,
    /// Those that it does not ask for any more and that are not gone yet, a sentence each.
    pub(super) going: Vec<String>,
}

/// A Deployment that the Mesh asks for.
pub(super) struct Part {
    pub(super) component: String,
    pub(super) status: ComponentStatus,
    pub(super) serves: bool,
    /// How many pods of an older template serve until its own do.
    pub(super) old: i32,
    /// That somebody paused its rollout, or that it is being removed.
    pub(super) held: Option<String>,
}

pub(super) async fn parts(
    cluster: &Cluster,
    namespace: &str,
    mesh: &str,
    wanted: &BTreeSet<Name>,
) -> Result<Parts, Problem> {
    let api: Api<Deployment> = Api::namespaced(cluster.client.clone(), namespace);
    let found = cluster.ask("list Deployments", api.list(&of_mesh(mesh))).await?;
    Ok(sorted(&found.items, wanted))
}

/// By whether they were rendered. Labels alone make no part: people copy them.
fn sorted(found: &[Deployment], wanted: &BTreeSet<Name>) -> Parts {
    let asks = |deployment: &&Deployment| {
        let namespace = deployment.namespace().unwrap_or_default();
        wanted.contains(&Name { kind: "Deployment".into(), namespace, name: deployment.name_any() })
    };
    let (asked, others): (Vec<&Deployment>, Vec<&Deployment>) = found.iter().partition(asks);
    Parts {
        asked: asked.into_iter().map(part).collect(),
        going: others.into_iter().filter_map(rollout::leaving).collect(),
    }
}

fn of_mesh(mesh: &str) -> ListParams {
    ListParams::default().labels(&format!("{}={mesh}", names::MESH_LABEL))
}

/// One that is being removed has no pod that is ready: what it has goes with it, and another is made once it is gone.
fn part(deployment: &Deployment) -> Part {
    let component = deployment.labels().get(names::COMPONENT_LABEL).cloned().unwrap_or_else(|| deployment.name_any());
    let image = rollout::image(deployment).unwrap_or_default().to_owned();
    let rollout = Rollout::of(deployment);
    if let Some(leaving) = rollout::leaving(deployment) {
        let status = ComponentStatus { ready: 0, replicas: rollout.wanted.max(1), image };
        return Part { component, status, serves: false, old: 0, held: Some(leaving) };
    }
    let status = ComponentStatus { ready: rollout.ready(), replicas: rollout.wanted, image };
    Part {
        component,
        status,
        serves: serves(deployment),
        old: rollout.old(),
        held: rollout::paused(deployment).or_else(|| rollout::refused(deployment)),
    }
}

/// Why components wait, as far as their pods tell. Not knowing it changes nothing.
pub(super) async fn hindrances(cluster: &Cluster, namespace: &str, mesh: &str) -> BTreeMap<String, Hindrance> {
    let api: Api<Pod> = Api::namespaced(cluster.client.clone(), namespace);
    match cluster.ask("list the pods that are waited for", api.list(&of_mesh(mesh))).await {
        Ok(pods) => rollout::hindrances(&pods.items),
        Err(problem) => {
            tracing::debug!(mesh, "{problem}");
            BTreeMap::new()
        }
    }
}

/// Whether any pod answers, of whatever template: the Service leads to old ones too.
pub(super) fn serves(deployment: &Deployment) -> bool {
    deployment.status.as_ref().and_then(|status| status.ready_replicas).unwrap_or(0) > 0
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn an_old_pod_serves_and_is_not_what_is_wanted() {
        let deployment: Deployment = serde_json::from_value(json!({
            "metadata": {"name": "d", "generation": 2, "labels": {"weft.dev/component": "console"}},
            "spec": {"replicas": 1, "selector": {}, "template": {"spec": {"containers": [{"name": "c", "image": "i:2"}]}}},
            "status": {"observedGeneration": 2, "updatedReplicas": 1, "replicas": 2, "readyReplicas": 1, "availableReplicas": 1},
        }))
        .unwrap();
        let Part { component, status, serves, old, held } = part(&deployment);
        assert_eq!((component.as_str(), status.image.as_str()), ("console", "i:2"));
        assert_eq!((status.ready, status.replicas, serves, held), (0, 1, true, None));
        assert_eq!(old, 1);
    }

    /// As after a Mesh that was removed by force, when another of its name comes before everything of it is gone.
    #[test]
    fn what_is_being_removed_is_neither_ready_nor_forgotten() {
        let deployment = |name: &str, leaves: bool| -> Deployment {
            let deleted = if leaves { json!("2026-01-01T00:00:00Z") } else { Value::Null };
            serde_json::from_value(json!({
                "metadata": {"name": name, "namespace": "mesh", "generation": 1, "deletionTimestamp": deleted,
                    "labels": {"weft.dev/component": name}},
                "spec": {"replicas": 1, "selector": {}, "template": {}},
                "status": {"observedGeneration": 1, "updatedReplicas": 1, "replicas": 1, "readyReplicas": 1,
                    "availableReplicas": 1},
            }))
            .unwrap()
        };
        let asked = |name: &str| Name { kind: "Deployment".into(), namespace: "mesh".into(), name: name.into() };
        let wanted = BTreeSet::from([asked("plane"), asked("console")]);
        let found =
            [("plane", true), ("console", false), ("gateway", true), ("copied", false)].map(|(n, l)| deployment(n, l));
        let Parts { asked, going } = sorted(&found, &wanted);
        let counted: Vec<_> = asked.iter().map(|p| (p.component.as_str(), p.status.ready, p.serves)).collect();
        assert_eq!(counted, [("plane", 0, false), ("console", 1, true)]);
        assert!(asked[0].status.replicas == 1 && asked[0].held.as_ref().unwrap().contains("is being removed"));
        assert!(going.len() == 1 && going[0].starts_with("Deployment gateway is being removed"), "{going:?}");
    }
}
