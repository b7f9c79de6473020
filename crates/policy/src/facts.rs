//! What is known about a connection and a request when a decision is made. Borrowed; nothing is copied.

use std::net::{IpAddr, SocketAddr};

use http::HeaderMap;

use crate::config::{HeaderKey, Transport};

/// A connection from a downstream.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionFacts<'a> {
    /// The peer's own address.
    pub peer: SocketAddr,
    /// The address that the peer dialled (original destination if captured).
    pub local: SocketAddr,
    /// What the first bytes were.
    pub transport: Transport,
    /// SNI of the ClientHello, lower case.
    pub sni: Option<&'a str>,
    /// The peer's URI name, only if its certificate was verified.
    pub peer_uri: Option<&'a str>,
}

/// A request on it, after path normalization.
#[derive(Clone, Copy, Debug)]
pub struct RequestFacts<'a> {
    /// Method, case-sensitive.
    pub method: &'a str,
    /// Path with its query.
    pub path: &'a str,
    /// `:authority` or `host`, as the client wrote it.
    pub authority: &'a str,
    /// `http` or `https`.
    pub scheme: &'a str,
    /// Header section without pseudo-headers.
    pub headers: &'a HeaderMap,
    /// The client's address: the peer's, or from a trusted `x-forwarded-for`.
    pub remote: IpAddr,
    /// The connection that it came on.
    pub connection: &'a ConnectionFacts<'a>,
}

impl<'a> RequestFacts<'a> {
    /// Path up to `?` or `#`.
    pub fn path_only(&self) -> &'a str {
        path_only(self.path)
    }

    /// Query without `?`, if there is one.
    pub fn query(&self) -> Option<&'a str> {
        let path = self.path.split('#').next().unwrap_or_default();
        path.split_once('?').map(|(_, q)| q)
    }

    /// Value of a pseudo-header; `None` for ordinary headers.
    pub(crate) fn pseudo(&self, key: &HeaderKey) -> Option<&'a str> {
        match key {
            HeaderKey::Method => Some(self.method),
            HeaderKey::Path => Some(self.path),
            HeaderKey::Authority => Some(self.authority),
            HeaderKey::Scheme => Some(self.scheme),
            HeaderKey::Name(_) => None,
        }
    }

    /// Whether the content type is `application/grpc` or `application/grpc+…`.
    pub fn is_grpc(&self) -> bool {
        is_grpc(self.headers)
    }
}

/// Whether the content type is `application/grpc` or `application/grpc+…`.
pub fn is_grpc(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(http::header::CONTENT_TYPE) else { return false };
    match value.as_bytes().strip_prefix(b"application/grpc") {
        Some(rest) => matches!(rest.first(), None | Some(b'+' | b';')),
        None => false,
    }
}

/// A path up to its query or fragment.
pub fn path_only(path: &str) -> &str {
    path.split(['?', '#']).next().unwrap_or_default()
}
