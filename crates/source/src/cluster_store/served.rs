//! The versions in which groups are served.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

/// What the API server served when it was last asked, by group.
#[derive(Default)]
pub(super) struct Served(Mutex<BTreeMap<String, Vec<String>>>);

impl Served {
    pub(super) fn get(&self, group: &str) -> Option<Vec<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(group).cloned()
    }

    pub(super) fn set(&self, groups: BTreeMap<String, Vec<String>>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = groups;
    }
}
