//! What collectors take. Spans are held as OpenTelemetry has them; how they are written is the only difference.

use opentelemetry_proto::tonic::{common::v1::KeyValue, trace::v1::Span};
use weft_model::ports;

use super::{otlp, zipkin};

/// How a batch of spans is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// OTLP/HTTP, protobuf (<https://opentelemetry.io/docs/specs/otlp/#otlphttp>).
    Otlp,
    /// Zipkin's API v2, JSON (<https://zipkin.io/zipkin-api/#/default/post_spans>).
    Zipkin,
}

impl Encoding {
    /// The port of a URL that names none.
    pub(super) fn port(self) -> u16 {
        match self {
            Self::Otlp => ports::OTLP,
            Self::Zipkin => ports::ZIPKIN,
        }
    }

    /// Where spans are posted for a URL with the path `written`: OTLP's URLs are bases, to which `/v1/traces` is added
    /// unless it is there; Zipkin's are whole, as its clients and Istio's provider have them, and only an empty path is
    /// made the usual one.
    pub(super) fn path(self, written: &str) -> String {
        match (self, written) {
            (Self::Otlp, _) => format!("{}/v1/traces", written.trim_end_matches('/').trim_end_matches("/v1/traces")),
            (Self::Zipkin, "" | "/") => "/api/v2/spans".to_owned(),
            (Self::Zipkin, whole) => whole.to_owned(),
        }
    }

    /// The media type.
    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::Otlp => "application/x-protobuf",
            Self::Zipkin => "application/json",
        }
    }

    /// A batch of the process that `resource` describes.
    pub(super) fn encode(self, resource: Vec<KeyValue>, spans: Vec<Span>) -> Vec<u8> {
        match self {
            Self::Otlp => otlp::encode(resource, spans),
            Self::Zipkin => zipkin::encode(&resource, &spans),
        }
    }
}
