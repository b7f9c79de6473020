//! What one proxy wants of one type, has in force, and refused.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use weft_mesh::{Named, Resource};

/// A version that a proxy refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The refused version.
    pub version: String,
    /// The proxy's words.
    pub reason: String,
}

/// What a proxy wants and has. A clone costs next to nothing: a proxy that has all it should have shares its target.
#[derive(Clone, Debug, Default)]
pub struct Standing {
    /// Whether it wants everything.
    pub(super) wildcard: bool,
    /// What it wants by name.
    pub(super) names: Arc<HashSet<String>>,
    /// What it acknowledged.
    pub(super) held: Named,
    /// Versions that it brought along from an earlier stream and that are not the present ones.
    pub(super) claimed: Arc<HashMap<String, String>>,
    refused: Arc<BTreeMap<String, Refusal>>,
}

/// How far a proxy is with one resource of its target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// It has not asked for it.
    Unasked,
    /// It will have it.
    Pending,
    /// It has it in force.
    Acked,
    /// It refused it, with this reason.
    Refused(String),
}

impl Standing {
    /// How many resources it has in force.
    pub fn in_force(&self) -> usize {
        self.held.len() + self.claimed.len()
    }

    /// Whether it refuses anything.
    pub fn refuses_some(&self) -> bool {
        !self.refused.is_empty()
    }

    /// The version that it has in force.
    pub fn version(&self, name: &str) -> Option<&str> {
        let held = || self.held.get(name).map(|resource| resource.version.as_str());
        self.claimed.get(name).map(String::as_str).or_else(held)
    }

    /// How far it is with a resource that it should have.
    pub fn state(&self, resource: &Resource) -> State {
        if self.version(&resource.name) == Some(&resource.version) {
            return State::Acked;
        }
        match self.refused.get(&resource.name).filter(|refusal| refusal.version == resource.version) {
            Some(refusal) => State::Refused(refusal.reason.clone()),
            None if self.wants(&resource.name) => State::Pending,
            None => State::Unasked,
        }
    }

    pub(super) fn wants(&self, name: &str) -> bool {
        self.wildcard || self.names.contains(name)
    }

    pub(super) fn refuses(&self, name: &str, due: Option<&Arc<Resource>>) -> bool {
        let refusal = self.refused.get(name);
        due.zip(refusal).is_some_and(|(resource, refusal)| refusal.version == resource.version)
    }

    /// Where it has something else than it should have.
    pub(super) fn lags<'a>(&'a self, target: &'a Named) -> impl Iterator<Item = (&'a str, Option<&'a Arc<Resource>>)> {
        let differences = self.held.differences(target).filter_map(move |difference| {
            let name = difference.name();
            let wanted = difference.there.filter(|_| self.wants(name));
            // Of equal versions under one name one was made a second time.
            let same = difference.here.zip(wanted).is_some_and(|(here, wanted)| here.version == wanted.version);
            let nothing = difference.here.is_none() && wanted.is_none();
            (!same && !nothing && !self.claimed.contains_key(name)).then_some((name, wanted))
        });
        let claims =
            self.claimed.keys().map(move |name| (name.as_str(), target.get(name).filter(|_| self.wants(name))));
        differences.chain(claims)
    }

    /// Whether it has something else than `wanted` under this name.
    pub(super) fn lags_at(&self, name: &str, wanted: Option<&Arc<Resource>>) -> bool {
        self.version(name) != wanted.map(|resource| resource.version.as_str())
    }

    /// Claims that are the present versions are as good as acknowledged.
    pub(super) fn recognize(&mut self, target: &Named) {
        if self.claimed.is_empty() {
            return;
        }
        let (mut known, mut unknown) = (Vec::new(), HashMap::new());
        for (name, version) in self.claimed.iter() {
            match target.get(name).filter(|resource| resource.version == *version) {
                Some(resource) => known.push(Arc::clone(resource)),
                None => drop(unknown.insert(name.clone(), version.clone())),
            }
        }
        if !known.is_empty() {
            self.claimed = Arc::new(unknown);
            self.held = self.held.with(known, []);
            self.held.adopt(target);
        }
    }

    /// Drops refusals of versions that are not the target's any more; whether none is left of some.
    pub(super) fn drop_old_refusals(&mut self, target: &Named) -> bool {
        if self.refused.is_empty() {
            return false;
        }
        let current = |name: &str, refusal: &Refusal| target.get(name).is_some_and(|r| r.version == refusal.version);
        Arc::make_mut(&mut self.refused).retain(|name, refusal| current(name, refusal));
        self.refused.is_empty()
    }

    /// Forgets what is not wanted any more.
    pub(super) fn forget_unwanted(&mut self) {
        if self.wildcard {
            return;
        }
        let gone: Vec<String> = self.held.names().filter(|name| !self.wants(name)).map(str::to_owned).collect();
        self.held = self.held.with([], gone.iter().map(String::as_str));
        let names = Arc::clone(&self.names);
        Arc::make_mut(&mut self.claimed).retain(|name, _| names.contains(name));
        Arc::make_mut(&mut self.refused).retain(|name, _| names.contains(name));
    }

    /// Takes an answer.
    pub(super) fn take<'a>(
        &mut self,
        refusals: impl Iterator<Item = (String, Refusal)>,
        accepted: impl Iterator<Item = &'a Arc<Resource>>,
        removed: &BTreeSet<String>,
        target: &Named,
    ) {
        let refusals: Vec<_> = refusals.collect();
        let accepted: Vec<Arc<Resource>> = accepted.map(Arc::clone).collect();
        if !refusals.is_empty() || !self.refused.is_empty() {
            let refused = Arc::make_mut(&mut self.refused);
            for resource in &accepted {
                refused.remove(&resource.name);
            }
            refused.extend(refusals);
        }
        if !self.claimed.is_empty() {
            let claimed = Arc::make_mut(&mut self.claimed);
            accepted.iter().map(|resource| &resource.name).chain(removed).for_each(|name| drop(claimed.remove(name)));
        }
        let wanted = accepted.into_iter().filter(|resource| self.wildcard || self.names.contains(&resource.name));
        self.held = self.held.with(wanted.collect::<Vec<_>>(), removed.iter().map(String::as_str));
        self.held.adopt(target);
    }
}
