//! What moves of weights did to the errors. Each is asked for around its own moment: the window that a chart shows, and
//! how far apart its points are, must not decide what is known of a move.

use std::collections::HashMap;

use futures::future::join_all;
use parking_lot::Mutex;
use weft_model::{canary::MoveEffect, graph::CodeRate};

use super::{Fared, Split, lost_part, outcomes};
use crate::{
    db::Edit,
    estate::Estate,
    graph::error_share,
    telemetry::prometheus::{Grid, MIN_RATE_S, MIN_STEP_S, Point, Prometheus, QueryError, Series, Track},
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
    estate: &Estate,
    (edits, known): (&[Edit], &Known),
    now_ms: u64,
) -> (Vec<MoveEffect>, Vec<Result<(), QueryError>>) {
    let asked = edits.iter().take(MOVES).map(|edit| effect(prometheus, split, estate, edit, known, now_ms));
    let (mut effects, answers): (Vec<MoveEffect>, Vec<Vec<_>>) = join_all(asked).await.into_iter().unzip();
    effects.extend(edits.iter().skip(MOVES).filter_map(|edit| known.get(&edit.id)));
    (effects, answers.into_iter().flatten().collect())
}

async fn effect(
    prometheus: Option<&Prometheus>,
    split: &Split,
    estate: &Estate,
    edit: &Edit,
    known: &Known,
    now_ms: u64,
) -> (MoveEffect, Vec<Result<(), QueryError>>) {
    if let Some(effect) = known.get(&edit.id) {
        return (effect, Vec::new());
    }
    let Around { before, after, settled } = around(edit.at_ms, now_ms);
    let (before, later) =
        tokio::join!(share(prometheus, split, estate, Some(before)), share(prometheus, split, estate, after));
    let mut answers = vec![told(&before)];
    if after.is_some() {
        answers.push(told(&later));
    }
    let whole = before.is_ok() && later.is_ok();
    let effect = MoveEffect {
        id: edit.id.clone(),
        at_ms: edit.at_ms,
        errors_before: before.unwrap_or_default(),
        errors_after: later.unwrap_or_default(),
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
    before: Stretch,
    /// `None` so soon after the move that there are no two scrapes yet.
    after: Option<Stretch>,
    /// Whether nothing of it changes any more.
    settled: bool,
}

fn around(at_ms: u64, now_ms: u64) -> Around {
    let (at, now) = (at_ms / 1000, now_ms / 1000);
    let until = (at + AROUND_S).min(now);
    let span_s = until.saturating_sub(at);
    Around {
        before: Stretch { until: at, span_s: AROUND_S },
        after: (span_s >= MIN_RATE_S).then_some(Stretch { until, span_s }),
        settled: now >= at + AROUND_S + LATE_S,
    }
}

/// The share of errors of all destinations together over a stretch.
#[allow(clippy::cast_precision_loss)]
async fn share(
    prometheus: Option<&Prometheus>,
    split: &Split,
    estate: &Estate,
    stretch: Option<Stretch>,
) -> Result<Option<f64>, QueryError> {
    let Some(Stretch { until, span_s }) = stretch else { return Ok(None) };
    let prometheus = prometheus.ok_or(QueryError::NotConfigured)?;
    let answer = prometheus.instant(&outcomes(split, span_s), Some(until as f64)).await?;
    let tracks = answer
        .into_iter()
        .map(|Series { labels, value }| Track { labels, points: vec![Point { at: until as f64, value }] });
    let (grid, tracks) = (Grid { times: vec![until], step_s: MIN_STEP_S }, tracks.collect::<Vec<_>>());
    // All together, each failure counts once: whose it was is nobody's question here.
    let even = vec![1.0; split.arms.len()];
    let fared = split
        .arms
        .iter()
        .enumerate()
        .map(|(index, arm)| Fared::read(&grid, arm, estate, (&tracks, &[]), &[lost_part(split, index, &even)]));
    let codes: Vec<CodeRate> = fared.flat_map(|fared| fared.codes).flatten().collect();
    Ok(error_share(&codes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_move_is_looked_at_around_its_own_moment() {
        let stretch = |until, span_s| Stretch { until, span_s };
        let at = |now_ms| around(10_000_000, now_ms);
        assert_eq!(
            at(10_020_000),
            Around { before: stretch(10_000, 300), after: None, settled: false },
            "there are no two scrapes after it"
        );
        assert_eq!(at(10_120_000).after, Some(stretch(10_120, 120)));
        let days_later = at(400_000_000);
        assert_eq!((days_later.before, days_later.after), (stretch(10_000, 300), Some(stretch(10_300, 300))));
        assert!(days_later.settled && !at(10_310_000).settled);
    }
}
