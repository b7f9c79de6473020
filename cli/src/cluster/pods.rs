//! The pods that commands look for: control planes and everything that has a proxy.

use std::time::Duration;

use k8s_openapi::{
    api::core::v1::{Container, Pod},
    jiff::Timestamp,
};
use kube::{Api, ResourceExt, api::ListParams};
use weft_install::names;

use super::{Cluster, explain};

/// Name of the proxy's container.
pub const PROXY: &str = "istio-proxy";

/// How long a proxy may take from its pod's start until it is connected.
const STARTS: Duration = Duration::from_secs(30);

/// A pod with a proxy.
pub struct Proxied<'a> {
    /// The pod.
    pub pod: &'a Pod,
    /// Its proxy.
    pub container: &'a Container,
}

impl Cluster {
    /// Pods of a component of the installation, by its label.
    pub async fn component(&self, component: &str) -> anyhow::Result<Vec<Pod>> {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), &self.system);
        let selector = ListParams::default().labels(&format!("{}={component}", names::COMPONENT_LABEL));
        let what = format!("list the pods of {}", self.system);
        Ok(pods.list(&selector).await.map_err(|error| explain(&what, &error))?.items)
    }

    /// All pods, or those of the namespace that was asked for.
    pub async fn pods(&self) -> anyhow::Result<Vec<Pod>> {
        let pods: Api<Pod> = match &self.only {
            Some(namespace) => Api::namespaced(self.client.clone(), namespace),
            None => Api::all(self.client.clone()),
        };
        Ok(pods.list(&ListParams::default()).await.map_err(|error| explain("list pods", &error))?.items)
    }
}

/// The pods that have a proxy, as container or as native sidecar.
pub fn proxied(pods: &[Pod]) -> impl Iterator<Item = Proxied<'_>> {
    pods.iter().filter_map(|pod| {
        let spec = pod.spec.as_ref()?;
        let mut containers = spec.containers.iter().chain(spec.init_containers.iter().flatten());
        Some(Proxied { pod, container: containers.find(|container| container.name == PROXY)? })
    })
}

impl Proxied<'_> {
    /// `namespace/name`.
    pub fn id(&self) -> String {
        format!("{}/{}", self.pod.namespace().unwrap_or_default(), self.pod.name_any())
    }

    /// Whether the proxy says that it is ready.
    pub fn ready(&self) -> bool {
        let Some(status) = &self.pod.status else { return false };
        let all = status.container_statuses.iter().flatten().chain(status.init_container_statuses.iter().flatten());
        all.into_iter().any(|container| container.name == PROXY && container.ready)
    }

    /// Whether the proxy's container never ran: its pod has no node, no image or no volume, or waits for another container.
    pub fn pending(&self) -> bool {
        let Some(status) = &self.pod.status else { return true };
        let mut all = status.container_statuses.iter().flatten().chain(status.init_container_statuses.iter().flatten());
        let ran = all.find(|container| container.name == PROXY).is_some_and(|container| {
            let states = container.state.iter().chain(&container.last_state);
            container.restart_count > 0
                || states.into_iter().any(|state| state.running.is_some() || state.terminated.is_some())
        });
        !ran && status.phase.as_deref() == Some("Pending")
    }

    /// Whether the pod has ended, so that its proxy is gone.
    pub fn over(&self) -> bool {
        let phase = self.pod.status.as_ref().and_then(|status| status.phase.as_deref());
        matches!(phase, Some("Succeeded" | "Failed"))
    }

    /// Whether the pod started a moment ago, by this machine's clock. A container that starts again and again makes it no
    /// younger.
    pub fn starts(&self, now: Timestamp) -> bool {
        let started = self.pod.status.as_ref().and_then(|status| status.start_time.as_ref());
        let since = started.or(self.pod.metadata.creation_timestamp.as_ref());
        since.is_some_and(|since| now.duration_since(since.0).as_secs().unsigned_abs() < STARTS.as_secs())
    }

    /// Whether it is a gateway of an installation, which the operator looks after.
    pub fn is_gateway(&self) -> bool {
        self.pod.labels().contains_key(names::COMPONENT_LABEL)
    }

    /// The revision whose control plane it belongs to.
    pub fn revision(&self) -> &str {
        self.pod.labels().get(names::REVISION_LABEL).map_or(weft_api::mesh::DEFAULT_REVISION, String::as_str)
    }

    /// `host:port` of the control plane that it was injected for; nothing where it is another mesh's proxy of this container's
    /// name.
    pub fn control_plane(&self) -> Option<&str> {
        let mut variables = self.container.env.iter().flatten();
        variables.find(|variable| variable.name == names::CONTROL_PLANE_VARIABLE)?.value.as_deref()
    }

    /// Its image.
    pub fn image(&self) -> &str {
        self.container.image.as_deref().unwrap_or_default()
    }

    /// Who made the pod: `Deployment shop/web`, or the pod itself. A ReplicaSet's name is its Deployment's and a hash.
    pub fn workload(&self) -> String {
        let namespace = self.pod.namespace().unwrap_or_default();
        let owner = self.pod.owner_references().iter().find(|owner| owner.controller == Some(true));
        let Some(owner) = owner else { return format!("Pod {namespace}/{}", self.pod.name_any()) };
        match (owner.kind.as_str(), owner.name.rsplit_once('-')) {
            ("ReplicaSet", Some((deployment, _))) => format!("Deployment {namespace}/{deployment}"),
            (kind, _) => format!("{kind} {namespace}/{}", owner.name),
        }
    }
}

/// Whether a pod belongs to the installation that a Mesh made.
pub fn of_mesh(pod: &Pod, mesh: &str) -> bool {
    pod.labels().get(names::MESH_LABEL).is_some_and(|label| label == mesh)
}

/// Whether a pod stays: one that ends still says for a while that it is ready.
pub fn stays(pod: &Pod) -> bool {
    pod.metadata.deletion_timestamp.is_none()
}

/// Whether a pod says that it is ready.
pub fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    conditions.into_iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

#[cfg(test)]
pub mod testing {
    use super::*;

    /// A pod with a proxy of an image, owned by a ReplicaSet.
    pub fn pod(namespace: &str, name: &str, image: &str, revision: &str) -> Pod {
        serde_json::from_value(serde_json::json!({
            "metadata": {"name": name, "namespace": namespace, "labels": {"istio.io/rev": revision},
                "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": name.rsplit_once('-').map_or(name, |(set, _)| set), "uid": "1", "controller": true}]},
            "spec": {"containers": [{"name": "app"}], "initContainers": [{"name": "istio-init"}, {"name": PROXY, "image": image,
                "resources": {"requests": {"cpu": "50m", "memory": "48Mi"}}}]},
            "status": {"phase": "Running", "initContainerStatuses": [{"name": PROXY, "ready": true, "image": image, "imageID": "", "restartCount": 0}]}
        }))
        .unwrap()
    }

    #[test]
    fn a_native_sidecar_is_found_and_its_owner_named() {
        let pods = [pod("shop", "web-7d9f-x1", "weft/proxy:1", "canary"), Pod::default()];
        let found: Vec<_> = proxied(&pods).collect();
        assert_eq!(found.len(), 1);
        assert_eq!(
            (found[0].id().as_str(), found[0].revision(), found[0].ready()),
            ("shop/web-7d9f-x1", "canary", true)
        );
        assert_eq!(found[0].workload(), "Deployment shop/web");
    }

    #[test]
    fn a_pod_is_young_for_half_a_minute() {
        let mut one = pod("shop", "web-7d9f-x1", "weft/proxy:1", "canary");
        let started = |pod: &mut Pod, at: &str| {
            let time = serde_json::from_value(serde_json::json!(at)).unwrap();
            pod.status.as_mut().unwrap().start_time = time;
        };
        let now: Timestamp = "2026-01-01T00:01:00Z".parse().unwrap();
        let young = |pods: &[Pod]| proxied(pods).next().unwrap().starts(now);
        assert!(!young(std::slice::from_ref(&one)), "nobody knows");
        started(&mut one, "2026-01-01T00:00:40Z");
        assert!(young(std::slice::from_ref(&one)));
        started(&mut one, "2026-01-01T00:00:20Z");
        assert!(!young(std::slice::from_ref(&one)));
    }
}
