//! What is in force of everything that the feeds read, and what is different since the last batch.

mod held;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use weft_api::{Change, Kind, Object, ObjectKey, Spec, mesh::MeshConfig};
use weft_model::Diagnostic;

use self::held::Held;
use super::{
    feed::{Event, FeedId, Report},
    revision::{self, Reader, Revision},
    scope::Scope,
    secrets,
    watched::{Watched, What},
    wire::Read,
};

/// Names an object of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Name {
    /// Empty for cluster-scoped kinds.
    pub(super) namespace: Box<str>,
    pub(super) name: Box<str>,
}

impl Name {
    pub(super) fn new(namespace: &str, name: &str) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }
}

/// The state of every feed. Pure but for the clock.
#[derive(Debug)]
pub(super) struct Ledger {
    feeds: BTreeMap<FeedId, Held>,
    scope: Scope,
    revision: Revision,
    /// Changes since the last batch; the last of several on one object wins.
    pending: BTreeMap<ObjectKey, Change>,
    pending_other_than_endpoints: bool,
    served: BTreeMap<Kind, &'static str>,
    secrets_dirty: bool,
    config_dirty: bool,
}

impl Ledger {
    /// `reader` is a control plane; `None` hands on the configuration of all.
    pub(super) fn new(root_namespace: &str, reader: Option<Reader>) -> Self {
        Self {
            feeds: BTreeMap::new(),
            scope: Scope::new(root_namespace),
            revision: Revision::new(reader),
            pending: BTreeMap::new(),
            pending_other_than_endpoints: false,
            served: BTreeMap::new(),
            secrets_dirty: true,
            config_dirty: false,
        }
    }

    /// A feed begins.
    pub(super) fn open(&mut self, feed: FeedId, watched: Watched) {
        self.feeds.insert(feed, Held::new(watched));
    }

    /// A feed ends and its objects are gone. Says whether any was in force.
    pub(super) fn close(&mut self, feed: FeedId) -> bool {
        let Some(mut held) = self.feeds.remove(&feed) else { return false };
        let gone: Vec<_> = held.objects.drain().map(|(name, object)| (name, Some(object))).collect();
        let any = !gone.is_empty();
        for (name, object) in gone {
            self.changed(&held.watched, &name, object, None);
        }
        self.reselect();
        any
    }

    /// A feed takes over another one's objects, of which those are gone that it does not list.
    pub(super) fn hand_over(&mut self, from: FeedId, to: FeedId) {
        if let Some(old) = self.feeds.remove(&from)
            && let Some(new) = self.feeds.get_mut(&to)
        {
            new.objects = old.objects;
            new.problems = old.problems;
        }
    }

    /// Takes what a feed has to say, and says whether there is anything new to hand on.
    pub(super) fn take(&mut self, report: Report) -> bool {
        let Some(mut held) = self.feeds.remove(&report.feed) else { return false };
        let worth = self.apply(&mut held, report.event);
        self.feeds.insert(report.feed, held);
        self.reselect() || worth
    }

    fn apply(&mut self, held: &mut Held, event: Event) -> bool {
        match event {
            Event::Begin => {
                held.begin();
                false
            }
            Event::Seen(name, read) => {
                held.seen(&name);
                match read {
                    Read::Object(object, notes) => {
                        let noted = held.note(&name, notes);
                        match held.put(&name, &object) {
                            Some(old) => self.changed(&held.watched, &name, old, Some(object)) || noted,
                            None => noted,
                        }
                    }
                    Read::Rejected(problems) => held.note(&name, problems),
                    Read::Serves(kind, version) => {
                        held.serve(name, kind, version);
                        false
                    }
                    Read::Nothing => false,
                }
            }
            Event::Gone(name) => {
                let cleared = held.forget(&name);
                match held.objects.remove(&name) {
                    Some(old) => self.changed(&held.watched, &name, Some(old), None) || cleared,
                    None => cleared,
                }
            }
            Event::Done => {
                let mut worth = held.complete();
                for (name, old) in held.unseen() {
                    worth |= self.changed(&held.watched, &name, Some(old), None);
                }
                worth
            }
            Event::Resumed => held.recovered(),
            Event::Failed(failure) => held.failed(failure),
        }
    }

    /// Notes a change for the next batch, and whatever follows from it. Says whether anything is to be handed on.
    fn changed(&mut self, watched: &Watched, name: &Name, old: Option<Arc<Object>>, new: Option<Arc<Object>>) -> bool {
        let Some(kind) = watched.kind() else { return false };
        self.secrets_dirty |= match kind {
            Kind::Gateway | Kind::DestinationRule => true,
            // Labels and namespace are all that counts of a pod here; readiness comes and goes.
            Kind::Pod => old.as_ref().map(|pod| &pod.meta.labels) != new.as_ref().map(|pod| &pod.meta.labels),
            _ => false,
        };
        let seen = |object: &Option<Arc<Object>>| object.as_ref().is_some_and(|object| self.shows(kind, name, object));
        let (was, is) = (seen(&old), seen(&new));
        let mut worth = was || is;
        if worth {
            self.pend(kind, name, new.as_ref().filter(|_| is));
        }
        match kind {
            Kind::Namespace if self.scope.namespace(&name.name, new.as_ref().map(|object| &object.meta.labels)) => {
                self.rescope(|_, within, _| *within.namespace == *name.name);
                worth = true;
            }
            Kind::Mesh | Kind::ConfigMap => self.config_dirty = true,
            _ => {}
        }
        worth
    }

    /// Whether an object is handed on.
    fn shows(&self, kind: Kind, name: &Name, object: &Object) -> bool {
        self.scope.shows(&name.namespace) && self.revision.reads(kind, object)
    }

    fn pend(&mut self, kind: Kind, name: &Name, object: Option<&Arc<Object>>) {
        let key = ObjectKey::new(kind, &*name.namespace, &*name.name);
        let change = match object {
            Some(object) => Change::Put(Arc::clone(object)),
            None => Change::Delete(key.clone()),
        };
        self.pending_other_than_endpoints |= kind != Kind::EndpointSlice;
        self.pending.insert(key, change);
    }

    /// Looks at the mesh config and the revision's tags anew if an object that can hold them changed. A `Mesh` wins over
    /// Istio's ConfigMap; of several, the first by name. Says whether other objects are in sight now.
    fn reselect(&mut self) -> bool {
        if !std::mem::take(&mut self.config_dirty) {
            return false;
        }
        let config = |object: &Arc<Object>| -> Option<Vec<serde_json::Value>> {
            let config: &MeshConfig = match &object.spec {
                Spec::Mesh(mesh) => &mesh.mesh_config,
                Spec::MeshConfig(config) => config,
                _ => return None,
            };
            Some(config.discovery_selectors.clone())
        };
        let own = self.objects(Kind::Mesh).filter(|mesh| self.revision.reads(Kind::Mesh, mesh));
        let own = own.min_by(|a, b| a.meta.name.cmp(&b.meta.name));
        let tags = match own.map(|mesh| &mesh.spec) {
            Some(Spec::Mesh(mesh)) => mesh.tags.iter().cloned().collect(),
            _ => BTreeSet::new(),
        };
        let selectors = own.and_then(config).or_else(|| self.objects(Kind::ConfigMap).find_map(config));
        let selectors = selectors.unwrap_or_default();
        let (selected, moved) = (self.scope.select(&selectors), self.revision.retag(tags));
        if selected {
            tracing::info!(selectors = selectors.len(), "the selectors of namespaces changed");
            self.rescope(|_, _, _| true);
        } else if !moved.is_empty() {
            tracing::info!(?moved, "the tags of this revision changed");
            self.rescope(|kind, _, object| revision::named(kind, object).is_some_and(|name| moved.contains(name)));
        }
        self.secrets_dirty |= !moved.is_empty();
        selected || !moved.is_empty()
    }

    /// Puts what came into sight and takes away what went out of it, of what is concerned.
    fn rescope(&mut self, concerned: impl Fn(Kind, &Name, &Object) -> bool) {
        let mut changes = Vec::new();
        for held in self.feeds.values().filter(|held| held.watched.namespaced()) {
            let Some(kind) = held.watched.kind() else { continue };
            for (name, object) in held.objects.iter().filter(|(name, object)| concerned(kind, name, object)) {
                let shown = self.shows(kind, name, object);
                changes.push((kind, name.clone(), shown.then(|| Arc::clone(object))));
            }
        }
        for (kind, name, object) in changes {
            self.pend(kind, &name, object.as_ref());
        }
    }

    /// The changes since the last batch.
    pub(super) fn drain(&mut self) -> Vec<Change> {
        self.pending_other_than_endpoints = false;
        std::mem::take(&mut self.pending).into_values().collect()
    }

    /// Whether nothing but endpoints changed since the last batch.
    pub(super) fn only_endpoints(&self) -> bool {
        !self.pending.is_empty() && !self.pending_other_than_endpoints
    }

    /// Everything that is wrong now.
    pub(super) fn diagnostics(&self) -> Vec<Diagnostic> {
        let troubles = self.feeds.values().filter_map(Held::diagnostic);
        troubles.chain(self.feeds.values().flat_map(|held| held.problems.values().flatten().cloned())).collect()
    }

    /// Whether every feed has either read its kind or said why it cannot.
    pub(super) fn settled(&self) -> bool {
        self.feeds.values().all(|held| held.listed || held.trouble.is_some())
    }

    /// Whether every kind that counts has been read.
    pub(super) fn synced(&self) -> bool {
        self.feeds.values().all(|held| held.listed || !held.watched.required())
    }

    /// The kinds that count and have not been read.
    pub(super) fn waiting_for(&self) -> Vec<String> {
        let missing = self.feeds.values().filter(|held| !held.listed && held.watched.required());
        missing.map(|held| held.watched.title()).collect()
    }

    /// The custom kinds that are served, when they are others than at the last asking.
    pub(super) fn served_changed(&mut self) -> Option<BTreeMap<Kind, &'static str>> {
        let definitions = self.feeds.values().find(|held| held.watched.what == What::Definitions && held.listed)?;
        let served: BTreeMap<_, _> = definitions.served().collect();
        (served != self.served).then(|| {
            self.served.clone_from(&served);
            served
        })
    }

    /// The Secrets that are wanted, when that may have changed since the last asking.
    pub(super) fn wanted_secrets(&mut self) -> Option<secrets::Wanted> {
        if !std::mem::take(&mut self.secrets_dirty) {
            return None;
        }
        let this = &*self;
        let read = |kind| this.objects(kind).filter(move |object| this.revision.reads(kind, object));
        let policies = read(Kind::Gateway).chain(read(Kind::DestinationRule));
        Some(secrets::wanted(policies.map(|o| &**o), this.objects(Kind::Pod).map(|o| &**o)))
    }

    /// How the Secret stands that a feed follows.
    pub(super) fn standing(&self, feed: FeedId) -> secrets::Standing {
        self.feeds.get(&feed).map_or(secrets::Standing::Asked, Held::standing)
    }

    pub(super) fn len(&self) -> usize {
        self.feeds.values().map(|held| held.objects.len()).sum()
    }

    fn objects(&self, kind: Kind) -> impl Iterator<Item = &Arc<Object>> {
        let feeds = self.feeds.values().filter(move |held| held.watched.kind() == Some(kind));
        feeds.flat_map(|held| held.objects.values())
    }
}

/// Objects by name.
pub(super) type Objects = HashMap<Name, Arc<Object>>;

#[cfg(test)]
mod tests;
