//! What the operator's admin port says about connected proxies (`GET /debug/syncz`, `GET /debug/acks`).

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{ObjectRef, WorkloadRef};

/// How long whoever reads these pages waits for one of them.
pub const ANSWER: Duration = Duration::from_secs(3);
/// How much of that the operator may take to learn whose a reader's token is; the rest is for the page.
pub const ADMISSION: Duration = Duration::from_secs(2);

/// One connected proxy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ProxySync {
    /// The proxy's xDS node id.
    pub node: String,
    /// The workload it serves.
    pub workload: WorkloadRef,
    /// The identity its certificate proves.
    pub identity: String,
    /// The proxy's version.
    pub version: String,
    /// Milliseconds since the Unix epoch.
    pub connected_at_ms: u64,
    /// State by xDS type (`cds`, `eds`, `lds`, `rds`, `vhds`, `sds`, `wds`).
    pub types: Vec<TypeSync>,
}

/// State of one xDS type at one proxy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct TypeSync {
    /// `cds`, `eds`, `lds`, `rds`, `vhds`, `sds` or `wds`.
    pub kind: String,
    /// Resources sent.
    pub resources: usize,
    /// Whether every response was acknowledged.
    pub synced: bool,
    /// Words of the last NACK, if the last answer was one.
    pub nack: Option<String>,
}

/// When an object's present content had reached every proxy that it touches.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ObjectAck {
    /// The object (at present: VirtualServices).
    pub object: ObjectRef,
    /// SHA-256 of the object's canonical JSON spec, in hex: tells whether this is the content the reader has in mind.
    pub content: String,
    /// When the operator took up this content, milliseconds since the Unix epoch.
    pub changed_at_ms: u64,
    /// Whether it found this content when it started: then the content is older than that, and so may be what proxies have.
    #[serde(default)]
    pub found: bool,
    /// When the last proxy acknowledged it; `None` while some have not.
    pub acked_at_ms: Option<u64>,
    /// Proxies that have not answered yet, or that refused.
    pub pending: Vec<String>,
}
