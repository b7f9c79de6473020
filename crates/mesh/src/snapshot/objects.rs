//! Every object, in one shelf for each kind: a snapshot that differs in one kind shares the others' shelves.

use std::{collections::BTreeMap, sync::Arc};

use weft_api::{Kind, Object, ObjectKey};

type Shelf = BTreeMap<ObjectKey, Arc<Object>>;

/// Objects by group and kind, then by key.
#[derive(Clone, Debug, Default)]
pub(crate) struct Objects(BTreeMap<(String, String), Arc<Shelf>>);

impl Objects {
    /// One object.
    pub(crate) fn get(&self, key: &ObjectKey) -> Option<&Arc<Object>> {
        self.shelf(&key.group, &key.kind)?.get(key)
    }

    /// Every object in the order of keys.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&ObjectKey, &Arc<Object>)> {
        self.0.values().flat_map(|shelf| shelf.iter())
    }

    /// The objects of one kind, by namespace and name.
    pub(crate) fn of(&self, kind: Kind) -> impl Iterator<Item = &Arc<Object>> {
        self.shelf(kind.group(), kind.name()).into_iter().flat_map(|shelf| shelf.values())
    }

    /// Puts an object.
    pub(crate) fn insert(&mut self, key: ObjectKey, object: Arc<Object>) {
        let shelf = self.0.entry((key.group.clone(), key.kind.clone())).or_default();
        Arc::make_mut(shelf).insert(key, object);
    }

    /// Takes an object away.
    pub(crate) fn remove(&mut self, key: &ObjectKey) {
        let kind = (key.group.clone(), key.kind.clone());
        if let Some(shelf) = self.0.get_mut(&kind) {
            Arc::make_mut(shelf).remove(key);
            if shelf.is_empty() {
                self.0.remove(&kind);
            }
        }
    }

    fn shelf(&self, group: &str, kind: &str) -> Option<&Arc<Shelf>> {
        self.0.get(&(group.to_owned(), kind.to_owned()))
    }
}
