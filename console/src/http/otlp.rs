//! Trace ingest: OTLP over HTTP with protobuf bodies (<https://opentelemetry.io/docs/specs/otlp/#otlphttp>).

mod parts;

use std::{io::Read, sync::Arc, time::SystemTime};

use axum::{
    body::Bytes,
    extract::{State, rejection::BytesRejection},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use flate2::read::MultiGzDecoder;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use prost::Message;

use crate::{app::App, telemetry::traces::convert};

/// Largest body as it is sent.
pub(super) const MAX_BODY: usize = 4 * 1024 * 1024;
/// Largest body once unpacked.
const MAX_UNPACKED: usize = 16 * 1024 * 1024;
const PROTOBUF: &str = "application/x-protobuf";

/// The body of a failed export, as OTLP demands it: `google.rpc.Status`.
#[derive(Clone, PartialEq, Message)]
struct RpcStatus {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
}

/// gRPC's codes for what can go wrong here.
const INVALID_ARGUMENT: i32 = 3;
const RESOURCE_EXHAUSTED: i32 = 8;
const UNAVAILABLE: i32 = 14;

fn failure(status: StatusCode, code: i32, message: impl Into<String>) -> Response {
    let body = RpcStatus { code, message: message.into() }.encode_to_vec();
    (status, [(header::CONTENT_TYPE, PROTOBUF)], body).into_response()
}

/// `POST /v1/traces`. Never waits for the disk: without room in the queue the answer is 429, and 503 while the database is
/// in trouble; exporters repeat both.
pub(super) async fn receive(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let body = match body {
        Ok(body) => body,
        Err(rejection) => return failure(rejection.status(), INVALID_ARGUMENT, rejection.body_text()),
    };
    let media = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !media.split(';').next().is_some_and(|media| media.trim().eq_ignore_ascii_case(PROTOBUF)) {
        return failure(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            INVALID_ARGUMENT,
            "only application/x-protobuf is taken; set the exporter's protocol to http/protobuf",
        );
    }
    let body = match unpack(&headers, body) {
        Ok(body) => body,
        Err((status, message)) => return failure(status, INVALID_ARGUMENT, message),
    };
    match parts::count(&body) {
        Ok(_) => {}
        Err(parts::Refused::TooMany) => {
            let message = format!("the body has more than {} parts; send smaller batches", parts::MAX_PARTS);
            return failure(StatusCode::PAYLOAD_TOO_LARGE, INVALID_ARGUMENT, message);
        }
        Err(parts::Refused::Malformed) => {
            let message = "the body is not an ExportTraceServiceRequest";
            return failure(StatusCode::BAD_REQUEST, INVALID_ARGUMENT, message);
        }
    }
    let request = match ExportTraceServiceRequest::decode(body) {
        Ok(request) => request,
        Err(error) => {
            return failure(
                StatusCode::BAD_REQUEST,
                INVALID_ARGUMENT,
                format!("the body is not an ExportTraceServiceRequest: {error}"),
            );
        }
    };
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let converted = convert(request, now);
    let count = converted.spans.len();
    let later = |status, code, message: String| {
        app.metrics.spans_refused(count);
        let mut response = failure(status, code, message);
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        response
    };
    if let Some(trouble) = app.ingest.held_up() {
        return later(StatusCode::SERVICE_UNAVAILABLE, UNAVAILABLE, trouble);
    }
    if let Err(full) = app.ingest.offer(converted.spans) {
        return later(StatusCode::TOO_MANY_REQUESTS, RESOURCE_EXHAUSTED, full.to_string());
    }
    app.metrics.spans_rejected(converted.rejected);
    let partial_success = converted.problem.map(|problem| ExportTracePartialSuccess {
        rejected_spans: i64::try_from(converted.rejected).unwrap_or(i64::MAX),
        error_message: problem.to_owned(),
    });
    let answer = ExportTraceServiceResponse { partial_success }.encode_to_vec();
    ([(header::CONTENT_TYPE, PROTOBUF)], answer).into_response()
}

fn unpack(headers: &HeaderMap, body: Bytes) -> Result<Bytes, (StatusCode, String)> {
    let encoding = headers.get(header::CONTENT_ENCODING).map(|value| value.to_str().unwrap_or("?"));
    match encoding {
        None | Some("identity" | "") => Ok(body),
        Some(gzip) if gzip.eq_ignore_ascii_case("gzip") => {
            let mut unpacked = Vec::new();
            let limit = u64::try_from(MAX_UNPACKED).unwrap_or(u64::MAX) + 1;
            match MultiGzDecoder::new(body.as_ref()).take(limit).read_to_end(&mut unpacked) {
                Ok(size) if size > MAX_UNPACKED => {
                    let message = format!("the body unpacks to more than {MAX_UNPACKED} bytes; send smaller batches");
                    Err((StatusCode::PAYLOAD_TOO_LARGE, message))
                }
                Ok(_) => Ok(unpacked.into()),
                Err(error) => Err((StatusCode::BAD_REQUEST, format!("the body is not gzip: {error}"))),
            }
        }
        Some(other) => Err((
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            format!("content-encoding {other} is not taken; use gzip or none"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    fn gzip(bytes: &[u8]) -> Bytes {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap().into()
    }

    fn encoded(encoding: &'static str) -> HeaderMap {
        [(header::CONTENT_ENCODING, HeaderValue::from_static(encoding))].into_iter().collect()
    }

    #[test]
    fn gzip_is_unpacked_within_bounds() {
        assert_eq!(unpack(&encoded("gzip"), gzip(b"spans")).unwrap(), "spans");
        assert_eq!(unpack(&HeaderMap::new(), "spans".into()).unwrap(), "spans");
        let bomb = gzip(&vec![0; MAX_UNPACKED + 1]);
        assert!(bomb.len() < 100_000);
        assert_eq!(unpack(&encoded("gzip"), bomb).unwrap_err().0, StatusCode::PAYLOAD_TOO_LARGE);
        assert_eq!(unpack(&encoded("gzip"), "junk".into()).unwrap_err().0, StatusCode::BAD_REQUEST);
        assert_eq!(unpack(&encoded("zstd"), "x".into()).unwrap_err().0, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    }
}
