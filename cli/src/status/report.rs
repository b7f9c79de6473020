//! The answer of `weft status`.

use std::{collections::BTreeMap, fmt::Write as _};

use k8s_openapi::{api::core::v1::Pod, jiff::Timestamp};
use kube::ResourceExt;
use serde::Serialize;
use weft_api::mesh::{ComponentStatus, ConditionStatus, Profile};
use weft_install::{names, render::bootstrap::OPERATOR};

use super::cost::Cost;
use crate::{
    cluster::{
        meshes::{Installation, Warning},
        pods,
    },
    output::{Answer, plural, table},
    upgrade::operator::Idle,
};

/// What is installed and whether it works.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// Version of this command.
    pub client_version: String,
    /// The API server.
    pub server: String,
    /// Whether the cluster knows the kind `Mesh`; null when Meshes could not be read.
    pub kind_known: Option<bool>,
    /// Why no operator looks after the installations; absent while one does. What they say of themselves is then what was last
    /// written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) no_operator: Option<Idle>,
    /// Installations, by name.
    pub meshes: Vec<MeshState>,
    /// Proxies by namespace; null when pods could not be read.
    pub proxies: Option<Vec<Proxies>>,
    /// What proxies cost, when it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<Cost>,
    /// What could not be read, each with the reason and the right that is wanted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unread: Vec<String>,
}

/// What an answer is made of; nothing where it could not be read.
#[derive(Default)]
pub(crate) struct Seen {
    /// Installations; within, nothing when the cluster does not know the kind.
    pub(crate) meshes: Option<Option<Vec<Installation>>>,
    /// Pods of control planes.
    pub(crate) control_planes: Option<Vec<Pod>>,
    /// Why no operator looks after them, if that was read and is so.
    pub(crate) idle: Option<Idle>,
    /// Pods of the namespaces that are asked about.
    pub(crate) pods: Option<Vec<Pod>>,
}

impl Seen {
    /// How many reads it takes.
    pub(crate) const READS: usize = 4;
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
    /// Whether the condition `Ready` holds for the present generation, and a pod of the control plane is ready (where its
    /// pods could be read).
    pub ready: bool,
    /// Why not, in words, or what it waits for.
    pub waiting_for: Vec<String>,
    /// What its conditions warn of, ready or not.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Warning>,
    /// Proxies that are connected to its control plane, as the operator counted last.
    pub connected_proxies: i64,
    /// Replicas by component.
    pub components: BTreeMap<String, ComponentStatus>,
    /// Control-plane pods of this revision with their readiness; null when they could not be read.
    pub control_plane: Option<BTreeMap<String, bool>>,
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
    /// Puts the answers together: of the API server at `server`, for the installation in namespace `system`.
    pub(crate) fn new(server: &str, system: &str, seen: &Seen) -> Self {
        let state = |mesh: &Installation| mesh_state(mesh, seen.control_planes.as_deref(), system);
        Self {
            client_version: env!("CARGO_PKG_VERSION").to_owned(),
            server: server.to_owned(),
            kind_known: seen.meshes.as_ref().map(Option::is_some),
            no_operator: seen.idle.clone(),
            meshes: seen.meshes.iter().flatten().flatten().map(state).collect(),
            proxies: seen.pods.as_deref().map(proxies),
            cost: None,
            unread: Vec::new(),
        }
    }

    /// Whether there is an installation and every one is ready.
    pub fn ready(&self) -> bool {
        !self.meshes.is_empty() && self.meshes.iter().all(|mesh| mesh.ready)
    }
}

fn mesh_state(mesh: &Installation, control_planes: Option<&[Pod]>, system: &str) -> MeshState {
    let revision = mesh.spec.revision_label();
    let control_plane: Option<BTreeMap<_, _>> = control_planes.map(|all| {
        let own = all.iter().filter(|pod| pods::of_mesh(pod, &mesh.name) && pods::stays(pod));
        own.map(|pod| (pod.name_any(), pods::is_ready(pod))).collect()
    });
    // The status can be of a better time: who is to write it may be gone as well.
    let served = mesh.spec.profile() == Profile::Remote
        || control_plane.as_ref().is_none_or(|pods| pods.values().any(|ready| *ready));
    let condition = mesh.status.condition("Ready");
    let current = mesh.status.observed_generation == mesh.generation;
    let holds = condition.is_some_and(|condition| condition.status == ConditionStatus::True);
    let mut waiting_for = mesh.status.waiting_for.clone();
    if mesh.leaving {
        waiting_for.insert(0, "the Mesh is being removed".to_owned());
    } else if !current {
        let words = match mesh.behind(Timestamp::now()) {
            None => {
                "the operator has not taken up the newest change of the Mesh: what is shown is what was last written"
                    .to_owned()
            }
            Some(age) => format!(
                "the operator has not taken up the newest change of the Mesh, made {} ago: what is shown is what was last \
                 written (kubectl -n {system} logs deployment/{OPERATOR} says what it does)",
                humantime::format_duration(age)
            ),
        };
        waiting_for.insert(0, words);
    } else if let Some(condition) = condition.filter(|_| !holds) {
        let words = if condition.message.is_empty() { &condition.reason } else { &condition.message };
        if !waiting_for.contains(words) {
            waiting_for.insert(0, words.clone());
        }
    } else if !served {
        waiting_for.insert(
            0,
            format!(
                "the control plane has no ready pod: proxies keep what they were told last, and new ones wait (kubectl -n \
                 {system} describe deployments,pods -l {}=control-plane says why)",
                names::COMPONENT_LABEL
            ),
        );
    }
    MeshState {
        name: mesh.name.clone(),
        profile: mesh.spec.profile().as_str().to_owned(),
        revision: revision.to_owned(),
        version: mesh.status.version.clone(),
        ready: holds && current && served && !mesh.leaving,
        waiting_for,
        warnings: mesh.warnings(),
        connected_proxies: mesh.status.connected_proxies,
        components: mesh.status.components.clone(),
        control_plane,
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
        if !self.unread.is_empty() {
            text.push_str("Not everything could be read, and what depends on it is left out:\n");
            for words in &self.unread {
                let _ = writeln!(text, "  {words}");
            }
            text.push('\n');
        }
        if self.kind_known.is_some() && self.meshes.is_empty() {
            let _ = match (&self.no_operator, self.kind_known) {
                (_, Some(false)) => writeln!(
                    text,
                    "Weft is not installed: the cluster has no kind Mesh. Run weft install, or install the Helm chart."
                ),
                (Some(idle), _) => writeln!(text, "No Mesh, and {}: {}.", idle.why, idle.remedy),
                // Whether it is installed is not known then.
                (None, _) if !self.unread.is_empty() => writeln!(text, "No Mesh. Apply one, as weft install does."),
                (None, _) => {
                    writeln!(text, "No Mesh: the operator is installed, but no mesh. Apply one, as weft install does.")
                }
            };
            return text;
        }
        self.installations(&mut text);
        self.pods(&mut text);
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

impl Status {
    /// The Meshes, and what they wait for.
    fn installations(&self, text: &mut String) {
        if self.kind_known.is_none() {
            return;
        }
        let row = |mesh: &MeshState| {
            let control_plane = mesh.control_plane.as_ref().map(|pods| {
                let ready = pods.values().filter(|ready| **ready).count();
                format!("{ready}/{}", pods.len())
            });
            vec![
                mesh.name.clone(),
                mesh.revision.clone(),
                mesh.profile.clone(),
                mesh.version.clone(),
                if mesh.ready { "yes".into() } else { "NO".into() },
                control_plane.unwrap_or_default(),
                mesh.connected_proxies.to_string(),
            ]
        };
        let rows: Vec<_> = self.meshes.iter().map(row).collect();
        text.push_str(&table(
            &["MESH", "REVISION", "PROFILE", "VERSION", "READY", "CONTROL PLANE", "CONNECTED"],
            &rows,
        ));
        let connected: i64 = self.meshes.iter().map(|mesh| mesh.connected_proxies).sum();
        let ready: usize = self.proxies.iter().flatten().map(|proxies| proxies.ready).sum();
        if let Some(idle) = &self.no_operator {
            let _ = writeln!(
                text,
                "\nWarning: {}. READY, VERSION and CONNECTED are what was last written, and no change is taken up.\n  {}",
                idle.why, idle.remedy
            );
        } else if usize::try_from(connected).is_ok_and(|connected| connected < ready) {
            text.push_str("\nCONNECTED is counted every half minute; weft proxy-status asks the control planes now.\n");
        }
        for mesh in self.meshes.iter().filter(|mesh| !mesh.waiting_for.is_empty()) {
            let _ = writeln!(text, "\n{} waits for:", mesh.name);
            for words in &mesh.waiting_for {
                let _ = writeln!(text, "  {words}");
            }
        }
        for (mesh, warning) in self.meshes.iter().flat_map(|mesh| mesh.warnings.iter().map(move |one| (mesh, one))) {
            let _ = writeln!(text, "\nWarning: {}: {}\n  {}", mesh.name, warning.message, warning.remedy);
        }
    }

    /// Proxies by namespace.
    fn pods(&self, text: &mut String) {
        let Some(proxies) = &self.proxies else { return };
        if proxies.is_empty() {
            text.push_str(
                "\nNo pod has a proxy yet. Label a namespace with istio-injection=enabled and restart its pods.\n",
            );
            return;
        }
        let row = |proxies: &Proxies| {
            let images = proxies.images.iter().map(|(image, count)| format!("{image} ({count})")).collect::<Vec<_>>();
            vec![proxies.namespace.clone(), format!("{}/{}", proxies.ready, proxies.pods), images.join(", ")]
        };
        let rows: Vec<_> = proxies.iter().map(row).collect();
        let _ = write!(text, "\n{}", table(&["NAMESPACE", "READY PROXIES", "IMAGES"], &rows));
    }
}

#[cfg(test)]
mod tests;
