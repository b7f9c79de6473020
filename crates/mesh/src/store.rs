//! The one place where desired state changes.

use std::sync::Arc;

use weft_api::{Change, Object, ObjectKey};

use crate::{Settings, Snapshot};

/// Every object, by key. One writer owns it; readers take [`Snapshot`]s.
#[derive(Debug)]
pub struct Store {
    snapshot: Arc<Snapshot>,
}

/// What became of one object.
#[derive(Clone, Debug)]
pub(crate) struct Edit {
    pub(crate) key: ObjectKey,
    pub(crate) old: Option<Arc<Object>>,
    pub(crate) new: Option<Arc<Object>>,
}

impl Edit {
    /// The object before and after, as far as there is one.
    pub(crate) fn both(&self) -> impl Iterator<Item = &Arc<Object>> {
        self.old.iter().chain(&self.new)
    }
}

impl Store {
    /// An empty store.
    pub fn new(settings: Settings) -> Self {
        Self { snapshot: Arc::new(Snapshot::empty(Arc::new(settings))) }
    }

    /// Applies changes together and says whether anything is different now. An object that is put again with equal
    /// content, labels, annotations and version changes nothing. The work is in proportion to the changes and to the
    /// tables of the kinds that they touch, not to the whole mesh.
    pub fn apply(&mut self, changes: Vec<Change>) -> bool {
        let mut objects = self.snapshot.object_index().clone();
        let mut edits = Vec::new();
        for change in changes {
            let (key, new) = match change {
                Change::Put(object) => (object.key(), Some(object)),
                Change::Delete(key) => (key, None),
            };
            let old = objects.get(&key).cloned();
            let unchanged = match (&old, &new) {
                (Some(old), Some(new)) => same(old, new),
                (None, None) => true,
                _ => false,
            };
            if unchanged {
                continue;
            }
            match &new {
                Some(object) => objects.insert(key.clone(), Arc::clone(object)),
                None => objects.remove(&key),
            }
            edits.push(Edit { key, old, new });
        }
        let changed = !edits.is_empty();
        if changed {
            self.snapshot = Arc::new(self.snapshot.advance(objects, &edits));
        }
        changed
    }

    /// The present state.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshot)
    }
}

fn same(old: &Object, new: &Object) -> bool {
    old.content == new.content
        && old.reference == new.reference
        && old.meta.labels == new.meta.labels
        && old.meta.annotations == new.meta.annotations
        && old.meta.creation_timestamp == new.meta.creation_timestamp
}
