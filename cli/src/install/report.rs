//! What was installed or removed, for programs and people.

use serde::Serialize;

use crate::output::Answer;

/// What `weft install` did.
#[derive(Debug, Serialize)]
pub(super) struct Installed {
    /// Name of the Mesh.
    pub(super) mesh: String,
    /// Whether it is ready; not when nobody waited.
    pub(super) ready: bool,
    /// Objects that were made or changed.
    pub(super) changed: Vec<String>,
}

impl Answer for Installed {
    fn text(&self) -> String {
        // Each step was told when it was taken.
        String::new()
    }
}

/// What `weft uninstall` removed, or would.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Removed {
    /// Whether nothing was done but tell.
    pub(super) dry_run: bool,
    /// Objects, in the order of their going. A Mesh stands for all that it made.
    pub(super) removed: Vec<String>,
    /// The Mesh that did not go in time.
    pub(super) left: Option<String>,
    /// What others keep in the namespace of the installation, which stays because of it; each as `Kind name`.
    pub(super) kept: Vec<String>,
}

impl Answer for Removed {
    fn text(&self) -> String {
        match (self.removed.is_empty(), self.dry_run) {
            (true, _) => "There is nothing to remove.".to_owned(),
            (false, true) => self.removed.join("\n"),
            (false, false) => format!("Removed: {}", self.removed.join(", ")),
        }
    }
}
