//! The last phase: an upstream's answer on its way to the client.

use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, Version, header};
use http_body::Body as _;
use hyper::{body::Incoming, upgrade::OnUpgrade};
use weft_policy::{
    config::{HttpChain, Route, ServerHeader, VirtualHost},
    facts::RequestFacts,
    route::RouteTable,
};

use super::{admit::Admitted, plan::Plan, upgrade};
use crate::{
    http::{Exchange, ResponseBody, headers},
    listener::Downstream,
    upstream::Hold,
};

/// What an answer gets besides its own headers.
#[derive(Default)]
pub(super) struct Decoration {
    /// Cross-origin headers.
    pub cors: Option<HeaderMap>,
    /// The cookie that keeps the client at its endpoint.
    pub cookie: Option<HeaderValue>,
}

/// Relays an answer.
pub(super) fn relay(
    plan: &Plan<'_>,
    admitted: &Admitted,
    response: Response<Incoming>,
    hold: Hold,
    mut exchange: Box<Exchange>,
    decoration: Decoration,
    client: Option<OnUpgrade>,
) -> Response<ResponseBody> {
    let (mut parts, body) = response.into_parts();
    let switched = parts.status == StatusCode::SWITCHING_PROTOCOLS;
    let protocol = switched.then(|| parts.headers.get(header::UPGRADE).cloned()).flatten();
    headers::strip_hop_by_hop(&mut parts.headers, parts.version);
    parts.headers.remove(headers::REPEATABLE);
    if let Some(protocol) = protocol {
        parts.headers.insert(header::UPGRADE, protocol);
        parts.headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    }
    parts.version = Version::HTTP_11;
    if let Some(time) = exchange.record.log.upstream_service_time {
        parts.headers.insert(headers::UPSTREAM_SERVICE_TIME, HeaderValue::from(time.as_millis() as u64));
    }
    exchange.record.status = parts.status.as_u16();
    exchange.grpc_outcome(&parts.headers);
    let mut ops = plan.table.response_ops(plan.host, plan.route, Some(plan.cluster)).peekable();
    if ops.peek().is_some() {
        let connection = plan.downstream.facts();
        let facts = plan.format(admitted, &connection, &exchange, Some(parts.status.as_u16()), None);
        ops.for_each(|ops| ops.apply(&mut parts.headers, &facts));
    }
    if let Some(cors) = decoration.cors {
        parts.headers.extend(cors);
    }
    if let Some(cookie) = decoration.cookie {
        parts.headers.append(header::SET_COOKIE, cookie);
    }
    server_header(&mut parts.headers, plan.chain);
    if switched {
        let upstream = parts.extensions.remove::<OnUpgrade>();
        let body = ResponseBody::empty();
        upgrade::join(plan.downstream, client, upstream, hold, exchange);
        return Response::from_parts(parts, body);
    }
    let bodiless = exchange.record.method == Method::HEAD
        || matches!(parts.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    if exchange.record.method == Method::HEAD && !body.is_end_stream() {
        // Never so: the codec knows that answers to HEAD have no body.
        tracing::debug!("an answer to HEAD has a body");
    }
    exchange.hold = Some(hold);
    parts.extensions.clear();
    Response::from_parts(parts, ResponseBody::upstream(body, exchange, bodiless))
}

/// The `server` header as the chain wants it.
pub(super) fn server_header(headers: &mut HeaderMap, chain: &HttpChain) {
    let name = || HeaderValue::from_str(&chain.server_name).ok().filter(|name| !name.is_empty());
    match chain.server_header {
        ServerHeader::PassThrough => {}
        ServerHeader::AppendIfAbsent if headers.contains_key(header::SERVER) => {}
        ServerHeader::AppendIfAbsent | ServerHeader::Overwrite => {
            if let Some(name) = name() {
                headers.insert(header::SERVER, name);
            }
        }
    }
}

/// Sets `location`; a path that is no header value cannot come out of a rewrite, and is left out.
pub(super) fn set_location(response: &mut Response<ResponseBody>, location: &str) {
    if let Ok(location) = HeaderValue::from_str(location) {
        response.headers_mut().insert(header::LOCATION, location);
    }
}

/// The header changes that a route's own answer gets.
pub(super) fn own_response_headers(
    response: &mut Response<ResponseBody>,
    table: &RouteTable,
    host: &VirtualHost,
    route: &Route,
    request: &RequestFacts<'_>,
    downstream: &Downstream,
) {
    let status = response.status().as_u16();
    let facts = weft_policy::headers::FormatFacts {
        connection: request.connection,
        remote: std::net::SocketAddr::new(request.remote, downstream.peer.port()),
        method: request.method,
        path: request.path,
        authority: request.authority,
        scheme: request.scheme,
        request_headers: Some(request.headers),
        protocol: "HTTP/1.1",
        upstream_host: None,
        upstream_cluster: None,
        route: &route.name,
        status: Some(status),
        flags: weft_policy::flags::Flags::default(),
        start: std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default(),
    };
    table.response_ops(host, route, None).for_each(|ops| ops.apply(response.headers_mut(), &facts));
}
