//! A batch as Zipkin's JSON, by OpenTelemetry's rules for it
//! (<https://opentelemetry.io/docs/specs/otel/trace/sdk_exporters/zipkin/>).

use std::{
    fmt::Write,
    net::{IpAddr, SocketAddr},
    str::FromStr,
};

use opentelemetry_proto::tonic::{
    common::v1::{KeyValue, any_value::Value as Held},
    trace::v1::{Span, span::SpanKind},
};
use serde_json::{Map, Value, json};

use super::span::{ADDRESS, DOWNSTREAM, PEER, SERVICE, UPSTREAM};

pub fn encode(resource: &[KeyValue], spans: &[Span]) -> Vec<u8> {
    let spans: Value = spans.iter().map(|span| one(resource, span)).collect();
    spans.to_string().into_bytes()
}

fn one(resource: &[KeyValue], span: &Span) -> Value {
    let micros = span.end_time_unix_nano.saturating_sub(span.start_time_unix_nano) / 1000;
    let own = Side { service: found(resource, SERVICE), address: parsed(resource, ADDRESS), port: None };
    let mut told = json!({
        "traceId": hex(&span.trace_id),
        "id": hex(&span.span_id),
        "name": span.name,
        "timestamp": span.start_time_unix_nano / 1000,
        // Nothing is shorter: 0 would mean that the duration is not known.
        "duration": micros.max(1),
        "localEndpoint": own.json(),
        "tags": tags(resource, &span.attributes),
    });
    if !span.parent_span_id.is_empty() {
        told["parentId"] = hex(&span.parent_span_id).into();
    }
    let (kind, other) = match SpanKind::try_from(span.kind) {
        Ok(SpanKind::Client) => ("CLIENT", UPSTREAM),
        Ok(SpanKind::Server) => ("SERVER", DOWNSTREAM),
        _ => return told,
    };
    told["kind"] = kind.into();
    let other: Option<SocketAddr> = parsed(&span.attributes, other);
    let remote = Side {
        service: found(&span.attributes, PEER),
        address: other.map(|other| other.ip()),
        port: other.map(|other| other.port()),
    };
    if remote.service.is_some() || remote.address.is_some() {
        told["remoteEndpoint"] = remote.json();
    }
    told
}

/// One side of a call.
struct Side<'a> {
    service: Option<&'a str>,
    address: Option<IpAddr>,
    port: Option<u16>,
}

impl Side<'_> {
    fn json(&self) -> Value {
        let mut told = Map::new();
        if let Some(service) = self.service {
            told.insert("serviceName".into(), service.into());
        }
        if let Some(address) = self.address.map(|address| address.to_canonical()) {
            let family = if address.is_ipv4() { "ipv4" } else { "ipv6" };
            told.insert(family.into(), address.to_string().into());
        }
        if let Some(port) = self.port {
            told.insert("port".into(), port.into());
        }
        Value::Object(told)
    }
}

/// What the span says, then what its process says of itself, which Zipkin has no other place for. `error` is there only
/// where something failed, as Zipkin reads it.
fn tags(resource: &[KeyValue], attributes: &[KeyValue]) -> Map<String, Value> {
    let process = resource.iter().filter(|held| held.key != SERVICE);
    attributes.iter().chain(process).filter_map(|held| Some((held.key.clone(), Value::from(text(held)?)))).collect()
}

/// A tag's value: always text.
fn text(held: &KeyValue) -> Option<String> {
    Some(match held.value.as_ref()?.value.as_ref()? {
        Held::StringValue(text) => text.clone(),
        Held::IntValue(number) => number.to_string(),
        Held::BoolValue(flag) => flag.to_string(),
        // Spans of requests have no others.
        _ => return None,
    })
}

fn found<'a>(among: &'a [KeyValue], key: &str) -> Option<&'a str> {
    match among.iter().find(|held| held.key == key)?.value.as_ref()?.value.as_ref()? {
        Held::StringValue(text) => Some(text),
        _ => None,
    }
}

fn parsed<T: FromStr>(among: &[KeyValue], key: &str) -> Option<T> {
    found(among, key)?.parse().ok()
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests;
