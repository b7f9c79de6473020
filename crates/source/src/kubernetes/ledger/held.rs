//! What one feed holds.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use tokio::time::Instant;
use weft_api::{Kind, Object};
use weft_model::Diagnostic;

use super::{
    super::{
        secrets::Standing,
        trouble::{Failure, Trouble, UNAVAILABLE_AFTER},
        watched::Watched,
    },
    Name, Objects,
};

/// The objects of one feed that are in force, and how the feed is.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) watched: Watched,
    pub(super) objects: Objects,
    /// What is wrong with single objects.
    pub(super) problems: BTreeMap<Name, Vec<Diagnostic>>,
    /// Whether a whole list was read at least once.
    pub(super) listed: bool,
    pub(super) trouble: Option<Trouble>,
    /// What the list that is being read has shown so far.
    listing: Option<HashSet<Name>>,
    served: BTreeMap<Name, (Kind, Option<&'static str>)>,
}

impl Held {
    pub(super) fn new(watched: Watched) -> Self {
        Self {
            watched,
            objects: Objects::new(),
            problems: BTreeMap::new(),
            listed: false,
            trouble: None,
            listing: None,
            served: BTreeMap::new(),
        }
    }

    /// A list begins. What a list that broke off has shown does not count.
    pub(super) fn begin(&mut self) {
        self.listing = Some(HashSet::new());
    }

    pub(super) fn seen(&mut self, name: &Name) {
        if let Some(listing) = &mut self.listing {
            listing.insert(name.clone());
        }
    }

    /// Puts an object in force. `None` when it says what it said before; otherwise what it replaces.
    pub(super) fn put(&mut self, name: &Name, object: &Arc<Object>) -> Option<Option<Arc<Object>>> {
        if self.objects.get(name).is_some_and(|old| same(old, object)) {
            return None;
        }
        Some(self.objects.insert(name.clone(), Arc::clone(object)))
    }

    /// Notes what is wrong with an object; says whether that is different now.
    pub(super) fn note(&mut self, name: &Name, problems: Vec<Diagnostic>) -> bool {
        if problems.is_empty() {
            return self.problems.remove(name).is_some();
        }
        self.problems.insert(name.clone(), problems.clone()).as_ref() != Some(&problems)
    }

    /// Forgets what an object that is gone defined or did wrong; says whether there was anything wrong.
    pub(super) fn forget(&mut self, name: &Name) -> bool {
        self.served.remove(name);
        self.problems.remove(name).is_some()
    }

    pub(super) fn serve(&mut self, name: Name, kind: Kind, version: Option<&'static str>) {
        self.served.insert(name, (kind, version));
    }

    /// The kinds that are served, in their versions.
    pub(super) fn served(&self) -> impl Iterator<Item = (Kind, &'static str)> {
        self.served.values().filter_map(|(kind, version)| Some((*kind, (*version)?)))
    }

    /// The list is complete. Says whether that is news.
    pub(super) fn complete(&mut self) -> bool {
        let first = !std::mem::replace(&mut self.listed, true);
        self.trouble.take().is_some() || first
    }

    /// Takes out what the complete list did not show.
    pub(super) fn unseen(&mut self) -> Vec<(Name, Arc<Object>)> {
        let Some(listing) = self.listing.take() else { return Vec::new() };
        self.problems.retain(|name, _| listing.contains(name));
        self.served.retain(|name, _| listing.contains(name));
        let gone: Vec<Name> = self.objects.keys().filter(|name| !listing.contains(*name)).cloned().collect();
        gone.into_iter().filter_map(|name| self.objects.remove_entry(&name)).collect()
    }

    /// The feed cannot go on for now. Says whether that is to be told.
    pub(super) fn failed(&mut self, failure: Failure) -> bool {
        self.listing = None;
        let now = Instant::now();
        match &mut self.trouble {
            Some(trouble) => {
                let told = trouble.since.elapsed() >= UNAVAILABLE_AFTER;
                let other = trouble.failure != failure;
                trouble.failure = failure;
                told || other
            }
            None => {
                self.trouble = Some(Trouble { failure, since: now });
                true
            }
        }
    }

    /// All is well again: something came through a watch that goes on.
    pub(super) fn recovered(&mut self) -> bool {
        self.listing.is_none() && self.listed && self.trouble.take().is_some()
    }

    /// How the object stands that this feed follows by its name. One that does not parse is there too.
    pub(super) fn standing(&self) -> Standing {
        if !self.objects.is_empty() || !self.problems.is_empty() {
            Standing::Seen
        } else if self.listed || self.trouble.is_some() {
            Standing::Unseen
        } else {
            Standing::Asked
        }
    }

    pub(super) fn diagnostic(&self) -> Option<Diagnostic> {
        self.trouble.as_ref()?.diagnostic(&self.watched, self.listed)
    }
}

/// Whether nothing that anybody reads is different. Resource versions move whenever anything does, status included.
fn same(old: &Object, new: &Object) -> bool {
    old.content == new.content
        && old.reference == new.reference
        && old.meta.labels == new.meta.labels
        && old.meta.annotations == new.meta.annotations
        && old.meta.uid == new.meta.uid
        && old.meta.generation == new.meta.generation
}
