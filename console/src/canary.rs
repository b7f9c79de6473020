//! Canary splits: configured against observed.

mod card;
mod connections;
mod count;
mod course;
mod heard;
mod nothing;
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
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use tokio::sync::{Mutex as AsyncMutex, watch};
use weft_api::ObjectKey;
use weft_model::{
    ObjectRef,
    canary::{Canaries, Course},
};

use self::{
    card::{Settled, Standing, card, settle},
    count::count,
    heard::Heard,
    tracker::Tracker,
};
pub use self::{
    course::{Known, Weights, course},
    splits::{Arm, Split, Tester, splits},
    stats::{binomial_p, wilson},
};
use crate::{
    clock::now_ms,
    config::View,
    db::Edit,
    graph::{GraphCache, tally as sources_of},
    operator::{Acks, Operator, OperatorError},
    telemetry::prometheus::{Prometheus, QueryError},
};

/// How long an answer is given again.
const FRESH: Duration = Duration::from_millis(1000);
/// How long what was configured just now waits for the operator: it shows without its word, which comes later.
const PATIENCE: Duration = Duration::from_millis(150);

/// Names one state of one split.
type TrackerKey = (ObjectKey, usize, String);

/// The counts of every split.
type Trackers = HashMap<TrackerKey, Tracker>;
/// Requests per second through each split over the last minute.
type Rates = HashMap<(ObjectKey, usize), f64>;

/// The last evaluation. Reading it waits for nobody.
#[derive(Default)]
struct Published {
    answer: Option<(Instant, u64, Arc<Canaries>)>,
    /// For previews.
    rates: Rates,
}

/// Evaluates every weighted route. Many readers share one evaluation.
pub struct CanaryService {
    prometheus: Option<Prometheus>,
    operator: Option<Operator>,
    graphs: Arc<GraphCache>,
    config: watch::Receiver<Arc<View>>,
    /// When and for which view the operator was asked, and what it said.
    heard: AsyncMutex<(Option<(Instant, u64)>, Heard)>,
    /// What it said last. Reading it waits for nobody.
    last_heard: Mutex<Heard>,
    /// Held while Prometheus is asked, so that there is one evaluation at a time.
    trackers: AsyncMutex<Trackers>,
    published: Mutex<Published>,
    /// What moves of weights did.
    effects: Known,
}

impl CanaryService {
    /// A service over the present configuration; nothing is asked yet.
    pub fn new(
        prometheus: Option<Prometheus>,
        operator: Option<Operator>,
        graphs: Arc<GraphCache>,
        config: watch::Receiver<Arc<View>>,
    ) -> Self {
        Self {
            prometheus,
            operator,
            graphs,
            config,
            heard: AsyncMutex::default(),
            last_heard: Mutex::default(),
            trackers: AsyncMutex::default(),
            published: Mutex::default(),
            effects: Known::default(),
        }
    }

    /// Every weighted route, at most a second old, of the present configuration.
    pub async fn evaluate(&self) -> Arc<Canaries> {
        let view = self.view();
        if let Some(answer) = self.fresh(&view) {
            return answer;
        }
        // Before the trackers are held: nobody waits for an operator that hangs.
        let heard = self.hear_in_time(&view).await;
        let mut trackers = self.trackers.lock().await;
        // Whoever waited takes what was made meanwhile.
        let view = self.view();
        if let Some(answer) = self.fresh(&view) {
            return answer;
        }
        let (canaries, rates) = self.evaluate_now(&mut trackers, &view, &heard).await;
        let answer = Arc::new(canaries);
        *self.published.lock() = Published { answer: Some((Instant::now(), view.version, answer.clone())), rates };
        answer
    }

    fn view(&self) -> Arc<View> {
        self.config.borrow().clone()
    }

    fn fresh(&self, view: &View) -> Option<Arc<Canaries>> {
        let published = self.published.lock();
        let (at, version, answer) = published.answer.as_ref()?;
        (at.elapsed() < FRESH && *version == view.version).then(|| answer.clone())
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
        let weights = Weights { edits, since_ms: card.and_then(|card| card.since_ms), known: &self.effects };
        Some(course(self.prometheus.as_ref(), split, &view.estate, &weights, window_s, now_ms()).await)
    }

    /// Why the operator has no answer. Prometheus is not waited for.
    pub async fn operator_problem(&self) -> Option<String> {
        let view = self.view();
        self.hear(&view).await.problem()
    }

    /// Requests per second through a split over the last minute, as the last evaluation found it.
    pub fn rate(&self, object: &ObjectKey, route_index: usize) -> Option<f64> {
        self.published.lock().rates.get(&(object.clone(), route_index)).copied()
    }

    /// What the operator says, at most a second old.
    async fn hear(&self, view: &View) -> Heard {
        let mut known = self.heard.lock().await;
        if let Some((at, version)) = known.0
            && at.elapsed() < FRESH
            && version == view.version
        {
            return known.1.clone();
        }
        let heard = match &self.operator {
            Some(operator) => operator.acks(&view.control_planes).await,
            None => Acks { problems: vec![OperatorError::NotConfigured], ..Acks::default() },
        };
        known.1 = known.1.after(heard, &view.splits, |key| view.row(key).and_then(|row| row.changed_ms));
        known.0 = Some((Instant::now(), view.version));
        *self.last_heard.lock() = known.1.clone();
        known.1.clone()
    }

    /// The same, or what it said before: of configuration that was not shown yet after a moment, of other as soon as there
    /// is newer to show.
    async fn hear_in_time(&self, view: &View) -> Heard {
        let newer = self.published.lock().answer.as_ref().is_some_and(|(_, version, _)| *version != view.version);
        let mut config = self.config.clone();
        let due = async {
            if newer {
                return tokio::time::sleep(PATIENCE).await;
            }
            let ended = config.wait_for(|now| now.version != view.version).await.is_err();
            if ended {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            heard = self.hear(view) => heard,
            () = due => self.last_heard.lock().clone(),
        }
    }

    async fn evaluate_now(&self, trackers: &mut Trackers, view: &View, heard: &Heard) -> (Canaries, Rates) {
        if view.splits.is_empty() {
            trackers.clear();
            return (Canaries::default(), Rates::new());
        }
        let settled = settle(heard, &view.splits);
        let now_ms = now_ms();
        let (counted, red) = tokio::join!(
            count(self.prometheus.as_ref(), trackers, view, &settled, now_ms),
            red::observe(self.prometheus.as_ref(), &self.graphs, &view.splits, &view.estate)
        );
        let mut answers: Vec<Result<(), QueryError>> = counted.values().cloned().collect();
        answers.extend(red.answers.iter().cloned());
        let mut canaries = Vec::with_capacity(view.splits.len());
        let mut rates = Rates::new();
        for split in &view.splits {
            let key = tracker_key(split);
            let tracker = trackers.get(&key);
            if let Some(rate) = tracker.and_then(Tracker::rate) {
                rates.insert((key.0.clone(), key.1), rate);
            }
            let standing = match (settled.get(&key), counted.get(&key)) {
                (Some(Settled::At(_)), Some(Err(problem))) => Standing::Unknown(problem.to_string()),
                (Some(Settled::At(_)), _) => Standing::Counted,
                (Some(Settled::Waiting(words)), _) => Standing::Settling(words.clone()),
                (_, _) => Standing::Unknown(heard.problem().unwrap_or_default()),
            };
            canaries.push(card(split, tracker, &standing, &red, view, now_ms));
        }
        (Canaries { canaries, sources: sources_of(&answers), next: None }, rates)
    }
}

fn tracker_key(split: &Split) -> TrackerKey {
    (ObjectKey::from(&split.object), split.route_index, split.content.clone())
}
