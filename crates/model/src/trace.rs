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

/// Answer of `GET /api/v1/traces?workload=ns/name&operation=…&tag=key=value&errors=true&minMs=…&maxMs=…&fromMs=…&toMs=…`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TraceList {
    /// Newest first.
    pub traces: Vec<TraceRow>,
    /// What `before=` takes to go on below the last row; none when there are no more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// What a reader should know, in words: that not everything was searched, for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// Answer of `GET /api/v1/traces/heat`, which takes the same search: how many traces began when and took how long.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Heat {
    /// Left edge, milliseconds since the Unix epoch.
    pub from_ms: u64,
    /// Right edge.
    pub to_ms: u64,
    /// Equal steps of time between them.
    pub columns: usize,
    /// Borders of the rows in microseconds, ascending by steps of 1, 2 and 5; one more than there are rows.
    pub borders_us: Vec<u64>,
    /// Cells with a trace in them, by column, then row.
    pub cells: Vec<HeatCell>,
    /// Traces counted.
    pub counted: usize,
    /// Whether there were more than are counted: then these are the newest.
    pub cut: bool,
    /// What a reader should know of what was counted, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// One cell of a [`Heat`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HeatCell {
    /// Counted from the left edge.
    pub column: usize,
    /// Counted from the shortest durations.
    pub row: usize,
    /// Traces in it.
    pub traces: usize,
    /// Those of them that failed.
    pub errors: usize,
}

/// Answer of `GET /api/v1/traces/names?workload=ns/name`: what can be searched for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TraceNames {
    /// Workloads that sent spans, ordered.
    pub workloads: Vec<String>,
    /// Operations of the workload that was asked for, ordered.
    pub operations: Vec<String>,
}

/// What a stretch of time was spent on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tone {
    /// A proxy's own work: choosing, waiting for a connection, waiting before another attempt.
    Proxy,
    /// Between two proxies. Where a proxy does not say how long it waited for its peer, its own work is in it too.
    Network,
    /// The application, and the proxy beside it where that does not tell them apart.
    Application,
    /// Not told: the hop behind sent no span.
    #[default]
    Unknown,
}

/// A stretch of a span's own time, which none of its children covers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Part {
    /// What it was spent on.
    pub tone: Tone,
    /// Start, microseconds since the Unix epoch.
    pub start_us: u64,
    /// Length in microseconds.
    pub duration_us: u64,
}

/// One of several attempts of one call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Attempt {
    /// From 1.
    pub number: usize,
    /// Attempts that the caller's proxy made.
    pub of: usize,
}

/// How long other spans of the same operation took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Usual {
    /// Half of them took at most so many microseconds.
    pub p50_us: u64,
    /// 95 of 100 did.
    pub p95_us: u64,
    /// How many there were; 0 when they come from Prometheus' histogram of the same call.
    pub spans: usize,
}

/// One span.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Span {
    /// 16 hexadecimal digits; empty for a gap.
    pub span_id: String,
    /// Parent's id; empty for a root.
    pub parent_id: String,
    /// Operation; of a gap, what is missing, in a sentence.
    pub name: String,
    /// Workload that reports it, `namespace/name`; of a gap, the one that should have.
    pub workload: String,
    /// `client` (outbound side), `server` (inbound side), `internal`, or `gap`: a hop that sent no span.
    pub kind: String,
    /// Start, microseconds since the Unix epoch, by the clock of the trace's first hop: `skew_us` is in it.
    pub start_us: u64,
    /// Duration in microseconds.
    pub duration_us: u64,
    /// Whether it failed.
    pub error: bool,
    /// Depth below the root, for indentation; spans whose parent was not received stand below a gap.
    pub depth: usize,
    /// Attributes, ordered by name.
    pub attributes: Vec<(String, String)>,
    /// By how many microseconds its start was moved because the sender's clock was off; 0 mostly.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub skew_us: i64,
    /// Its own time, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Part>,
    /// Which attempt of its parent's call it is, where there were several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<Attempt>,
    /// Attempts that the call took, on the caller's side; 0 when that is not told.
    #[serde(default, skip_serializing_if = "is_none")]
    pub attempts: usize,
    /// What is usual for it; none when too little is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usual: Option<Usual>,
    /// The call in the graph that it is one of, `ns/a->ns/b`; empty when its ends are not known.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub edge: String,
}

fn is_zero(number: &i64) -> bool {
    *number == 0
}

fn is_none(number: &usize) -> bool {
    *number == 0
}

/// Own time of all spans, added up, in microseconds. Where calls ran side by side it is more than the trace took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Totals {
    /// In proxies.
    pub proxy_us: u64,
    /// In the network.
    pub network_us: u64,
    /// In applications.
    pub application_us: u64,
    /// Not told.
    pub unknown_us: u64,
}

/// A page of another program that shows a trace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TraceLink {
    /// The program, such as `Grafana`.
    pub name: String,
    /// Where, by http or https.
    pub url: String,
}

/// Answer of `GET /api/v1/traces/{id}`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Trace {
    /// 32 hexadecimal digits.
    pub trace_id: String,
    /// Depth first, by start time; gaps are among them.
    pub spans: Vec<Span>,
    /// Spans whose parent was not received.
    pub missing_parents: usize,
    /// Hops that should have sent a span and did not.
    #[serde(default)]
    pub gaps: usize,
    /// Spans that were moved because their sender's clock was off.
    #[serde(default)]
    pub skewed: usize,
    /// Own time by what it was spent on.
    #[serde(default)]
    pub totals: Totals,
    /// Where else it is shown.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<TraceLink>,
}
