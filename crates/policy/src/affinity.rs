//! What a request is hashed by for consistent hashing, and the cookies that keep a client at its endpoint.

use std::{fmt::Write, net::IpAddr, time::Duration};

use http::{HeaderMap, HeaderValue};

use crate::{
    balance::xxh64,
    config::{Forward, HashBy},
    facts::RequestFacts,
    route::parameter,
};

/// Outcome of a route's hash policies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Affinity {
    /// For the pick; `None` when no policy found anything.
    pub hash: Option<u64>,
    /// `set-cookie` for the response.
    pub cookie: Option<HeaderValue>,
}

impl Forward {
    /// Hashes a request. `random` makes up the cookie that a client does not have yet.
    pub fn affinity(&self, request: &RequestFacts<'_>, random: u64) -> Affinity {
        let mut out = Affinity::default();
        for policy in &self.hash {
            let found = match &policy.by {
                HashBy::Header(name) => header_hash(request.headers, name),
                HashBy::SourceIp => Some(ip_hash(request.remote)),
                HashBy::Query(name) => request.query().and_then(|q| parameter(q, name)).map(|v| xxh64(v.as_bytes(), 0)),
                HashBy::Cookie { name, path, ttl, attributes } => match (cookie(request.headers, name), ttl) {
                    (Some(value), _) => Some(xxh64(value, 0)),
                    (None, Some(ttl)) => {
                        let value = format!("{random:016x}");
                        let hash = xxh64(value.as_bytes(), 0);
                        out.cookie = HeaderValue::try_from(set_cookie(name, &value, path, *ttl, attributes)).ok();
                        Some(hash)
                    }
                    (None, None) => None,
                },
            };
            if let Some(found) = found {
                out.hash = Some(out.hash.map_or(found, |hash| hash.rotate_left(1) ^ found));
                if policy.terminal {
                    break;
                }
            }
        }
        out
    }
}

fn header_hash(headers: &HeaderMap, name: &http::HeaderName) -> Option<u64> {
    let mut values = headers.get_all(name).iter();
    let first = xxh64(values.next()?.as_bytes(), 0);
    Some(values.fold(first, |hash, value| xxh64(value.as_bytes(), hash)))
}

/// Envoy hashes the address as text.
fn ip_hash(ip: IpAddr) -> u64 {
    let mut text = Text { bytes: [0; 64], len: 0 };
    let _ = write!(text, "{ip}");
    xxh64(&text.bytes[..text.len], 0)
}

/// A short text on the stack.
struct Text {
    bytes: [u8; 64],
    len: usize,
}

impl Write for Text {
    fn write_str(&mut self, s: &str) -> std::fmt::Result {
        let end = self.len + s.len();
        self.bytes.get_mut(self.len..end).ok_or(std::fmt::Error)?.copy_from_slice(s.as_bytes());
        self.len = end;
        Ok(())
    }
}

fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a [u8]> {
    let lines = headers.get_all(http::header::COOKIE).iter();
    lines.flat_map(|line| line.as_bytes().split(|b| *b == b';')).find_map(|pair| {
        let value = pair.trim_ascii().strip_prefix(name.as_bytes())?.strip_prefix(b"=")?;
        Some(value.strip_prefix(b"\"").and_then(|v| v.strip_suffix(b"\"")).unwrap_or(value))
    })
}

fn set_cookie(name: &str, value: &str, path: &str, ttl: Duration, attributes: &str) -> String {
    let mut cookie = format!("{name}=\"{value}\"");
    if !ttl.is_zero() {
        cookie.push_str(&format!("; Max-Age={}", ttl.as_secs()));
    }
    if !path.is_empty() {
        cookie.push_str(&format!("; Path={path}"));
    }
    cookie.push_str("; HttpOnly");
    cookie.push_str(attributes);
    cookie
}

#[cfg(test)]
mod tests;
