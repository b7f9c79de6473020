//! Namespaces, applications, workloads and services, in lists and one by one (`GET /api/v1/workloads` and its sisters).

use serde::{Deserialize, Serialize};

use crate::{
    ObjectRef,
    graph::{Health, Line, Lock, Sources},
};

/// What a row or a page of details is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Subject {
    /// A namespace.
    Namespace,
    /// All workloads of one canonical name.
    App,
    /// What one Deployment, StatefulSet or WorkloadEntry runs.
    #[default]
    Workload,
    /// A host that is called.
    Service,
}

impl Subject {
    /// All, in the order of the page's tabs.
    pub const ALL: [Self; 4] = [Self::Namespace, Self::App, Self::Workload, Self::Service];

    /// As it is written in addresses.
    pub fn slug(self) -> &'static str {
        match self {
            Self::Namespace => "namespaces",
            Self::App => "apps",
            Self::Workload => "workloads",
            Self::Service => "services",
        }
    }

    /// As it is written in sentences.
    pub fn word(self) -> &'static str {
        match self {
            Self::Namespace => "namespace",
            Self::App => "application",
            Self::Workload => "workload",
            Self::Service => "service",
        }
    }
}

/// How many instances have a proxy, and how many of these are in step with the control plane.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Proxies {
    /// Instances: pods or WorkloadEntries.
    pub instances: usize,
    /// Instances with a proxy.
    pub present: usize,
    /// Instances without one, of namespaces that ask for them.
    pub missing: usize,
    /// Proxies that no control plane has on the line; 0 while none could be asked.
    pub away: usize,
    /// Proxies that have not confirmed everything yet.
    pub stale: usize,
    /// Proxies that refused something.
    pub refused: usize,
}

/// Findings about the objects that concern a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Findings {
    /// Errors.
    pub errors: usize,
    /// Warnings.
    pub warnings: usize,
    /// Notes.
    pub notes: usize,
}

/// One row of a list.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Row {
    /// What it is about.
    pub subject: Subject,
    /// Namespace; of a namespace its own name.
    pub namespace: String,
    /// Name; of a namespace its own.
    pub name: String,
    /// `Deployment or pod`, `WorkloadEntry`, `Gateway`, `Service`, `ServiceEntry`; empty where there is nothing to tell apart.
    pub kind: String,
    /// Full host name of a service.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub host: String,
    /// Health of the traffic that it receives, of a gateway of what it sends.
    pub health: Health,
    /// Why, as a sentence.
    pub reason: String,
    /// Requests (TCP: connections) per second that come in.
    pub rate: f64,
    /// The same that go out; 0 for a service.
    pub rate_out: f64,
    /// Share of incoming requests that fail, 0 to 1; of outgoing ones where none come in.
    pub error_share: Option<f64>,
    /// Share of the same requests that are answered with 4xx, 0 to 1. Health counts them too.
    #[serde(default)]
    pub client_error_share: f64,
    /// 95th percentile in milliseconds, as the slowest of its callers sees it.
    pub p95_ms: Option<f64>,
    /// Encryption as it was observed.
    pub lock: Lock,
    /// Share of plaintext requests, 0 to 1.
    pub plaintext_share: Option<f64>,
    /// `STRICT`, `PERMISSIVE`, `DISABLE` as PeerAuthentication says; several are joined by a slash.
    pub mode: String,
    /// Proxies.
    pub proxies: Proxies,
    /// Versions that run.
    pub versions: Vec<String>,
    /// Findings.
    pub findings: Findings,
    /// Ids (`namespace/name`) of the workloads that it is made of.
    pub workloads: Vec<String>,
}

/// Answer of the lists.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Inventory {
    /// End of the window, milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// Length of the window in seconds.
    pub window_s: u64,
    /// Ordered by namespace and name.
    pub rows: Vec<Row>,
    /// Completeness of the figures.
    pub sources: Sources,
    /// Why the state of proxies is not known, when it is not.
    pub operator_problem: Option<String>,
    /// The queries and commands that give the same, by what they give.
    pub commands: Vec<(String, String)>,
    /// Where the next page begins (`cursor`), if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// The state of one instance's proxy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum SyncState {
    /// It has no proxy and needs none.
    #[default]
    None,
    /// Not known: no control plane could be asked.
    Unknown,
    /// It confirmed everything.
    Synced,
    /// It has not confirmed everything yet.
    Stale,
    /// No control plane has it on the line.
    Away,
    /// It refused something.
    Refused,
    /// It should have a proxy and has none.
    Missing,
}

/// One instance: a pod or a WorkloadEntry.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Instance {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// Address; empty while it has none.
    pub address: String,
    /// `version` label.
    pub version: String,
    /// Service account.
    pub service_account: String,
    /// Whether it takes requests.
    pub ready: bool,
    /// Whether it is being deleted.
    pub terminating: bool,
    /// Times that its containers were started again; `None` where nothing counts them.
    pub restarts: Option<u32>,
    /// Its proxy's state.
    pub sync: SyncState,
    /// The state in words; of a refusal the proxy's own.
    pub words: String,
    /// Its proxy's version.
    pub proxy_version: String,
    /// The object that declares it.
    pub object: ObjectRef,
}

/// Traffic with one peer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Call {
    /// The peer: `namespace/workload`, a host, `unknown`, or `hidden` for all that the reader may not see.
    pub peer: String,
    /// Whether the peer has a page of its own.
    pub known: bool,
    /// `http`, `grpc`, `tcp`.
    pub protocol: String,
    /// Requests (TCP: connections) per second.
    pub rate: f64,
    /// Share that fails, 0 to 1.
    pub error_share: Option<f64>,
    /// Share that is answered with 4xx, 0 to 1. Health counts them too.
    #[serde(default)]
    pub client_error_share: f64,
    /// 95th percentile in milliseconds.
    pub p95_ms: Option<f64>,
    /// Health.
    pub health: Health,
    /// Encryption.
    pub lock: Lock,
}

/// An object that applies, and why.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Applies {
    /// The object.
    pub object: ObjectRef,
    /// What it does here, in words.
    pub why: String,
    /// Whether it holds at gateways only: calls between workloads do not go by it.
    #[serde(default)]
    pub gateways_only: bool,
    /// Findings about it.
    pub findings: Findings,
}

/// Answer of `GET /api/v1/workloads/{namespace}/{name}` and its sisters.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Detail {
    /// Its row.
    pub row: Row,
    /// End of the window, milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// Instances, ordered by name.
    pub instances: Vec<Instance>,
    /// Instances that are not listed because there are too many.
    pub more_instances: usize,
    /// Workloads behind it, but for a workload.
    pub workloads: Vec<Row>,
    /// Services that lead to it, but for a service.
    pub services: Vec<Row>,
    /// Plaintext connections per second that its proxies refused over the last minute, because TLS is required. No
    /// request is counted of them.
    #[serde(default)]
    pub refused_plaintext: f64,
    /// Who calls it.
    pub callers: Vec<Call>,
    /// What it calls.
    pub called: Vec<Call>,
    /// Objects that apply.
    pub config: Vec<Applies>,
    /// How many more apply that the reader may not see.
    #[serde(default)]
    pub hidden_config: usize,
    /// Completeness of the figures.
    pub sources: Sources,
    /// Why the state of proxies is not known, when it is not.
    pub operator_problem: Option<String>,
    /// Commands that give the same.
    pub commands: Vec<(String, String)>,
}

/// One chart.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Chart {
    /// `requests`, `errors`, `duration`, `bytes` or `connections`.
    pub key: String,
    /// What it shows.
    pub title: String,
    /// Its lines, the largest first.
    pub lines: Vec<Line>,
    /// Lines that are left out because there are too many.
    pub more: usize,
}

/// Answer of `GET /api/v1/workloads/{namespace}/{name}/charts?direction=in&split=code` and its sisters.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Charts {
    /// Seconds between two points.
    pub step_s: u64,
    /// Over how many seconds each point's rate is taken.
    pub rate_s: u64,
    /// When, milliseconds since the Unix epoch, oldest first.
    pub times_ms: Vec<u64>,
    /// The charts.
    pub charts: Vec<Chart>,
    /// Whose proxies counted: `source`, `destination`, or `either` for each event once, by the caller's, and by the called
    /// one's where the caller has none.
    pub reporter: String,
    /// Completeness.
    pub sources: Sources,
    /// The queries.
    pub commands: Vec<(String, String)>,
}

/// What an access-log line says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Access {
    /// Method; empty for TCP.
    pub method: String,
    /// Path.
    pub path: String,
    /// Called host.
    pub authority: String,
    /// Status; 0 for none.
    pub code: u16,
    /// Response flags; empty for none.
    pub flags: String,
    /// What the proxy says about the status.
    pub details: String,
    /// Milliseconds.
    pub duration_ms: f64,
    /// Milliseconds that the other end took; `None` when it was not asked.
    pub upstream_ms: Option<f64>,
    /// `inbound` or `outbound`; empty when the line does not tell.
    pub direction: String,
    /// Address that it was sent to.
    pub upstream: String,
    /// Cluster that it was sent to.
    pub cluster: String,
    /// Address that it came from.
    pub downstream: String,
    /// Bytes of the request and of the answer.
    pub bytes: (u64, u64),
    /// Trace; empty when it was not sampled.
    pub trace_id: String,
}

/// One line of a log.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct LogLine {
    /// When, milliseconds since the Unix epoch, if the line tells.
    pub at_ms: Option<u64>,
    /// Instance.
    pub instance: String,
    /// Container, or `proxy` and `app`.
    pub container: String,
    /// The line itself, cut when it is too long.
    pub text: String,
    /// Its fields, if it is one of the access log.
    pub access: Option<Access>,
}

/// Answer of `GET /api/v1/workloads/{namespace}/{name}/logs`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Logs {
    /// Oldest first.
    pub lines: Vec<LogLine>,
    /// What could not be read or is left out, each with its reason.
    pub problems: Vec<String>,
    /// Whether there are logs to read here at all; if not, the problem says what would bring them.
    pub available: bool,
    /// Commands that give the same.
    pub commands: Vec<(String, String)>,
}
