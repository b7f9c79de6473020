//! What a span says.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use opentelemetry_proto::tonic::{
    common::v1::{AnyValue, KeyValue, any_value::Value},
    trace::v1::{Span, Status, span::SpanKind, status::StatusCode},
};

use crate::{
    state::NodeInfo,
    telemetry::{Facts, Reporter, RequestRecord, SpanId, TraceContext},
};

fn text(key: &str, value: impl Into<String>) -> KeyValue {
    value_of(key, Value::StringValue(value.into()))
}

fn number(key: &str, value: impl TryInto<i64>) -> KeyValue {
    value_of(key, Value::IntValue(value.try_into().unwrap_or(i64::MAX)))
}

fn value_of(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.into(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

/// Who reports: `service.name` is `<canonical service>.<namespace>`, as Istio writes it.
pub fn resource(node: &NodeInfo, own: &Facts) -> Vec<KeyValue> {
    vec![
        text("service.name", format!("{}.{}", own.canonical_service, own.namespace)),
        text("service.version", &*own.version),
        text("service.instance.id", format!("{}.{}", node.workload, node.namespace)),
        text("k8s.namespace.name", &*own.namespace),
        text("k8s.pod.name", &*node.workload),
        text("weft.workload", &*own.workload),
        text("host.ip", node.address.to_string()),
    ]
}

/// The span of one request: a client span on the outbound side, a server span on the inbound side.
pub fn span_of(record: &RequestRecord, context: TraceContext, id: SpanId, node: &NodeInfo) -> Span {
    let (edge, log) = (&record.edge, &record.log);
    let header = |value: &Option<http::HeaderValue>| {
        value.as_ref().map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    let authority = header(&log.authority).unwrap_or_default();
    let path = log.path.as_ref().map_or("/", |path| path.as_str());
    let mut attributes = vec![
        text("component", "proxy"),
        text("node_id", node.id()),
        text("http.method", record.method.as_str()),
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
    attributes.extend(log.upstream_host.map(|value| text("upstream_address", value.to_string())));
    attributes.extend(log.downstream_remote_address.map(|value| text("peer.address", value.to_string())));
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
        name: name(record),
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
fn name(record: &RequestRecord) -> String {
    let port = record.log.upstream_cluster.as_deref().and_then(|cluster| cluster.split('|').nth(1));
    match port.filter(|port| !port.is_empty()) {
        Some(port) => format!("{} {}:{port}/*", record.method, record.edge.service.host),
        None => format!("{} {}/*", record.method, record.edge.service.host),
    }
}

fn nanos(at: SystemTime) -> u64 {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
