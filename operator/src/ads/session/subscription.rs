//! One xDS type of one stream: what the proxy wants, has, was sent and refused.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use weft_mesh::Resource;

use crate::ads::{kind::Action, nack};

/// Names that one proxy may subscribe to or claim, by type. A mesh of 5,000 services has about 20,000 clusters.
pub const MAX_NAMES: usize = 100_000;
/// Bytes of resources after which a response is closed and the rest follows in the next: gRPC clients refuse messages
/// beyond 4 MiB.
const MAX_RESPONSE: usize = 2 * 1024 * 1024;

/// The wildcard's name in subscriptions.
const WILDCARD: &str = "*";

/// A version that a proxy has in force.
#[derive(Clone, Debug)]
enum Held {
    /// It acknowledged this.
    Acked(Arc<Resource>),
    /// It brought this version along from an earlier stream.
    Claimed(String),
}

impl Held {
    fn version(&self) -> &str {
        match self {
            Self::Acked(resource) => &resource.version,
            Self::Claimed(version) => version,
        }
    }
}

/// A response that was not answered yet.
#[derive(Debug)]
struct Outstanding {
    nonce: String,
    updates: BTreeMap<String, Arc<Resource>>,
    removals: BTreeSet<String>,
}

/// A version that a proxy refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The refused version.
    pub version: String,
    /// The proxy's words.
    pub reason: String,
}

/// What is to be sent in one response.
#[derive(Debug, Default)]
pub struct Batch {
    /// New and changed resources.
    pub updates: Vec<Arc<Resource>>,
    /// Names of resources that are gone, or that were asked for and do not exist.
    pub removals: Vec<String>,
    /// Whether something of the same step has to wait for the next response.
    pub more: bool,
}

/// How an answer was taken.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    /// Not to the last response: nothing changes.
    Stale,
    /// Everything is in force.
    Ack,
    /// These were refused, each with its reason; the others are in force.
    Nack(Vec<(String, String)>),
}

/// The state of one type.
#[derive(Debug, Default)]
pub struct Subscription {
    begun: bool,
    wildcard: bool,
    names: HashSet<String>,
    held: HashMap<String, Held>,
    refused: BTreeMap<String, Refusal>,
    /// Where `held` differs from the target: the resource that should be there, or `None` for one that should not.
    due: BTreeMap<String, Option<Arc<Resource>>>,
    /// Names that must be answered though nothing changed: the proxy asked for them.
    owed: HashSet<String>,
    /// A first answer is owed even when there is nothing to tell: clients wait for it before they are ready.
    owes_first: bool,
    outstanding: Option<Outstanding>,
    nack: Option<String>,
}

/// The proxy asks for more than is kept for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("more than {MAX_NAMES} names of one type")]
pub struct TooMany;

impl Subscription {
    /// Whether the proxy has asked for this type at all.
    pub fn begun(&self) -> bool {
        self.begun
    }

    /// Whether a response was not answered yet.
    pub fn unanswered(&self) -> bool {
        self.outstanding.is_some()
    }

    /// The version of a resource that the proxy has in force.
    pub fn in_force(&self, name: &str) -> Option<&str> {
        self.held.get(name).map(Held::version)
    }

    /// Resources that the proxy has in force.
    pub fn held(&self) -> usize {
        self.held.len()
    }

    /// The last NACK, until something is acknowledged.
    pub fn nack(&self) -> Option<&str> {
        self.nack.as_deref()
    }

    /// Refused versions by name.
    pub fn refused(&self) -> &BTreeMap<String, Refusal> {
        &self.refused
    }

    /// Whether the proxy has in force all that it asked for, refusals apart.
    pub fn settled(&self) -> bool {
        self.outstanding.is_none() && self.due.iter().all(|(name, due)| self.is_refused(name, due.as_ref()))
    }

    /// Takes subscriptions and, with the first request of a stream, the versions that the proxy already has.
    /// `bare_is_wildcard` says whether a first request without names asks for everything.
    pub fn subscribe(
        &mut self,
        subscribe: Vec<String>,
        unsubscribe: &[String],
        initial: HashMap<String, String>,
        bare_is_wildcard: bool,
    ) -> Result<(), TooMany> {
        let first = !self.begun;
        self.begun = true;
        if initial.len() > MAX_NAMES || self.names.len() + subscribe.len() > MAX_NAMES {
            return Err(TooMany);
        }
        if first {
            self.wildcard = bare_is_wildcard && subscribe.is_empty();
            self.held = initial.into_iter().map(|(name, version)| (name, Held::Claimed(version))).collect();
        }
        for name in subscribe {
            if name == WILDCARD {
                self.wildcard = true;
                continue;
            }
            // Later on, even an unchanged resource is sent again: the proxy may have dropped it.
            if !(first && self.held.contains_key(&name)) {
                self.owed.insert(name.clone());
            }
            self.names.insert(name);
        }
        for name in unsubscribe {
            if name == WILDCARD {
                self.wildcard = false;
            } else {
                self.names.remove(name);
            }
        }
        if first {
            self.owes_first = self.wildcard && self.held.is_empty();
        }
        let (wildcard, names) = (self.wildcard, &self.names);
        let wanted = |name: &String| wildcard || names.contains(name);
        self.held.retain(|name, _| wanted(name));
        self.refused.retain(|name, _| wanted(name));
        self.owed.retain(|name| wanted(name));
        Ok(())
    }

    /// Compares what the proxy has with what it should have.
    pub fn compare(&mut self, target: &BTreeMap<String, Arc<Resource>>) {
        self.due.clear();
        if !self.begun {
            return;
        }
        let wanted = |name: &String| self.wildcard || self.names.contains(name);
        let mut due = BTreeMap::new();
        for (name, resource) in target.iter().filter(|(name, _)| wanted(name)) {
            if self.lags(name, Some(resource)) {
                due.insert(name.clone(), Some(Arc::clone(resource)));
            }
        }
        let sent = self.outstanding.iter().flat_map(|sent| sent.updates.keys());
        for name in self.held.keys().chain(sent).filter(|name| !target.contains_key(*name)) {
            due.insert(name.clone(), None);
        }
        self.due = due;
        // A refusal is about one version: once the target has moved on it says nothing any more.
        let current = |name: &String, refusal: &Refusal| target.get(name).is_some_and(|r| r.version == refusal.version);
        if !self.refused.is_empty() {
            self.refused.retain(|name, refusal| current(name, refusal));
            if self.refused.is_empty() {
                self.nack = None;
            }
        }
    }

    /// Whether the proxy has, or is about to have, something else than `wanted` under this name. What was sent and not
    /// answered counts: until the answer nobody knows which of two versions is in force.
    fn lags(&self, name: &str, wanted: Option<&Arc<Resource>>) -> bool {
        let version = wanted.map(|resource| resource.version.as_str());
        let held = self.held.get(name).map(Held::version);
        let differs_when_answered = self.outstanding.as_ref().is_some_and(|sent| {
            let update = sent.updates.get(name).is_some_and(|update| Some(update.version.as_str()) != version);
            update || (sent.removals.contains(name) && version.is_some())
        });
        held != version || differs_when_answered
    }

    fn is_refused(&self, name: &str, due: Option<&Arc<Resource>>) -> bool {
        let refusal = self.refused.get(name);
        due.zip(refusal).is_some_and(|(resource, refusal)| refusal.version == resource.version)
    }

    /// What a step has to send now; empty when nothing is left. While a response is unanswered, only what came up
    /// after it.
    pub fn batch(&self, action: Action, target: &BTreeMap<String, Arc<Resource>>) -> Batch {
        let mut batch = Batch::default();
        let sent = self.outstanding.as_ref();
        match action {
            Action::Remove => {
                let gone = self.due.iter().filter(|(_, due)| due.is_none()).map(|(name, _)| name);
                let unsent = |name: &&String| !sent.is_some_and(|sent| sent.removals.contains(*name));
                batch.removals = gone.filter(unsent).cloned().collect();
            }
            Action::Update => {
                let due = self.due.iter().filter_map(|(name, due)| Some((name, due.as_ref()?)));
                let due = due.filter(|(name, resource)| !self.is_refused(name, Some(resource)));
                let asked = self.owed.iter().filter_map(|name| Some((name, target.get(name)?)));
                let all: BTreeMap<&String, &Arc<Resource>> = due.chain(asked).collect();
                let mut bytes = 0;
                for resource in all.into_values() {
                    let sent = sent.and_then(|sent| sent.updates.get(&resource.name));
                    if sent.is_some_and(|sent| sent.version == resource.version) {
                        continue;
                    }
                    if bytes > 0 && bytes + resource.value.len() > MAX_RESPONSE {
                        batch.more = true;
                        break;
                    }
                    bytes += resource.value.len() + resource.name.len();
                    batch.updates.push(Arc::clone(resource));
                }
                batch.removals = self.owed.iter().filter(|name| !target.contains_key(*name)).cloned().collect();
                batch.removals.sort();
            }
        }
        batch
    }

    /// Whether a first answer is owed.
    pub fn owes_first(&self) -> bool {
        self.owes_first
    }

    /// Notes that `batch` goes out under `nonce`.
    pub fn sent(&mut self, nonce: String, batch: &Batch) {
        self.owes_first = false;
        for resource in &batch.updates {
            self.owed.remove(&resource.name);
        }
        for name in &batch.removals {
            self.owed.remove(name);
        }
        let updates = batch.updates.iter().map(|resource| (resource.name.clone(), Arc::clone(resource))).collect();
        self.outstanding = Some(Outstanding { nonce, updates, removals: batch.removals.iter().cloned().collect() });
    }

    /// Takes the answer to a response; `error` is the NACK's message.
    pub fn answered(&mut self, nonce: &str, error: Option<&str>, target: &BTreeMap<String, Arc<Resource>>) -> Answer {
        let Some(answered) = self.outstanding.take_if(|outstanding| outstanding.nonce == nonce) else {
            return Answer::Stale;
        };
        let mut refused: BTreeMap<&str, String> = BTreeMap::new();
        if let Some(message) = error {
            let names = || answered.updates.keys().map(String::as_str);
            refused.extend(nack::refused(message, names()));
            if refused.is_empty() {
                let reason: String = message.chars().take(512).collect();
                refused.extend(names().map(|name| (name, reason.clone())));
            } else if nack::cut(message) {
                // Whatever is not named may have been refused as well.
                for name in names() {
                    refused.entry(name).or_insert_with(|| "the proxy refused more than its answer names".to_owned());
                }
            }
        }
        for (name, resource) in &answered.updates {
            if let Some(reason) = refused.get(name.as_str()) {
                let refusal = Refusal { version: resource.version.clone(), reason: reason.clone() };
                self.refused.insert(name.clone(), refusal);
                continue;
            }
            self.refused.remove(name);
            if self.wildcard || self.names.contains(name) {
                self.held.insert(name.clone(), Held::Acked(Arc::clone(resource)));
            }
        }
        for name in &answered.removals {
            self.held.remove(name);
        }
        for name in answered.updates.keys().chain(&answered.removals) {
            let wanted = target.get(name).filter(|_| self.wildcard || self.names.contains(name));
            match self.lags(name, wanted) {
                true => self.due.insert(name.clone(), wanted.cloned()),
                false => self.due.remove(name),
            };
        }
        self.nack = error.map(|message| message.chars().take(4096).collect());
        match error {
            None => Answer::Ack,
            Some(_) => Answer::Nack(refused.into_iter().map(|(name, reason)| (name.to_owned(), reason)).collect()),
        }
    }

    /// Names at which the proxy lags behind its target, each with the reason if it refused what it was sent.
    pub fn missing(&self) -> impl Iterator<Item = (&String, Option<&str>)> {
        self.due.iter().map(|(name, due)| {
            let refusal = self.refused.get(name).filter(|_| self.is_refused(name, due.as_ref()));
            (name, refusal.map(|refusal| refusal.reason.as_str()))
        })
    }

    /// The resources in which the proxy lags behind its target: the ones it should have, has, and was sent last.
    pub fn lagging(&self) -> impl Iterator<Item = &Arc<Resource>> {
        self.due.iter().flat_map(|(name, due)| {
            let held = match self.held.get(name) {
                Some(Held::Acked(resource)) => Some(resource),
                _ => None,
            };
            let sent = self.outstanding.as_ref().and_then(|sent| sent.updates.get(name));
            due.iter().chain(held).chain(sent)
        })
    }

    /// The resources that the proxy held at another version when it came back from an earlier stream.
    pub fn stale_claims(&self) -> impl Iterator<Item = &Arc<Resource>> {
        let claimed = |name: &String| matches!(self.held.get(name), Some(Held::Claimed(_)));
        self.due.iter().filter(move |(name, _)| claimed(name)).filter_map(|(_, due)| due.as_ref())
    }
}
