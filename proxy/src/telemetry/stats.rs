//! Counters of the proxy itself: process-wide atomics, and the registry of the workers' series.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::SystemTime,
};

use weft_policy::upstream::Limit;

use super::series::WorkerSeries;
use crate::error::Kind;

/// Clusters whose overflows are told apart; later ones are counted together under an empty name.
const MAX_CLUSTERS: usize = 2000;

/// Refusals of which the log has a line are so many seconds apart at least.
const QUIET_S: u64 = 10;

/// Process-wide counters.
pub struct Stats {
    started: SystemTime,
    workers: Mutex<Vec<Arc<WorkerSeries>>>,
    panics: AtomicU64,
    series_dropped: AtomicU64,
    accepted: AtomicU64,
    refused: AtomicU64,
    failures: [AtomicU64; Kind::ALL.len()],
    malformed: [AtomicU64; Kind::ALL.len()],
    overflows: Mutex<BTreeMap<(Arc<str>, &'static str), u64>>,
    /// Second after the start, from one on, in which a refusal was logged last; 0 before the first.
    told: AtomicU64,
    pub(super) xds_connected: AtomicBool,
    pub(super) xds_connects: AtomicU64,
    pub(super) xds_nacks: AtomicU64,
    pub(super) xds_updates: AtomicU64,
    pub(super) certificates: AtomicU64,
    pub(super) certificate_failures: AtomicU64,
    pub(super) certificates_doubted: AtomicU64,
    pub(super) app_scrape_failures: AtomicU64,
}

impl Default for Stats {
    fn default() -> Self {
        Self {
            started: SystemTime::now(),
            workers: Mutex::default(),
            panics: AtomicU64::default(),
            series_dropped: AtomicU64::default(),
            accepted: AtomicU64::default(),
            refused: AtomicU64::default(),
            failures: std::array::from_fn(|_| AtomicU64::default()),
            malformed: std::array::from_fn(|_| AtomicU64::default()),
            overflows: Mutex::default(),
            told: AtomicU64::default(),
            xds_connected: AtomicBool::default(),
            xds_connects: AtomicU64::default(),
            xds_nacks: AtomicU64::default(),
            xds_updates: AtomicU64::default(),
            certificates: AtomicU64::default(),
            certificate_failures: AtomicU64::default(),
            certificates_doubted: AtomicU64::default(),
            app_scrape_failures: AtomicU64::default(),
        }
    }
}

impl Stats {
    pub(super) fn started(&self) -> SystemTime {
        self.started
    }

    /// Adds a worker's series to what is scraped.
    pub(super) fn register_worker(&self) -> Arc<WorkerSeries> {
        let series = Arc::<WorkerSeries>::default();
        self.workers.lock().unwrap_or_else(PoisonError::into_inner).push(series.clone());
        series
    }

    pub(super) fn workers(&self) -> Vec<Arc<WorkerSeries>> {
        self.workers.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A connection task panicked.
    pub fn panicked(&self) {
        self.panics.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn panics(&self) -> u64 {
        self.panics.load(Ordering::Relaxed)
    }

    /// Something was not counted because there were too many series.
    pub fn series_dropped(&self) {
        self.series_dropped.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn dropped_series(&self) -> u64 {
        self.series_dropped.load(Ordering::Relaxed)
    }

    /// A downstream connection was accepted.
    pub fn accepted(&self) {
        self.accepted.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn accepts(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    /// A downstream connection was closed at once, because of a limit.
    pub fn refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn refusals(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// A peer sent what a listener cannot take: broken TLS or HTTP, plaintext to a TLS port, heads that are too large
    /// or too slow.
    pub fn malformed(&self, kind: Kind) {
        self.malformed[kind as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Whether the log may have a line about a refusal at this moment: whoever is refused tries again and again.
    pub fn tells(&self, now: SystemTime) -> bool {
        let now_s = now.duration_since(self.started).unwrap_or_default().as_secs() + 1;
        let told = self.told.load(Ordering::Relaxed);
        // Of several threads one tells.
        (told == 0 || now_s >= told + QUIET_S)
            && self.told.compare_exchange(told, now_s, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// A request or connection ended by an error of the proxy's own finding.
    pub fn failed(&self, kind: Kind) {
        self.failures[kind as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn each_failure(&self, mut each: impl FnMut(&'static str, u64, u64)) {
        for kind in Kind::ALL {
            let read = |counters: &[AtomicU64]| counters[kind as usize].load(Ordering::Relaxed);
            each(kind.label(), read(&self.failures), read(&self.malformed));
        }
    }

    /// A limit of `cluster` refused something. Off the fast path, so a lock is fine.
    pub fn overflow(&self, cluster: &Arc<str>, limit: Limit) {
        let limit = match limit {
            Limit::Connections => "connections",
            Limit::Pending => "pending_requests",
            Limit::Requests => "requests",
            Limit::Retries => "retries",
        };
        let mut overflows = self.overflows.lock().unwrap_or_else(PoisonError::into_inner);
        let cluster = match overflows.len() < MAX_CLUSTERS || overflows.contains_key(&(cluster.clone(), limit)) {
            true => cluster.clone(),
            false => "".into(),
        };
        *overflows.entry((cluster, limit)).or_default() += 1;
    }

    pub(super) fn each_overflow(&self, mut each: impl FnMut(&str, &'static str, u64)) {
        for ((cluster, limit), count) in self.overflows.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            each(cluster, limit, *count);
        }
    }

    /// The control plane's stream was opened or lost.
    pub fn set_xds_connected(&self, connected: bool) {
        self.xds_connected.store(connected, Ordering::Relaxed);
        if connected {
            self.xds_connects.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Whether the control plane's stream is open.
    pub fn xds_connected(&self) -> bool {
        self.xds_connected.load(Ordering::Relaxed)
    }

    /// A response of the control plane was taken; `rejected` resources of it were not.
    pub fn xds_response(&self, rejected: usize) {
        self.xds_updates.fetch_add(1, Ordering::Relaxed);
        self.xds_nacks.fetch_add(rejected as u64, Ordering::Relaxed);
    }

    /// The application's metrics could not be had.
    pub fn app_scrape_failed(&self) {
        self.app_scrape_failures.fetch_add(1, Ordering::Relaxed);
    }

    /// A certificate is renewed before its time.
    pub fn certificate_doubted(&self) {
        self.certificates_doubted.fetch_add(1, Ordering::Relaxed);
    }

    /// A certificate was asked for.
    pub fn certificate(&self, issued: bool) {
        let counter = if issued { &self.certificates } else { &self.certificate_failures };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn refusals_are_told_at_times() {
        let stats = Stats::default();
        let at = |seconds| stats.tells(stats.started() + Duration::from_secs(seconds));
        assert_eq!([at(0), at(1), at(9), at(10), at(11), at(30)], [true, false, false, true, false, true]);
    }
}
