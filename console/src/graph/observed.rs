use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use futures::future::join_all;
use weft_model::{config::Dependency, graph::Sources};

use super::{
    Clusters, Flow, Moment, Reporter,
    names::Names,
    queries::{Question, presence, rates},
};
use crate::{
    clock::now_ms,
    telemetry::prometheus::{Prometheus, QueryError, Row},
};

/// For how long numbers are shown on when Prometheus does not answer any more.
const KEPT_MS: u64 = 15 * 60 * 1000;

/// What Prometheus said about rates, errors and locks over one window. Parts that were not answered are empty, and
/// `sources` says so. Every view of the graph is derived from it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Observed {
    /// End of the window, milliseconds since the epoch.
    pub at_ms: u64,
    /// Its length in seconds.
    pub window_s: u64,
    /// Whether series that have not moved are among the flows.
    pub idle: bool,
    /// Requests per second.
    pub requests: Vec<Flow>,
    /// TCP: `what` is `opened` or `closed` (connections per second), `sent` or `received` (bytes per second).
    pub tcp: Vec<Flow>,
    /// Why there are no request rates, if so.
    pub rates_problem: Option<QueryError>,
    /// Why the numbers are older ones, if so, and how old in milliseconds: Prometheus does not answer any more.
    pub outdated: Option<QueryError>,
    /// See `outdated`.
    pub age_ms: u64,
    /// Completeness.
    pub sources: Sources,
    /// What is missing of what was asked for.
    pub missing: Vec<&'static str>,
    /// The queries, by what they give.
    pub queries: Vec<(String, String)>,
    /// Namespaces that flows name, in order.
    pub namespaces: Vec<Arc<str>>,
    /// The clusters that flows are told apart by, if there are several.
    pub clusters: Arc<Clusters>,
    /// Series that were left out because their value is no number.
    pub odd: usize,
    /// Whether Prometheus has anything of the mesh's proxies; asked only when no flow came.
    pub scraped: Option<bool>,
    /// How long Prometheus took.
    pub took: Duration,
}

impl Observed {
    /// Whether Prometheus answers, and what is wrong where it does not, or not in full.
    pub fn prometheus(&self) -> Dependency {
        let Sources { answered, problem, words, .. } = &self.sources;
        let up = *answered > 0 || problem.is_none();
        let problem = problem.as_ref().map(|problem| match words {
            Some(words) if up => format!("{} ({problem})", words.trim_end_matches('.')),
            _ => problem.clone(),
        });
        Dependency { up, problem }
    }

    /// Whether all was answered and nothing has moved.
    pub(super) fn silent(&self) -> bool {
        self.sources.answered == self.sources.asked && self.requests.is_empty() && self.tcp.is_empty()
    }

    /// What was known last, in the place of an answer that did not come; the answer itself if it came, or if what was
    /// known last is too old to be worth anything.
    pub(super) fn or_last(self, last: Option<&Self>) -> Self {
        let Some(problem) = self.rates_problem.clone() else { return self };
        let Some(last) = last.filter(|last| last.rates_problem.is_none()) else { return self };
        let age_ms = self.at_ms.saturating_sub(last.at_ms);
        if age_ms > KEPT_MS {
            return self;
        }
        Self {
            outdated: Some(problem),
            age_ms,
            sources: self.sources,
            missing: self.missing,
            took: self.took,
            ..last.clone()
        }
    }

    /// Whether a silence may be for want of an answer rather than of traffic.
    pub fn unsure(&self) -> bool {
        self.sources.answered < self.sources.asked && self.outdated.is_none()
    }
}

/// Seconds since the epoch as Prometheus takes them.
#[allow(clippy::cast_precision_loss)]
pub(super) fn seconds(ms: u64) -> f64 {
    ms as f64 / 1000.0
}

/// Flows while they are read.
#[derive(Default)]
pub(super) struct Reading {
    names: Names,
    pub flows: Vec<Flow>,
    /// Rows whose value is no number.
    pub odd: usize,
}

impl Reading {
    pub fn of_callers(&mut self, row: &Row<'_>, rate: f64) {
        self.add(row, "source", rate);
    }

    pub fn of_called(&mut self, row: &Row<'_>, rate: f64) {
        self.add(row, "destination", rate);
    }

    pub fn of_either(&mut self, row: &Row<'_>, rate: f64) {
        self.add(row, "", rate);
    }

    fn add(&mut self, row: &Row<'_>, reporter: &str, rate: f64) {
        if rate.is_finite() {
            self.flows.extend(Flow::of_row(row, reporter, &mut self.names, rate.max(0.0)));
        } else {
            self.odd += 1;
        }
    }
}

/// Asks one question; without Prometheus the answer says so.
pub(super) async fn ask(
    prometheus: Option<&Prometheus>,
    question: &Question,
    at: f64,
    add: fn(&mut Reading, &Row<'_>, f64),
) -> Result<Reading, QueryError> {
    let prometheus = prometheus.ok_or(QueryError::NotConfigured)?;
    prometheus.fold(&question.promql, at, Reading::default(), add).await
}

/// Asks Prometheus for the rates of a moment. `own` is the name of the console's own cluster where series may be from
/// several, which are told apart then.
pub async fn observe(prometheus: Option<&Prometheus>, moment: Moment, own: Option<&str>) -> Observed {
    let started = Instant::now();
    let Moment { window_s, idle, .. } = moment;
    let at_ms = moment.at_ms.unwrap_or_else(now_ms);
    let questions = rates(window_s, idle, own.is_some());
    let readers: [fn(&mut Reading, &Row<'_>, f64); 3] = [Reading::of_callers, Reading::of_called, Reading::of_either];
    let asked = questions.iter().zip(readers).map(|(question, add)| ask(prometheus, question, seconds(at_ms), add));
    let answers = join_all(asked).await;
    let odd: usize = answers.iter().flatten().map(|reading| reading.odd).sum();
    let mut answers: Vec<_> = answers.into_iter().map(|answer| answer.map(|reading| reading.flows)).collect();
    let mut sources = tally(&answers);
    let failed = |index: usize| answers.get(index).and_then(|answer| answer.as_ref().err());
    let rates_problem = failed(0).filter(|_| failed(1).is_some()).cloned();
    let missing: Vec<_> =
        (0..answers.len()).filter(|index| failed(*index).is_some()).map(|i| questions[i].gives).collect();
    sources.words = incomplete(&sources, &missing);
    let mut take =
        |index: usize| answers.get_mut(index).and_then(|a| a.as_mut().ok()).map(std::mem::take).unwrap_or_default();
    let mut requests = take(0);
    requests.append(&mut take(1));
    let mut tcp = take(2);
    let clusters = own.map(|own| Clusters::of(own, requests.iter().chain(&tcp))).unwrap_or_default();
    if own.is_some() {
        clusters.settle(&mut requests);
        clusters.settle(&mut tcp);
    }
    let namespaces: BTreeSet<Arc<str>> = requests
        .iter()
        .chain(&tcp)
        .flat_map(|flow| [&flow.source.namespace, &flow.destination.namespace])
        .cloned()
        .collect();
    let mut observed = Observed {
        at_ms,
        window_s,
        idle,
        requests,
        tcp,
        namespaces: namespaces.into_iter().collect(),
        clusters: Arc::new(clusters),
        rates_problem,
        outdated: None,
        age_ms: 0,
        sources,
        missing,
        queries: listed(&questions),
        odd,
        scraped: None,
        took: Duration::ZERO,
    };
    // Silence and a mesh that nobody scrapes look the same to questions about what moves.
    if observed.silent()
        && let Some(prometheus) = prometheus
    {
        let question = presence();
        let answer = prometheus.instant(&question.promql, Some(seconds(at_ms))).await;
        observed.scraped = answer.ok().map(|series| !series.is_empty());
        observed.queries.extend(listed(&[question]));
    }
    observed.took = started.elapsed();
    observed
}

/// A sentence about what is missing, when not all was answered.
pub(super) fn incomplete(sources: &Sources, missing: &[&str]) -> Option<String> {
    let Sources { asked, answered, .. } = sources;
    (answered < asked).then(|| {
        let what = match missing.split_last() {
            None => String::new(),
            Some((last, [])) => format!("; missing: {last}"),
            Some((last, rest)) => format!("; missing: {} and {last}", rest.join(", ")),
        };
        format!("Prometheus answered {answered} of {asked} queries{what}.")
    })
}

/// Queries as an answer lists them.
pub(super) fn listed(questions: &[Question]) -> Vec<(String, String)> {
    questions.iter().map(|question| (question.name.to_owned(), question.promql.clone())).collect()
}

/// Counts answers; the first problem stands for all, as they nearly always share a cause.
pub(crate) fn tally<T>(answers: &[Result<T, QueryError>]) -> Sources {
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Sources {
        asked: count(answers.len()),
        answered: count(answers.iter().filter(|answer| answer.is_ok()).count()),
        problem: answers.iter().find_map(|answer| answer.as_ref().err()).map(ToString::to_string),
        ..Sources::default()
    }
}

/// Share of requests that were mutual TLS as their destinations report it, 0 to 1; `None` when none reports.
pub fn mtls_share(observed: &Observed) -> Option<f64> {
    let opened = observed.tcp.iter().filter(|flow| &*flow.what == "opened");
    let (mtls, all) = observed
        .requests
        .iter()
        .chain(opened)
        .filter(|flow| flow.reporter == Reporter::Destination)
        .fold((0.0, 0.0), |(m, a), flow| {
            (m + if flow.mutual_tls() == Some(true) { flow.rate } else { 0.0 }, a + flow.rate)
        });
    (all > 0.0).then(|| mtls / all)
}
