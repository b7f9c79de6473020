//! The operator that is there, and what it would become.

mod lease;

use std::{cmp::Ordering, fmt};

use futures::future::join_all;
use k8s_openapi::api::apps::v1::Deployment;
use kube::{Api, ResourceExt};
use serde::Serialize;
use serde_json::Value;
use weft_install::{
    names,
    render::bootstrap::{Bootstrap, OPERATOR},
    version::{compare, tag_of},
};
use weft_source::GitOps;

use crate::{
    cluster::{Cluster, explain},
    install::apply,
};

/// The operator's Deployment.
pub(crate) struct Operator {
    /// Image that it runs.
    pub(crate) image: String,
    /// Who else keeps it as it is.
    pub(crate) owner: Option<Owner>,
    /// How many of its pods are ready.
    pub(crate) ready: i32,
    /// Roles and bindings that its rights come from and that are gone, such as `ClusterRole weft-operator`; what could not be
    /// looked at is not among them.
    pub(crate) lost: Vec<String>,
    bootstrap: Bootstrap,
}

/// Why nobody looks after the Meshes, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Idle {
    /// Half a sentence.
    pub(crate) why: String,
    /// The remedy.
    pub(crate) remedy: String,
    /// Whether somebody has to act: it runs and says that it is ready.
    #[serde(skip)]
    pub(crate) broken: bool,
}

impl Idle {
    /// Nothing while an operator of the namespace `system` is ready.
    pub(crate) fn of(operator: Option<&Operator>, system: &str) -> Option<Self> {
        let (why, remedy) = match operator {
            Some(found) if found.ready > 0 && found.lost.is_empty() => return None,
            Some(found) if found.ready > 0 => (
                format!("the operator in namespace {system} lost its rights: there is no {}", found.lost.join(", no ")),
                found.restore(),
            ),
            None => (
                format!("there is no operator in namespace {system}"),
                "weft install or helm install brings it back; --weft-namespace names another namespace".to_owned(),
            ),
            Some(found) if found.bootstrap.replicas == 0 => (
                format!("the operator in namespace {system} is scaled to 0"),
                format!("kubectl -n {system} scale deployment/{OPERATOR} --replicas=2"),
            ),
            Some(_) => (
                format!("the operator in namespace {system} has no ready pod"),
                format!("kubectl -n {system} describe pods -l {}=operator says why", names::COMPONENT_LABEL),
            ),
        };
        Some(Self { why, remedy, broken: operator.is_some_and(|found| found.ready > 0) })
    }
}

/// Whose an operator is that `weft install` did not make: what this command does would be undone, or stand in the owner's way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    /// A Helm release of this name.
    Helm(String),
    /// A GitOps tool.
    GitOps(GitOps),
}

impl Owner {
    fn of(deployment: &Deployment) -> Option<Self> {
        let object = serde_json::to_value(deployment).unwrap_or(Value::Null);
        let release = || Some(Self::Helm(deployment.annotations().get("meta.helm.sh/release-name")?.clone()));
        GitOps::of(&object).map(Self::GitOps).or_else(release)
    }

    /// How its version is changed.
    pub(crate) fn upgrade(&self) -> String {
        match self {
            Self::GitOps(_) => format!("{self}: change its version there"),
            Self::Helm(release) => format!(
                "{self}: run helm upgrade {release} with the chart of that version, then set spec.image.tag where a Mesh \
                 names one"
            ),
        }
    }

    /// How it is removed from `namespace`.
    pub(crate) fn remove(&self, namespace: &str) -> String {
        match self {
            Self::GitOps(_) => "remove it there".to_owned(),
            Self::Helm(release) => format!("helm uninstall {release} -n {namespace}"),
        }
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::GitOps(tool) => write!(f, "the operator belongs to {tool}"),
            Self::Helm(release) => write!(f, "the operator belongs to the Helm release {release}"),
        }
    }
}

/// Why nobody looks after the Meshes, if that is so: by the operator's Deployment, its rights, and its Lease.
pub(crate) async fn idle(cluster: &Cluster) -> anyhow::Result<Option<Idle>> {
    let found = find(cluster).await?;
    match Idle::of(found.as_ref(), &cluster.system) {
        Some(idle) => Ok(Some(idle)),
        None => lease::stale(cluster).await,
    }
}

/// Looks for the operator in the namespace of the installation.
pub(crate) async fn find(cluster: &Cluster) -> anyhow::Result<Option<Operator>> {
    let api: Api<Deployment> = Api::namespaced(cluster.client.clone(), &cluster.system);
    let found = api.get_opt(OPERATOR).await;
    let found = found.map_err(|error| explain(&format!("look at Deployment {OPERATOR}"), &error))?;
    let Some(mut operator) = found.and_then(|deployment| Operator::of(&deployment, &cluster.system)) else {
        return Ok(None);
    };
    operator.lost = lost(cluster, &operator.bootstrap).await;
    Ok(Some(operator))
}

/// What is gone of the roles and bindings that belong to an operator. It cannot tell that itself: without them it may not even
/// write a status.
async fn lost(cluster: &Cluster, bootstrap: &Bootstrap) -> Vec<String> {
    let roles = bootstrap.objects().into_iter().filter(is_rights);
    let looks = roles.map(|object| async move {
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        let found = apply::api(cluster, &object).ok()?.get_metadata_opt(name).await;
        matches!(found, Ok(None)).then(|| apply::shown(&object))
    });
    join_all(looks).await.into_iter().flatten().collect()
}

fn is_rights(object: &Value) -> bool {
    object["apiVersion"].as_str().is_some_and(|version| version.starts_with("rbac.authorization.k8s.io/"))
}

impl Operator {
    fn of(deployment: &Deployment, namespace: &str) -> Option<Self> {
        let spec = deployment.spec.as_ref()?;
        let pod = spec.template.spec.as_ref()?;
        let container = pod.containers.first()?;
        let image = container.image.clone()?;
        let secrets = pod.image_pull_secrets.iter().flatten().map(|secret| secret.name.clone());
        let defaults = Bootstrap::default();
        let bootstrap = Bootstrap {
            namespace: namespace.to_owned(),
            image: image.clone(),
            pull_policy: container.image_pull_policy.clone().unwrap_or(defaults.pull_policy),
            pull_secrets: secrets.collect(),
            replicas: spec.replicas.and_then(|count| u32::try_from(count).ok()).unwrap_or(defaults.replicas),
        };
        let ready = deployment.status.as_ref().and_then(|status| status.ready_replicas).unwrap_or_default();
        Some(Self { image, owner: Owner::of(deployment), ready, lost: Vec::new(), bootstrap })
    }

    /// How what is gone of it comes back.
    fn restore(&self) -> String {
        match &self.owner {
            Some(owner @ Owner::GitOps(_)) => format!("{owner}: sync it there"),
            Some(Owner::Helm(release)) => {
                format!("helm upgrade {release} with the chart and the values that it has makes them again")
            }
            None => "weft install, with the flags that it was installed with, makes them again".to_owned(),
        }
    }

    /// Whether it runs a newer version than `version`.
    pub(crate) fn is_newer_than(&self, version: &str) -> bool {
        compare(tag_of(&self.image), version) == Some(Ordering::Greater)
    }

    /// What is applied for another version: as it is installed, with another image.
    pub(super) fn at(&self, version: &str) -> Bootstrap {
        Bootstrap { image: retagged(&self.image, version), ..self.bootstrap.clone() }
    }
}

/// An image with another tag; a digest goes, because it is of the old version.
pub(super) fn retagged(image: &str, tag: &str) -> String {
    let name = image.split('@').next().unwrap_or_default();
    let start = name.rfind('/').map_or(0, |slash| slash + 1);
    let name = name[start..].find(':').map_or(name, |colon| &name[..start + colon]);
    format!("{name}:{tag}")
}

#[cfg(test)]
pub(crate) mod testing {
    use serde_json::json;

    use super::*;

    /// An operator of an image.
    pub fn operator(image: &str) -> Operator {
        Operator::of(&deployment(image, json!({})), "weft-system").unwrap()
    }

    fn deployment(image: &str, metadata: Value) -> Deployment {
        serde_json::from_value(
            json!({"metadata": metadata, "spec": {"replicas": 3, "selector": {}, "template": {"spec": {
                "imagePullSecrets": [{"name": "registry"}],
                "containers": [{"name": "operator", "image": image, "imagePullPolicy": "Always"}],
            }}}}),
        )
        .unwrap()
    }

    #[test]
    fn it_stays_as_it_was_installed() {
        let new = operator("registry:5000/weft/operator:0.1.0").at("0.2.0");
        assert_eq!(new.image, "registry:5000/weft/operator:0.2.0");
        assert_eq!((new.pull_policy.as_str(), new.replicas, new.pull_secrets.len()), ("Always", 3, 1));
        assert_eq!(retagged("weft/operator", "1"), "weft/operator:1");
        assert_eq!(retagged("registry:5000/operator@sha256:00", "1"), "registry:5000/operator:1");
    }

    #[test]
    fn an_operator_without_a_ready_pod_is_told() {
        let why = |found: Option<&Operator>| Idle::of(found, "mesh").map(|idle| (idle.why, idle.remedy));
        let mut one = operator("weft/operator:0.1.0");
        let (told, remedy) = why(Some(&one)).unwrap();
        assert!(told.contains("no ready pod") && remedy.contains("describe pods"), "{told}: {remedy}");
        one.bootstrap.replicas = 0;
        let (told, remedy) = why(Some(&one)).unwrap();
        assert!(told.contains("scaled to 0") && remedy.contains("-n mesh scale"), "{told}: {remedy}");
        one.ready = 1;
        assert_eq!(why(Some(&one)), None);
        one.lost = vec!["ClusterRole weft-operator".into(), "ClusterRoleBinding weft-operator".into()];
        let (told, remedy) = why(Some(&one)).unwrap();
        assert!(
            told.contains("no ClusterRole weft-operator, no ClusterRoleBinding") && remedy.contains("weft install")
        );
        assert!(Idle::of(Some(&one), "mesh").unwrap().broken);
        one.owner = Some(Owner::Helm("base".into()));
        assert!(why(Some(&one)).unwrap().1.contains("helm upgrade base"));
        let rights: Vec<_> = one.bootstrap.objects().into_iter().filter(is_rights).map(|o| apply::shown(&o)).collect();
        let kinds = ["ClusterRole", "Role", "ClusterRoleBinding", "RoleBinding"];
        assert_eq!(rights, kinds.map(|kind| format!("{kind} {OPERATOR}")));
        assert!(why(None).unwrap().1.contains("weft install"));
    }

    #[test]
    fn what_others_keep_is_left_to_them() {
        let owner = |metadata| Owner::of(&deployment("weft/operator:0.1.0", metadata));
        let of = |metadata| owner(metadata).map(|owner| owner.upgrade()).unwrap_or_default();
        assert_eq!(of(json!({})), "");
        assert!(of(json!({"annotations": {"meta.helm.sh/release-name": "mesh"}})).contains("helm upgrade mesh"));
        assert!(of(json!({"labels": {"argocd.argoproj.io/instance": "base"}})).contains("Argo CD (application base)"));
        let helm = owner(json!({"annotations": {"meta.helm.sh/release-name": "mesh"}})).unwrap();
        assert_eq!(helm.remove("weft-system"), "helm uninstall mesh -n weft-system");
    }

    #[test]
    fn versions_are_read_from_tags() {
        let newer = |image: &str| operator(image).is_newer_than("0.2.0");
        assert!(newer("registry:5000/weft/operator:0.2.1") && newer("weft/operator:0.3.0@sha256:00"));
        for image in ["weft/operator:0.2.0", "weft/operator:0.1.9", "registry:5000/operator", "weft/operator:canary"] {
            assert!(!newer(image), "{image}");
        }
    }
}
