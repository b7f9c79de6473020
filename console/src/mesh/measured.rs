//! What Prometheus knows of proxies and of everybody's traffic. Reports are about control planes first: they wait for
//! Prometheus a moment only, and take what it said last when it needs longer. One that has nothing recent to take waits
//! longer before it says that Prometheus is away.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use tokio::sync::Mutex as AsyncMutex;
use weft_model::config::Dependency;

use super::report::{CPU, EXPIRY, MEMORY};
use crate::{
    clock::now_ms,
    graph::{GraphCache, Observed, mtls_share},
    telemetry::prometheus::{Prometheus, QueryError, Series},
};

/// Over how long the share of mutual TLS is taken, in seconds.
const WINDOW_S: u64 = 60;
/// How long a report waits.
const SOON: Duration = Duration::from_millis(500);
/// How long one waits that has nothing recent; no longer than it may wait for a control plane.
const AT_FIRST: Duration = Duration::from_secs(2);
/// How long an answer is given again.
const FRESH: Duration = Duration::from_secs(1);
/// So old may numbers be while newer ones are waited for, in milliseconds; then the wait is a failure.
const GRACE_MS: u64 = 30_000;
/// Numbers that are older are worth nothing, in milliseconds.
const KEPT_MS: u64 = 900_000;

/// What a query gave last, and what has been wrong with it since.
#[derive(Clone, Debug, Default)]
pub(super) struct Figure {
    series: Arc<[Series]>,
    /// When that was, milliseconds since the epoch; `None` when nothing is known.
    good_ms: Option<u64>,
    problem: Option<QueryError>,
}

impl Figure {
    fn after(&self, answer: Result<Vec<Series>, QueryError>, now_ms: u64) -> Self {
        match answer {
            Ok(series) => Self { series: series.into(), good_ms: Some(now_ms), problem: None },
            Err(problem) if self.good_ms.is_some_and(|good_ms| now_ms.saturating_sub(good_ms) <= KEPT_MS) => {
                Self { problem: Some(problem), ..self.clone() }
            }
            Err(problem) => Self { problem: Some(problem), ..Self::default() },
        }
    }

    /// What is known.
    pub(super) fn series(&self) -> &[Series] {
        &self.series
    }

    /// Of when that is, milliseconds since the epoch.
    pub(super) fn at_ms(&self, now_ms: u64) -> u64 {
        self.good_ms.unwrap_or(now_ms)
    }

    /// Whether Prometheus answered, and had nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.problem.is_none() && self.series.is_empty()
    }

    /// Why it is not known, or how old it is.
    pub(super) fn note(&self, now_ms: u64) -> Option<String> {
        let problem = self.problem.as_ref()?;
        Some(match self.good_ms {
            Some(good_ms) => {
                format!("{problem}. What is shown is {} s old", now_ms.saturating_sub(good_ms) / 1000)
            }
            None => problem.to_string(),
        })
    }
}

/// All that a report takes from Prometheus.
#[derive(Clone, Debug, Default)]
pub(super) struct Figures {
    observed: Option<Arc<Observed>>,
    /// Bytes of each proxy.
    pub memory: Figure,
    /// Cores of each proxy.
    pub cpu: Figure,
    /// Seconds until each proxy's certificate expires.
    pub expiry: Figure,
    /// When the last answers or failures came, milliseconds since the epoch; 0 before the first.
    ended_ms: u64,
}

impl Figures {
    /// How long to wait for newer ones; `hangs` is whether it was waited in vain for those that are asked for already.
    fn patience(&self, hangs: bool, now_ms: u64) -> Duration {
        if hangs || now_ms.saturating_sub(self.ended_ms) <= GRACE_MS { SOON } else { AT_FIRST }
    }

    /// Share of requests that are mutual TLS, 0 to 1.
    pub(super) fn mtls_share(&self) -> Option<f64> {
        self.observed.as_ref().and_then(|observed| mtls_share(observed))
    }

    /// Whether Prometheus answers: it does not if any of these failed, whatever it said to others before.
    pub(super) fn prometheus(&self) -> Dependency {
        let failed = [&self.memory, &self.cpu, &self.expiry].into_iter().find_map(|figure| figure.problem.as_ref());
        match (failed, &self.observed) {
            (Some(problem), _) => Dependency { up: false, problem: Some(problem.to_string()) },
            (None, Some(observed)) => observed.prometheus(),
            (None, None) => Dependency { up: true, problem: None },
        }
    }

    /// The same while newer ones are waited for.
    fn waiting(mut self, late: &QueryError, now_ms: u64) -> Self {
        for figure in [&mut self.memory, &mut self.cpu, &mut self.expiry] {
            let recent = figure.good_ms.is_some_and(|good_ms| now_ms.saturating_sub(good_ms) <= GRACE_MS);
            if figure.problem.is_none() && !recent {
                figure.problem = Some(late.clone());
            }
        }
        self
    }
}

/// Asks Prometheus on behalf of reports, once for all that ask at a time.
#[derive(Clone)]
pub struct Measured(Arc<Shared>);

struct Shared {
    prometheus: Option<Prometheus>,
    graphs: Arc<GraphCache>,
    known: Mutex<Figures>,
    /// When it was asked last; held while it is.
    asked: AsyncMutex<Option<Instant>>,
    /// Whether a report waited in vain since.
    hangs: AtomicBool,
}

impl Measured {
    /// Nothing is asked yet.
    pub fn new(prometheus: Option<Prometheus>, graphs: Arc<GraphCache>) -> Self {
        let (known, asked, hangs) = (Mutex::default(), AsyncMutex::default(), AtomicBool::default());
        Self(Arc::new(Shared { prometheus, graphs, known, asked, hangs }))
    }

    /// What is known within half a second, or two where nothing is that is recent. What takes longer is there for the next
    /// report.
    pub(super) async fn get(&self) -> Figures {
        let deadline = self.0.known.lock().patience(self.0.hangs.load(Ordering::Relaxed), now_ms());
        let in_time = tokio::time::timeout(deadline, tokio::spawn(self.0.clone().ask())).await.is_ok();
        if !in_time {
            self.0.hangs.store(true, Ordering::Relaxed);
        }
        let known = self.0.known.lock().clone();
        match &self.0.prometheus {
            Some(prometheus) if !in_time => {
                known.waiting(&QueryError::Late { url: prometheus.url().to_owned(), deadline }, now_ms())
            }
            _ => known,
        }
    }
}

impl Shared {
    async fn ask(self: Arc<Self>) {
        let mut asked = self.asked.lock().await;
        if asked.is_some_and(|at| at.elapsed() < FRESH) {
            return;
        }
        let (observed, memory, cpu, expiry) =
            tokio::join!(self.graphs.get(WINDOW_S), self.query(MEMORY), self.query(CPU), self.query(EXPIRY));
        let now_ms = now_ms();
        {
            let mut known = self.known.lock();
            *known = Figures {
                observed: Some(observed),
                memory: known.memory.after(memory, now_ms),
                cpu: known.cpu.after(cpu, now_ms),
                expiry: known.expiry.after(expiry, now_ms),
                ended_ms: now_ms,
            };
        }
        self.hangs.store(false, Ordering::Relaxed);
        *asked = Some(Instant::now());
    }

    async fn query(&self, promql: &str) -> Result<Vec<Series>, QueryError> {
        match &self.prometheus {
            Some(prometheus) => prometheus.instant(promql, None).await,
            None => Err(QueryError::NotConfigured),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn late() -> QueryError {
        QueryError::Late { url: "http://prometheus:9090".into(), deadline: SOON }
    }

    fn good(at_ms: u64) -> Figures {
        let series = || Ok(vec![Series { labels: [("instance", "10.0.0.7:15020")].into(), value: 7.0 }]);
        let figure = || Figure::default().after(series(), at_ms);
        Figures { observed: Some(Arc::default()), memory: figure(), cpu: figure(), expiry: figure(), ended_ms: at_ms }
    }

    #[test]
    fn whatever_the_graph_heard_before_a_failure_says_that_prometheus_is_away() {
        let mut figures = good(1_000);
        assert!(figures.prometheus().up);
        figures.cpu = figures.cpu.after(Err(late()), 5_000);
        let told = figures.prometheus();
        assert!(!told.up && told.problem.unwrap().contains("did not answer"));
    }

    #[test]
    fn the_last_good_numbers_stay_for_a_while_and_say_how_old_they_are() {
        let failed = good(10_000).memory.after(Err(late()), 52_000);
        assert_eq!((failed.series().len(), failed.at_ms(60_000)), (1, 10_000));
        assert!(failed.note(52_000).unwrap().ends_with("What is shown is 42 s old"));
        assert!(failed.after(Err(late()), 10_001 + KEPT_MS).series().is_empty());
    }

    #[test]
    fn only_a_wait_of_some_time_is_a_failure() {
        assert!(good(10_000).waiting(&late(), 10_000 + GRACE_MS).prometheus().up);
        assert!(!good(10_000).waiting(&late(), 10_001 + GRACE_MS).prometheus().up);
        assert!(!Figures::default().waiting(&late(), 10_000).prometheus().up, "it never answered");
    }

    #[test]
    fn who_asks_after_a_while_gives_prometheus_its_time() {
        assert_eq!(Figures::default().patience(false, 1_000_000), AT_FIRST);
        assert_eq!(good(10_000).patience(false, 10_000 + GRACE_MS), SOON);
        assert_eq!(good(10_000).patience(false, 10_001 + GRACE_MS), AT_FIRST);
        assert_eq!(good(10_000).patience(true, 10_001 + GRACE_MS), SOON, "it waits long once");
    }

    #[tokio::test]
    async fn a_report_does_not_wait_for_what_hangs() {
        let hung = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let prometheus = Prometheus::new(&format!("http://{}", hung.local_addr().unwrap())).unwrap();
        let measured = Measured::new(Some(prometheus.clone()), Arc::new(GraphCache::new(Some(prometheus))));
        assert!(!measured.get().await.prometheus().up);
        let began = Instant::now();
        assert!(!measured.get().await.prometheus().up);
        assert!(began.elapsed() < AT_FIRST, "{:?}", began.elapsed());
    }
}
