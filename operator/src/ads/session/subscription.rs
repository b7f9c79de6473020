//! One xDS type of one stream: what the proxy wants, has, was sent and refused.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use weft_mesh::{Named, Resource};

use super::standing::{Refusal, Standing};
use crate::ads::{kind::Action, nack};

/// Names that one proxy may subscribe to or claim, by type. A mesh of 5,000 services has about 20,000 clusters.
pub const MAX_NAMES: usize = 100_000;
/// Bytes after which a response is closed and the rest follows in the next: gRPC clients refuse messages beyond 4 MiB, and
/// a stream keeps a buffer for its largest message for as long as it lasts, whose size is a power of two.
const MAX_RESPONSE: usize = 32 * 1024 - 512;
/// Bytes that a resource takes in a response beside its texts and its value: tags and lengths.
const FRAME: usize = 24;

/// The wildcard's name in subscriptions.
const WILDCARD: &str = "*";

/// A response that was not answered yet.
#[derive(Debug)]
struct Outstanding {
    nonce: String,
    updates: BTreeMap<String, Arc<Resource>>,
    removals: BTreeSet<String>,
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

/// The state of one type. What is due is not kept: it is how what the proxy has differs from its target.
#[derive(Debug, Default)]
pub struct Subscription {
    begun: bool,
    target: Named,
    standing: Standing,
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

    /// What the proxy wants and has.
    pub fn standing(&self) -> &Standing {
        &self.standing
    }

    /// The last NACK, until something is acknowledged.
    pub fn nack(&self) -> Option<&str> {
        self.nack.as_deref()
    }

    /// Whether the proxy has in force all that it asked for, refusals apart.
    pub fn settled(&self) -> bool {
        self.outstanding.is_none() && self.due().all(|(name, due)| self.standing.refuses(name, due))
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
        if initial.len() > MAX_NAMES || self.standing.names.len() + subscribe.len() > MAX_NAMES {
            return Err(TooMany);
        }
        if first {
            self.standing.wildcard = bare_is_wildcard && subscribe.is_empty();
            self.standing.claimed = Arc::new(initial);
        }
        let names = Arc::make_mut(&mut self.standing.names);
        for name in subscribe {
            if name == WILDCARD {
                self.standing.wildcard = true;
                continue;
            }
            // Later on, even an unchanged resource is sent again: the proxy may have dropped it.
            if !(first && self.standing.claimed.contains_key(&name)) {
                self.owed.insert(name.clone());
            }
            names.insert(name);
        }
        for name in unsubscribe {
            if name == WILDCARD {
                self.standing.wildcard = false;
            } else {
                names.remove(name);
            }
        }
        if first {
            self.owes_first = self.standing.wildcard && self.standing.claimed.is_empty();
        }
        if first || !unsubscribe.is_empty() {
            self.standing.forget_unwanted();
        }
        let standing = &self.standing;
        self.owed.retain(|name| standing.wants(name));
        if first {
            self.standing.recognize(&self.target);
        }
        Ok(())
    }

    /// Takes up what the proxy should have now.
    pub fn set_target(&mut self, target: &Named) {
        self.target = target.clone();
        self.standing.recognize(target);
        // A refusal is about one version: once the target has moved on it says nothing any more.
        if self.standing.drop_old_refusals(target) {
            self.nack = None;
        }
    }

    /// Where what the proxy has differs from the target: the resource that should be there, or `None` for one that should
    /// not. What was sent and not answered counts: until the answer nobody knows which of two versions is in force.
    fn due(&self) -> impl Iterator<Item = (&str, Option<&Arc<Resource>>)> {
        let lags = self.begun.then(|| self.standing.lags(&self.target));
        let sent = self.outstanding.iter().flat_map(|sent| {
            let updates = sent.updates.iter().map(|(name, resource)| (name.as_str(), Some(resource)));
            updates.chain(sent.removals.iter().map(|name| (name.as_str(), None)))
        });
        // What lags anyhow was told already.
        let unsure = sent.filter_map(|(name, sent)| {
            let wanted = self.wanted(name);
            let version = |resource: Option<&Arc<Resource>>| resource.map(|r| r.version.clone());
            let differs = version(sent) != version(wanted);
            (differs && !self.standing.lags_at(name, wanted)).then_some((name, wanted))
        });
        lags.into_iter().flatten().chain(unsure)
    }

    fn wanted(&self, name: &str) -> Option<&Arc<Resource>> {
        self.target.get(name).filter(|_| self.standing.wants(name))
    }

    /// What a step has to send now; empty when nothing is left. While a response is unanswered, only what came up
    /// after it.
    pub fn batch(&self, action: Action) -> Batch {
        let mut batch = Batch::default();
        let sent = self.outstanding.as_ref();
        match action {
            Action::Remove => {
                let gone = self.due().filter(|(_, due)| due.is_none()).map(|(name, _)| name);
                let unsent = |name: &&str| !sent.is_some_and(|sent| sent.removals.contains(*name));
                batch.removals = gone.filter(unsent).map(str::to_owned).collect();
                batch.removals.sort();
            }
            Action::Update => {
                let due = self.due().filter_map(|(name, due)| Some((name, due?)));
                let due = due.filter(|(name, resource)| !self.standing.refuses(name, Some(resource)));
                let asked = self.owed.iter().filter_map(|name| Some((name.as_str(), self.target.get(name)?)));
                let mut taken: HashSet<&str> = HashSet::new();
                let mut bytes = 0;
                for (name, resource) in asked.chain(due) {
                    let sent = sent.and_then(|sent| sent.updates.get(name));
                    if sent.is_some_and(|sent| sent.version == resource.version) || !taken.insert(name) {
                        continue;
                    }
                    let size = size(resource);
                    if bytes > 0 && bytes + size > MAX_RESPONSE {
                        batch.more = true;
                        break;
                    }
                    bytes += size;
                    batch.updates.push(Arc::clone(resource));
                }
                batch.updates.sort_by(|a, b| a.name.cmp(&b.name));
                batch.removals = self.owed.iter().filter(|name| self.target.get(name).is_none()).cloned().collect();
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
    pub fn answered(&mut self, nonce: &str, error: Option<&str>) -> Answer {
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
        let refusals = answered.updates.iter().filter_map(|(name, resource)| {
            let reason = refused.get(name.as_str())?.clone();
            Some((name.clone(), Refusal { version: resource.version.clone(), reason }))
        });
        let accepted = answered.updates.iter().filter(|(name, _)| !refused.contains_key(name.as_str()));
        self.standing.take(refusals, accepted.map(|(_, resource)| resource), &answered.removals, &self.target);
        self.nack = error.map(|message| message.chars().take(4096).collect());
        match error {
            None => Answer::Ack,
            Some(_) => Answer::Nack(refused.into_iter().map(|(name, reason)| (name.to_owned(), reason)).collect()),
        }
    }

    /// The resources in which the proxy lags behind its target: the ones it should have, has, and was sent last.
    pub fn lagging(&self) -> impl Iterator<Item = &Arc<Resource>> {
        self.due().flat_map(|(name, due)| {
            let held = self.standing.held.get(name);
            let sent = self.outstanding.as_ref().and_then(|sent| sent.updates.get(name));
            due.into_iter().chain(held).chain(sent)
        })
    }

    /// The resources that the proxy held at another version when it came back from an earlier stream.
    pub fn stale_claims(&self) -> impl Iterator<Item = &Arc<Resource>> {
        self.standing.claimed.keys().filter_map(|name| self.wanted(name))
    }
}

/// Bytes that a resource takes in a response.
fn size(resource: &Resource) -> usize {
    let texts = resource.name.len() + resource.version.len() + resource.type_url.len();
    texts + resource.value.len() + FRAME
}
