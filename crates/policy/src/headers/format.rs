//! Filling `%VARIABLES%` of header values.

use std::{fmt::Write, net::SocketAddr, time::Duration};

use http::HeaderMap;

use crate::{
    config::{EndpointAddress, HeaderKey, Piece, Variable},
    facts::ConnectionFacts,
    flags::Flags,
};

/// What variables are filled from. Unknown ones come out as `-`, as in Envoy.
#[derive(Clone, Copy, Debug)]
pub struct FormatFacts<'a> {
    /// The connection.
    pub connection: &'a ConnectionFacts<'a>,
    /// The client's address.
    pub remote: SocketAddr,
    /// Method.
    pub method: &'a str,
    /// Path with query.
    pub path: &'a str,
    /// Authority.
    pub authority: &'a str,
    /// Scheme.
    pub scheme: &'a str,
    /// Request headers for `REQ`; `None` takes the header section that is being changed.
    pub request_headers: Option<&'a HeaderMap>,
    /// `HTTP/1.1` or `HTTP/2`.
    pub protocol: &'a str,
    /// Endpoint, once it is picked.
    pub upstream_host: Option<&'a EndpointAddress>,
    /// Cluster, once it is picked.
    pub upstream_cluster: Option<&'a str>,
    /// Route name.
    pub route: &'a str,
    /// Status of the response, once there is one.
    pub status: Option<u16>,
    /// Response flags so far.
    pub flags: Flags,
    /// When the request began, since 1970-01-01 UTC.
    pub start: Duration,
}

pub(super) fn fill(pieces: &[Piece], headers: &HeaderMap, facts: &FormatFacts<'_>) -> String {
    let mut out = String::new();
    for piece in pieces {
        match piece {
            Piece::Text(text) => out.push_str(text),
            Piece::Variable(variable) => write_variable(&mut out, variable, headers, facts),
        }
    }
    out
}

fn write_variable(out: &mut String, variable: &Variable, headers: &HeaderMap, facts: &FormatFacts<'_>) {
    // Writing to a String cannot fail.
    let mut show = |value: &dyn std::fmt::Display| out.write_fmt(format_args!("{value}")).unwrap_or_default();
    match variable {
        Variable::DownstreamRemoteAddress => show(&facts.remote),
        Variable::DownstreamRemoteIp => show(&facts.remote.ip()),
        Variable::DownstreamRemotePort => show(&facts.remote.port()),
        Variable::DownstreamLocalAddress => show(&facts.connection.local),
        Variable::DownstreamLocalIp => show(&facts.connection.local.ip()),
        Variable::DownstreamLocalPort => show(&facts.connection.local.port()),
        Variable::DownstreamPeerUriSan => show(&facts.connection.peer_uri.unwrap_or("-")),
        Variable::RequestedServerName => show(&facts.connection.sni.unwrap_or("-")),
        Variable::Protocol => show(&facts.protocol),
        Variable::UpstreamHost => match facts.upstream_host {
            Some(host) => show(host),
            None => show(&"-"),
        },
        Variable::UpstreamCluster => show(&facts.upstream_cluster.unwrap_or("-")),
        Variable::RouteName => show(&facts.route),
        Variable::ResponseCode => show(&facts.status.unwrap_or(0)),
        Variable::ResponseFlags => show(&facts.flags),
        Variable::StartTime => show(&Rfc3339(facts.start)),
        Variable::Request(name, alternative, limit) => {
            let headers = facts.request_headers.unwrap_or(headers);
            let value = header(name, headers, facts);
            let value = value.or_else(|| alternative.as_ref().and_then(|a| header(a, headers, facts)));
            let value = value.unwrap_or("-");
            let mut end = limit.unwrap_or(value.len()).min(value.len());
            while !value.is_char_boundary(end) {
                end -= 1;
            }
            show(&&value[..end]);
        }
    }
}

fn header<'a>(key: &HeaderKey, headers: &'a HeaderMap, facts: &FormatFacts<'a>) -> Option<&'a str> {
    match key {
        HeaderKey::Method => Some(facts.method),
        HeaderKey::Path => Some(facts.path),
        HeaderKey::Authority => Some(facts.authority),
        HeaderKey::Scheme => Some(facts.scheme),
        HeaderKey::Name(name) => headers.get(name).and_then(|v| v.to_str().ok()),
    }
}

/// A time since 1970 as `2026-11-23T17:06:16.123Z`.
struct Rfc3339(Duration);

impl std::fmt::Display for Rfc3339 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let seconds = self.0.as_secs();
        let (days, of_day) = (seconds / 86_400, seconds % 86_400);
        // Civil date from days since the epoch (H. Hinnant, "chrono-compatible low-level date algorithms").
        let z = days + 719_468;
        let (era, of_era) = (z / 146_097, z % 146_097);
        let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted = (5 * of_year + 2) / 153;
        let day = of_year - (153 * shifted + 2) / 5 + 1;
        let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
        let year = year_of_era + era * 400 + u64::from(month <= 2);
        let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
        let millis = self.0.subsec_millis();
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
    }
}
