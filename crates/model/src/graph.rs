//! The service graph as the console's server sends it (`GET /api/v1/graph`, event `graph`).

use serde::{Deserialize, Serialize};

use crate::Severity;

/// The state of health of a node or an edge; each has its own colour and its own shape.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    /// Known not to carry traffic.
    #[default]
    Idle,
    /// Not known: the data to tell is missing.
    Unknown,
    /// Within thresholds.
    Healthy,
    /// Above the degraded threshold.
    Degraded,
    /// Above the failing threshold.
    Failing,
}

/// What a node stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NodeKind {
    /// A workload with a proxy.
    Workload,
    /// A workload without a proxy, or a caller known by address only.
    Unmeshed,
    /// An ingress or egress gateway.
    Gateway,
    /// A host outside the mesh.
    External,
}

/// A mark on a node, each with words of its own on hover.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Badge {
    /// `canary`, `fault`, `circuit-breaker`, `missing-sidecar` or `lint`.
    pub kind: String,
    /// The worst finding's severity, for `lint`.
    pub severity: Option<Severity>,
    /// What hovering says.
    pub text: String,
}

/// One node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Node {
    /// Stable across refreshes: `namespace/workload`, or `unknown` for callers that cannot be told apart.
    pub id: String,
    /// What it stands for.
    pub kind: NodeKind,
    /// Namespace; empty when not known.
    pub namespace: String,
    /// Workload name.
    pub workload: String,
    /// `app` label.
    pub app: String,
    /// `version` label.
    pub version: String,
    /// Health of the traffic that it receives.
    pub health: Health,
    /// Requests per second that come in.
    pub rate_in: f64,
    /// Requests per second that go out.
    pub rate_out: f64,
    /// Share of incoming requests that fail, 0 to 1; `None` without traffic.
    pub error_share: Option<f64>,
    /// Marks.
    pub badges: Vec<Badge>,
}

/// How encrypted an edge is, as its destination reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Lock {
    /// All mutual TLS.
    Mtls,
    /// Some plaintext.
    Mixed,
    /// All plaintext.
    Plaintext,
    /// The destination reports nothing.
    Unknown,
}

/// Requests by response code on an edge.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CodeRate {
    /// HTTP status, or `0` for a request that got none.
    pub code: String,
    /// Response flags, `-` when there are none.
    pub flags: String,
    /// Requests per second.
    pub rate: f64,
}

/// One edge: `source` calls `destination`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Edge {
    /// `source->destination`, stable across refreshes.
    pub id: String,
    /// Node id.
    pub source: String,
    /// Node id.
    pub destination: String,
    /// `http`, `grpc` or `tcp`.
    pub protocol: String,
    /// Requests per second (`tcp`: connections per second).
    pub rate: f64,
    /// Share of failing requests, 0 to 1; `None` when nothing was sent.
    pub error_share: Option<f64>,
    /// 50th percentile in milliseconds.
    pub p50_ms: Option<f64>,
    /// 95th percentile in milliseconds.
    pub p95_ms: Option<f64>,
    /// 99th percentile in milliseconds.
    pub p99_ms: Option<f64>,
    /// Health.
    pub health: Health,
    /// Encryption.
    pub lock: Lock,
    /// Share of plaintext requests, 0 to 1; `None` when unknown.
    pub plaintext_share: Option<f64>,
    /// Rates by response code and flags, highest first.
    pub codes: Vec<CodeRate>,
}

/// Whether all queries behind an answer were answered.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Sources {
    /// Queries asked.
    pub asked: u32,
    /// Queries answered.
    pub answered: u32,
    /// What went wrong with the others, in words that say the remedy.
    pub problem: Option<String>,
}

/// The graph over one time window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Graph {
    /// End of the window, milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// Length of the window in seconds.
    pub window_s: u64,
    /// Nodes, ordered by id. Workloads that are configured but idle are among them.
    pub nodes: Vec<Node>,
    /// Edges, ordered by id.
    pub edges: Vec<Edge>,
    /// Completeness.
    pub sources: Sources,
    /// How old the numbers were when they were sent, in milliseconds: above 0 while Prometheus does not answer, and what
    /// was known last is shown on.
    #[serde(default)]
    pub age_ms: u64,
    /// The queries that gave these numbers, by what they give.
    pub queries: Vec<(String, String)>,
}
