use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use tokio::sync::{Notify, watch};
use weft_model::graph::{Progress, Quantiles};

use super::{Details, Observed, clusters, details::detail, observe, queries::WHOLE_S};
use crate::{clock::now_ms, telemetry::prometheus::Prometheus};

/// How long an answer is given again at least. Shorter than the page's refresh, long enough that many readers cost one.
const FRESH: Duration = Duration::from_millis(1500);
/// The same for windows of hours and days. A page says of what is older than 20 s that it is old.
const FRESH_LONG: Duration = Duration::from_secs(10);
/// The longest, however slow Prometheus is.
const STALE: Duration = Duration::from_secs(15);
/// The same for quantiles and throughput: recording rules have an interval.
const FRESH_DETAILS: Duration = Duration::from_secs(5);
const STALE_DETAILS: Duration = Duration::from_secs(60);
/// How many times as long as a query took its answer is kept: Prometheus works for this page a fifth of its time at most.
const REST: u32 = 4;
/// How long answers about the past are kept, which do not change.
const PAST: Duration = Duration::from_secs(600);
/// What counts as past: scrapes and rules may be this late.
const SETTLED_MS: u64 = 60_000;
/// How long it is taken as known whether there are several clusters.
const CLUSTERS: Duration = Duration::from_secs(60);
/// How long a first answer is held back for its quantiles, so that a small mesh gets all at once.
const TOGETHER: Duration = Duration::from_millis(60);
/// How long a first list waits for them.
const SOON: Duration = Duration::from_secs(2);
/// Moments remembered at once, and flows in all of them: some 30 MiB.
const MOMENTS: usize = 24;
const MAX_FLOWS: usize = 150_000;

/// How long an answer is kept. One that did not come says nothing about how long the next will take: a Prometheus that is
/// back is seen at the next attempt, and there is one for each `least`.
fn pause(took: Duration, came: bool, least: Duration, most: Duration) -> Duration {
    if came { (took * REST).clamp(least, most) } else { least }
}

/// What is looked at. Every view of one moment is derived from the same answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Moment {
    /// Length of the window in seconds.
    pub window_s: u64,
    /// Its end in milliseconds since the epoch; now when `None`.
    pub at_ms: Option<u64>,
    /// Whether what carries no traffic is of interest.
    pub idle: bool,
}

impl Moment {
    /// The last `window_s` seconds.
    pub fn last(window_s: u64) -> Self {
        Self { window_s, at_ms: None, idle: false }
    }

    fn is_past(self) -> bool {
        self.at_ms.is_some_and(|at| at + SETTLED_MS < now_ms())
    }
}

#[derive(Default)]
struct Late {
    known: Option<(Instant, Arc<Details>)>,
    asking: bool,
}

#[derive(Default)]
struct Slot {
    /// Held while Prometheus is asked, so that whoever comes meanwhile waits for that answer instead of asking too.
    entry: tokio::sync::Mutex<Option<(Instant, Arc<Observed>)>>,
    late: Mutex<Late>,
    arrived: Notify,
    /// Whether series of the moment name several clusters, and when Prometheus said so.
    several: Mutex<Option<(Instant, bool)>>,
    flows: std::sync::atomic::AtomicUsize,
}

/// What was observed, by moment: however many readers there are, one set of queries runs for each.
pub struct GraphCache {
    prometheus: Option<Prometheus>,
    slots: Mutex<BTreeMap<Moment, (Instant, Arc<Slot>)>>,
    completed: watch::Sender<()>,
    own_cluster: Arc<str>,
    /// Whether several clusters were ever told apart; `None` before anything was observed.
    told: Mutex<Option<bool>>,
}

/// What proxies call their cluster when nobody names it, as Istio's do.
pub const OWN_CLUSTER: &str = "Kubernetes";

impl GraphCache {
    /// An empty cache; without Prometheus every answer says so.
    pub fn new(prometheus: Option<Prometheus>) -> Self {
        Self {
            prometheus,
            slots: Mutex::default(),
            completed: watch::Sender::new(()),
            own_cluster: OWN_CLUSTER.into(),
            told: Mutex::default(),
        }
    }

    /// The same for a mesh whose proxies call their cluster `name`.
    #[must_use]
    pub fn of_cluster(self, name: &str) -> Self {
        Self { own_cluster: name.into(), ..self }
    }

    /// What proxies call the console's own cluster.
    pub fn own_cluster(&self) -> &str {
        &self.own_cluster
    }

    /// The name of the console's own cluster if several were ever told apart: ids and matchers take clusters then. Before
    /// anything was observed, it is.
    pub async fn told(&self) -> Option<Arc<str>> {
        let known = *self.told.lock();
        if known.is_none() {
            self.get(60).await;
        }
        self.told_last()
    }

    /// The same without waiting: `None` also before anything was observed.
    pub fn told_last(&self) -> Option<Arc<str>> {
        (*self.told.lock() == Some(true)).then(|| self.own_cluster.clone())
    }

    /// What is asked.
    pub fn prometheus(&self) -> Option<&Prometheus> {
        self.prometheus.as_ref()
    }

    /// Rates, errors and locks of the last `window_s` seconds.
    pub async fn get(&self, window_s: u64) -> Arc<Observed> {
        self.rates(Moment::last(window_s)).await
    }

    /// Changes whenever quantiles arrive that were pending, also while whoever follows it is at something else.
    pub fn completed(&self) -> watch::Receiver<()> {
        self.completed.subscribe()
    }

    /// Rates, errors and locks of a moment, at most a few seconds old.
    pub async fn rates(&self, moment: Moment) -> Arc<Observed> {
        self.of(&self.slot(moment), moment).await
    }

    /// The same and what is known of quantiles and throughput; those of a first look are waited for, but not for long.
    pub async fn seen_soon(&self, moment: Moment) -> (Arc<Observed>, Arc<Details>) {
        // However long the rates take, they are not asked for twice.
        self.rates(moment).await;
        match tokio::time::timeout(SOON, self.seen(moment, true)).await {
            Ok(seen) => seen,
            Err(_) => self.seen(moment, false).await,
        }
    }

    /// The same and what is known of quantiles and throughput. These may be pending; with `wait` they are waited for.
    pub async fn seen(&self, moment: Moment, wait: bool) -> (Arc<Observed>, Arc<Details>) {
        let slot = self.slot(moment);
        let observed = self.of(&slot, moment).await;
        if let Some(problem) = &observed.rates_problem {
            let quantiles =
                Quantiles { state: Progress::Missing, note: Some(problem.to_string()), ..Quantiles::default() };
            return (observed, Arc::new(Details::missing(quantiles)));
        }
        let mut arrived = std::pin::pin!(slot.arrived.notified());
        arrived.as_mut().enable();
        if let Some(details) = self.known(&slot, moment, &observed) {
            return (observed, details);
        }
        if wait {
            arrived.await;
        } else {
            let _ = tokio::time::timeout(TOGETHER, arrived).await;
        }
        let details = slot.late.lock().known.as_ref().map(|(_, details)| details.clone());
        (observed, details.unwrap_or_else(|| Arc::new(Details::pending())))
    }

    async fn of(&self, slot: &Slot, moment: Moment) -> Arc<Observed> {
        let mut entry = slot.entry.lock().await;
        if let Some((asked, observed)) = entry.as_ref() {
            let whole = observed.sources.answered == observed.sources.asked;
            // A long window looks the same for a while.
            let least = if moment.window_s > WHOLE_S { FRESH_LONG } else { FRESH };
            let fresh = match (moment.is_past(), whole) {
                (true, true) => PAST,
                (false, true) => pause(observed.took, true, least, STALE),
                (_, false) => pause(observed.took, false, FRESH, STALE),
            };
            if asked.elapsed() < fresh {
                return observed.clone();
            }
        }
        let own = self.several(slot, moment).await.then_some(&*self.own_cluster);
        let observed = observe(self.prometheus.as_ref(), moment, own).await;
        let observed = Arc::new(observed.or_last(entry.as_ref().map(|(_, last)| &**last)));
        *entry = Some((Instant::now(), observed.clone()));
        if observed.rates_problem.is_none() {
            let mut told = self.told.lock();
            // A cluster that is silent now may speak in the window of another question.
            *told = Some(*told == Some(true) || observed.clusters.told().is_some());
        }
        slot.flows.store(observed.requests.len() + observed.tcp.len(), std::sync::atomic::Ordering::Relaxed);
        observed
    }

    /// Whether series of the moment may be from several clusters. Whoever does not know tells them apart: that is never
    /// wrong, only larger.
    async fn several(&self, slot: &Slot, moment: Moment) -> bool {
        let known = *slot.several.lock();
        if let Some((asked, several)) = known
            && (moment.is_past() || asked.elapsed() < CLUSTERS)
        {
            return several;
        }
        let Some(prometheus) = &self.prometheus else { return false };
        match clusters::several(prometheus, moment.window_s, moment.at_ms).await {
            Ok(several) => {
                *slot.several.lock() = Some((Instant::now(), several));
                several
            }
            Err(_) => known.is_none_or(|(_, several)| several),
        }
    }

    /// What is known of the details, and sees to it that they are asked for when they are old.
    fn known(&self, slot: &Arc<Slot>, moment: Moment, observed: &Observed) -> Option<Arc<Details>> {
        let mut late = slot.late.lock();
        let known = late.known.clone();
        let fresh = known.as_ref().is_some_and(|(asked, details)| {
            let ready = details.quantiles.state == Progress::Ready && !details.is_empty();
            // One that answers the light question and not the heavy ones is at work on them.
            let came = details.sources.answered > 0;
            let fresh = match (moment.is_past(), ready) {
                (true, true) => PAST,
                (_, false) => pause(details.took, came, FRESH, STALE),
                (false, true) => pause(details.took, came, FRESH_DETAILS, STALE_DETAILS),
            };
            asked.elapsed() < fresh
        });
        if !fresh && !late.asking {
            late.asking = true;
            let (slot, completed) = (slot.clone(), self.completed.clone());
            let prometheus = self.prometheus.clone();
            let (at_ms, clusters, silent) = (observed.at_ms, observed.clusters.clone(), observed.silent());
            tokio::spawn(async move {
                let details = detail(prometheus.as_ref(), moment.window_s, at_ms, &clusters, silent).await;
                let details = Arc::new(details);
                let mut late = slot.late.lock();
                late.known = Some((Instant::now(), details));
                late.asking = false;
                drop(late);
                slot.arrived.notify_waiters();
                completed.send_replace(());
            });
        }
        known.map(|(_, details)| details)
    }

    fn slot(&self, moment: Moment) -> Arc<Slot> {
        let now = Instant::now();
        let mut slots = self.slots.lock();
        let (used, slot) = slots.entry(moment).or_insert_with(|| (now, Arc::default()));
        *used = now;
        let slot = slot.clone();
        let flows = |slots: &BTreeMap<Moment, (Instant, Arc<Slot>)>| -> usize {
            slots.values().map(|(_, slot)| slot.flows.load(std::sync::atomic::Ordering::Relaxed)).sum()
        };
        while slots.len() > 1 && (slots.len() > MOMENTS || flows(&slots) > MAX_FLOWS) {
            let others = slots.iter().filter(|(other, _)| **other != moment);
            let Some(oldest) = others.min_by_key(|(_, (used, _))| *used).map(|(other, _)| *other) else { break };
            slots.remove(&oldest);
        }
        slot
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn quantiles_that_arrive_between_two_looks_are_not_missed() {
        let cache = GraphCache::new(None);
        let mut followers = [cache.completed(), cache.completed()];
        cache.completed.send_replace(());
        for completed in &mut followers {
            assert_eq!(completed.changed().now_or_never().map(|changed| changed.is_ok()), Some(true));
            assert!(completed.changed().now_or_never().is_none(), "each is told once");
        }
    }

    #[test]
    fn whoever_did_not_answer_is_asked_again_soon() {
        let (late, quick) = (Duration::from_secs(4), Duration::from_millis(10));
        assert_eq!(pause(late, false, FRESH, STALE), FRESH, "a time-out is no measure of the work");
        assert_eq!(pause(late, true, FRESH, STALE), STALE);
        assert_eq!(pause(quick, true, FRESH, STALE), FRESH);
        assert_eq!(pause(late * 2, true, FRESH_DETAILS, STALE_DETAILS), late * 8);
    }
}
