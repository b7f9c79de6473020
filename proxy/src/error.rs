//! The request path's one error type.

use std::{error::Error as StdError, fmt};

use http::StatusCode;

use weft_policy::flags::Flag;

/// Whose fault an error is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The client's.
    Downstream,
    /// The server's, or the network's towards it.
    Upstream,
    /// This proxy's or its configuration's.
    Internal,
}

/// What went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// No virtual host or route matched.
    NoRoute,
    /// The route names an unknown cluster.
    NoCluster,
    /// No endpoint may be used.
    NoHealthyUpstream,
    /// The connection was refused or broke while it was made.
    ConnectFailed,
    /// The connection was not made in time.
    ConnectTimeout,
    /// The TLS handshake with the upstream failed.
    UpstreamTls,
    /// Too many requests wait, or too many connections are open.
    Overflow,
    /// The upstream reset the stream before its response began.
    UpstreamReset,
    /// The upstream refused the stream without having looked at it.
    RefusedStream,
    /// The upstream closed the connection before its response began.
    UpstreamClosed,
    /// The upstream's answer is not HTTP.
    UpstreamProtocol,
    /// One attempt took too long.
    PerTryTimeout,
    /// The request as a whole took too long.
    RequestTimeout,
    /// Nothing moved on the stream for too long.
    StreamIdle,
    /// An authorization policy refused.
    Denied,
    /// The request is not acceptable.
    BadRequest,
    /// The request head is too large.
    HeadTooLarge,
    /// The request head did not arrive in time.
    HeadTimeout,
    /// The client went away.
    ClientGone,
    /// The client's TLS handshake failed.
    DownstreamTls,
    /// Plaintext where TLS is required.
    PlaintextRefused,
    /// TLS where only plaintext is spoken.
    TlsRefused,
    /// No filter chain takes this connection.
    NoFilterChain,
    /// More connections than the listener may hold.
    TooManyConnections,
    /// A connection to a port that takes redirected ones only.
    NotRedirected,
    /// A failure of this proxy itself.
    Internal,
}

impl Kind {
    /// Every kind, for metrics that exist before the first error.
    pub const ALL: [Kind; 26] = [
        Kind::NoRoute,
        Kind::NoCluster,
        Kind::NoHealthyUpstream,
        Kind::ConnectFailed,
        Kind::ConnectTimeout,
        Kind::UpstreamTls,
        Kind::Overflow,
        Kind::UpstreamReset,
        Kind::RefusedStream,
        Kind::UpstreamClosed,
        Kind::UpstreamProtocol,
        Kind::PerTryTimeout,
        Kind::RequestTimeout,
        Kind::StreamIdle,
        Kind::Denied,
        Kind::BadRequest,
        Kind::HeadTooLarge,
        Kind::HeadTimeout,
        Kind::ClientGone,
        Kind::DownstreamTls,
        Kind::PlaintextRefused,
        Kind::TlsRefused,
        Kind::NoFilterChain,
        Kind::TooManyConnections,
        Kind::NotRedirected,
        Kind::Internal,
    ];

    /// A label for metrics.
    pub const fn label(self) -> &'static str {
        match self {
            Kind::NoRoute => "no_route",
            Kind::NoCluster => "no_cluster",
            Kind::NoHealthyUpstream => "no_healthy_upstream",
            Kind::ConnectFailed => "connect_failed",
            Kind::ConnectTimeout => "connect_timeout",
            Kind::UpstreamTls => "upstream_tls",
            Kind::Overflow => "overflow",
            Kind::UpstreamReset => "upstream_reset",
            Kind::RefusedStream => "refused_stream",
            Kind::UpstreamClosed => "upstream_closed",
            Kind::UpstreamProtocol => "upstream_protocol",
            Kind::PerTryTimeout => "per_try_timeout",
            Kind::RequestTimeout => "request_timeout",
            Kind::StreamIdle => "stream_idle",
            Kind::Denied => "denied",
            Kind::BadRequest => "bad_request",
            Kind::HeadTooLarge => "head_too_large",
            Kind::HeadTimeout => "head_timeout",
            Kind::ClientGone => "client_gone",
            Kind::DownstreamTls => "downstream_tls",
            Kind::PlaintextRefused => "plaintext_refused",
            Kind::TlsRefused => "tls_refused",
            Kind::NoFilterChain => "no_filter_chain",
            Kind::TooManyConnections => "too_many_connections",
            Kind::NotRedirected => "not_redirected",
            Kind::Internal => "internal",
        }
    }

    /// Whose fault it is.
    pub const fn side(self) -> Side {
        match self {
            Kind::NoRoute
            | Kind::NoCluster
            | Kind::Overflow
            | Kind::Internal
            | Kind::RequestTimeout
            | Kind::StreamIdle => Side::Internal,
            Kind::NoHealthyUpstream
            | Kind::ConnectFailed
            | Kind::ConnectTimeout
            | Kind::UpstreamTls
            | Kind::UpstreamReset
            | Kind::RefusedStream
            | Kind::UpstreamClosed
            | Kind::UpstreamProtocol
            | Kind::PerTryTimeout => Side::Upstream,
            _ => Side::Downstream,
        }
    }

    /// Whether another attempt could succeed; the route's policy decides whether one is made.
    pub const fn retryable(self) -> bool {
        matches!(
            self,
            Kind::ConnectFailed
                | Kind::ConnectTimeout
                | Kind::UpstreamTls
                | Kind::UpstreamReset
                | Kind::RefusedStream
                | Kind::UpstreamClosed
                | Kind::UpstreamProtocol
                | Kind::PerTryTimeout
        )
    }

    /// The response flag, as Envoy sets it.
    pub const fn flag(self) -> Flag {
        match self {
            Kind::NoRoute => Flag::NoRoute,
            Kind::NoCluster => Flag::NoCluster,
            Kind::NoHealthyUpstream => Flag::NoHealthyUpstream,
            Kind::ConnectFailed | Kind::ConnectTimeout | Kind::UpstreamTls => Flag::UpstreamConnectionFailure,
            Kind::Overflow => Flag::UpstreamOverflow,
            Kind::UpstreamReset | Kind::RefusedStream => Flag::UpstreamRemoteReset,
            Kind::UpstreamClosed => Flag::UpstreamConnectionTermination,
            Kind::UpstreamProtocol => Flag::UpstreamProtocolError,
            Kind::PerTryTimeout | Kind::RequestTimeout => Flag::UpstreamRequestTimeout,
            Kind::StreamIdle => Flag::StreamIdleTimeout,
            Kind::Denied => Flag::UnauthorizedExternal,
            Kind::ClientGone => Flag::DownstreamConnectionTermination,
            Kind::BadRequest
            | Kind::HeadTooLarge
            | Kind::HeadTimeout
            | Kind::DownstreamTls
            | Kind::PlaintextRefused
            | Kind::TlsRefused => Flag::DownstreamProtocolError,
            Kind::NoFilterChain | Kind::NotRedirected => Flag::NoRoute,
            Kind::TooManyConnections => Flag::OverloadManager,
            Kind::Internal => Flag::LocalReset,
        }
    }

    /// The status and the body that Envoy answers with.
    pub const fn reply(self) -> (StatusCode, &'static str) {
        match self {
            Kind::NoRoute => (StatusCode::NOT_FOUND, ""),
            Kind::NoCluster => (StatusCode::SERVICE_UNAVAILABLE, ""),
            Kind::NoHealthyUpstream => (StatusCode::SERVICE_UNAVAILABLE, "no healthy upstream"),
            Kind::ConnectFailed => (
                StatusCode::SERVICE_UNAVAILABLE,
                "upstream connect error or disconnect/reset before headers. reset reason: remote connection failure",
            ),
            Kind::ConnectTimeout => (
                StatusCode::SERVICE_UNAVAILABLE,
                "upstream connect error or disconnect/reset before headers. reset reason: connection timeout",
            ),
            Kind::UpstreamTls => (
                StatusCode::SERVICE_UNAVAILABLE,
                "upstream connect error or disconnect/reset before headers. reset reason: remote connection failure, \
                 transport failure reason: TLS_error",
            ),
            Kind::Overflow => (
                StatusCode::SERVICE_UNAVAILABLE,
                "upstream connect error or disconnect/reset before headers. reset reason: overflow",
            ),
            Kind::UpstreamReset => (
                StatusCode::SERVICE_UNAVAILABLE,
                "upstream connect error or disconnect/reset before headers. reset reason: remote reset",
            ),
            Kind::RefusedStream => (
                StatusCode::SERVICE_UNAVAILABLE,
                "upstream connect error or disconnect/reset before headers. reset reason: remote refused stream reset",
            ),
            Kind::UpstreamClosed => (
                StatusCode::SERVICE_UNAVAILABLE,
                "upstream connect error or disconnect/reset before headers. reset reason: connection termination",
            ),
            Kind::UpstreamProtocol => (
                StatusCode::BAD_GATEWAY,
                "upstream connect error or disconnect/reset before headers. reset reason: protocol error",
            ),
            Kind::PerTryTimeout | Kind::RequestTimeout => (StatusCode::GATEWAY_TIMEOUT, "upstream request timeout"),
            Kind::StreamIdle => (StatusCode::GATEWAY_TIMEOUT, "stream timeout"),
            Kind::Denied => (StatusCode::FORBIDDEN, "RBAC: access denied"),
            Kind::BadRequest | Kind::DownstreamTls | Kind::PlaintextRefused | Kind::TlsRefused => {
                (StatusCode::BAD_REQUEST, "")
            }
            Kind::HeadTooLarge => (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, ""),
            Kind::HeadTimeout => (StatusCode::REQUEST_TIMEOUT, ""),
            // Never seen by anybody but the access log, where Envoy writes 0.
            Kind::ClientGone => (StatusCode::BAD_REQUEST, ""),
            Kind::NoFilterChain | Kind::NotRedirected => (StatusCode::NOT_FOUND, ""),
            Kind::TooManyConnections => (StatusCode::SERVICE_UNAVAILABLE, ""),
            Kind::Internal => (StatusCode::INTERNAL_SERVER_ERROR, ""),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

/// Anything that ends a request or a connection before its time.
#[derive(Debug, thiserror::Error)]
#[error("{kind}")]
pub struct Error {
    /// What went wrong.
    pub kind: Kind,
    /// Whose fault it is.
    pub side: Side,
    /// Whether another attempt could succeed.
    pub retryable: bool,
    /// The response flag that the access log and the metrics show.
    pub flag: Flag,
    /// What lies beneath, if anything does.
    #[source]
    pub source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error with nothing beneath it.
    pub fn new(kind: Kind) -> Self {
        Self { kind, side: kind.side(), retryable: kind.retryable(), flag: kind.flag(), source: None }
    }

    /// An error that another one caused.
    pub fn caused(kind: Kind, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self { source: Some(source.into()), ..Self::new(kind) }
    }
}

impl From<Kind> for Error {
    fn from(kind: Kind) -> Self {
        Self::new(kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_label_of_its_own() {
        let labels: std::collections::HashSet<_> = Kind::ALL.iter().map(|kind| kind.label()).collect();
        assert_eq!(labels.len(), Kind::ALL.len());
    }
}
