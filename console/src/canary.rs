//! Canary splits: configured against observed.

mod card;
mod connections;
mod count;
mod course;
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
    sync::ObjectAck,
};

use self::{
    card::{Settled, Standing, card, settle},
    count::count,
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

/// What the operator said last; kept while it is away.
#[derive(Clone, Default)]
struct Heard {
    acks: Arc<HashMap<ObjectKey, ObjectAck>>,
    /// Why replicas of it had no answer last time, each by its address.
    problems: Vec<OperatorError>,
}

impl Heard {
    /// Who had no answer and why; `None` when all had one.
    fn problem(&self) -> Option<String> {
        let told: Vec<String> = self.problems.iter().map(ToString::to_string).collect();
        (!told.is_empty()).then(|| told.join("; "))
    }

    /// What is known after these answers. Whoever has none may be the only one that knows an object: weights of a split that
    /// had arrived by its word still have.
    fn after(&self, heard: Acks, splits: &[Split]) -> Self {
        let mut acks = HashMap::new();
        if !heard.problems.is_empty() {
            let keys = splits.iter().map(|split| ObjectKey::from(&split.object));
            let arrived = |key: &ObjectKey| self.acks.get(key).filter(|ack| ack.acked_at_ms.is_some()).cloned();
            acks.extend(keys.filter_map(|key| Some((key.clone(), arrived(&key)?))));
        }
        acks.extend(heard.acks.into_iter().map(|ack| (ObjectKey::from(&ack.object), ack)));
        Self { acks: Arc::new(acks), problems: heard.problems }
    }
}

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
        known.1 = known.1.after(heard, &view.splits);
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

#[cfg(test)]
mod tests {
    use super::*;

    fn split(name: &str) -> Split {
        Split {
            object: ObjectRef { kind: "VirtualService".into(), name: name.into(), ..ObjectRef::default() },
            content: "c".into(),
            route_index: 0,
            route: String::new(),
            arms: Vec::new(),
            testers: Vec::new(),
            ambiguous: None,
        }
    }

    fn ack(name: &str, acked_at_ms: Option<u64>) -> ObjectAck {
        let pending = if acked_at_ms.is_some() { Vec::new() } else { vec!["sidecar~10.0.0.7~web.shop~x".to_owned()] };
        ObjectAck { object: split(name).object, content: "c".into(), changed_at_ms: 1, acked_at_ms, pending }
    }

    /// What each split has come to, in order.
    fn settled(heard: &Heard, splits: &[Split]) -> Vec<&'static str> {
        let all = settle(heard, splits);
        let word = |split: &Split| match &all[&tracker_key(split)] {
            Settled::At(_) => "at",
            Settled::Waiting(_) => "waiting",
            Settled::Unknown => "unknown",
        };
        splits.iter().map(word).collect()
    }

    #[test]
    fn a_control_plane_that_does_not_answer_hides_nothing_of_what_others_know() {
        let splits = ["mine", "slow", "others"].map(split);
        let all =
            Acks { acks: vec![ack("mine", Some(5)), ack("others", Some(6)), ack("slow", None)], ..Acks::default() };
        let heard = Heard::default().after(all, &splits);
        assert_eq!((settled(&heard, &splits), heard.problem()), (vec!["at", "waiting", "at"], None));

        let refused = |url: &str| OperatorError::Refused { url: url.into(), why: "status 401".into() };
        let problems = vec![refused("http://10.0.0.2:15014"), refused("http://10.0.0.3:15014")];
        let some = Acks { acks: vec![ack("mine", Some(5)), ack("slow", None)], problems };
        let heard = heard.after(some.clone(), &splits);
        assert_eq!(settled(&heard, &splits), ["at", "waiting", "at"], "what had arrived has");
        let told = heard.problem().unwrap();
        assert!(told.contains("10.0.0.2") && told.contains("10.0.0.3"), "each is named: {told}");
        assert_eq!(settled(&Heard::default().after(some, &splits), &splits), ["at", "waiting", "unknown"]);

        // When nobody answers, who is waited for is not known.
        let none = Acks { acks: Vec::new(), problems: vec![OperatorError::NotConfigured] };
        assert_eq!(settled(&heard.after(none, &splits), &splits), ["at", "unknown", "at"]);
    }
}
