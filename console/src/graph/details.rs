//! What comes after rates: quantiles, throughput and gRPC messages of each edge.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use futures::future::join_all;
use weft_model::graph::{Progress, Quantiles, Sources};

use super::{
    Clusters, Flow, Reporter,
    observed::{Reading, ask, listed, seconds, tally},
    queries::{raw, raw_window, recorded, recorded_window},
};
use crate::telemetry::prometheus::Prometheus;

/// What a reader learns who has not loaded the rules.
const UNRULED: &str = "Computed from raw histograms, which is slow in a large mesh: Prometheus has not loaded Weft's \
    recording rules.";

/// What a reader learns where several clusters are told apart.
const APART: &str = "Computed from raw histograms, which is slow in a large mesh: the recording rules do not tell \
    clusters apart.";

/// Figures of one edge as one side measured them.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Figures {
    /// 50th, 95th and 99th percentile in milliseconds.
    pub quantiles: [Option<f64>; 3],
    /// HTTP bytes per second to the destination and back.
    pub bytes: [f64; 2],
    /// gRPC messages per second to the destination and back.
    pub messages: [f64; 2],
}

/// Names an edge at one reporter: source id (empty when unknown), destination id.
type Pair = (Reporter, Arc<str>, Arc<str>);

/// What was said about one window.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Details {
    pub(super) figures: HashMap<Pair, Figures>,
    /// How far they are, for the answer.
    pub quantiles: Quantiles,
    /// Completeness.
    pub sources: Sources,
    /// What is missing of what was asked for.
    pub missing: Vec<&'static str>,
    /// The queries, by what they give.
    pub queries: Vec<(String, String)>,
    /// How long Prometheus took.
    pub took: Duration,
}

impl Details {
    /// Before Prometheus has answered.
    pub fn pending() -> Self {
        Self { quantiles: Quantiles { state: Progress::Pending, ..Quantiles::default() }, ..Self::default() }
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.figures.is_empty()
    }

    /// When they were not asked for, because rates were not to be had.
    pub(super) fn missing(quantiles: Quantiles) -> Self {
        Self { quantiles, ..Self::default() }
    }

    /// Of the edge between two node ids; `source` is empty for a caller that is not known.
    pub fn get(&self, reporter: Reporter, source: &Arc<str>, destination: &Arc<str>) -> Option<&Figures> {
        self.figures.get(&(reporter, source.clone(), destination.clone()))
    }

    /// Reads rows whose `what` is a quantile (`0.5`) or the name of a sum (`request_bytes`).
    pub(super) fn add(&mut self, flows: &[Flow], what: Option<&str>) {
        for flow in flows {
            let pair = (flow.reporter, flow.source.id.clone(), flow.destination.id.clone());
            let figures = self.figures.entry(pair).or_default();
            match what.unwrap_or(&flow.what) {
                "0.5" => figures.quantiles[0] = Some(flow.rate),
                "0.95" => figures.quantiles[1] = Some(flow.rate),
                "0.99" => figures.quantiles[2] = Some(flow.rate),
                "request_bytes" => figures.bytes[0] += flow.rate,
                "response_bytes" => figures.bytes[1] += flow.rate,
                "request_messages" => figures.messages[0] += flow.rate,
                "response_messages" => figures.messages[1] += flow.rate,
                _ => {}
            }
        }
    }
}

/// Asks for the details of the window of `window_s` seconds that ends at `at_ms`: the recorded ones, or, where there are
/// none or several clusters are told apart, what raw histograms give.
/// `silent` says that nothing moved in the window: then raw histograms have nothing to say either.
pub(super) async fn detail(
    prometheus: Option<&Prometheus>,
    window_s: u64,
    at_ms: u64,
    clusters: &Clusters,
    silent: bool,
) -> Details {
    let started = Instant::now();
    let patient = prometheus.map(Prometheus::patient);
    let at = seconds(at_ms);
    if clusters.told().is_some() {
        let mut details = Details::default();
        from_raw(&mut details, patient.as_ref(), window_s, at, clusters).await;
        details.took = started.elapsed();
        return details;
    }
    let (window, length_s) = recorded_window(window_s);
    let question = recorded(window);
    let answer = ask(patient.as_ref(), &question, at, Reading::of_either).await.map(|reading| reading.flows);
    let mut details = Details { sources: tally(std::slice::from_ref(&answer)), ..Details::default() };
    match answer {
        // Latency is recorded less often than the rest; until it first is, it is not missing, only late.
        Ok(flows) if flows.iter().any(|flow| flow.what.starts_with("0.")) => {
            details.add(&flows, None);
            let note = of_records(length_s);
            details.quantiles =
                Quantiles { recorded: true, window_s: length_s, note: Some(note), ..Quantiles::default() };
            details.queries = listed(&[question]);
        }
        Ok(flows) if silent => {
            details.add(&flows, None);
            details.quantiles = Quantiles { window_s: length_s, ..Quantiles::default() };
            details.queries = listed(&[question]);
        }
        Ok(_) => from_raw(&mut details, patient.as_ref(), window_s, at, clusters).await,
        // Whoever could not answer the light question is not asked the heavy ones.
        Err(error) => {
            details.missing.push(question.gives);
            details.quantiles =
                Quantiles { state: Progress::Missing, note: Some(error.to_string()), ..Quantiles::default() };
            details.queries = listed(&[question]);
        }
    }
    details.took = started.elapsed();
    details
}

/// How old records of latency may be, by `charts/weft/files/recording-rules.yaml`: what is mended a moment ago is slow in them
/// for a while.
fn of_records(length_s: u64) -> String {
    let (every, old) = if length_s <= 60 { ("minute", "a minute") } else { ("2.5 minutes", "2.5 minutes") };
    format!("Latency is of the last {}, recorded every {every}: up to {old} older than the rest.", words(length_s))
}

fn words(length_s: u64) -> String {
    match length_s {
        60 => "minute".to_owned(),
        3600 => "hour".to_owned(),
        _ => format!("{} minutes", length_s / 60),
    }
}

async fn from_raw(details: &mut Details, prometheus: Option<&Prometheus>, window_s: u64, at: f64, clusters: &Clusters) {
    let apart = clusters.told().is_some();
    let questions = raw(window_s, apart);
    let asked = questions.iter().map(|question| ask(prometheus, question, at, Reading::of_either));
    let answers = join_all(asked).await;
    let mut answers: Vec<_> = answers.into_iter().map(|answer| answer.map(|reading| reading.flows)).collect();
    let sources = tally(&answers);
    details.sources.asked += sources.asked;
    details.sources.answered += sources.answered;
    details.sources.problem = sources.problem;
    details.queries = listed(&questions);
    for flows in answers.iter_mut().filter_map(|answer| answer.as_mut().ok()).filter(|_| apart) {
        clusters.settle(flows);
    }
    for ((question, answer), what) in
        questions.iter().zip(&answers).zip([Some("0.5"), Some("0.95"), Some("0.99"), None])
    {
        match answer {
            Ok(flows) => details.add(flows, what),
            Err(_) => details.missing.push(question.gives),
        }
    }
    let missing = answers.iter().take(3).all(Result::is_err);
    // Without traffic there is nothing to record, which says nothing about the rules.
    let unruled = (!details.figures.is_empty()).then(|| if apart { APART } else { UNRULED }.to_owned());
    let length_s = raw_window(window_s);
    let shorter =
        (length_s != window_s).then(|| format!("Latency and throughput are of the last {}.", words(length_s)));
    let known: Vec<String> = shorter.into_iter().chain(unruled).collect();
    let known = (!known.is_empty()).then(|| known.join(" "));
    let note = details.sources.problem.clone().filter(|_| missing).or(known);
    let window_s = length_s;
    details.quantiles =
        Quantiles { state: if missing { Progress::Missing } else { Progress::Ready }, recorded: false, window_s, note };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_said_to_be_as_old_as_their_rules_let_them_be() {
        let rules = include_str!("../../../charts/weft/files/recording-rules.yaml");
        let interval = |group: &str| {
            let (_, rest) = rules.split_once(&format!("- name: {group}\n")).unwrap();
            rest.trim_start().lines().next().unwrap().to_owned()
        };
        assert_eq!(interval("weft-latency-1m"), "interval: 60s");
        assert!(
            of_records(60).ends_with("of the last minute, recorded every minute: up to a minute older than the rest.")
        );
        assert_eq!(interval("weft-latency-5m"), "interval: 150s");
        assert!(of_records(300).contains("of the last 5 minutes, recorded every 2.5 minutes: up to 2.5 minutes older"));
    }
}
