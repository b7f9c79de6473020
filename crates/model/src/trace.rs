//! Traces as the console shows them (`GET /api/v1/traces`, `GET /api/v1/traces/{id}`).

use serde::{Deserialize, Serialize};

/// One row of the trace list.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TraceRow {
    /// 32 hexadecimal digits.
    pub trace_id: String,
    /// Name of the root span, such as `GET order-service.default.svc.cluster.local:8080/*`.
    pub root: String,
    /// Workload of the root span, `namespace/name`.
    pub workload: String,
    /// Start, microseconds since the Unix epoch.
    pub start_us: u64,
    /// Duration in microseconds.
    pub duration_us: u64,
    /// Spans received.
    pub spans: usize,
    /// Whether any span failed.
    pub error: bool,
}

/// Answer of `GET /api/v1/traces?workload=ns/name&errors=true&minMs=…&limit=…`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TraceList {
    /// Newest first.
    pub traces: Vec<TraceRow>,
}

/// One span.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Span {
    /// 16 hexadecimal digits.
    pub span_id: String,
    /// Parent's id; empty for a root.
    pub parent_id: String,
    /// Operation.
    pub name: String,
    /// Workload that reports it, `namespace/name`.
    pub workload: String,
    /// `client` (outbound side) or `server` (inbound side).
    pub kind: String,
    /// Start, microseconds since the Unix epoch.
    pub start_us: u64,
    /// Duration in microseconds.
    pub duration_us: u64,
    /// Whether it failed.
    pub error: bool,
    /// Depth below the root, for indentation; orphans whose parent was not received stand at depth 0.
    pub depth: usize,
    /// Attributes, ordered by name.
    pub attributes: Vec<(String, String)>,
}

/// Answer of `GET /api/v1/traces/{id}`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Trace {
    /// 32 hexadecimal digits.
    pub trace_id: String,
    /// Depth first, by start time.
    pub spans: Vec<Span>,
    /// Spans whose parent was not received.
    pub missing_parents: usize,
}
