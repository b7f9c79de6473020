//! Answers that the proxy gives by itself.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};

use super::{Exchange, ResponseBody, grpc};
use crate::error::{Error, Kind};

/// Answers with `status` and `body` and ends the exchange. gRPC callers get the same as a trailers-only answer.
pub fn reply(
    mut exchange: Box<Exchange>,
    status: StatusCode,
    body: impl Into<Bytes>,
    details: &'static str,
) -> Response<ResponseBody> {
    let body: Bytes = body.into();
    exchange.record.log.response_code_details = details;
    if exchange.record.grpc {
        let code = grpc::from_http(status);
        return grpc_reply(exchange, code, &body);
    }
    exchange.record.status = status.as_u16();
    let text = !body.is_empty();
    let mut response = Response::new(ResponseBody::own(body, exchange));
    *response.status_mut() = status;
    if text {
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    }
    response
}

/// A trailers-only gRPC answer.
pub fn grpc_reply(mut exchange: Box<Exchange>, code: u16, message: &[u8]) -> Response<ResponseBody> {
    exchange.record.status = 200;
    exchange.record.grpc_status = Some(code);
    let mut response = Response::new(ResponseBody::own(Bytes::new(), exchange));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert(grpc::GRPC_STATUS, grpc::status_value(code));
    if !message.is_empty()
        && let Ok(message) = HeaderValue::from_bytes(message)
    {
        headers.insert(grpc::GRPC_MESSAGE, message);
    }
    response
}

/// Answers an error as Envoy does, with its flag set.
pub fn fail(mut exchange: Box<Exchange>, error: &Error) -> Response<ResponseBody> {
    let (status, body) = error.kind.reply();
    exchange.failed(error);
    reply(exchange, status, body, details(error.kind))
}

/// Envoy's words for why it answered by itself.
fn details(kind: Kind) -> &'static str {
    match kind {
        Kind::NoRoute | Kind::NoFilterChain | Kind::NotRedirected => "route_not_found",
        Kind::NoCluster => "cluster_not_found",
        Kind::NoHealthyUpstream => "no_healthy_upstream",
        Kind::ConnectFailed | Kind::UpstreamTls => "upstream_reset_before_response_started{remote_connection_failure}",
        Kind::ConnectTimeout => "upstream_reset_before_response_started{connection_timeout}",
        Kind::Overflow => "upstream_reset_before_response_started{overflow}",
        Kind::UpstreamReset => "upstream_reset_before_response_started{remote_reset}",
        Kind::RefusedStream => "upstream_reset_before_response_started{remote_refused_stream_reset}",
        Kind::UpstreamClosed => "upstream_reset_before_response_started{connection_termination}",
        Kind::UpstreamProtocol => "upstream_reset_before_response_started{protocol_error}",
        Kind::PerTryTimeout => "upstream_per_try_timeout",
        Kind::RequestTimeout => "response_timeout",
        Kind::StreamIdle => "stream_idle_timeout",
        Kind::Denied => "rbac_access_denied",
        Kind::ClientGone => "downstream_remote_disconnect",
        Kind::HeadTooLarge => "request_headers_too_large",
        Kind::HeadTimeout => "request_header_timeout",
        Kind::BadRequest => "http1.codec_error",
        Kind::DownstreamTls | Kind::PlaintextRefused | Kind::TlsRefused => "downstream_protocol_error",
        Kind::TooManyConnections => "overload",
        Kind::Internal => "internal_error",
    }
}
