//! How one node or one edge fared over time, for the charts beside the graph, in figures that agree with its.

mod queries;
mod subject;

use std::collections::BTreeMap;

use futures::future::join_all;
use weft_model::graph::{CodeRate, Line, SeriesAnswer};

pub use self::subject::Subject;
pub(crate) use self::{
    queries::Choice,
    subject::{literally, quoted},
};

use super::{
    assemble::round,
    health::{client_error_share, error_share},
    observed::tally,
};
use crate::{
    clock::now_ms,
    estate::Estate,
    telemetry::prometheus::{Grid, POINTS, Prometheus, Track},
};

/// Most points of a line.
const MAX_POINTS: u64 = 300;

/// Asks for the series of `subject` in the window of `window_s` seconds that ends at `at_ms`, one range query for each
/// kind of line, side by side. The step is widened where it would give too many points. `None` where nothing of that name
/// is configured, and nothing was counted.
pub async fn series(
    prometheus: Option<&Prometheus>,
    subject: &Subject,
    estate: &Estate,
    window_s: u64,
    at_ms: Option<u64>,
    step_s: Option<u64>,
) -> Option<SeriesAnswer> {
    let grid = Grid::new(at_ms.unwrap_or_else(now_ms), window_s, step(window_s, step_s));
    let queries = queries::of(subject, estate, grid.rate_s());
    let answers = join_all(queries.iter().map(|(_, promql)| grid.ask(prometheus, promql))).await;
    if !subject.is_known(estate) && answers.iter().all(|answer| matches!(answer, Ok(tracks) if tracks.is_empty())) {
        return None;
    }
    let mut sources = tally(&answers);
    if sources.answered < sources.asked {
        sources.words = Some(format!("Prometheus answered {} of {} queries.", sources.answered, sources.asked));
    }
    if subject.is_of_all_callers(estate) {
        let note = "No workload of the calling service is known, so these are the calls of all callers.";
        sources.note = Some(note.to_owned());
    }
    let mut lines = Vec::new();
    for ((name, _), answer) in queries.iter().zip(&answers) {
        let Ok(tracks) = answer else { continue };
        match *name {
            "requests" => lines.extend(grid.of_codes(tracks, "")),
            "requests-out" => lines.extend(grid.of_codes(tracks, "-out").into_iter().take(2)),
            "connections" => lines.extend(grid.line("connections", "conn/s", tracks)),
            "throughput" => {
                for (what, name) in [("sent", "bytes-sent"), ("received", "bytes-received")] {
                    let of = tracks.iter().filter(|track| track.labels.get("what") == what);
                    lines.extend(grid.line(name, "B/s", of));
                }
            }
            quantile => lines.extend(grid.line(quantile, "ms", tracks)),
        }
    }
    let queries = queries.into_iter().map(|(name, promql)| (name.to_owned(), promql)).collect();
    Some(SeriesAnswer { step_s: grid.step_s, times_ms: grid.times_ms(), lines, sources, queries })
}

/// Seconds between two points: as asked, but never so few that a line has more than [`MAX_POINTS`].
fn step(window_s: u64, asked_s: Option<u64>) -> u64 {
    asked_s.unwrap_or(window_s / POINTS).max(window_s.div_ceil(MAX_POINTS - 1))
}

impl Grid {
    fn line<'a>(&self, name: &str, unit: &str, tracks: impl IntoIterator<Item = &'a Track>) -> Option<Line> {
        let mut values = vec![None; self.times.len()];
        let mut tracks = tracks.into_iter().peekable();
        tracks.peek()?;
        for point in tracks.flat_map(|track| &track.points) {
            if let Some(at) = self.at(point.at) {
                *values[at].get_or_insert(0.0) += point.value;
            }
        }
        let values = values.into_iter().map(|value: Option<f64>| value.map(round)).collect();
        Some(Line { name: name.to_owned(), unit: unit.to_owned(), values })
    }

    /// Rate, errors and client errors, all in requests per second.
    fn of_codes(&self, tracks: &[Track], suffix: &str) -> Vec<Line> {
        let mut moments: BTreeMap<usize, Vec<CodeRate>> = BTreeMap::new();
        for track in tracks {
            for point in &track.points {
                let Some(at) = self.at(point.at) else { continue };
                moments.entry(at).or_default().push(CodeRate {
                    code: track.labels.get("response_code").to_owned(),
                    grpc: track.labels.get("grpc_response_status").to_owned(),
                    flags: "-".to_owned(),
                    rate: point.value.max(0.0),
                });
            }
        }
        if moments.is_empty() {
            return Vec::new();
        }
        let line = |name: &str, of: &dyn Fn(&[CodeRate]) -> Option<f64>| {
            let mut values = vec![None; self.times.len()];
            for (at, codes) in &moments {
                let all = codes.iter().fold(0.0, |sum, code| sum + code.rate);
                values[*at] = Some(round(all * of(codes).unwrap_or(0.0)));
            }
            Line { name: format!("{name}{suffix}"), unit: "req/s".to_owned(), values }
        };
        vec![line("rate", &|_| Some(1.0)), line("errors", &error_share), line("client-errors", &client_error_share)]
    }
}

#[cfg(test)]
mod tests;
