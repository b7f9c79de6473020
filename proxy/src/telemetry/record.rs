//! What the request path tells of a request or an opaque connection when it is over.

use std::{
    net::SocketAddr,
    rc::Rc,
    sync::Arc,
    time::{Duration, SystemTime},
};

use http::{HeaderValue, Method, Version, uri::PathAndQuery};
use weft_model::metrics;

use super::{Edge, ResponseFlags, SpanId, TraceContext};

/// Which side counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reporter {
    /// The client's proxy (outbound; gateways).
    Source,
    /// The server's proxy (inbound).
    Destination,
}

impl Reporter {
    /// The value of the `reporter` label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Source => metrics::REPORTER_SOURCE,
            Self::Destination => metrics::REPORTER_DESTINATION,
        }
    }
}

/// `connection_security_policy`. The source always says `unknown`, as Istio does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Security {
    /// Not told (source side).
    Unknown,
    /// Both sides proved their identity.
    MutualTls,
    /// Plaintext.
    None,
}

impl Security {
    /// The label's value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => metrics::UNKNOWN,
            Self::MutualTls => metrics::MUTUAL_TLS,
            Self::None => metrics::NO_TLS,
        }
    }
}

/// One finished HTTP request, retries included: it is recorded once, with its final outcome.
#[derive(Clone, Debug)]
pub struct RequestRecord {
    /// Who called whom; from [`super::Recorder::edge`].
    pub edge: Rc<Edge>,
    /// Wall clock at the first byte of the request.
    pub start: SystemTime,
    /// From the first byte in to the last byte out.
    pub duration: Duration,
    /// Request method.
    pub method: Method,
    /// HTTP version downstream.
    pub version: Version,
    /// Whether it is gRPC (`content-type: application/grpc…`).
    pub grpc: bool,
    /// Status sent downstream; 0 when the downstream went away before there was one (metrics say `0`, as Envoy does).
    pub status: u16,
    /// `grpc-status` of the trailers, when it is gRPC.
    pub grpc_status: Option<u16>,
    /// Response flags.
    pub flags: ResponseFlags,
    /// Request body bytes.
    pub bytes_received: u64,
    /// Response body bytes.
    pub bytes_sent: u64,
    /// gRPC messages from the client, when counted.
    pub request_messages: u64,
    /// gRPC messages from the server, when counted.
    pub response_messages: u64,
    /// Attempts made upstream; 0 when none was.
    pub attempts: u32,
    /// Trace ids: the context that came in, with the span that this proxy made of it.
    pub trace: Option<(TraceContext, SpanId)>,
    /// What only the access log and spans show.
    pub log: LogFields,
}

/// Fields that are no metric labels. Header values and paths share the request's buffers; cloning them is cheap.
#[derive(Clone, Debug, Default)]
pub struct LogFields {
    /// Path with query.
    pub path: Option<PathAndQuery>,
    /// `:authority` or `Host`.
    pub authority: Option<HeaderValue>,
    /// `user-agent`.
    pub user_agent: Option<HeaderValue>,
    /// `x-forwarded-for`.
    pub x_forwarded_for: Option<HeaderValue>,
    /// `x-request-id`.
    pub request_id: Option<HeaderValue>,
    /// Why the proxy answered itself, such as `route_not_found`; `via_upstream` when the upstream did.
    pub response_code_details: &'static str,
    /// Why a connection was ended, such as an RBAC denial.
    pub connection_termination_details: Option<Arc<str>>,
    /// Transport error of the last attempt.
    pub upstream_transport_failure_reason: Option<String>,
    /// From the end of the request upstream to the first byte of the answer.
    pub upstream_service_time: Option<Duration>,
    /// Endpoint of the last attempt.
    pub upstream_host: Option<SocketAddr>,
    /// Unix socket of the last attempt, where the endpoint is one.
    pub upstream_path: Option<Arc<str>>,
    /// Cluster.
    pub upstream_cluster: Option<Arc<str>>,
    /// Our side of the upstream connection.
    pub upstream_local_address: Option<SocketAddr>,
    /// Our side of the downstream connection.
    pub downstream_local_address: Option<SocketAddr>,
    /// The downstream peer.
    pub downstream_remote_address: Option<SocketAddr>,
    /// SNI.
    pub requested_server_name: Option<Arc<str>>,
    /// The route's name.
    pub route_name: Option<Arc<str>>,
    /// What the request's span says beside the proxy's own words; empty where there is none.
    pub tags: Vec<(Arc<str>, String)>,
}

/// One finished opaque TCP connection, for the access log.
#[derive(Clone, Debug)]
pub struct TcpRecord {
    /// Who called whom.
    pub edge: Rc<Edge>,
    /// Wall clock at accept.
    pub start: SystemTime,
    /// From accept to close.
    pub duration: Duration,
    /// Response flags.
    pub flags: ResponseFlags,
    /// From downstream.
    pub bytes_received: u64,
    /// To downstream.
    pub bytes_sent: u64,
    /// The rest of the log line.
    pub log: LogFields,
}
