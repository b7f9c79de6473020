use serde::{Deserialize, Deserializer, Serialize};

use super::{Health, node::is_zero};
use crate::Counted;

/// How encrypted an edge is, as its destination reports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Lock {
    /// All mutual TLS.
    Mtls,
    /// Some plaintext.
    Mixed,
    /// All plaintext.
    Plaintext,
    /// The destination reports nothing.
    #[default]
    Unknown,
}

/// Requests by response code on an edge.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct CodeRate {
    /// HTTP status, or `0` for a request that got none; empty for TCP connections.
    pub code: String,
    /// gRPC status (`0` is success); empty for what is not gRPC.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub grpc: String,
    /// Response flags, `-` when there are none.
    pub flags: String,
    /// Requests per second.
    pub rate: f64,
}

/// One edge: `source` calls `destination`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Edge {
    /// `source->destination`, stable across refreshes. It is not on the wire, where it would be an eighth of the graph.
    #[serde(default, skip_serializing)]
    pub id: String,
    /// Node id.
    pub source: String,
    /// Node id.
    pub destination: String,
    /// `http`, `grpc`, `tcp`, or `mixed` when it carries more than one of them.
    pub protocol: String,
    /// Requests per second (`tcp`: connections per second).
    pub rate: f64,
    /// Share of failing requests (5xx, no answer, failed gRPC), 0 to 1; `None` when nothing was sent.
    pub error_share: Option<f64>,
    /// Share of requests answered with 4xx, 0 to 1.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub client_error_share: f64,
    /// Share of the source's requests that go along this edge, 0 to 1; `None` when it sends none (of TCP, of its
    /// connections).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<f64>,
    /// 50th percentile in milliseconds.
    pub p50_ms: Option<f64>,
    /// 95th percentile in milliseconds.
    pub p95_ms: Option<f64>,
    /// 99th percentile in milliseconds.
    pub p99_ms: Option<f64>,
    /// Bytes per second from source to destination, request bodies and TCP; 0 also while [`super::Quantiles`] are pending.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub bytes_sent: f64,
    /// Bytes per second from destination to source.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub bytes_received: f64,
    /// TCP connections opened per second.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub opened: f64,
    /// TCP connections closed per second.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub closed: f64,
    /// gRPC messages per second from source to destination.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub messages_sent: f64,
    /// gRPC messages per second from destination to source.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub messages_received: f64,
    /// Health.
    pub health: Health,
    /// Encryption.
    pub lock: Lock,
    /// Share of plaintext requests, 0 to 1; `None` when unknown.
    pub plaintext_share: Option<f64>,
    /// Rates by response code and flags, highest first.
    pub codes: Vec<CodeRate>,
}

impl Edge {
    /// What its rate counts.
    pub fn counted(&self) -> Counted {
        Counted::by_protocol(&self.protocol)
    }
}

/// Reads edges and gives them their ids.
pub(super) fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Edge>, D::Error> {
    let mut edges = Vec::<Edge>::deserialize(deserializer)?;
    for edge in &mut edges {
        edge.id = format!("{}->{}", edge.source, edge.destination);
    }
    Ok(edges)
}
