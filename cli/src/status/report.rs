//! The answer of `weft status`.

use std::{collections::BTreeMap, fmt::Write as _};

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use serde::Serialize;
use weft_api::mesh::{ComponentStatus, ConditionStatus};

use super::cost::Cost;
use crate::{
    cluster::{Cluster, meshes::Installation, pods},
    output::{Answer, plural, table},
};

/// What is installed and whether it works.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// Version of this command.
    pub client_version: String,
    /// The API server.
    pub server: String,
    /// Whether the cluster knows the kind `Mesh`.
    pub kind_known: bool,
    /// Installations, by name.
    pub meshes: Vec<MeshState>,
    /// Proxies by namespace.
    pub proxies: Vec<Proxies>,
    /// What proxies cost, when it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<Cost>,
}

/// One installation.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MeshState {
    /// Name of the Mesh.
    pub name: String,
    /// Profile.
    pub profile: String,
    /// Revision, as labels say it.
    pub revision: String,
    /// Version of the control plane that is ready.
    pub version: String,
    /// Whether the condition `Ready` holds for the present generation.
    pub ready: bool,
    /// Why not, in words, or what it waits for.
    pub waiting_for: Vec<String>,
    /// Proxies that are connected to its control plane.
    pub connected_proxies: i64,
    /// Replicas by component.
    pub components: BTreeMap<String, ComponentStatus>,
    /// Control-plane pods of this revision with their readiness.
    pub control_plane: BTreeMap<String, bool>,
}

/// Proxies of one namespace.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Proxies {
    /// Namespace.
    pub namespace: String,
    /// Pods with a proxy.
    pub pods: usize,
    /// Those whose proxy is ready.
    pub ready: usize,
    /// Images in use, each with the number of pods.
    pub images: BTreeMap<String, usize>,
}

impl Status {
    /// Puts the answers together.
    pub fn new(cluster: &Cluster, meshes: Option<&[Installation]>, control_planes: &[Pod], pods: &[Pod]) -> Self {
        Self {
            client_version: env!("CARGO_PKG_VERSION").to_owned(),
            server: cluster.server.clone(),
            kind_known: meshes.is_some(),
            meshes: meshes.unwrap_or_default().iter().map(|mesh| mesh_state(mesh, control_planes)).collect(),
            proxies: proxies(pods),
            cost: None,
        }
    }

    /// Whether there is an installation and every one is ready.
    pub fn ready(&self) -> bool {
        !self.meshes.is_empty() && self.meshes.iter().all(|mesh| mesh.ready)
    }
}

fn mesh_state(mesh: &Installation, control_planes: &[Pod]) -> MeshState {
    let revision = mesh.spec.revision_label();
    let own = control_planes.iter().filter(|pod| pods::of_mesh(pod, &mesh.name));
    let condition = mesh.status.condition("Ready");
    let current = mesh.status.observed_generation == mesh.generation;
    let holds = condition.is_some_and(|condition| condition.status == ConditionStatus::True);
    let mut waiting_for = mesh.status.waiting_for.clone();
    if mesh.leaving {
        waiting_for.insert(0, "the Mesh is being removed".to_owned());
    } else if !current {
        waiting_for.insert(0, "the operator has not taken up the newest change of the Mesh".to_owned());
    } else if let Some(condition) = condition.filter(|_| !holds) {
        let words = if condition.message.is_empty() { &condition.reason } else { &condition.message };
        if !waiting_for.contains(words) {
            waiting_for.insert(0, words.clone());
        }
    }
    MeshState {
        name: mesh.name.clone(),
        profile: mesh.spec.profile().as_str().to_owned(),
        revision: revision.to_owned(),
        version: mesh.status.version.clone(),
        ready: holds && current && !mesh.leaving,
        waiting_for,
        connected_proxies: mesh.status.connected_proxies,
        components: mesh.status.components.clone(),
        control_plane: own.map(|pod| (pod.name_any(), pods::is_ready(pod))).collect(),
    }
}

fn proxies(pods: &[Pod]) -> Vec<Proxies> {
    let mut found: BTreeMap<String, Proxies> = BTreeMap::new();
    for proxy in pods::proxied(pods).filter(|proxy| !proxy.over()) {
        let namespace = proxy.pod.namespace().unwrap_or_default();
        let entry = found.entry(namespace.clone()).or_insert_with(|| Proxies { namespace, ..Proxies::default() });
        entry.pods += 1;
        entry.ready += usize::from(proxy.ready());
        *entry.images.entry(proxy.image().to_owned()).or_default() += 1;
    }
    found.into_values().collect()
}

impl Answer for Status {
    fn text(&self) -> String {
        let mut text = format!("Cluster  {}\n\n", self.server);
        if self.meshes.is_empty() {
            text.push_str(if self.kind_known {
                "No Mesh: the operator is installed, but no mesh. Apply one, as weft install does.\n"
            } else {
                "Weft is not installed: the cluster has no kind Mesh. Run weft install, or install the Helm chart.\n"
            });
            return text;
        }
        let row = |mesh: &MeshState| {
            let ready = mesh.control_plane.values().filter(|ready| **ready).count();
            vec![
                mesh.name.clone(),
                mesh.revision.clone(),
                mesh.profile.clone(),
                mesh.version.clone(),
                if mesh.ready { "yes".into() } else { "NO".into() },
                format!("{ready}/{}", mesh.control_plane.len()),
                mesh.connected_proxies.to_string(),
            ]
        };
        let rows: Vec<_> = self.meshes.iter().map(row).collect();
        text.push_str(&table(
            &["MESH", "REVISION", "PROFILE", "VERSION", "READY", "CONTROL PLANE", "CONNECTED"],
            &rows,
        ));
        for mesh in self.meshes.iter().filter(|mesh| !mesh.waiting_for.is_empty()) {
            let _ = writeln!(text, "\n{} waits for:", mesh.name);
            for words in &mesh.waiting_for {
                let _ = writeln!(text, "  {words}");
            }
        }
        let row = |proxies: &Proxies| {
            let images = proxies.images.iter().map(|(image, count)| format!("{image} ({count})")).collect::<Vec<_>>();
            vec![proxies.namespace.clone(), format!("{}/{}", proxies.ready, proxies.pods), images.join(", ")]
        };
        if self.proxies.is_empty() {
            text.push_str(
                "\nNo pod has a proxy yet. Label a namespace with istio-injection=enabled and restart its pods.\n",
            );
        } else {
            let rows: Vec<_> = self.proxies.iter().map(row).collect();
            let _ = write!(text, "\n{}", table(&["NAMESPACE", "READY PROXIES", "IMAGES"], &rows));
        }
        if let Some(cost) = &self.cost {
            let _ = write!(
                text,
                "\nCost of {}:\n{}",
                plural(cost.total.proxies, "proxy").replace("proxys", "proxies"),
                cost.text()
            );
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cluster::{meshes::testing::installation, pods::testing::pod};

    fn status(meshes: Option<Vec<Installation>>, pods: &[Pod]) -> Status {
        Status {
            client_version: "0.1.0".into(),
            server: "https://127.0.0.1:6443".into(),
            kind_known: meshes.is_some(),
            meshes: meshes.unwrap_or_default().iter().map(|mesh| mesh_state(mesh, &[])).collect(),
            proxies: proxies(pods),
            cost: None,
        }
    }

    #[test]
    fn an_empty_cluster_says_what_to_do() {
        assert!(status(None, &[]).text().contains("weft install"));
        assert!(status(Some(vec![]), &[]).text().contains("Apply one"));
        assert!(!status(None, &[]).ready());
    }

    #[test]
    fn what_is_waited_for_is_told() {
        let ready =
            json!({"type": "Ready", "status": "True", "reason": "Ready", "lastTransitionTime": "2026-11-23T20:00:00Z"});
        let not = json!({"type": "Ready", "status": "False", "reason": "Rolling", "message": "weft-console has no ready pod", "lastTransitionTime": "2026-11-23T20:00:00Z"});
        let good = installation(
            json!({"profile": "demo"}),
            json!({"observedGeneration": 3, "version": "0.1.0", "connectedProxies": 7, "conditions": [ready.clone()]}),
        );
        let stale = installation(json!({}), json!({"observedGeneration": 2, "conditions": [ready]}));
        let bad = installation(json!({}), json!({"observedGeneration": 3, "conditions": [not]}));
        let pods = [pod("shop", "web-1-a", "weft/proxy:0.1.0", "default")];
        let all = status(Some(vec![good]), &pods);
        assert!(all.ready());
        let text = all.text();
        assert!(text.contains("main  default   demo     0.1.0    yes    0/0            7"), "{text}");
        assert!(text.contains("shop       1/1            weft/proxy:0.1.0 (1)"), "{text}");
        let all = status(Some(vec![stale, bad]), &[]);
        assert!(!all.ready());
        assert!(
            all.text().contains("newest change") && all.text().contains("weft-console has no ready pod"),
            "{}",
            all.text()
        );
        let json = serde_json::to_value(&all).unwrap();
        assert_eq!(json["meshes"][1]["waitingFor"][0], "weft-console has no ready pod");
    }
}
