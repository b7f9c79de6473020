use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;

use super::{Observed, observe};
use crate::telemetry::prometheus::Prometheus;

/// How long an answer is given again. Shorter than the page's refresh, long enough that many readers cost one.
const FRESH: Duration = Duration::from_millis(1500);
/// Windows remembered at once.
const WINDOWS: usize = 12;

#[derive(Default)]
struct Slot {
    /// Held while Prometheus is asked, so that whoever comes meanwhile waits for that answer instead of asking too.
    entry: tokio::sync::Mutex<Option<(Instant, Arc<Observed>)>>,
}

/// What was observed, by window: however many readers there are, one set of queries runs for each window.
pub struct GraphCache {
    prometheus: Option<Prometheus>,
    slots: Mutex<BTreeMap<u64, (Instant, Arc<Slot>)>>,
}

impl GraphCache {
    /// An empty cache; without Prometheus every answer says so.
    pub fn new(prometheus: Option<Prometheus>) -> Self {
        Self { prometheus, slots: Mutex::default() }
    }

    /// What was observed over the last `window_s` seconds, at most a second and a half old.
    pub async fn get(&self, window_s: u64) -> Arc<Observed> {
        let slot = self.slot(window_s);
        let mut entry = slot.entry.lock().await;
        if let Some((asked, observed)) = entry.as_ref()
            && asked.elapsed() < FRESH
        {
            return observed.clone();
        }
        let observed = observe(self.prometheus.as_ref(), window_s).await;
        let observed = Arc::new(observed.or_last(entry.as_ref().map(|(_, last)| &**last)));
        *entry = Some((Instant::now(), observed.clone()));
        observed
    }

    fn slot(&self, window_s: u64) -> Arc<Slot> {
        let now = Instant::now();
        let mut slots = self.slots.lock();
        if !slots.contains_key(&window_s) && slots.len() >= WINDOWS {
            let oldest = slots.iter().min_by_key(|(_, (used, _))| *used).map(|(window, _)| *window);
            oldest.and_then(|window| slots.remove(&window));
        }
        let (used, slot) = slots.entry(window_s).or_insert_with(|| (now, Arc::default()));
        *used = now;
        slot.clone()
    }
}
