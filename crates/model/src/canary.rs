//! Canary splits: configured against observed (`GET /api/v1/canaries`, event `canaries`).

mod course;

pub use self::course::{ArmCourse, ArmTotal, Course, MoveEffect};

use serde::{Deserialize, Serialize};

use crate::{Counted, Diagnostic, ObjectRef, graph::Sources};

/// From here on the indices of routes are of `spec.tls`; no list is as long as this.
pub const FIRST_TLS: usize = 10_000;
/// From here on they are of `spec.tcp`.
pub const FIRST_TCP: usize = 20_000;

/// The list of a VirtualService's spec that a route is in (`http`, `tls` or `tcp`), and its index there.
pub fn place(route_index: usize) -> (&'static str, usize) {
    match route_index {
        FIRST_TCP.. => ("tcp", route_index - FIRST_TCP),
        FIRST_TLS.. => ("tls", route_index - FIRST_TLS),
        _ => ("http", route_index),
    }
}

/// What the counts say about the weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The observed shares are consistent with the weights.
    Consistent,
    /// Outside the 99.9 % interval in two consecutive windows.
    Diverging,
    /// Callers keep to one version, or requests come in runs: the total says little about the weights, be it near them
    /// or not.
    Sticky,
    /// Too few requests to say.
    TooLittleTraffic,
    /// The present weights have not reached every proxy yet.
    Settling,
    /// Counts are not to be had (Prometheus or the operator is away).
    Unknown,
}

/// One destination of a weighted route.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Share {
    /// Destination host as written.
    pub host: String,
    /// Subset; empty when there is none.
    pub subset: String,
    /// Weight as configured, in percent of the route's total.
    pub configured_percent: f64,
    /// Requests counted since the present weights were acknowledged.
    pub requests: u64,
    /// Observed share in percent; `None` without requests.
    pub observed_percent: Option<f64>,
    /// 95 % interval of the observed share (Wilson), in percent.
    pub interval: Option<(f64, f64)>,
    /// Requests per second over the last minute.
    pub rate: f64,
    /// Error share over the same time, 0 to 1.
    pub error_share: Option<f64>,
    /// 95th percentile in milliseconds over the same time.
    pub p95_ms: Option<f64>,
}

/// From which share of errors on a destination answers nothing.
const NOTHING: f64 = 0.95;
/// Fewest requests per second by which that is told: six in a minute.
const SOME: f64 = 0.1;

impl Share {
    /// Whether (nearly) all that it receives fails, though something is meant for it.
    pub fn answers_nothing(&self) -> bool {
        let wanted = self.configured_percent > 0.0 || self.requests > 0;
        wanted && self.rate >= SOME && self.error_share.is_some_and(|share| share >= NOTHING)
    }
}

/// A route that takes some requests before the weighted one by what they carry, such as testers by header.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct TesterRoute {
    /// Route id in metrics.
    pub route: String,
    /// What matches, in words, such as `x-canary: true`.
    pub matches: String,
    /// Where it goes, such as `order-service v2`.
    pub destination: String,
    /// Requests counted over the same time as the split.
    pub requests: u64,
}

/// One weighted route of one VirtualService.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Canary {
    /// The VirtualService.
    pub object: ObjectRef,
    /// Index in `spec.http`, 10,000 and the index in `spec.tls`, or 20,000 and the index in `spec.tcp`.
    pub route_index: usize,
    /// Route id in metrics; of opaque connections its place, such as `tcp[0]`.
    pub route: String,
    /// Whether opaque connections are counted (`spec.tls`, `spec.tcp`) rather than requests.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub connections: bool,
    /// The destinations in the order they are written.
    pub shares: Vec<Share>,
    /// Routes that come first and go to one of the same hosts.
    pub testers: Vec<TesterRoute>,
    /// The verdict.
    pub verdict: Verdict,
    /// The verdict as a sentence.
    pub sentence: String,
    /// Since when requests are counted (last acknowledgement of the present weights), milliseconds since the epoch.
    pub since_ms: Option<u64>,
    /// How `sentence` writes that moment, in UTC, such as `12:02 UTC`; empty when it does not. A page puts the reader's
    /// own clock in its place.
    #[serde(default)]
    pub since_text: String,
    /// Identifies the bytes that an edit must start from.
    pub revision: String,
    /// The query behind the counts.
    pub query: String,
    /// Findings about the VirtualService, worst first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Diagnostic>,
}

impl Canary {
    /// Destinations that answer nothing. While weights settle, what was counted is of others.
    pub fn lost(&self) -> impl Iterator<Item = &Share> {
        let settled = self.verdict != Verdict::Settling;
        self.shares.iter().filter(move |share| settled && share.answers_nothing())
    }

    /// What its traffic is counted in.
    pub fn counted(&self) -> Counted {
        if self.connections { Counted::CONNECTIONS } else { Counted::REQUESTS }
    }
}

/// Answer of `GET /api/v1/canaries`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Canaries {
    /// One per weighted route, ordered by object.
    pub canaries: Vec<Canary>,
    /// Completeness.
    pub sources: Sources,
    /// Where the next page begins (`cursor`), if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Body of `POST /api/v1/canaries/preview` and `…/apply`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct WeightEdit {
    /// The VirtualService.
    pub object: ObjectRef,
    /// Index in `spec.http`, 10,000 and the index in `spec.tls`, or 20,000 and the index in `spec.tcp`.
    pub route_index: usize,
    /// New weights, in the order the destinations are written.
    pub weights: Vec<u32>,
    /// The revision the user saw; the edit is refused if the file changed since.
    pub revision: String,
}

/// Answer of `POST /api/v1/canaries/preview`: what applying would do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct EditPreview {
    /// Unified diff of the file, empty when nothing would change.
    pub diff: String,
    /// Findings that the change would add.
    pub new_findings: Vec<Diagnostic>,
    /// Findings that the change would mend.
    pub mended_findings: Vec<Diagnostic>,
    /// Requests per second that would move to another destination.
    pub moved_rate: Option<f64>,
    /// The same change with kubectl, to copy; empty where a GitOps tool would take it back.
    pub command: String,
    /// Why whoever asks could not apply it, such as a right that is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<String>,
}

/// Answer of `POST /api/v1/canaries/apply` and `POST /api/v1/edits/{id}/undo`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct EditResult {
    /// Names the edit for undo.
    pub id: String,
    /// The revision after it.
    pub revision: String,
    /// Until when undo is offered, milliseconds since the Unix epoch.
    pub undo_until_ms: u64,
}
