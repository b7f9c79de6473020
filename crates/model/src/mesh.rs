//! The mesh's own state: control planes, proxies, certificates (`GET /api/v1/mesh`, `GET /api/v1/proxies/…`), and what
//! the operator's admin port says of its authority (`GET /debug/authority`).

use serde::{Deserialize, Serialize};

use crate::{ObjectRef, config::Dependency, details::SyncState, graph::Health, sync::TypeSync};

/// One certificate, without its key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Certificate {
    /// `root`, `intermediate` or `workload`.
    pub role: String,
    /// Its subject, or the identity that it proves.
    pub name: String,
    /// Lower-case hex SHA-256 of its DER; of a workload's certificate its serial number.
    pub fingerprint: String,
    /// Milliseconds since the Unix epoch.
    pub not_before_ms: u64,
    /// Milliseconds since the Unix epoch.
    pub not_after_ms: u64,
    /// Whether new certificates are signed under it.
    pub signs: bool,
}

/// One certificate that a gateway shows to clients from outside, without its key (`GET /debug/serving` of the operator).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ServingCertificate {
    /// The Gateway whose servers show it.
    pub gateway: ObjectRef,
    /// Hosts of these servers, as they are written.
    pub hosts: Vec<String>,
    /// Where the gateway's workloads run, and the Secret is.
    pub namespace: String,
    /// Name of the Secret.
    pub secret: String,
    /// Its subject; empty when there is a problem.
    pub subject: String,
    /// Names and addresses that it is for.
    pub names: Vec<String>,
    /// Who signed it.
    pub issuer: String,
    /// Lower-case hex SHA-256 of its DER.
    pub fingerprint: String,
    /// Milliseconds since the Unix epoch.
    pub not_before_ms: u64,
    /// Milliseconds since the Unix epoch; 0 when there is a problem.
    pub not_after_ms: u64,
    /// Why there is no certificate to show, if there is none.
    pub problem: Option<String>,
}

/// What one operator says of itself and its authority.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Authority {
    /// The operator's version.
    pub version: String,
    /// The trust domain that it signs for.
    pub trust_domain: String,
    /// How long workload certificates live, in seconds.
    pub leaf_ttl_s: u64,
    /// Roots that are trusted, and intermediates that sign.
    pub certificates: Vec<Certificate>,
}

/// One sentence about the mesh's state; the worst come first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "MeshVerdict"))]
#[serde(rename_all = "camelCase")]
pub struct Verdict {
    /// How bad it is.
    pub health: Health,
    /// What is so, and what to do.
    pub text: String,
    /// Where the page shows more of it, as in its address: `configuration?severity=error`. Empty for nowhere.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub place: String,
}

/// One control plane.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ControlPlane {
    /// Pod, or address.
    pub name: String,
    /// Where its admin port is.
    pub address: String,
    /// Revision; empty without one.
    pub revision: String,
    /// Version; empty when not known.
    pub version: String,
    /// Why it does not answer, if it does not.
    pub problem: Option<String>,
    /// Proxies that are connected to it.
    pub proxies: usize,
    /// Changes that reached every proxy since it started.
    pub pushes: u64,
    /// Median time in milliseconds from a change to a proxy's confirmation.
    pub push_p50_ms: Option<f64>,
    /// 99th percentile of the same.
    pub push_p99_ms: Option<f64>,
    /// Refused responses since it started.
    pub nacks: u64,
}

/// One connected proxy, or one that should be.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ProxyRow {
    /// Namespace.
    pub namespace: String,
    /// Instance.
    pub name: String,
    /// Version.
    pub version: String,
    /// The control plane that it is connected to.
    pub control_plane: String,
    /// State.
    pub sync: SyncState,
    /// The state in words; of a refusal the proxy's own.
    pub words: String,
    /// Since when, milliseconds since the Unix epoch.
    pub connected_at_ms: u64,
    /// Whether its version is too far from its control plane's.
    pub skewed: bool,
}

/// What the proxies of a namespace cost.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Cost {
    /// Namespace.
    pub namespace: String,
    /// Proxies that were measured.
    pub proxies: usize,
    /// Resident memory in bytes.
    pub memory: f64,
    /// CPU cores, over the last five minutes.
    pub cpu: f64,
}

/// Answer of `GET /api/v1/mesh`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct MeshState {
    /// When, milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// The console's version.
    pub console_version: String,
    /// What is wrong, worst first; one sentence that all is well otherwise.
    pub verdicts: Vec<Verdict>,
    /// Control planes.
    pub control_planes: Vec<ControlPlane>,
    /// Proxies: those that are not in step first.
    pub proxies: Vec<ProxyRow>,
    /// Proxies in all, and how many are in step.
    pub in_step: (usize, usize),
    /// How many proxies of each version.
    pub versions: Vec<(String, usize)>,
    /// The earliest expiry first.
    pub certificates: Vec<Certificate>,
    /// Why there are no certificates to show, or only some.
    pub certificates_note: Option<String>,
    /// Certificates that gateways show to clients from outside, the earliest expiry first.
    #[serde(default)]
    pub serving: Vec<ServingCertificate>,
    /// Why these are not known, if so.
    #[serde(default)]
    pub serving_note: Option<String>,
    /// What proxies cost, by namespace.
    pub costs: Vec<Cost>,
    /// Why that is not known, if so.
    pub costs_note: Option<String>,
    /// Share of requests that are mutual TLS over the last minute, 0 to 1.
    pub mtls_share: Option<f64>,
    /// Prometheus.
    pub prometheus: Dependency,
    /// The operator.
    pub operator: Dependency,
    /// Commands that give the same.
    pub commands: Vec<(String, String)>,
}

/// A table as it is shown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Table {
    /// `listeners`, `routes`, `clusters` or `endpoints`.
    pub key: String,
    /// Heads of the columns.
    pub head: Vec<String>,
    /// Rows, as long as the head.
    pub rows: Vec<Vec<String>>,
    /// Rows that are left out because there are too many.
    pub more: usize,
}

/// One resource in which the proxy and its control plane differ.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Drift {
    /// `cds`, `eds`, `lds`, `rds`, `vhds`, `sds` or `wds`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// `pending`, `refused`, `missing` (confirmed, but not in the proxy) or `extra` (in the proxy, but not wanted).
    pub state: String,
    /// Version (a hash of its content) that the control plane wants; empty when it wants none.
    pub version: String,
    /// What is so, in words; of a refusal the proxy's own.
    pub words: String,
    /// Objects that it is made from, those that the reader may see.
    pub origins: Vec<ObjectRef>,
    /// How many others it is made from.
    pub hidden_origins: usize,
}

/// Answer of `GET /api/v1/proxies/{namespace}/{name}`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ProxyDetail {
    /// Its row.
    pub row: ProxyRow,
    /// The identity that its certificate proves.
    pub identity: String,
    /// State by xDS type.
    pub types: Vec<TypeSync>,
    /// Resources that its control plane wants it to have.
    pub wanted: usize,
    /// In what it differs from its control plane; nothing when it is in step.
    pub drift: Vec<Drift>,
    /// Differences that are left out because there are too many.
    pub more_drift: usize,
    /// What is in force in it; empty when it cannot be reached.
    pub tables: Vec<Table>,
    /// Its certificates.
    pub certificates: Vec<Certificate>,
    /// Its figures: name with labels, value.
    pub stats: Vec<(String, String)>,
    /// What could not be read, each with its reason and what to do.
    pub notes: Vec<String>,
    /// Commands that give the same.
    pub commands: Vec<(String, String)>,
}
