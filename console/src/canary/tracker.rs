//! Keeps the counts of one split up to date.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Instant,
};

use weft_model::metrics::ROUTE_REQUESTS_TOTAL;

use super::{
    connections,
    splits::{Arm, Split},
    sticky::{Stickiness, Table},
    tally::{ArmKey, Tally},
    verdict::spotlight,
    windows::Windows,
};
use crate::{
    estate::Estate,
    telemetry::prometheus::{Prometheus, QueryError, Track},
};

/// How long after the acknowledgement raw samples are read: long enough that every target is scraped once.
const HEAD: f64 = 90.0;
/// Raw samples are read for so long a stretch at most; older history is read in steps.
const RAW: f64 = 300.0;
/// Steps that a longer history is read in at most.
const STEPS: f64 = 500.0;
/// Samples arrive late by up to a scrape's time; a stretch is read again by so much.
const OVERLAP: f64 = 30.0;
/// Over how long the route's own rate is taken.
const RATE_SPAN: f64 = 60.0;

/// The counts of one split since its weights were acknowledged.
pub(super) struct Tracker {
    /// Milliseconds since the epoch.
    pub since_ms: u64,
    tally: Tally,
    pub windows: Windows,
    pub stickiness: Stickiness,
    /// Route totals by time, for the rate.
    recent: VecDeque<(f64, u64)>,
    /// Up to when Prometheus was read.
    read_until: f64,
    /// When its history was last asked for.
    pub tried: Option<Instant>,
}

fn seconds(ms: u64) -> f64 {
    std::time::Duration::from_millis(ms).as_secs_f64()
}

/// The selector of the counters of some VirtualServices (`namespace/name`).
pub(super) fn selector<'a>(virtual_services: impl Iterator<Item = &'a str>) -> String {
    // Names have no characters that mean something in a pattern but the dot; quotes and backslashes cannot occur.
    let names: Vec<String> = virtual_services.map(|name| name.replace('.', "\\\\.")).collect();
    format!("{ROUTE_REQUESTS_TOTAL}{{virtual_service=~\"{}\"}}", names.join("|"))
}

impl Tracker {
    pub(super) fn new(split: &Split, since_ms: u64) -> Self {
        let since = seconds(since_ms);
        Self {
            since_ms,
            tally: Tally::new(since),
            windows: Windows::new(split.shares(), since),
            stickiness: Stickiness::new(split.shares(), spotlight(&split.shares()), since),
            recent: VecDeque::new(),
            read_until: since,
            tried: None,
        }
    }

    /// From when on the shared query of the newest samples must reach back so that it suffices, in seconds since the
    /// epoch; `None` when this tracker has more to catch up on than one such query gives.
    pub(super) fn needs_from(&self, now: f64) -> Option<f64> {
        let from = self.read_until - OVERLAP;
        (self.read_until > seconds(self.since_ms) && now - from <= RAW).then_some(from)
    }

    /// Reads everything between what was read last and now: the stretch after the acknowledgement and the newest one
    /// as they were scraped, what lies between in steps.
    pub(super) async fn catch_up(
        &mut self,
        prometheus: &Prometheus,
        split: &Split,
        estate: &Estate,
        now: f64,
    ) -> Result<(), QueryError> {
        let query = if split.is_opaque() {
            connections::selector(std::iter::once(split))
        } else {
            selector(std::iter::once(split.virtual_service().as_str()))
        };
        let read =
            |tracks: Vec<Track>| if split.is_opaque() { connections::of_split(split, estate, &tracks) } else { tracks };
        let since = seconds(self.since_ms);
        let head_end = (since + HEAD).min(now);
        if self.read_until < head_end {
            let span = window(head_end - since);
            let (scrapes, counters) = (format!("up[{span}]"), format!("{query}[{span}]"));
            let (up, head) =
                tokio::try_join!(prometheus.samples(&scrapes, head_end), prometheus.samples(&counters, head_end))?;
            self.tally.note_scrapes(&up);
            self.advance(split, &read(head));
            self.read_until = head_end;
        }
        let tail_start = (now - RAW / 2.0).max(self.read_until - OVERLAP);
        if tail_start > self.read_until {
            let step = ((tail_start - self.read_until) / STEPS).ceil().max(1.0);
            let middle = prometheus.range(&query, self.read_until, tail_start, step).await?;
            self.advance(split, &read(middle));
            self.read_until = tail_start;
        }
        let tail = prometheus.samples(&format!("{query}[{}]", window(now - tail_start)), now).await?;
        self.take(split, &read(tail), now);
        Ok(())
    }

    /// Takes the newest samples, up to `now`.
    pub(super) fn take(&mut self, split: &Split, tracks: &[Track], now: f64) {
        self.advance(split, tracks);
        self.read_until = now;
    }

    fn advance(&mut self, split: &Split, tracks: &[Track]) {
        let own = split.virtual_service();
        let tracks: Vec<Track> =
            tracks.iter().filter(|track| track.labels.get("virtual_service") == own).cloned().collect();
        let (windows, stickiness, recent) = (&mut self.windows, &mut self.stickiness, &mut self.recent);
        self.tally.advance(&tracks, |at, tally| {
            let arms = by_arm(split, &tally.counts());
            windows.step(at, &arms);
            stickiness.step(at, &arms, || by_caller(split, tally));
            recent.push_back((at, arms.iter().sum()));
            while recent.len() > 1 && recent.get(1).is_some_and(|(time, _)| *time < at - RATE_SPAN) {
                recent.pop_front();
            }
        });
    }

    /// Requests by destination, in the split's order.
    pub(super) fn counts(&self, split: &Split) -> Vec<u64> {
        by_arm(split, &self.tally.counts())
    }

    /// Requests that a route of the same VirtualService took.
    pub(super) fn route_count(&self, route: &str) -> u64 {
        self.tally.counts().iter().filter(|(arm, _)| arm.route == route).map(|(_, count)| count).sum()
    }

    /// Requests per second of the whole split over about the last minute; `None` before there are two samples.
    #[allow(clippy::cast_precision_loss)]
    pub(super) fn rate(&self) -> Option<f64> {
        let ((from, before), (to, after)) = (self.recent.front()?, self.recent.back()?);
        (to > from).then(|| after.saturating_sub(*before) as f64 / (to - from))
    }

    /// From when on requests are counted, milliseconds since the epoch: the acknowledgement, or the first scrape where
    /// Prometheus knows nothing of the time before.
    pub(super) fn counted_from_ms(&self) -> u64 {
        match self.tally.first() {
            Some(first) if first > seconds(self.since_ms) + HEAD => {
                u64::try_from(std::time::Duration::from_secs_f64(first).as_millis()).unwrap_or(self.since_ms)
            }
            _ => self.since_ms,
        }
    }

    /// Seconds for which there are counts.
    pub(super) fn span_s(&self) -> u64 {
        std::time::Duration::from_secs_f64((self.tally.until() - seconds(self.since_ms)).max(1.0)).as_secs()
    }
}

/// A range of at least one second that covers `span` seconds.
fn window(span: f64) -> String {
    format!("{}ms", std::time::Duration::from_secs_f64(span.max(1.0)).as_millis() + 1)
}

fn by_arm(split: &Split, counts: &BTreeMap<ArmKey, u64>) -> Vec<u64> {
    let count = |host: &str, subset: &str| {
        let key = ArmKey { route: split.route.clone(), host: host.to_owned(), subset: subset.to_owned() };
        counts.get(&key).copied().unwrap_or(0)
    };
    split.arms.iter().map(|arm| count(&arm.full_host, &arm.subset)).collect()
}

fn by_caller(split: &Split, tally: &Tally) -> Table {
    let mut table = Table::new();
    for ((caller, key), count) in tally.by_caller() {
        let fits = |arm: &Arm| arm.full_host == key.host && arm.subset == key.subset;
        if let Some(arm) = split.arms.iter().position(fits).filter(|_| key.route == split.route) {
            table.entry(caller).or_insert_with(|| vec![0; split.arms.len()])[arm] += count;
        }
    }
    table
}
