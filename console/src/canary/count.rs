//! Brings the counts of all splits up to date, side by side: one query for all routes of requests that are nearly so, one
//! for those of connections, and a few more for each split that has history to read.

use std::{
    collections::{BTreeMap, HashMap},
    time::{Duration, Instant},
};

use futures::{StreamExt, future::join_all, stream::FuturesUnordered};

use super::{Split, TrackerKey, Trackers, card::Settled, connections, tracker, tracker::Tracker, tracker_key};
use crate::{
    config::View,
    estate::Estate,
    telemetry::prometheus::{Prometheus, QueryError},
};

/// Histories that are read at once: half of what may run, so that graphs and charts are asked for beside them.
const SIDE_BY_SIDE: usize = 4;

/// How the reading for each split went.
pub(super) type Outcomes = HashMap<TrackerKey, Result<(), QueryError>>;

/// Splits whose newest samples one query gives.
struct Near<'a> {
    splits: Vec<(&'a Split, TrackerKey)>,
    query: String,
    opaque: bool,
}

/// One split with history to read.
struct Behind<'a> {
    split: &'a Split,
    key: TrackerKey,
    tracker: &'a mut Tracker,
}

/// Brings the tracker of each settled split up to date. However many there are, that takes hardly longer than one query
/// may: what is not read by then says so, and is read next time.
pub(super) async fn count(
    prometheus: Option<&Prometheus>,
    trackers: &mut Trackers,
    view: &View,
    settled: &BTreeMap<TrackerKey, Settled>,
    now_ms: u64,
) -> Outcomes {
    trackers.retain(|key, tracker| matches!(settled.get(key), Some(Settled::At(since)) if *since == tracker.since_ms));
    let now = Duration::from_millis(now_ms).as_secs_f64();
    let mut due: Vec<(&Split, TrackerKey)> = Vec::new();
    for split in &view.splits {
        let key = tracker_key(split);
        if let Some(Settled::At(since)) = settled.get(&key) {
            trackers.entry(key.clone()).or_insert_with(|| Tracker::new(split, *since));
            due.push((split, key));
        }
    }
    let Some(prometheus) = prometheus else {
        return due.into_iter().map(|(_, key)| (key, Err(QueryError::NotConfigured))).collect();
    };
    let (close, far): (Vec<_>, Vec<_>) =
        due.into_iter().partition(|(_, key)| trackers.get(key).is_some_and(|t| t.needs_from(now).is_some()));
    let (opaque, requests): (Vec<_>, Vec<_>) = close.into_iter().partition(|(split, _)| split.is_opaque());
    let near: Vec<Near<'_>> = [(requests, false), (opaque, true)]
        .into_iter()
        .filter(|(splits, _)| !splits.is_empty())
        .map(|(splits, opaque)| Near::new(splits, opaque, trackers, now))
        .collect();
    let mut open: HashMap<&TrackerKey, &mut Tracker> = trackers.iter_mut().collect();
    let mut behind: Vec<Behind<'_>> = Vec::new();
    for (split, key) in far {
        if let Some(tracker) = open.remove(&key) {
            behind.push(Behind { split, key, tracker });
        }
    }
    let newest = join_all(near.iter().map(|near| prometheus.samples(&near.query, now)));
    let (answers, mut outcomes) = tokio::join!(newest, catch_up(prometheus, behind, &view.estate, now));
    for (Near { splits, opaque, .. }, answer) in near.into_iter().zip(answers) {
        for (split, key) in splits {
            if let (Ok(tracks), Some(tracker)) = (&answer, open.get_mut(&key)) {
                if opaque {
                    tracker.take(split, &connections::of_split(split, &view.estate, tracks), now);
                } else {
                    tracker.take(split, tracks, now);
                }
            }
            outcomes.insert(key, answer.as_ref().map(|_| ()).map_err(Clone::clone));
        }
    }
    outcomes
}

impl<'a> Near<'a> {
    fn new(splits: Vec<(&'a Split, TrackerKey)>, opaque: bool, trackers: &Trackers, now: f64) -> Self {
        let from = splits.iter().filter_map(|(_, key)| trackers.get(key)?.needs_from(now)).fold(now, f64::min);
        let counters = if opaque {
            connections::selector(splits.iter().map(|(split, _)| *split))
        } else {
            let names: Vec<String> = splits.iter().map(|(split, _)| split.virtual_service()).collect();
            tracker::selector(names.iter().map(String::as_str))
        };
        Self { splits, query: format!("{counters}[{}ms]", millis(now - from)), opaque }
    }
}

/// Reads the histories, those first that were not tried for longest: a few that never answer hold up none of the others.
async fn catch_up(prometheus: &Prometheus, mut behind: Vec<Behind<'_>>, estate: &Estate, now: f64) -> Outcomes {
    let within = prometheus.deadline();
    let late = || QueryError::Late { url: prometheus.url().to_owned(), deadline: within };
    let mut outcomes: Outcomes = behind.iter().map(|one| (one.key.clone(), Err(late()))).collect();
    behind.sort_by_key(|one| one.tracker.tried);
    let mut waiting = behind.into_iter();
    let mut running = FuturesUnordered::new();
    for one in waiting.by_ref().take(SIDE_BY_SIDE) {
        running.push(read(prometheus, one, estate, now));
    }
    let all = async {
        while let Some((key, outcome)) = running.next().await {
            outcomes.insert(key, outcome);
            if let Some(next) = waiting.next() {
                running.push(read(prometheus, next, estate, now));
            }
        }
    };
    // A tracker takes each stretch as a whole, so leaving in between loses nothing.
    let _ = tokio::time::timeout(within, all).await;
    outcomes
}

async fn read(
    prometheus: &Prometheus,
    Behind { split, key, tracker }: Behind<'_>,
    estate: &Estate,
    now: f64,
) -> (TrackerKey, Result<(), QueryError>) {
    tracker.tried = Some(Instant::now());
    let outcome = tracker.catch_up(prometheus, split, estate, now).await;
    (key, outcome)
}

fn millis(seconds: f64) -> u128 {
    Duration::from_secs_f64(seconds.max(1.0)).as_millis() + 1
}
