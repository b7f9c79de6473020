//! Canary splits: configured against observed.

mod card;
mod connections;
mod course;
mod red;
mod splits;
mod stats;
mod sticky;
mod tally;
mod tracker;
mod verdict;
mod windows;
mod words;

pub mod edit;

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::{Mutex, watch};
use weft_api::ObjectKey;
use weft_model::{
    ObjectRef,
    canary::{Canaries, Course},
    sync::ObjectAck,
};

use self::{
    card::{Settled, Standing, card, settle},
    tracker::Tracker,
};
pub use self::{
    course::{Weights, course},
    splits::{Arm, Split, Tester, splits},
    stats::{binomial_p, wilson},
};
use crate::{
    clock::now_ms,
    config::View,
    db::Edit,
    graph::{GraphCache, tally as sources_of},
    operator::{Operator, OperatorError},
    telemetry::prometheus::{Prometheus, QueryError},
};

/// How long an answer is given again.
const FRESH: Duration = Duration::from_millis(1000);

/// Names one state of one split.
type TrackerKey = (ObjectKey, usize, String);

#[derive(Default)]
struct State {
    trackers: HashMap<TrackerKey, Tracker>,
    /// What the operator said last; kept while it is away.
    acks: HashMap<ObjectKey, ObjectAck>,
    answer: Option<(Instant, u64, Arc<Canaries>)>,
    /// Requests per second through each split over the last minute, for previews.
    rates: HashMap<(ObjectKey, usize), f64>,
    operator: Option<OperatorError>,
}

/// Evaluates every weighted route. Many readers share one evaluation.
pub struct CanaryService {
    prometheus: Option<Prometheus>,
    operator: Option<Operator>,
    graphs: Arc<GraphCache>,
    config: watch::Receiver<Arc<View>>,
    state: Mutex<State>,
}

impl CanaryService {
    /// A service over the present configuration; nothing is asked yet.
    pub fn new(
        prometheus: Option<Prometheus>,
        operator: Option<Operator>,
        graphs: Arc<GraphCache>,
        config: watch::Receiver<Arc<View>>,
    ) -> Self {
        Self { prometheus, operator, graphs, config, state: Mutex::default() }
    }

    /// Every weighted route, at most a second old, of the present configuration.
    pub async fn evaluate(&self) -> Arc<Canaries> {
        let view = self.config.borrow().clone();
        let mut state = self.state.lock().await;
        if let Some((at, version, answer)) = &state.answer
            && at.elapsed() < FRESH
            && *version == view.version
        {
            return answer.clone();
        }
        let answer = Arc::new(self.evaluate_now(&mut state, &view).await);
        state.answer = Some((Instant::now(), view.version, answer.clone()));
        answer
    }

    /// How one weighted route fared in the last `window_s` seconds; `None` when there is no such route.
    pub async fn course(
        &self,
        object: &ObjectRef,
        route_index: usize,
        edits: &[Edit],
        window_s: u64,
    ) -> Option<Course> {
        let canaries = self.evaluate().await;
        let view = self.config.borrow().clone();
        let wanted = ObjectKey::from(object);
        let this = |split: &&Split| split.route_index == route_index && ObjectKey::from(&split.object) == wanted;
        let split = view.splits.iter().find(this)?;
        let card = canaries.canaries.iter().find(|card| card.object == split.object && card.route_index == route_index);
        let weights = Weights { edits, since_ms: card.and_then(|card| card.since_ms) };
        Some(course(self.prometheus.as_ref(), split, &view.estate, &weights, window_s, now_ms()).await)
    }

    /// Why the operator had no answer last time.
    pub async fn operator_problem(&self) -> Option<String> {
        self.state.lock().await.operator.as_ref().map(ToString::to_string)
    }

    /// Requests per second through a split over the last minute.
    pub async fn rate(&self, object: &ObjectKey, route_index: usize) -> Option<f64> {
        self.state.lock().await.rates.get(&(object.clone(), route_index)).copied()
    }

    async fn evaluate_now(&self, state: &mut State, view: &View) -> Canaries {
        let acks = match &self.operator {
            Some(operator) => operator.acks(&view.control_planes).await,
            None => Err(OperatorError::NotConfigured),
        };
        state.operator = match acks {
            Ok(acks) => {
                state.acks = acks.into_iter().map(|ack| (ObjectKey::from(&ack.object), ack)).collect();
                None
            }
            Err(problem) => Some(problem),
        };
        if view.splits.is_empty() {
            state.trackers.clear();
            return Canaries::default();
        }
        let settled = settle(state, &view.splits);
        let now_ms = now_ms();
        let (counted, red) = tokio::join!(
            self.count(&mut state.trackers, view, &settled, now_ms),
            red::observe(self.prometheus.as_ref(), &self.graphs, &view.splits, &view.estate)
        );
        let mut answers: Vec<Result<(), QueryError>> = counted.values().cloned().collect();
        answers.extend(red.answers.iter().cloned());
        let mut canaries = Vec::with_capacity(view.splits.len());
        state.rates.clear();
        for split in &view.splits {
            let key = tracker_key(split);
            let tracker = state.trackers.get(&key);
            if let Some(rate) = tracker.and_then(Tracker::rate) {
                state.rates.insert((key.0.clone(), key.1), rate);
            }
            let standing = match (settled.get(&key), counted.get(&key)) {
                (Some(Settled::At(_)), Some(Err(problem))) => Standing::Unknown(problem.to_string()),
                (Some(Settled::At(_)), _) => Standing::Counted,
                (Some(Settled::Waiting(words)), _) => Standing::Settling(words.clone()),
                (_, _) => Standing::Unknown(state.operator.as_ref().map(ToString::to_string).unwrap_or_default()),
            };
            canaries.push(card(split, tracker, &standing, &red, view, now_ms));
        }
        Canaries { canaries, sources: sources_of(&answers), next: None }
    }

    /// Brings the tracker of each settled split up to date: one query for all routes of requests that are nearly so, one for
    /// those of connections, and a few more for each that has history to read. Gives each one's outcome.
    async fn count(
        &self,
        trackers: &mut HashMap<TrackerKey, Tracker>,
        view: &View,
        settled: &BTreeMap<TrackerKey, Settled>,
        now_ms: u64,
    ) -> HashMap<TrackerKey, Result<(), QueryError>> {
        trackers
            .retain(|key, tracker| matches!(settled.get(key), Some(Settled::At(since)) if *since == tracker.since_ms));
        let now = Duration::from_millis(now_ms).as_secs_f64();
        let mut due: Vec<(&Split, TrackerKey)> = Vec::new();
        for split in &view.splits {
            let key = tracker_key(split);
            if let Some(Settled::At(since)) = settled.get(&key) {
                trackers.entry(key.clone()).or_insert_with(|| Tracker::new(split, *since));
                due.push((split, key));
            }
        }
        let mut outcomes = HashMap::new();
        let Some(prometheus) = &self.prometheus else {
            return due.into_iter().map(|(_, key)| (key, Err(QueryError::NotConfigured))).collect();
        };
        let (near, far): (Vec<_>, Vec<_>) =
            due.into_iter().partition(|(_, key)| trackers.get(key).is_some_and(|t| t.needs_from(now).is_some()));
        let (opaque, requests): (Vec<_>, Vec<_>) = near.into_iter().partition(|(split, _)| split.is_opaque());
        for near in [requests, opaque].into_iter().filter(|near| !near.is_empty()) {
            let from = near.iter().filter_map(|(_, key)| trackers.get(key)?.needs_from(now)).fold(now, f64::min);
            let names: Vec<String> = near.iter().map(|(split, _)| split.virtual_service()).collect();
            let opaque = near.iter().all(|(split, _)| split.is_opaque());
            let counters = if opaque {
                connections::selector(near.iter().map(|(split, _)| *split))
            } else {
                tracker::selector(names.iter().map(String::as_str))
            };
            let answer = prometheus.samples(&format!("{counters}[{}ms]", millis(now - from)), now).await;
            for (split, key) in near {
                if let (Ok(tracks), Some(tracker)) = (&answer, trackers.get_mut(&key)) {
                    if opaque {
                        tracker.take(split, &connections::of_split(split, &view.estate, tracks), now);
                    } else {
                        tracker.take(split, tracks, now);
                    }
                }
                outcomes.insert(key, answer.as_ref().map(|_| ()).map_err(Clone::clone));
            }
        }
        for (split, key) in far {
            if let Some(tracker) = trackers.get_mut(&key) {
                let outcome = tracker.catch_up(prometheus, split, &view.estate, now).await;
                outcomes.insert(key, outcome);
            }
        }
        outcomes
    }
}

fn tracker_key(split: &Split) -> TrackerKey {
    (ObjectKey::from(&split.object), split.route_index, split.content.clone())
}

fn millis(seconds: f64) -> u128 {
    Duration::from_secs_f64(seconds.max(1.0)).as_millis() + 1
}
