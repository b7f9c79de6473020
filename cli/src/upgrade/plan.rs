//! What an upgrade would do, worked out before anything is done.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Pod;
use serde::Serialize;
use serde_json::{Value, json};
use weft_api::mesh::Profile;
use weft_install::{
    Capabilities, MeshInput, VERSION,
    profile::Settings,
    version::{is_version, tag_of},
};
use weft_operator::reconcile::skew::{self, Proxies};
use weft_source::GitOps;

use super::{
    beside,
    moves::Moves,
    operator::{Operator, Owner},
    restarts::{Restart, by_hand, commands, restarts},
    wish::Wish,
};
use crate::cluster::{meshes::Installation, pods};

/// What would happen.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Plan {
    /// The version.
    pub(super) to: String,
    /// Image of the operator now and then; absent when it stays.
    pub(super) operator: Option<String>,
    /// Why nothing can be done at all.
    pub(super) refused: Option<String>,
    /// Who else would have to do it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) note: Option<String>,
    /// By installation.
    pub(super) meshes: Vec<Step>,
    /// Workloads whose pods must restart to get the new proxy.
    pub(super) restarts: Vec<Restart>,
    /// The commands that restart them.
    pub(super) commands: Vec<String>,
    /// Those of them that no rollout restarts.
    pub(super) by_hand: Vec<String>,
    /// How workloads get to a second control plane.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) moves: Option<Moves>,
    /// What was changed; absent when nothing was to be done but tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) changed: Option<Vec<String>>,
}

/// What would happen to one installation.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Step {
    pub(super) mesh: String,
    pub(super) revision: String,
    pub(super) action: Action,
    /// Version that runs now; empty when none is ready.
    pub(super) from: String,
    /// The version that it is to have.
    pub(super) to: String,
    /// Images that would change, old and new by component.
    pub(super) images: BTreeMap<String, String>,
    /// Why this step cannot be taken.
    pub(super) refused: Option<String>,
    /// Who else would have to take it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) note: Option<String>,
    /// What is written into `spec.image.tag`; none where it may stay as it is.
    #[serde(skip)]
    pub(super) tag: Option<String>,
    /// The version that its status has to tell; empty where it tells none.
    #[serde(skip)]
    pub(super) shows: String,
    /// The object to create.
    #[serde(skip)]
    pub(super) object: Option<Value>,
}

/// What becomes of an installation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Action {
    /// It gets the new version.
    Upgrade,
    /// It stays at its version, whatever the operator's.
    Keep,
    /// It is made.
    Create,
    /// It is being deleted, and nothing is done to it.
    Leave,
}

impl Plan {
    pub(super) fn new(
        meshes: &[Installation],
        pods: &[Pod],
        operator: Option<&Operator>,
        wish: &Wish,
        system: &str,
    ) -> Self {
        let to = wish.to();
        let mut steps: Vec<Step> = meshes.iter().map(|mesh| step(mesh, pods, wish, system)).collect();
        if wish.revision.is_none() && meshes.iter().all(|mesh| mesh.leaving) {
            steps.iter_mut().for_each(Step::refuse_leaving);
        }
        if let Some(revision) = &wish.revision
            && steps.iter().all(|step| step.revision != *revision)
            && let Some(base) = meshes.iter().find(|mesh| wish.is_base(mesh, meshes))
        {
            let mut step = beside::step(base, revision, to);
            if let Some(mesh) = meshes.iter().find(|mesh| mesh.spec.tags.contains(revision)) {
                step.refused = Some(format!(
                    "Mesh {} has the tag {revision:?} already: name another revision, such as --revision v2",
                    mesh.name
                ));
            }
            steps.push(step);
        }
        // A second control plane that comes now restarts nobody: its workloads come to it one by one.
        let upgraded = meshes.iter().filter(|mesh| wish.upgrades(mesh) && !mesh.leaving);
        let restarts = restarts(upgraded, pods, to, system);
        let owner = operator.and_then(|found| found.owner.as_ref());
        let (note, not_ours) = wish.of_others(owner.map(Owner::upgrade));
        let image = operator.map(|found| (found.image.clone(), found.at(to).image));
        let mut plan = Self {
            to: to.to_owned(),
            operator: image.filter(|(old, new)| old != new).map(|(old, new)| format!("{old} -> {new}")),
            refused: refusal(operator, wish, system).or(not_ours),
            note,
            meshes: steps,
            commands: commands(&restarts),
            by_hand: by_hand(&restarts),
            restarts,
            moves: None,
            changed: None,
        };
        // What will not happen restarts nobody.
        if plan.refused() {
            plan.restarts.clear();
            plan.commands.clear();
            plan.by_hand.clear();
        }
        plan
    }

    pub(super) fn refused(&self) -> bool {
        self.refused.is_some() || self.meshes.iter().any(|step| step.refused.is_some())
    }
}

/// Why this command cannot do it, whatever the Meshes say and whoever the operator belongs to.
fn refusal(operator: Option<&Operator>, wish: &Wish, system: &str) -> Option<String> {
    let to = wish.to();
    // Whatever else it may be, nothing could be checked about it, and images of that name need not exist.
    if !is_version(to) {
        return Some(format!(
            "{to:?} is no version: write one such as --to {VERSION}; images with a tag of another kind are installed by \
             weft install --set image.tag=TAG"
        ));
    }
    if skew::check(VERSION, "", to, &BTreeMap::new()).is_err() {
        return Some(format!(
            "this command is of version {VERSION} and does not know what version {to} consists of: use the weft command of \
             version {to}"
        ));
    }
    let Some(operator) = operator else {
        return Some(format!(
            "there is no operator in namespace {system}: name the installation's with --weft-namespace, or run weft install"
        ));
    };
    (wish.to.is_none() && operator.is_newer_than(to)).then(|| {
        let newer = tag_of(&operator.image);
        format!(
            "the operator runs {newer}, and this command is of version {to}: use the weft command of version {newer}, or say \
             --to {to} to go back"
        )
    })
}

fn step(mesh: &Installation, pods: &[Pod], wish: &Wish, system: &str) -> Step {
    let from = mesh.status.version.clone();
    let pinned = mesh.spec.image.tag.clone();
    let upgrades = wish.upgrades(mesh) && !mesh.leaving;
    let version = if upgrades {
        wish.to().to_owned()
    } else {
        pinned
            .clone()
            .or_else(|| Some(from.clone()).filter(|from| !from.is_empty()))
            .unwrap_or_else(|| wish.to().to_owned())
    };
    // A Mesh without a tag has the version that is built into its operator: this command's, unless the tag says otherwise.
    let follows = pinned.is_none() && version == VERSION && version == wish.to();
    let tag = (!follows && !mesh.leaving && pinned.as_ref() != Some(&version)).then(|| version.clone());
    let settings = target(mesh, &version, system);
    let refused =
        skew::check(wish.to(), &from, &version, &proxies(mesh, pods, &version)).err().map(|error| error.to_string());
    let managed = || {
        let tool = GitOps::of(&serde_json::to_value(&mesh.object).unwrap_or_default())?;
        Some(format!("Mesh {} belongs to {tool}: set spec.image.tag: {version} there", mesh.name))
    };
    let (note, not_ours) = wish.of_others(tag.as_ref().and_then(|_| managed()));
    let mut step = Step {
        mesh: mesh.name.clone(),
        revision: mesh.spec.revision_label().to_owned(),
        action: match (mesh.leaving, upgrades) {
            (true, _) => Action::Leave,
            (false, true) => Action::Upgrade,
            (false, false) => Action::Keep,
        },
        images: if upgrades { images(mesh, &settings) } else { BTreeMap::new() },
        refused: refused.or(not_ours),
        note,
        shows: if mesh.spec.profile() == Profile::Remote {
            String::new()
        } else {
            tag_of(&settings.operator_image).to_owned()
        },
        from,
        to: version,
        tag,
        object: None,
    };
    if mesh.leaving && wish.names(mesh) {
        step.refuse_leaving();
    }
    step
}

impl Step {
    /// It was asked to have a version, and will be gone.
    fn refuse_leaving(&mut self) {
        let mesh = &self.mesh;
        self.refused = Some(format!(
            "Mesh {mesh} is being deleted and takes no version up: kubectl wait --for=delete mesh/{mesh} --timeout=5m waits for \
             that; then run this or weft install again"
        ));
    }
}

/// Images that change, by component.
fn images(mesh: &Installation, settings: &Settings) -> BTreeMap<String, String> {
    let new = [
        ("control-plane", &settings.operator_image),
        ("ingress-gateway", &settings.proxy_image),
        ("console", &settings.console_image),
    ];
    let changed = new.into_iter().filter_map(|(component, image)| {
        let found = mesh.status.components.iter();
        let now = found
            .into_iter()
            .find(|(name, _)| name.contains(component) || component.contains(name.as_str()))
            .map(|(_, found)| found)?;
        (now.image != *image).then(|| (component.to_owned(), format!("{} -> {image}", now.image)))
    });
    changed.collect()
}

/// The proxies that a Mesh has of each version, where it would move to `wanted`: those that are out of step already keep nobody
/// from what is installed.
pub(crate) fn proxies(mesh: &Installation, pods: &[Pod], wanted: &str) -> BTreeMap<String, Proxies> {
    let mut versions: BTreeMap<String, Proxies> = BTreeMap::new();
    if !skew::moves(Some(&mesh.status.version), wanted) {
        return versions;
    }
    let own = |revision: &str| mesh.spec.revision_label() == revision || mesh.spec.tags.iter().any(|t| t == revision);
    for proxy in pods::proxied(pods).filter(|proxy| !proxy.over() && own(proxy.revision())) {
        let known = versions.entry(tag_of(proxy.image()).to_owned()).or_default();
        known.count += 1;
        known.pod = proxy.id();
    }
    versions
}

/// The settings that the Mesh would come to with the new tag.
pub(super) fn target(mesh: &Installation, to: &str, system: &str) -> Settings {
    let mut spec = mesh.spec.clone();
    spec.image.tag = Some(to.to_owned());
    Settings::of(&MeshInput {
        mesh: spec.into(),
        mesh_config_json: mesh.object.data.pointer("/spec/meshConfig").cloned().unwrap_or_else(|| json!({})),
        name: mesh.name.clone(),
        uid: None,
        namespace: system.to_owned(),
        capabilities: Capabilities::default(),
        ca_bundle: None,
        ready: false,
    })
}

#[cfg(test)]
mod tests;
