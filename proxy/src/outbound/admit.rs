//! The first phase: a request head is checked, brought into one form, and freed of what its sender may not say.

use std::net::IpAddr;

use http::{
    HeaderMap, HeaderValue, Method, StatusCode, Uri, Version,
    header::{self, HOST},
    request::Parts,
    uri::PathAndQuery,
};
use rand::Rng;
use weft_policy::{
    config::HttpChain,
    facts::{ConnectionFacts, RequestFacts},
    path::{Normalized, normalize_path},
};

use crate::{
    error::Kind,
    http::{
        Exchange,
        headers::{
            FORWARDED_FOR, FORWARDED_PROTO, append_forwarded_for, ensure_request_id, forwarded_client,
            strip_hop_by_hop, strip_spoofs,
        },
    },
    inbound,
    listener::Downstream,
    state::Role,
    telemetry::{SpanId, TraceContext, span_tags},
};

/// What a request head says, in one form for every protocol version. The authority stands in the `host` header.
#[derive(Debug)]
pub struct Admitted {
    /// Method.
    pub method: Method,
    /// Normalized path with query.
    pub path: PathAndQuery,
    /// Authority.
    pub authority: HeaderValue,
    /// `http` or `https`.
    pub scheme: &'static str,
    /// The client's address.
    pub remote: IpAddr,
    /// Another protocol that the client wants on this connection.
    pub upgrade: Option<HeaderValue>,
}

/// Why a request goes no further.
#[derive(Debug, PartialEq, Eq)]
pub enum Refusal {
    /// An answer, with Envoy's words for the log.
    Answer(StatusCode, &'static str),
    /// Not a request, with Envoy's words for the log. HTTP/1 cannot go on after it.
    Malformed(Kind, &'static str),
    /// The client should ask for this path instead.
    Redirect(String),
}

impl Admitted {
    /// What policies look at.
    pub fn facts<'a>(&'a self, headers: &'a HeaderMap, connection: &'a ConnectionFacts<'a>) -> RequestFacts<'a> {
        RequestFacts {
            method: self.method.as_str(),
            path: self.path.as_str(),
            authority: self.authority.to_str().unwrap_or_default(),
            scheme: self.scheme,
            headers,
            remote: self.remote,
            connection,
        }
    }
}

/// Checks and cleans a request head.
pub fn admit(
    downstream: &Downstream,
    chain: &HttpChain,
    parts: &mut Parts,
    exchange: &mut Exchange,
) -> Result<Admitted, Refusal> {
    if parts.method == Method::CONNECT {
        return Err(Refusal::Answer(StatusCode::METHOD_NOT_ALLOWED, "connect_not_allowed"));
    }
    if parts.version >= Version::HTTP_2 {
        if fields(&parts.headers) > downstream.most_fields() {
            return Err(Refusal::Malformed(Kind::HeadTooLarge, "http2.too_many_headers"));
        }
    } else {
        body_length(downstream, parts)?;
    }
    let authority = authority(parts)?;
    let path = path(&parts.uri, chain)?;
    exchange.record.log.authority = Some(authority.clone());
    exchange.record.log.path = Some(path.clone());

    // Phase: the connection's own headers end here.
    let upgrade = wanted_upgrade(parts);
    strip_hop_by_hop(&mut parts.headers, parts.version);
    // The body is pulled from the client when the upstream takes it, and the codec sends `100 Continue` then.
    parts.headers.remove(header::EXPECT);

    // Phase: what only proxies may say.
    let edge = chain.use_remote_address;
    strip_spoofs(&mut parts.headers, edge);
    let own = downstream.worker.shared.identity.load();
    inbound::forward_client_cert(
        &mut parts.headers,
        chain.forward_client_cert,
        chain.client_cert_details,
        downstream.identity.as_ref(),
        own.as_ref().map(|identity| &identity.spiffe),
    );

    // Phase: where it comes from.
    let peer = downstream.peer.ip().to_canonical();
    let remote = forwarded_client(&parts.headers, chain.xff_trusted_hops).unwrap_or(peer);
    let scheme = scheme(downstream, chain, parts);
    if edge && chain.append_forwarded_for {
        append_forwarded_for(&mut parts.headers, peer);
    }
    exchange.record.log.x_forwarded_for = parts.headers.get(FORWARDED_FOR).cloned();
    let fresh = edge && !chain.preserve_request_id;
    exchange.record.log.request_id = ensure_request_id(&mut parts.headers, chain.generate_request_id, fresh);
    trace(downstream, chain, parts, exchange);
    Ok(Admitted { method: parts.method.clone(), path, authority, scheme, remote, upgrade })
}

/// Refuses what two readers could take for bodies of different lengths (RFC 9112 §6.1, §6.3). The codec has refused
/// lengths that contradict each other.
fn body_length(downstream: &Downstream, parts: &Parts) -> Result<(), Refusal> {
    let mut codings = parts.headers.get_all(header::TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => Ok(()),
        (Some(coding), None) if coding.as_bytes().eq_ignore_ascii_case(b"chunked") => {
            match downstream.activity.doubts(downstream.requests.get()) {
                true => Err(Refusal::Malformed(Kind::BadRequest, "http1.content_length_and_chunked_not_allowed")),
                false => Ok(()),
            }
        }
        _ => Err(Refusal::Malformed(Kind::BadRequest, "http1.invalid_transfer_encoding")),
    }
}

/// Header fields as HTTP/1 counts them: cookies are one there (RFC 9113 §8.2.3).
fn fields(headers: &HeaderMap) -> usize {
    headers.len() - headers.get_all(header::COOKIE).iter().count().saturating_sub(1)
}

/// The authority, from the request target or else from `host`, which carries it from here on (RFC 9112 §3.2).
fn authority(parts: &mut Parts) -> Result<HeaderValue, Refusal> {
    const BAD: Refusal = Refusal::Answer(StatusCode::BAD_REQUEST, "invalid_authority");
    if let Some(authority) = parts.uri.authority() {
        // Credentials in an authority are for no server to see (RFC 9110 §4.2.4).
        if authority.as_str().contains('@') {
            return Err(BAD);
        }
        let value = HeaderValue::from_str(authority.as_str()).map_err(|_| BAD)?;
        parts.headers.insert(HOST, value.clone());
        return Ok(value);
    }
    let mut hosts = parts.headers.get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(host), None) if is_authority(host.as_bytes()) => Ok(host.clone()),
        (None, _) => Err(Refusal::Answer(StatusCode::BAD_REQUEST, "missing_host_header")),
        _ => Err(BAD),
    }
}

fn is_authority(bytes: &[u8]) -> bool {
    !bytes.is_empty()
        && bytes.iter().all(|byte| {
            byte.is_ascii_alphanumeric()
                || matches!(
                    byte,
                    b'.' | b'-' | b'_' | b':' | b'[' | b']' | b'~' | b'!' | b'$' | b'&' | b'\'' | b'(' | b')'
                )
                || matches!(byte, b'*' | b'+' | b',' | b';' | b'=' | b'%')
        })
}

fn path(uri: &Uri, chain: &HttpChain) -> Result<PathAndQuery, Refusal> {
    let path = uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
    let normalized = match normalize_path(path.as_str(), chain.normalize) {
        Err(_) => return Err(Refusal::Answer(StatusCode::BAD_REQUEST, "path_normalization_failed")),
        Ok(Normalized::Redirect(to)) => return Err(Refusal::Redirect(to)),
        Ok(Normalized::Path(std::borrow::Cow::Borrowed(_))) => None,
        Ok(Normalized::Path(std::borrow::Cow::Owned(new))) => Some(new),
    };
    match normalized {
        None => Ok(path),
        Some(new) => PathAndQuery::try_from(new)
            .map_err(|_| Refusal::Answer(StatusCode::BAD_REQUEST, "path_normalization_failed")),
    }
}

/// Only HTTP/1.1 has `upgrade`.
fn wanted_upgrade(parts: &Parts) -> Option<HeaderValue> {
    parts.headers.get(header::UPGRADE).filter(|_| parts.version == Version::HTTP_11).cloned()
}

/// The scheme that the client used: believed from `x-forwarded-proto` only within the mesh or behind trusted proxies.
fn scheme(downstream: &Downstream, chain: &HttpChain, parts: &mut Parts) -> &'static str {
    let own = if downstream.tls { "https" } else { "http" };
    let gateway = downstream.worker.shared.node.role == Role::Gateway;
    let believed = !chain.use_remote_address || chain.xff_trusted_hops > 0;
    let told = parts.headers.get(FORWARDED_PROTO).filter(|_| believed).and_then(|told| match told.as_bytes() {
        b"https" => Some("https"),
        b"http" => Some("http"),
        _ => None,
    });
    let scheme = told.unwrap_or(if gateway { own } else { "http" });
    if told.is_none() {
        parts.headers.insert(FORWARDED_PROTO, HeaderValue::from_static(scheme));
    }
    scheme
}

/// Continues the caller's trace, or begins one. Where no spans are wanted, the caller's context goes on as it came.
fn trace(downstream: &Downstream, chain: &HttpChain, parts: &mut Parts, exchange: &mut Exchange) {
    exchange.record.log.requested_server_name = downstream.sni.clone();
    let Some(sampling) = chain.tracing else { return };
    let parts_of = |share: u16| f64::from(share.min(10_000)) / 10_000.0;
    let mut context = TraceContext::of(&parts.headers, parts_of(sampling.random));
    if context.sampled && sampling.overall < 10_000 && rand::rng().random_range(0..10_000) >= sampling.overall {
        context.sampled = false;
    }
    if context.sampled {
        exchange.record.log.tags = span_tags(&chain.span_tags, &parts.headers);
    }
    let span = SpanId::random();
    context.inject(span, &mut parts.headers);
    exchange.record.trace = Some((context, span));
}
