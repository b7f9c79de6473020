//! Which objects are meant for this control plane, of several beside each other: the label `istio.io/rev`.

use std::collections::BTreeSet;

use weft_api::{Kind, Object, Spec, core::REVISION_LABEL};

/// A control plane, as far as it tells what is meant for it. Configuration whose label `istio.io/rev` names neither its
/// revision nor a tag of its Mesh is not handed on, nor are other Meshes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reader {
    /// Its revision, as labels say it.
    pub revision: String,
    /// Name of its Mesh; without, the first one of the revision by name is taken.
    pub mesh: Option<String>,
}

/// The reader, if it is one, with all its names.
#[derive(Debug)]
pub(super) struct Revision {
    reader: Option<Reader>,
    /// As its Mesh lists them.
    tags: BTreeSet<String>,
}

impl Revision {
    pub(super) fn new(reader: Option<Reader>) -> Self {
        Self { reader, tags: BTreeSet::new() }
    }

    /// Whether an object is read. Configuration that names no revision is everybody's.
    pub(super) fn reads(&self, kind: Kind, object: &Object) -> bool {
        let Some(Reader { revision, mesh }) = &self.reader else { return true };
        if let Spec::Mesh(spec) = &object.spec {
            // Of the same revision there can be a second one, which was refused.
            let own = mesh.as_ref().is_none_or(|name| *name == object.meta.name);
            return own && spec.revision_label() == revision;
        }
        named(kind, object).is_none_or(|name| name == revision || self.tags.contains(name))
    }

    /// Takes the tags; gives those that came or went.
    pub(super) fn retag(&mut self, tags: BTreeSet<String>) -> BTreeSet<String> {
        let revision = self.reader.as_ref().map(|reader| &reader.revision);
        let moved = self.tags.symmetric_difference(&tags).filter(|tag| Some(*tag) != revision).cloned().collect();
        self.tags = tags;
        moved
    }
}

/// The revision or tag that configuration names. On pods and namespaces the label chooses a proxy, and everybody has to
/// know them.
pub(super) fn named(kind: Kind, object: &Object) -> Option<&str> {
    let label = || object.meta.labels.get(REVISION_LABEL);
    if kind.group().ends_with(".istio.io") { label().filter(|name| !name.is_empty()) } else { None }
}
