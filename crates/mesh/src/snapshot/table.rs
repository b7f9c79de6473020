//! Objects of one kind, typed and ordered.

use std::{collections::BTreeMap, ops::Deref, sync::Arc};

use weft_api::Object;
use weft_model::ObjectRef;

/// An object together with its typed spec, which it dereferences to.
#[derive(Debug)]
pub struct Typed<T> {
    /// The object: reference, metadata, content hash.
    pub object: Arc<Object>,
    /// Its spec.
    pub spec: Arc<T>,
}

impl<T> Typed<T> {
    /// The object's namespace.
    pub fn namespace(&self) -> &str {
        &self.object.meta.namespace
    }

    /// The object's name.
    pub fn name(&self) -> &str {
        &self.object.meta.name
    }

    /// The object's reference, in the version that the user wrote.
    pub fn reference(&self) -> &ObjectRef {
        &self.object.reference
    }
}

impl<T> Clone for Typed<T> {
    fn clone(&self) -> Self {
        Self { object: Arc::clone(&self.object), spec: Arc::clone(&self.spec) }
    }
}

impl<T> Deref for Typed<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.spec
    }
}

/// All objects of one kind: oldest first, then by name and namespace, which is the order in which Istio lets the first
/// win.
#[derive(Debug)]
pub struct Table<T> {
    rows: Vec<Typed<T>>,
    by_namespace: BTreeMap<String, Vec<usize>>,
}

impl<T> Table<T> {
    pub(super) fn new(mut rows: Vec<Typed<T>>) -> Self {
        rows.sort_by(|a, b| {
            let (a, b) = (&a.object.meta, &b.object.meta);
            (&a.creation_timestamp, &a.name, &a.namespace).cmp(&(&b.creation_timestamp, &b.name, &b.namespace))
        });
        let mut by_namespace: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (index, row) in rows.iter().enumerate() {
            by_namespace.entry(row.namespace().to_owned()).or_default().push(index);
        }
        Self { rows, by_namespace }
    }

    /// Every row.
    pub fn iter(&self) -> std::slice::Iter<'_, Typed<T>> {
        self.rows.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The rows of one namespace.
    pub fn in_namespace(&self, namespace: &str) -> impl Iterator<Item = &Typed<T>> {
        self.by_namespace.get(namespace).into_iter().flatten().filter_map(|&index| self.rows.get(index))
    }

    /// One object.
    pub fn get(&self, namespace: &str, name: &str) -> Option<&Typed<T>> {
        self.in_namespace(namespace).find(|row| row.name() == name)
    }

    pub(super) fn row(&self, index: usize) -> Option<&Typed<T>> {
        self.rows.get(index)
    }
}

impl<'t, T> IntoIterator for &'t Table<T> {
    type Item = &'t Typed<T>;
    type IntoIter = std::slice::Iter<'t, Typed<T>>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
