//! Header hygiene: what must not pass a proxy, and what a proxy adds.

use std::net::IpAddr;

use http::{
    HeaderMap, HeaderName, HeaderValue, Version,
    header::{self, Entry},
};
use rand::Rng;

/// `x-request-id`.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// `x-forwarded-for`.
pub const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// `x-forwarded-proto`.
pub const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
/// `x-forwarded-host`.
pub const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
/// `x-forwarded-client-cert`.
pub const FORWARDED_CLIENT_CERT: HeaderName = HeaderName::from_static("x-forwarded-client-cert");
/// Milliseconds that the upstream took, on responses.
pub const UPSTREAM_SERVICE_TIME: HeaderName = HeaderName::from_static("x-envoy-upstream-service-time");
/// Which attempt a request is, on requests.
pub const ATTEMPT_COUNT: HeaderName = HeaderName::from_static("x-envoy-attempt-count");
/// On an answer that a proxy gives in its application's stead: the request may be sent to another endpoint, because the
/// application never saw it, or closed its connection without an answer and may see it twice (RFC 9110 §9.2.2). The
/// calling proxy treats it as its own failure to connect. Never leaves the mesh.
pub const REPEATABLE: HeaderName = HeaderName::from_static("x-weft-repeatable");
const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
const HTTP2_SETTINGS: HeaderName = HeaderName::from_static("http2-settings");
/// Headers that Istio's proxies exchange about themselves; an application has no business with them.
const PEER_METADATA: [HeaderName; 2] =
    [HeaderName::from_static("x-envoy-peer-metadata"), HeaderName::from_static("x-envoy-peer-metadata-id")];

/// Removes what concerns one connection only (RFC 9110 §7.6.1). `te: trailers` stays, because gRPC needs it.
pub fn strip_hop_by_hop(headers: &mut HeaderMap, version: Version) {
    if version >= Version::HTTP_2 {
        // RFC 9113 §8.2.2 forbids them and the codec has refused such messages.
        return;
    }
    if headers.contains_key(header::CONNECTION) {
        strip_named_by_connection(headers);
    }
    headers.remove(KEEP_ALIVE);
    headers.remove(PROXY_CONNECTION);
    if headers.remove(header::TRANSFER_ENCODING).is_some() {
        // The coding decides how long the body is, and a length beside it is how requests are smuggled
        // (RFC 9112 §6.3).
        headers.remove(header::CONTENT_LENGTH);
    }
    headers.remove(header::UPGRADE);
    headers.remove(HTTP2_SETTINGS);
    if let Entry::Occupied(te) = headers.entry(header::TE) {
        let trailers = te.iter().any(|value| value.as_bytes().eq_ignore_ascii_case(b"trailers"));
        te.remove_entry_mult();
        if trailers {
            headers.insert(header::TE, HeaderValue::from_static("trailers"));
        }
    }
}

fn strip_named_by_connection(headers: &mut HeaderMap) {
    let mut named: Vec<HeaderName> = Vec::new();
    for value in headers.get_all(header::CONNECTION) {
        let Ok(value) = value.to_str() else { continue };
        for name in value.split(',').map(str::trim) {
            // The common ones name no other header.
            if name.is_empty() || name.eq_ignore_ascii_case("close") || name.eq_ignore_ascii_case("keep-alive") {
                continue;
            }
            if let Ok(name) = name.parse::<HeaderName>()
                && name != header::TE
            {
                named.push(name);
            }
        }
    }
    headers.remove(header::CONNECTION);
    for name in named {
        headers.remove(name);
    }
}

/// Removes what only proxies of the mesh may say. At the edge nothing that begins with `x-envoy-` is believed.
pub fn strip_spoofs(headers: &mut HeaderMap, edge: bool) {
    for name in &PEER_METADATA {
        headers.remove(name);
    }
    if !edge || !headers.keys().any(|name| name.as_str().starts_with("x-envoy-")) {
        return;
    }
    let names: Vec<_> = headers.keys().filter(|name| name.as_str().starts_with("x-envoy-")).cloned().collect();
    for name in names {
        headers.remove(name);
    }
}

/// The request's id, made up where there is none and `generate` says so; `fresh` replaces one that a client chose.
pub fn ensure_request_id(headers: &mut HeaderMap, generate: bool, fresh: bool) -> Option<HeaderValue> {
    if let Some(id) = headers.get(REQUEST_ID)
        && !fresh
    {
        return Some(id.clone());
    }
    if !generate {
        return None;
    }
    let id = random_uuid();
    headers.insert(REQUEST_ID, id.clone());
    Some(id)
}

/// A random UUID (RFC 9562, version 4).
fn random_uuid() -> HeaderValue {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut bytes: [u8; 16] = rand::rng().random();
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let mut text = [b'-'; 36];
    let mut at = 0;
    for (index, byte) in bytes.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            at += 1;
        }
        text[at] = DIGITS[usize::from(byte >> 4)];
        text[at + 1] = DIGITS[usize::from(byte & 15)];
        at += 2;
    }
    // Hexadecimal digits and dashes are always a valid value.
    HeaderValue::from_bytes(&text).unwrap_or_else(|_| HeaderValue::from_static("-"))
}

/// The client's address by `x-forwarded-for`: with `trusted` proxies in front, the entry that the outermost of them
/// wrote. `None` when there are not so many entries.
pub fn forwarded_client(headers: &HeaderMap, trusted: u32) -> Option<IpAddr> {
    if trusted == 0 {
        return None;
    }
    let mut left = trusted;
    for value in headers.get_all(FORWARDED_FOR).iter().collect::<Vec<_>>().into_iter().rev() {
        for entry in value.to_str().ok()?.rsplit(',') {
            left -= 1;
            if left == 0 {
                return entry.trim().parse().ok();
            }
        }
    }
    None
}

/// Adds the peer to `x-forwarded-for`, as one comma-separated list.
pub fn append_forwarded_for(headers: &mut HeaderMap, peer: IpAddr) {
    let mut list = String::new();
    for value in headers.get_all(FORWARDED_FOR) {
        if let Ok(value) = value.to_str() {
            list.push_str(value);
            list.push(',');
        }
    }
    list.push_str(&peer.to_string());
    if let Ok(value) = HeaderValue::try_from(list) {
        headers.insert(FORWARDED_FOR, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(list: &[(&'static str, &'static str)]) -> HeaderMap {
        list.iter().map(|(n, v)| (HeaderName::from_static(n), HeaderValue::from_static(v))).collect()
    }

    #[test]
    fn hop_by_hop_headers_stop_here() {
        let mut map = headers(&[
            ("connection", "keep-alive, x-secret, TE"),
            ("x-secret", "1"),
            ("keep-alive", "timeout=5"),
            ("transfer-encoding", "chunked"),
            ("content-length", "5"),
            ("te", "trailers"),
            ("upgrade", "h2c"),
            ("accept", "*/*"),
        ]);
        strip_hop_by_hop(&mut map, Version::HTTP_11);
        let mut names: Vec<_> = map.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["accept", "te"]);
    }

    #[test]
    fn the_edge_believes_no_envoy_headers() {
        let mut map = headers(&[("x-envoy-retry-on", "5xx"), ("x-envoy-peer-metadata", "x"), ("accept", "*/*")]);
        strip_spoofs(&mut map, false);
        assert_eq!(map.len(), 2);
        strip_spoofs(&mut map, true);
        assert_eq!(map.len(), 1);
    }

    #[test]
    fn request_ids_are_kept_inside_and_replaced_at_the_edge() {
        let mut map = headers(&[("x-request-id", "mine")]);
        assert_eq!(ensure_request_id(&mut map, true, false).unwrap(), "mine");
        let id = ensure_request_id(&mut map, true, true).unwrap();
        assert_eq!(id.len(), 36);
        assert_eq!(id.as_bytes()[14], b'4');
        assert_eq!(map[REQUEST_ID], id);
    }

    #[test]
    fn forwarded_for_counts_trusted_hops_from_the_right() {
        let map = headers(&[("x-forwarded-for", "1.1.1.1, 2.2.2.2,3.3.3.3")]);
        assert_eq!(forwarded_client(&map, 0), None);
        assert_eq!(forwarded_client(&map, 1), "3.3.3.3".parse().ok());
        assert_eq!(forwarded_client(&map, 3), "1.1.1.1".parse().ok());
        assert_eq!(forwarded_client(&map, 4), None);
    }
}
