//! Which objects are meant for this control plane, of several beside each other: the label `istio.io/rev`.

use std::collections::BTreeSet;

use weft_api::{Kind, Object, Spec, core::REVISION_LABEL};

/// One control plane's names.
#[derive(Debug, Default)]
pub(super) struct Revision {
    /// As labels say it; nothing for who looks at the configuration of all.
    own: Option<String>,
    /// As its Mesh lists them.
    tags: BTreeSet<String>,
}

impl Revision {
    pub(super) fn new(own: Option<&str>) -> Self {
        Self { own: own.map(str::to_owned), tags: BTreeSet::new() }
    }

    /// Whether an object is read: configuration that names no revision is everybody's, a Mesh is its own revision's.
    pub(super) fn reads(&self, kind: Kind, object: &Object) -> bool {
        let Some(own) = &self.own else { return true };
        if let Spec::Mesh(mesh) = &object.spec {
            return mesh.revision_label() == own;
        }
        named(kind, object).is_none_or(|name| name == own || self.tags.contains(name))
    }

    /// Takes the tags; gives those that came or went.
    pub(super) fn retag(&mut self, tags: BTreeSet<String>) -> BTreeSet<String> {
        let moved =
            self.tags.symmetric_difference(&tags).filter(|tag| Some(*tag) != self.own.as_ref()).cloned().collect();
        self.tags = tags;
        moved
    }
}

/// The revision or tag that configuration names. On pods and namespaces the label chooses a proxy, and everybody has to
/// know them.
pub(super) fn named(kind: Kind, object: &Object) -> Option<&str> {
    let label = || object.meta.labels.get(REVISION_LABEL).map(String::as_str);
    if kind.group().ends_with(".istio.io") { label().filter(|name| !name.is_empty()) } else { None }
}
