//! What moves of weights did to the errors. Each is asked for around its own moment: the window that a chart shows, and
//! how far apart its points are, must not decide what is known of a move.

use std::collections::HashMap;

use futures::future::join_all;
use parking_lot::Mutex;
use weft_model::{
    canary::MoveEffect,
    graph::CodeRate,
    metrics::{REPORTER_DESTINATION, REPORTER_SOURCE, REQUESTS_TOTAL, TCP_CONNECTIONS_OPENED_TOTAL},
};

use super::{Split, code_rate, to};
use crate::{
    db::Edit,
    graph::error_share,
    telemetry::prometheus::{MIN_RATE_S, Prometheus, QueryError, Series},
};

/// How long before and after a move errors are compared, in seconds.
const AROUND_S: u64 = 300;
/// Samples arrive late; only after so many seconds more what came of a move is known for good.
const LATE_S: u64 = 60;
/// Moves that are asked for, the newest.
const MOVES: usize = 8;
/// Moves that are remembered.
const REMEMBERED: usize = 1_000;

/// What is known for good, by the edit's id.
#[derive(Debug, Default)]
pub struct Known(Mutex<HashMap<String, MoveEffect>>);

impl Known {
    fn get(&self, id: &str) -> Option<MoveEffect> {
        self.0.lock().get(id).cloned()
    }

    pub(super) fn keep(&self, effect: &MoveEffect) {
        let mut known = self.0.lock();
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.insert(effect.id.clone(), effect.clone());
    }
}

/// What the newest of `edits` did, and older ones as far as it is known already, newest first, and how the queries for it
/// went.
pub(super) async fn effects(
    prometheus: Option<&Prometheus>,
    split: &Split,
    (edits, known): (&[Edit], &Known),
    now_ms: u64,
) -> (Vec<MoveEffect>, Vec<Result<(), QueryError>>) {
    let at = |nth: Option<usize>| nth.and_then(|nth| edits.get(nth)).map(|edit| edit.at_ms);
    let asked = edits.iter().enumerate().take(MOVES).map(|(nth, edit)| {
        let around = around([at(Some(nth + 1)), Some(edit.at_ms), at(nth.checked_sub(1))], now_ms);
        effect(prometheus, split, edit, around, known)
    });
    let (mut effects, answers): (Vec<MoveEffect>, Vec<Vec<_>>) = join_all(asked).await.into_iter().unzip();
    effects.extend(edits.iter().skip(MOVES).filter_map(|edit| known.get(&edit.id)));
    (effects, answers.into_iter().flatten().collect())
}

async fn effect(
    prometheus: Option<&Prometheus>,
    split: &Split,
    edit: &Edit,
    Around { before, after, settled }: Around,
    known: &Known,
) -> (MoveEffect, Vec<Result<(), QueryError>>) {
    if let Some(effect) = known.get(&edit.id) {
        return (effect, Vec::new());
    }
    let (earlier, later) = tokio::join!(share(prometheus, split, before), share(prometheus, split, after));
    let asked = [(before, &earlier), (after, &later)].into_iter().filter(|(stretch, _)| stretch.is_some());
    let answers = asked.map(|(_, answer)| told(answer)).collect();
    let whole = earlier.is_ok() && later.is_ok();
    let span_s = |stretch: Option<Stretch>| stretch.map_or(0, |stretch| stretch.span_s);
    let effect = MoveEffect {
        id: edit.id.clone(),
        at_ms: edit.at_ms,
        errors_before: earlier.unwrap_or_default(),
        errors_after: later.unwrap_or_default(),
        before_s: span_s(before),
        after_s: span_s(after),
    };
    if settled && whole {
        known.keep(&effect);
    }
    (effect, answers)
}

fn told<T>(answer: &Result<T, QueryError>) -> Result<(), QueryError> {
    answer.as_ref().map(|_| ()).map_err(Clone::clone)
}

/// A stretch that ends at a moment, in seconds since the epoch, and how long it is.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Stretch {
    until: u64,
    span_s: u64,
}

#[derive(Debug, PartialEq)]
struct Around {
    /// `None` so soon after the move before that there are no two scrapes.
    before: Option<Stretch>,
    /// `None` so soon after the move that there are no two scrapes yet, or where the next one came so soon.
    after: Option<Stretch>,
    /// Whether nothing of it changes any more.
    settled: bool,
}

/// What is compared for a move, given when the move before it was, itself, and the next: other weights are other moves'.
fn around([previous, this, next]: [Option<u64>; 3], now_ms: u64) -> Around {
    let [at, now] = [this.unwrap_or_default(), now_ms].map(|ms| ms / 1000);
    let since = previous.map_or(0, |ms| ms / 1000).clamp(at.saturating_sub(AROUND_S), at);
    let end = next.map_or(u64::MAX, |ms| ms / 1000).clamp(at, at + AROUND_S);
    let stretch = |from: u64, until: u64| {
        let span_s = until.saturating_sub(from);
        (span_s >= MIN_RATE_S).then_some(Stretch { until, span_s })
    };
    Around { before: stretch(since, at), after: stretch(at, end.min(now)), settled: now >= end + LATE_S }
}

/// What came of everything that was sent to the hosts over `span_s` seconds, whichever workload took it, or none: which
/// ones are a destination's today says nothing of the past.
fn outcomes(split: &Split, span_s: u64) -> String {
    let (what, by) = if split.is_opaque() {
        (TCP_CONNECTIONS_OPENED_TOTAL, "response_flags")
    } else {
        (REQUESTS_TOTAL, "response_code, grpc_response_status")
    };
    format!("sum by (reporter, {by}) (rate({what}{{{}}}[{span_s}s]))", to(split))
}

/// The share of errors of all of it over a stretch.
#[allow(clippy::cast_precision_loss)]
async fn share(
    prometheus: Option<&Prometheus>,
    split: &Split,
    stretch: Option<Stretch>,
) -> Result<Option<f64>, QueryError> {
    let Some(Stretch { until, span_s }) = stretch else { return Ok(None) };
    let prometheus = prometheus.ok_or(QueryError::NotConfigured)?;
    Ok(failed(&prometheus.instant(&outcomes(split, span_s), Some(until as f64)).await?))
}

/// The share of errors as callers counted it, or the called ones where no caller has a proxy.
fn failed(answer: &[Series]) -> Option<f64> {
    let of = |reporter: &str| -> Vec<CodeRate> {
        let own = answer.iter().filter(|row| row.labels.get("reporter") == reporter && row.value > 0.0);
        own.map(|row| code_rate(&row.labels, row.value)).collect()
    };
    error_share(&of(REPORTER_SOURCE)).or_else(|| error_share(&of(REPORTER_DESTINATION)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::prometheus::Labels;

    #[test]
    fn a_move_is_looked_at_around_its_own_moment() {
        let stretch = |until, span_s| Some(Stretch { until, span_s });
        let at = |now_ms| around([None, Some(10_000_000), None], now_ms);
        assert_eq!(
            at(10_020_000),
            Around { before: stretch(10_000, 300), after: None, settled: false },
            "there are no two scrapes after it"
        );
        assert_eq!(at(10_120_000).after, stretch(10_120, 120));
        let days_later = at(400_000_000);
        assert_eq!((days_later.before, days_later.after), (stretch(10_000, 300), stretch(10_300, 300)));
        assert!(days_later.settled && !at(10_310_000).settled);
    }

    #[test]
    fn no_move_is_told_by_what_others_did() {
        let stretch = |until, span_s| Some(Stretch { until, span_s });
        let between = around([Some(9_900_000), Some(10_000_000), Some(10_090_000)], 400_000_000);
        assert_eq!(between, Around { before: stretch(10_000, 100), after: stretch(10_090, 90), settled: true });
        let hurried = around([Some(9_990_000), Some(10_000_000), Some(10_010_000)], 10_080_000);
        assert_eq!(hurried, Around { before: None, after: None, settled: true });
    }

    #[test]
    fn what_failed_is_of_the_hosts_whatever_took_it() {
        let row = |reporter: &str, code: &str, value: f64| Series {
            labels: Labels::from([("reporter", reporter), ("response_code", code), ("grpc_response_status", "")]),
            value,
        };
        let asked = outcomes(&super::super::tests::split(0), 300);
        assert!(!asked.contains("workload") && asked.contains("[300s]"), "no version of today is asked for: {asked}");
        // The callers saw what failed for want of a subset; the called ones never did.
        let all = [row("source", "200", 14.0), row("source", "503", 14.0), row("destination", "200", 14.0)];
        assert_eq!(failed(&all), Some(0.5));
        assert_eq!(failed(&all[2..]), Some(0.0));
        assert_eq!(failed(&[row("source", "503", 0.0)]), None, "nothing was sent");
    }
}
