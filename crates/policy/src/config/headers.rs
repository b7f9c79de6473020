//! Header mutations of a route, virtual host or weighted cluster.

use std::sync::Arc;

use http::{HeaderName, HeaderValue};

/// Changes to a header section, in the order removals, then additions. Use [`HeaderOps::apply`].
#[derive(Clone, Debug, Default)]
pub struct HeaderOps {
    /// Names to remove.
    pub remove: Box<[HeaderName]>,
    /// Values to set or append.
    pub set: Box<[HeaderSet]>,
}

/// One header to write.
#[derive(Clone, Debug)]
pub struct HeaderSet {
    /// Which.
    pub name: HeaderName,
    /// What.
    pub value: ValueTemplate,
    /// How it meets one that is there.
    pub action: SetAction,
    /// Whether to write it even when its value comes out empty.
    pub keep_empty: bool,
}

/// How a written header meets an existing one (`HeaderAppendAction`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetAction {
    /// Beside it.
    Append,
    /// Only if there is none.
    AddIfAbsent,
    /// In its place, or new.
    Overwrite,
    /// In its place, only if there is one.
    OverwriteIfExists,
}

/// A header value, with `%VARIABLES%` if it has any.
#[derive(Clone, Debug)]
pub enum ValueTemplate {
    /// Ready to use.
    Literal(HeaderValue),
    /// To be filled per request.
    Format(Vec<Piece>),
}

/// A part of a formatted value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// As it stands.
    Text(Arc<str>),
    /// Filled from the request.
    Variable(Variable),
}

/// Variables of Envoy's format strings that are supported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Variable {
    /// `DOWNSTREAM_REMOTE_ADDRESS`.
    DownstreamRemoteAddress,
    /// `DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT`.
    DownstreamRemoteIp,
    /// `DOWNSTREAM_REMOTE_PORT`.
    DownstreamRemotePort,
    /// `DOWNSTREAM_LOCAL_ADDRESS`.
    DownstreamLocalAddress,
    /// `DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT`.
    DownstreamLocalIp,
    /// `DOWNSTREAM_LOCAL_PORT`.
    DownstreamLocalPort,
    /// `DOWNSTREAM_PEER_URI_SAN`.
    DownstreamPeerUriSan,
    /// `REQUESTED_SERVER_NAME`.
    RequestedServerName,
    /// `PROTOCOL`.
    Protocol,
    /// `UPSTREAM_HOST`.
    UpstreamHost,
    /// `UPSTREAM_CLUSTER`.
    UpstreamCluster,
    /// `ROUTE_NAME`.
    RouteName,
    /// `RESPONSE_CODE`.
    ResponseCode,
    /// `RESPONSE_FLAGS`.
    ResponseFlags,
    /// `START_TIME`, RFC 3339 with milliseconds.
    StartTime,
    /// `REQ(name?alternative):limit`: a request header, or another if it is missing, cut to so many bytes.
    Request(super::HeaderKey, Option<super::HeaderKey>, Option<usize>),
}
