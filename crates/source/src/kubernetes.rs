//! A Kubernetes API server as the place where objects come from.
//!
//! One task follows each kind and hands what it reads to [`KubernetesSource::next`] through a bounded queue; the
//! ledger behind it knows what is in force and what is different since the last batch. Nothing is taken out of
//! force because the API server is away, slow or forbids something.

mod clients;
mod connect;
mod crds;
mod feed;
pub mod forward;
mod ledger;
mod pace;
mod revision;
mod scope;
mod secrets;
mod trouble;
mod watched;
mod wire;

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use kube::Client;
use tokio::{
    sync::mpsc,
    task::AbortHandle,
    time::{Instant, sleep_until},
};
use weft_api::{Change, Kind};
use weft_model::Diagnostic;

pub use clients::Clients;
pub use connect::{ConnectError, client, config, signed};
pub use revision::Reader;
pub use trouble::UNAVAILABLE_AFTER;

use self::{
    feed::{FeedId, Report},
    ledger::{Ledger, Name},
    watched::Watched,
};

/// Reports that wait to be taken. Feeds wait when it is full, and with them the API server's stream.
const QUEUE: usize = 1024;
/// How long the first batch waits for every kind's list.
const FIRST_BATCH_WITHIN: Duration = Duration::from_secs(5);
/// Secrets followed at once. Each is a watch of its own, and a connection with it, so that nothing else of a namespace is ever
/// read.
const MAX_SECRETS: usize = 1024;

/// How an API server is followed.
#[derive(Clone, Debug)]
pub struct KubernetesOptions {
    /// Namespace whose ConfigMap `istio` and whose policies are mesh-wide.
    pub root_namespace: String,
    /// The control plane that reads, of several beside each other. `None` reads the configuration of all.
    pub reader: Option<Reader>,
    /// Whether the Secrets that gateways name are followed. Who only shows configuration needs no right to read them.
    pub secrets: bool,
    /// Whether EndpointSlices are followed, which change most often of all. Who only looks at configuration needs none.
    pub endpoints: bool,
    /// How long changes must have rested before they are handed on. A batch of EndpointSlices alone does not wait.
    pub settle: Duration,
    /// The longest that a change waits for others.
    pub limit: Duration,
}

impl Default for KubernetesOptions {
    fn default() -> Self {
        Self {
            root_namespace: "istio-system".to_owned(),
            reader: None,
            secrets: true,
            endpoints: true,
            settle: Duration::from_millis(20),
            limit: Duration::from_millis(100),
        }
    }
}

/// What is different since the batch before.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// Changes, to be taken together. May be empty when only findings are different.
    pub changes: Vec<Change>,
    /// Everything that is wrong now, with objects, kinds, or the API server itself.
    pub diagnostics: Vec<Diagnostic>,
}

/// An API server, followed. Dropping it ends every watch.
pub struct KubernetesSource {
    client: Client,
    options: KubernetesOptions,
    ledger: Ledger,
    sender: mpsc::Sender<Report>,
    reports: mpsc::Receiver<Report>,
    running: HashMap<FeedId, AbortHandle>,
    next_feed: FeedId,
    /// The feeds of kinds that come and go with their CustomResourceDefinitions.
    custom: BTreeMap<Kind, (FeedId, &'static str)>,
    /// The Secrets that are wanted, as of the last asking.
    wanted_secrets: secrets::Wanted,
    secrets: BTreeMap<Name, FeedId>,
    missed_secrets: secrets::Missed,
    /// How those that are followed stood when it was last decided who is.
    stood_secrets: secrets::Followed,
    /// When another Secret that is not there is to be looked for.
    next_look: Option<Instant>,
    /// Findings of Secrets that are wanted and for which there is no room.
    refused_secrets: Vec<Diagnostic>,
    /// The feed that tells which custom kinds there are; `None` before the first call.
    definitions: Option<FeedId>,
    started: Instant,
    first_change: Option<Instant>,
    last_change: Instant,
    published: Vec<Diagnostic>,
    first_batch_out: bool,
    synced: bool,
}

impl KubernetesSource {
    /// Follows what `client` reaches. Nothing is asked before the first [`next`](Self::next).
    pub fn new(client: Client, options: KubernetesOptions) -> Self {
        let (sender, reports) = mpsc::channel(QUEUE);
        let now = Instant::now();
        Self {
            client,
            ledger: Ledger::new(&options.root_namespace, options.reader.clone()),
            options,
            sender,
            reports,
            running: HashMap::new(),
            next_feed: 0,
            custom: BTreeMap::new(),
            wanted_secrets: secrets::Wanted::new(),
            secrets: BTreeMap::new(),
            missed_secrets: secrets::Missed::new(),
            stood_secrets: secrets::Followed::new(),
            next_look: None,
            refused_secrets: Vec::new(),
            definitions: None,
            started: now,
            first_change: None,
            last_change: now,
            published: Vec::new(),
            first_batch_out: false,
            synced: false,
        }
    }

    /// Waits until something is different. Nothing is lost when this is dropped halfway. The first batch waits for every
    /// kind's list, but not for ever: an API server that does not answer is a finding.
    pub async fn next(&mut self) -> Batch {
        if self.definitions.is_none() {
            self.started = Instant::now();
            self.definitions = Some(self.follow(Watched::definitions()));
            for watched in Watched::always(&self.options.root_namespace, self.options.endpoints) {
                self.follow(watched);
            }
        }
        loop {
            while let Ok(report) = self.reports.try_recv() {
                self.take(report);
                if self.first_change.is_some_and(|first| first.elapsed() >= self.options.limit) {
                    break;
                }
            }
            if self.next_look.is_some_and(|at| at <= Instant::now()) {
                self.follow_secrets();
            }
            let due = self.due();
            if due.is_some_and(|due| due <= Instant::now())
                && let Some(batch) = self.publish()
            {
                return batch;
            }
            // Without anything to wait for, only a report can make a difference.
            let due = due.into_iter().chain(self.next_look).min();
            let due = due.unwrap_or_else(|| Instant::now() + Duration::from_secs(3600));
            tokio::select! {
                report = self.reports.recv() => if let Some(report) = report { self.take(report) },
                () = sleep_until(due) => {}
            }
        }
    }

    /// Whether every kind that policy or routing depends on has been read in full, once. From then on it stays so: what
    /// was read stays in force whatever happens to the API server.
    pub fn synced(&self) -> bool {
        self.synced
    }

    /// The kinds that [`synced`](Self::synced) waits for.
    pub fn waiting_for(&self) -> Vec<String> {
        if self.synced { Vec::new() } else { self.ledger.waiting_for() }
    }

    /// How many objects are held.
    pub fn len(&self) -> usize {
        self.ledger.len()
    }

    /// Whether no object is held.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn take(&mut self, report: Report) {
        if !self.running.contains_key(&report.feed) {
            // The last words of a feed that was ended.
            return;
        }
        let feed = report.feed;
        if self.ledger.take(report) {
            let now = Instant::now();
            self.first_change.get_or_insert(now);
            self.last_change = now;
        }
        if self.definitions == Some(feed)
            && let Some(served) = self.ledger.served_changed()
        {
            self.follow_custom(&served);
        }
    }

    /// When the next batch is to go out, if there is anything in it.
    fn due(&mut self) -> Option<Instant> {
        if !self.first_batch_out {
            if self.ledger.settled() {
                // Gateways tell which Secrets are wanted, and those belong in the first batch too.
                self.follow_secrets();
                if self.ledger.settled() {
                    return Some(self.started);
                }
            }
            return Some(self.started + FIRST_BATCH_WITHIN);
        }
        let first = self.first_change?;
        if self.ledger.only_endpoints() {
            return Some(first);
        }
        Some((self.last_change + self.options.settle).min(first + self.options.limit))
    }

    fn publish(&mut self) -> Option<Batch> {
        self.follow_secrets();
        self.first_change = None;
        let newly_synced = !self.synced && self.ledger.synced();
        self.synced |= newly_synced;
        let changes = self.ledger.drain();
        let mut diagnostics = self.ledger.diagnostics();
        diagnostics.extend(self.refused_secrets.iter().cloned());
        if self.first_batch_out && changes.is_empty() && !newly_synced && diagnostics == self.published {
            return None;
        }
        self.first_batch_out = true;
        for news in diagnostics.iter().filter(|found| !self.published.contains(found)) {
            tracing::warn!("{news}");
        }
        self.published.clone_from(&diagnostics);
        Some(Batch { changes, diagnostics })
    }

    fn follow(&mut self, watched: Watched) -> FeedId {
        let feed = self.next_feed;
        self.next_feed += 1;
        self.ledger.open(feed, watched.clone());
        let task = feed::spawn(self.client.clone(), watched, feed, self.sender.clone());
        self.running.insert(feed, task);
        feed
    }

    fn unfollow(&mut self, feed: FeedId) {
        if let Some(task) = self.running.remove(&feed) {
            task.abort();
        }
        if self.ledger.close(feed) {
            let now = Instant::now();
            self.first_change.get_or_insert(now);
            self.last_change = now;
        }
    }

    /// Follows the custom kinds that are served, each in the preferred of its served versions, and no others.
    fn follow_custom(&mut self, served: &BTreeMap<Kind, &'static str>) {
        let ended: Vec<Kind> = self
            .custom
            .iter()
            .filter(|(kind, (_, version))| served.get(kind) != Some(version))
            .map(|(k, _)| *k)
            .collect();
        for kind in ended {
            if let Some((feed, version)) = self.custom.remove(&kind) {
                // A kind that moves to another version stays in force until it was read there.
                match served.get(&kind) {
                    Some(now) => {
                        tracing::info!(%kind, from = version, to = now, "served in another version");
                        let next = self.follow(Watched::all(kind, now));
                        if let Some(task) = self.running.remove(&feed) {
                            task.abort();
                        }
                        self.ledger.hand_over(feed, next);
                        self.custom.insert(kind, (next, now));
                    }
                    None => {
                        tracing::info!(%kind, "no longer served; its objects are gone");
                        self.unfollow(feed);
                    }
                }
            }
        }
        for (kind, version) in served {
            if !self.custom.contains_key(kind) {
                let feed = self.follow(Watched::all(*kind, version));
                self.custom.insert(*kind, (feed, version));
            }
        }
    }

    /// Follows the Secrets that gateways name, as far as there is room, and no others.
    fn follow_secrets(&mut self) {
        if !self.options.secrets {
            return;
        }
        let wanted = self.ledger.wanted_secrets();
        let as_before = wanted.is_none();
        self.wanted_secrets = wanted.unwrap_or_else(|| std::mem::take(&mut self.wanted_secrets));
        // While there is room for all, it does not matter which of them are there.
        if as_before && self.wanted_secrets.len() <= MAX_SECRETS {
            return;
        }
        let now = Instant::now();
        let standing = |(name, feed): (&Name, &FeedId)| (name.clone(), self.ledger.standing(*feed));
        let followed: secrets::Followed = self.secrets.iter().map(standing).collect();
        // Names may be many more than there is room for, and each batch asks.
        if as_before && followed == self.stood_secrets && self.next_look.is_none_or(|at| now < at) {
            return;
        }
        let (wanted, missed) = (&self.wanted_secrets, &mut self.missed_secrets);
        secrets::note(missed, wanted, &followed, now);
        let chosen = secrets::choose(wanted, &followed, missed, now, MAX_SECRETS);
        for name in chosen.iter().filter(|name| !followed.contains_key(*name)) {
            if let Some(since) = missed.get_mut(name) {
                *since = now;
            }
        }
        self.refused_secrets = secrets::refused(wanted, &chosen, missed, MAX_SECRETS);
        // One whose look takes long is waited for, and not asked after all the time.
        self.next_look = secrets::next_look(&chosen, missed).map(|at| at.max(now + Duration::from_secs(1)));
        self.stood_secrets = followed;
        let ended: Vec<Name> = self.secrets.keys().filter(|name| !chosen.contains(*name)).cloned().collect();
        for name in ended {
            if let Some(feed) = self.secrets.remove(&name) {
                self.unfollow(feed);
            }
        }
        for name in chosen {
            if !self.secrets.contains_key(&name) {
                let feed = self.follow(Watched::secret(&name));
                self.secrets.insert(name, feed);
            }
        }
    }
}

impl Drop for KubernetesSource {
    fn drop(&mut self) {
        self.running.values().for_each(AbortHandle::abort);
    }
}

#[cfg(test)]
mod tests;
