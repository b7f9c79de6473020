//! What is asked of an upgrade.

use weft_install::VERSION;

use super::impossible;
use crate::cluster::meshes::Installation;

/// What is asked for.
#[derive(Default)]
pub(super) struct Wish {
    /// This command's own version where none is named.
    pub(super) to: Option<String>,
    pub(super) mesh: Option<String>,
    /// Of a second control plane.
    pub(super) revision: Option<String>,
    /// Nothing will be done: what belongs to others may be looked at as well.
    pub(super) dry_run: bool,
}

impl Wish {
    /// The version.
    pub(super) fn to(&self) -> &str {
        self.to.as_deref().unwrap_or(VERSION)
    }

    /// What belongs to others is told as a note where nothing is done, else as the reason why not: both, in this order.
    pub(super) fn of_others(&self, told: Option<String>) -> (Option<String>, Option<String>) {
        if self.dry_run { (told, None) } else { (None, told) }
    }

    /// Whether the Mesh that was asked for is there, and is one.
    pub(super) fn chosen(&self, meshes: &[Installation]) -> anyhow::Result<()> {
        if let Some(name) = self.mesh.as_ref().filter(|name| meshes.iter().all(|mesh| mesh.name != **name)) {
            return Err(impossible(format!("there is no Mesh {name}"), "kubectl get meshes lists them").into());
        }
        let there = |revision: &String| meshes.iter().any(|mesh| mesh.spec.revision_label() == revision);
        let new = self.revision.as_ref().is_some_and(|revision| !there(revision));
        if new && !meshes.iter().any(|mesh| self.is_base(mesh, meshes)) {
            let names: Vec<_> = meshes.iter().map(|mesh| mesh.name.as_str()).collect();
            let why = format!("there are several Meshes: {}", names.join(", "));
            return Err(impossible(why, "say with --mesh whose settings the new control plane takes over").into());
        }
        Ok(())
    }

    /// Whether a second control plane is made after this one: the one that is named, or the only other. Never after itself:
    /// the way there would end with its own removal.
    pub(super) fn is_base(&self, mesh: &Installation, meshes: &[Installation]) -> bool {
        let Some(revision) = &self.revision else { return false };
        let other = |mesh: &&Installation| mesh.spec.revision_label() != revision;
        other(&mesh)
            && match &self.mesh {
                Some(name) => *name == mesh.name,
                None => meshes.iter().filter(other).count() == 1,
            }
    }

    /// Whether this one is asked for by its name or its revision.
    pub(super) fn names(&self, mesh: &Installation) -> bool {
        match &self.revision {
            Some(revision) => mesh.spec.revision_label() == revision,
            None => self.mesh.as_ref() == Some(&mesh.name),
        }
    }

    pub(super) fn upgrades(&self, mesh: &Installation) -> bool {
        match &self.revision {
            Some(revision) => mesh.spec.revision_label() == revision,
            None => self.mesh.as_ref().is_none_or(|name| *name == mesh.name),
        }
    }
}
