//! The moments of a chart, at whole steps, so that the same window asks for the same points again.

use super::{Prometheus, QueryError, Track};

/// Points of a line when nothing else is asked for, about.
pub const POINTS: u64 = 60;
/// Shortest step in seconds: scrapes are hardly ever closer.
pub const MIN_STEP_S: u64 = 5;
/// Shortest span of a rate in seconds: it needs some scrapes.
pub const MIN_RATE_S: u64 = 60;

/// The moments that every line has a value for, oldest first, in seconds since the epoch.
pub struct Grid {
    /// The moments; never empty.
    pub times: Vec<u64>,
    /// From one to the next.
    pub step_s: u64,
}

impl Grid {
    /// Those of the `window_s` seconds that end at `end_ms`; steps are no shorter than [`MIN_STEP_S`].
    pub fn new(end_ms: u64, window_s: u64, step_s: u64) -> Self {
        let step_s = step_s.max(MIN_STEP_S);
        let end = end_ms / 1000 / step_s * step_s;
        let steps = window_s / step_s;
        Self { times: (0..=steps).map(|step| end.saturating_sub((steps - step) * step_s)).collect(), step_s }
    }

    /// The span of a rate at each moment.
    pub fn rate_s(&self) -> u64 {
        self.step_s.max(MIN_RATE_S)
    }

    /// The moments in milliseconds.
    pub fn times_ms(&self) -> Vec<u64> {
        self.times.iter().map(|time| time * 1000).collect()
    }

    /// The index of the moment nearest to `time`; none behind the last one.
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    pub fn at(&self, time: f64) -> Option<usize> {
        let first = *self.times.first()?;
        let at = ((time - first as f64) / self.step_s as f64).round().max(0.0) as usize;
        (at < self.times.len()).then_some(at)
    }

    /// Asks for a query's value at each moment.
    #[allow(clippy::cast_precision_loss)]
    pub async fn ask(&self, prometheus: Option<&Prometheus>, promql: &str) -> Result<Vec<Track>, QueryError> {
        let prometheus = prometheus.ok_or(QueryError::NotConfigured)?;
        let [from, end] = [self.times.first(), self.times.last()].map(|time| time.copied().unwrap_or_default() as f64);
        prometheus.range(promql, from, end, self.step_s as f64).await
    }
}
