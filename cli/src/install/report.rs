//! What was installed or removed, for programs and people.

use serde::Serialize;

use super::ending::waiting;
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
    /// What became of the namespace of the installation.
    pub(super) namespace: End,
}

/// What became of a namespace.
#[derive(Debug, Default, Serialize)]
pub(super) struct End {
    name: String,
    outcome: Outcome,
    /// Why it stays, or is still there.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
}

#[derive(Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Outcome {
    Removed,
    #[default]
    Kept,
    Absent,
    Leaving,
}

impl End {
    /// It went.
    pub(super) fn removed(name: &str) -> Self {
        Self { name: name.to_owned(), outcome: Outcome::Removed, why: None }
    }

    /// It stays.
    pub(super) fn kept(name: &str, why: impl Into<String>) -> Self {
        Self { name: name.to_owned(), outcome: Outcome::Kept, why: Some(why.into()) }
    }

    /// It is on its way out and was still there when the time was over.
    pub(super) fn leaving(name: &str, why: impl Into<String>) -> Self {
        Self { name: name.to_owned(), outcome: Outcome::Leaving, why: Some(why.into()) }
    }

    /// There is none.
    pub(super) fn absent(name: &str) -> Self {
        Self { name: name.to_owned(), outcome: Outcome::Absent, why: None }
    }
}

impl Removed {
    /// Whether everything went that was to go.
    pub(super) fn done(&self) -> bool {
        self.left.is_none() && self.namespace.outcome != Outcome::Leaving
    }

    /// That the namespace is still there, and what to do.
    fn lingers(&self) -> Option<String> {
        let End { name, outcome: Outcome::Leaving, why } = &self.namespace else { return None };
        let why = why.as_deref().unwrap_or_default();
        Some(format!("{why}; {}", waiting(name)))
    }
}

impl Answer for Removed {
    fn text(&self) -> String {
        let told = match (self.removed.is_empty(), self.dry_run, &self.left) {
            (true, _, Some(mesh)) => format!("Mesh {mesh} is still there, so nothing else was removed."),
            (true, _, None) => "There is nothing to remove.".to_owned(),
            (false, true, _) => self.removed.join("\n"),
            (false, false, _) => format!("Removed: {}", self.removed.join(", ")),
        };
        match self.lingers() {
            Some(lingers) if self.removed.is_empty() => lingers,
            Some(lingers) => format!("{told}\n{lingers}"),
            None => told,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mesh_that_did_not_go_is_not_nothing() {
        assert_eq!(Removed::default().text(), "There is nothing to remove.");
        let left = Removed { left: Some("main".into()), ..Removed::default() };
        assert!(left.text().starts_with("Mesh main is still there"));
        assert!(Removed::default().done() && !left.done());
    }

    #[test]
    fn a_namespace_that_is_still_there_is_not_removed() {
        let namespace = End::leaving("mesh", "Namespace mesh is being removed: pods. has 1 resource instances");
        let mut one = Removed { namespace, ..Removed::default() };
        assert!(!one.done() && one.text().starts_with("Namespace mesh is being removed: pods."), "{}", one.text());
        one.removed.push("Mesh main".into());
        assert!(one.text().starts_with("Removed: Mesh main\nNamespace mesh is being removed"), "{}", one.text());
        assert_eq!(serde_json::to_value(&one).unwrap()["namespace"]["outcome"], "leaving");
    }
}
