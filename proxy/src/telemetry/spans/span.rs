//! What a span says.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use opentelemetry_proto::tonic::{
    common::v1::{AnyValue, KeyValue, any_value::Value},
    trace::v1::{Span, Status, span::SpanKind, status::StatusCode},
};
use weft_model::metrics::UNKNOWN;

use crate::{
    state::NodeInfo,
    telemetry::{Edge, Facts, Reporter, RequestRecord, SpanId, TraceContext},
};

/// The process's own name.
pub const SERVICE: &str = "service.name";
/// Its address.
pub const ADDRESS: &str = "host.ip";
/// The other side's name, of a call in either direction.
pub const PEER: &str = "peer.service";
/// Where a call went.
pub const UPSTREAM: &str = "upstream_address";
/// Where a call came from.
pub const DOWNSTREAM: &str = "peer.address";

fn text(key: &str, value: impl Into<String>) -> KeyValue {
    value_of(key, Value::StringValue(value.into()))
}

fn number(key: &str, value: impl TryInto<i64>) -> KeyValue {
    value_of(key, Value::IntValue(value.try_into().unwrap_or(i64::MAX)))
}

fn value_of(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.into(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

/// `<canonical service>.<namespace>`, as Istio writes it.
fn service_name(of: &Facts) -> String {
    format!("{}.{}", of.canonical_service, of.namespace)
}

/// The other side by the name that its own spans have, so that stores draw one box for both; one outside by its host.
fn peer(edge: &Edge) -> Option<String> {
    let named = |facts: &Facts| (*facts.canonical_service != *UNKNOWN).then(|| service_name(facts));
    match edge.reporter {
        Reporter::Source => {
            let host = || (*edge.service.host != *UNKNOWN).then(|| edge.service.host.to_string());
            named(&edge.destination).or_else(host)
        }
        Reporter::Destination => named(&edge.source),
    }
}

/// The first `length` characters. What a request says about itself may be as long as a head is.
fn cut(text: &str, length: usize) -> &str {
    text.char_indices().nth(length).map_or(text, |(end, _)| &text[..end])
}

/// Who reports.
pub fn resource(node: &NodeInfo, own: &Facts) -> Vec<KeyValue> {
    vec![
        text(SERVICE, service_name(own)),
        text("service.version", &*own.version),
        text("service.instance.id", format!("{}.{}", node.workload, node.namespace)),
        text("k8s.namespace.name", &*own.namespace),
        text("k8s.pod.name", &*node.workload),
        text("weft.workload", &*own.workload),
        text(ADDRESS, node.address.to_string()),
    ]
}

/// The span of one request: a client span on the outbound side, a server span on the inbound side. Of the request's own
/// words each is cut to `tag_length` characters.
pub fn span_of(record: &RequestRecord, context: TraceContext, id: SpanId, node: &NodeInfo, tag_length: usize) -> Span {
    let (edge, log) = (&record.edge, &record.log);
    let header = |value: &Option<http::HeaderValue>| {
        value.as_ref().map(|value| cut(&String::from_utf8_lossy(value.as_bytes()), tag_length).to_owned())
    };
    let method = cut(record.method.as_str(), tag_length);
    let authority = header(&log.authority).unwrap_or_default();
    let path = cut(log.path.as_ref().map_or("/", |path| path.as_str()), tag_length);
    let mut attributes = vec![
        text("component", "proxy"),
        text("node_id", node.id()),
        text("http.method", method),
        text("http.url", format!("http://{authority}{path}")),
        text("http.path", path.split('?').next().unwrap_or("/")),
        text("http.protocol", format!("{:?}", record.version)),
        number("http.status_code", record.status),
        text("response_flags", record.flags.to_string()),
        number("request_size", record.bytes_received),
        number("response_size", record.bytes_sent),
        text("source.workload", &*edge.source.workload),
        text("source.namespace", &*edge.source.namespace),
        text("source.principal", &*edge.source_principal),
        text("destination.workload", &*edge.destination.workload),
        text("destination.namespace", &*edge.destination.namespace),
        text("destination.version", &*edge.destination.version),
        text("destination.service", &*edge.service.host),
    ];
    attributes.extend(header(&log.user_agent).map(|value| text("user_agent", value)));
    attributes.extend(header(&log.request_id).map(|value| text("guid:x-request-id", value)));
    attributes.extend(log.upstream_cluster.as_ref().map(|value| text("upstream_cluster", &**value)));
    attributes.extend(log.upstream_service_time.map(|time| number("upstream_time_us", time.as_micros())));
    attributes.extend(log.upstream_host.map(|value| text(UPSTREAM, value.to_string())));
    attributes.extend(log.downstream_remote_address.map(|value| text(DOWNSTREAM, value.to_string())));
    attributes.extend(peer(edge).map(|value| text(PEER, value)));
    attributes.extend(record.grpc_status.map(|value| number("grpc.status_code", value)));
    if record.attempts > 1 {
        attributes.push(number("retry.attempts", record.attempts - 1));
    }
    let failed = record.status == 0 || record.status >= 500 || record.grpc_status.is_some_and(|status| status != 0);
    if failed {
        attributes.push(value_of("error", Value::BoolValue(true)));
    }
    // The names of attributes are unique, and who reads them relies on the proxy's own.
    for (name, value) in &log.tags {
        if attributes.iter().all(|attribute| attribute.key != **name) {
            attributes.push(text(name, value.as_str()));
        }
    }
    let code = if failed { StatusCode::Error } else { StatusCode::Unset };
    let kind = match edge.reporter {
        Reporter::Source => SpanKind::Client,
        Reporter::Destination => SpanKind::Server,
    };
    let start = nanos(record.start);
    let end = start.saturating_add(u64::try_from(record.duration.as_nanos()).unwrap_or(u64::MAX));
    Span {
        trace_id: context.trace.0.to_vec(),
        span_id: id.0.to_vec(),
        parent_span_id: context.parent.map(|parent| parent.0.to_vec()).unwrap_or_default(),
        name: name(record, method),
        kind: kind.into(),
        start_time_unix_nano: start,
        end_time_unix_nano: end,
        attributes,
        status: Some(Status { code: code.into(), message: String::new() }),
        ..Span::default()
    }
}

/// `GET order-service.default.svc.cluster.local:8080/*`: the service and its port, never the path, so that operations
/// can be grouped.
fn name(record: &RequestRecord, method: &str) -> String {
    let port = record.log.upstream_cluster.as_deref().and_then(|cluster| cluster.split('|').nth(1));
    match port.filter(|port| !port.is_empty()) {
        Some(port) => format!("{method} {}:{port}/*", record.edge.service.host),
        None => format!("{method} {}/*", record.edge.service.host),
    }
}

fn nanos(at: SystemTime) -> u64 {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
