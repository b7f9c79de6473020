//! The one place where desired state changes.

use std::{collections::BTreeMap, sync::Arc};

use weft_api::{Change, Object, ObjectKey};

use crate::{Settings, Snapshot};

/// Every object, by key. One writer owns it; readers take [`Snapshot`]s.
#[derive(Debug)]
pub struct Store {
    settings: Arc<Settings>,
    objects: Arc<BTreeMap<ObjectKey, Arc<Object>>>,
    snapshot: Arc<Snapshot>,
}

impl Store {
    /// An empty store.
    pub fn new(settings: Settings) -> Self {
        let settings = Arc::new(settings);
        let objects = Arc::default();
        let snapshot = Arc::new(Snapshot::build(Arc::clone(&settings), Arc::clone(&objects), 0));
        Self { settings, objects, snapshot }
    }

    /// Applies changes together and says whether anything is different now. An object that is put again with equal
    /// content, labels, annotations and version changes nothing.
    pub fn apply(&mut self, changes: Vec<Change>) -> bool {
        let mut changed = false;
        for change in changes {
            match change {
                Change::Put(object) => {
                    let key = object.key();
                    if self.objects.get(&key).is_some_and(|old| same(old, &object)) {
                        continue;
                    }
                    Arc::make_mut(&mut self.objects).insert(key, object);
                    changed = true;
                }
                Change::Delete(key) => {
                    if self.objects.contains_key(&key) {
                        Arc::make_mut(&mut self.objects).remove(&key);
                        changed = true;
                    }
                }
            }
        }
        if changed {
            let generation = self.snapshot.generation() + 1;
            self.snapshot =
                Arc::new(Snapshot::build(Arc::clone(&self.settings), Arc::clone(&self.objects), generation));
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
