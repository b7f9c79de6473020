use serde::{Deserialize, Serialize};

use crate::graph::Sources;

/// One destination of a weighted route over time. Every list has one value for each of [`Course::times_ms`]; `None` where
/// nothing is known.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ArmCourse {
    /// The subset, or the host where there is none.
    pub name: String,
    /// Configured share in percent.
    pub configured_percent: Vec<Option<f64>>,
    /// Share of the route's requests in percent.
    pub observed_percent: Vec<Option<f64>>,
    /// Requests per second that it received, over this route or any other.
    pub rate: Vec<Option<f64>>,
    /// Percent of these that failed.
    pub error_percent: Vec<Option<f64>>,
    /// Their 95th percentile in milliseconds.
    pub p95_ms: Vec<Option<f64>>,
    /// The same over the whole time.
    pub whole: ArmTotal,
}

/// Fewest requests that say something about the ways by which they came.
const MANY: u64 = 10;

impl ArmCourse {
    /// Whether most of its requests came by other ways than this route.
    pub fn is_called_elsewhere(&self) -> bool {
        let ArmTotal { requests, picked, .. } = self.whole;
        requests >= MANY && picked.is_some_and(|picked| picked < requests.div_ceil(2))
    }
}

/// One destination over the whole time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ArmTotal {
    /// Requests, about: rates times their time. They are of all that it received, over this route or any other.
    pub requests: u64,
    /// How many of them this route sent there, about; `None` where that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub picked: Option<u64>,
    /// Requests per second, over the moments that anything is known of.
    pub rate: f64,
    /// Share that failed, 0 to 1.
    pub error_share: Option<f64>,
    /// How much more of its requests fail than of the first destination's, 0 to 1, with the 95 % interval of that; `None`
    /// where this route never sent anything to one of them.
    pub more_errors: Option<(f64, f64, f64)>,
    /// 95th percentile in milliseconds.
    pub p95_ms: Option<f64>,
}

/// What the errors of everything sent to the route's hosts did when the weights, or the destinations, were moved.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct MoveEffect {
    /// Names the edit, as the history has it.
    pub id: String,
    /// When, milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// Error share over the minutes before, 0 to 1; `None` where nothing is known.
    pub errors_before: Option<f64>,
    /// Error share over the minutes after.
    pub errors_after: Option<f64>,
    /// Of how many seconds before it `errors_before` is: none of before the move before.
    #[serde(default)]
    pub before_s: u64,
    /// Of how many seconds after it `errors_after` is: none of after the next move.
    #[serde(default)]
    pub after_s: u64,
}

/// How a weighted route fared over time (`GET /api/v1/canaries/course`).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Course {
    /// Seconds between two points.
    pub step_s: u64,
    /// Over how many seconds each point's rate is taken.
    pub rate_s: u64,
    /// When, milliseconds since the Unix epoch, oldest first.
    pub times_ms: Vec<u64>,
    /// The destinations in the order they are written.
    pub arms: Vec<ArmCourse>,
    /// The newest moves, newest first, be they of that time or of before.
    pub moves: Vec<MoveEffect>,
    /// Completeness.
    pub sources: Sources,
    /// The queries, by what they give.
    pub commands: Vec<(String, String)>,
}
