use serde::{Deserialize, Serialize};

use super::Sources;

/// One line of a chart.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Line {
    /// `rate`, `errors`, `client-errors`, `p50`, `p95`, `p99`, `bytes-sent` or `bytes-received`; a node's lines are of what
    /// it receives, and the same with `-out` behind them of what it sends.
    pub name: String,
    /// `req/s`, `conn/s`, `ms` or `B/s`.
    pub unit: String,
    /// One value for each of [`SeriesAnswer::times_ms`]; `None` where nothing is known.
    pub values: Vec<Option<f64>>,
}

/// How one node or one edge fared over time (`GET /api/v1/graph/series`).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct SeriesAnswer {
    /// Seconds between two points.
    pub step_s: u64,
    /// When, milliseconds since the Unix epoch, oldest first; at most 300.
    pub times_ms: Vec<u64>,
    /// The lines.
    pub lines: Vec<Line>,
    /// Completeness.
    pub sources: Sources,
    /// The queries that gave these numbers, by what they give.
    pub queries: Vec<(String, String)>,
}
