//! The operator that is there, and what it would become.

use k8s_openapi::api::apps::v1::Deployment;
use kube::{Api, ResourceExt};
use serde_json::Value;
use weft_install::render::bootstrap::{Bootstrap, OPERATOR};
use weft_source::GitOps;

use crate::cluster::{Cluster, explain};

/// The operator's Deployment.
pub(super) struct Operator {
    /// Image that it runs.
    pub(super) image: String,
    /// Who else keeps it as it is, and what to do there instead.
    pub(super) foreign: Option<String>,
    bootstrap: Bootstrap,
}

/// Looks for the operator in the namespace of the installation.
pub(super) async fn find(cluster: &Cluster) -> anyhow::Result<Option<Operator>> {
    let api: Api<Deployment> = Api::namespaced(cluster.client.clone(), &cluster.system);
    let found = api.get_opt(OPERATOR).await;
    let found = found.map_err(|error| explain(&format!("look at Deployment {OPERATOR}"), &error))?;
    Ok(found.and_then(|deployment| Operator::of(&deployment, &cluster.system)))
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
        Some(Self { image, foreign: foreign(deployment), bootstrap })
    }

    /// What is applied for another version: as it is installed, with another image.
    pub(super) fn at(&self, version: &str) -> Bootstrap {
        Bootstrap { image: retagged(&self.image, version), ..self.bootstrap.clone() }
    }
}

/// Whose the Deployment is, where it is not `weft install`'s: an upgrade would be undone, or stand in the next one's way.
fn foreign(deployment: &Deployment) -> Option<String> {
    let object = serde_json::to_value(deployment).unwrap_or(Value::Null);
    if let Some(tool) = GitOps::of(&object) {
        return Some(format!("the operator belongs to {tool}: change its version there"));
    }
    let release = deployment.annotations().get("meta.helm.sh/release-name")?;
    Some(format!(
        "the operator belongs to the Helm release {release}: run helm upgrade {release} with the chart of that version, \
         then set spec.image.tag where a Mesh names one"
    ))
}

/// An image with another tag; a digest goes, because it is of the old version.
pub(super) fn retagged(image: &str, tag: &str) -> String {
    let name = image.split('@').next().unwrap_or_default();
    let start = name.rfind('/').map_or(0, |slash| slash + 1);
    let name = name[start..].find(':').map_or(name, |colon| &name[..start + colon]);
    format!("{name}:{tag}")
}

#[cfg(test)]
pub(super) mod testing {
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
    fn what_others_keep_is_left_to_them() {
        let of = |metadata| foreign(&deployment("weft/operator:0.1.0", metadata)).unwrap_or_default();
        assert_eq!(of(json!({})), "");
        assert!(of(json!({"annotations": {"meta.helm.sh/release-name": "mesh"}})).contains("helm upgrade mesh"));
        assert!(of(json!({"labels": {"argocd.argoproj.io/instance": "base"}})).contains("Argo CD (application base)"));
    }
}
