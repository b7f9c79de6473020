//! A whole trace: OTLP, in protobuf as it is asked for, or in JSON where a proxy between or an older Tempo insists. Tempo's
//! JSON is not quite OTLP's: ids are base64 and not hexadecimal, kinds may be names, `batches` stands for `resourceSpans`.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use opentelemetry_proto::tonic::{
    common::v1::{AnyValue, ArrayValue, KeyValue, KeyValueList, any_value},
    resource::v1::Resource,
    trace::v1::{ResourceSpans, ScopeSpans, Span as OtlpSpan, Status, TracesData, span::SpanKind, status::StatusCode},
};
use prost::Message;
use serde_json::Value;
use weft_model::trace::Span;

use crate::telemetry::traces::{
    convert::{flatten, hex},
    source::span::{MAX_SPANS, Process, Told, span},
};

/// What version 2 of the API wraps a trace in (`TraceByIDResponse`).
#[derive(Clone, PartialEq, prost::Message)]
struct Wrapped {
    #[prost(message, optional, tag = "1")]
    trace: Option<TracesData>,
}

/// Reads an answer; what is wrong with it, in words.
pub(super) fn spans(media: &str, bytes: &[u8], wrapped: bool) -> Result<Vec<Span>, String> {
    let resource_spans = match media {
        "text/html" => return Err("it answered with a page for people".to_owned()),
        "application/json" => {
            let read: Value = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
            from_json(read.get("trace").unwrap_or(&read))?
        }
        _ if wrapped => {
            let read = Wrapped::decode(bytes).map_err(|error| error.to_string())?;
            read.trace.unwrap_or_default().resource_spans
        }
        _ => TracesData::decode(bytes).map_err(|error| error.to_string())?.resource_spans,
    };
    Ok(told(resource_spans))
}

fn told(resource_spans: Vec<ResourceSpans>) -> Vec<Span> {
    let mut spans = Vec::new();
    for group in resource_spans {
        let process = Process::of(group.resource.map(|resource| resource.attributes).unwrap_or_default());
        for otlp in group.scope_spans.into_iter().flat_map(|scope| scope.spans) {
            if spans.len() == MAX_SPANS {
                return spans;
            }
            let mut attributes = flatten(otlp.attributes);
            if let Some(status) = otlp.status.filter(|status| status.code == StatusCode::Error as i32) {
                attributes.insert("otel.status_code".to_owned(), "ERROR".to_owned());
                if !status.message.is_empty() {
                    attributes.entry("otel.status_description".to_owned()).or_insert(status.message);
                }
            }
            let kind = match SpanKind::try_from(otlp.kind) {
                Ok(SpanKind::Client | SpanKind::Producer) => "client",
                Ok(SpanKind::Server | SpanKind::Consumer) => "server",
                _ => "internal",
            };
            let parent = otlp.parent_span_id.iter().any(|byte| *byte != 0);
            spans.push(span(Told {
                span_id: hex(&otlp.span_id),
                parent_id: if parent { hex(&otlp.parent_span_id) } else { String::new() },
                name: otlp.name,
                kind: kind.to_owned(),
                start_us: otlp.start_time_unix_nano / 1000,
                duration_us: otlp.end_time_unix_nano.saturating_sub(otlp.start_time_unix_nano) / 1000,
                process: process.clone(),
                attributes,
            }));
        }
    }
    spans
}

fn from_json(trace: &Value) -> Result<Vec<ResourceSpans>, String> {
    let groups = trace.get("resourceSpans").or_else(|| trace.get("batches"));
    // A trace without any is written as an empty object.
    if groups.is_none() && trace.as_object().is_none_or(|fields| !fields.is_empty()) {
        return Err("it has no resourceSpans".to_owned());
    }
    let group = |group: &Value| ResourceSpans {
        resource: Some(Resource {
            attributes: attributes(group.get("resource").unwrap_or(&Value::Null)),
            ..Resource::default()
        }),
        scope_spans: list(group, &["scopeSpans", "instrumentationLibrarySpans"])
            .map(|scope| ScopeSpans { spans: list(scope, &["spans"]).map(one).collect(), ..ScopeSpans::default() })
            .collect(),
        ..ResourceSpans::default()
    };
    Ok(groups.and_then(Value::as_array).into_iter().flatten().map(group).collect())
}

fn one(span: &Value) -> OtlpSpan {
    let field = |name: &str| span.get(name).unwrap_or(&Value::Null);
    let status = field("status");
    let code = status.get("code").unwrap_or(&Value::Null);
    OtlpSpan {
        span_id: id(field("spanId")),
        parent_span_id: id(field("parentSpanId")),
        name: field("name").as_str().unwrap_or_default().to_owned(),
        kind: named(field("kind"), |name| SpanKind::from_str_name(name).map(i32::from)),
        start_time_unix_nano: number(field("startTimeUnixNano")),
        end_time_unix_nano: number(field("endTimeUnixNano")),
        attributes: attributes(span),
        status: Some(Status {
            code: named(code, |name| StatusCode::from_str_name(name).map(i32::from)),
            message: status.get("message").and_then(Value::as_str).unwrap_or_default().to_owned(),
        }),
        ..OtlpSpan::default()
    }
}

fn list<'a>(value: &'a Value, names: &[&str]) -> impl Iterator<Item = &'a Value> + use<'a> {
    names.iter().find_map(|name| value.get(name)).and_then(Value::as_array).into_iter().flatten()
}

fn attributes(of: &Value) -> Vec<KeyValue> {
    list(of, &["attributes"]).filter_map(attribute).collect()
}

/// An attribute with its value, as both a trace and a search write it.
pub(super) fn attribute(pair: &Value) -> Option<KeyValue> {
    let key = pair.get("key")?.as_str()?.to_owned();
    Some(KeyValue { key, value: pair.get("value").map(any), ..KeyValue::default() })
}

/// Nesting is as deep as JSON is read at most.
fn any(value: &Value) -> AnyValue {
    let read = value.as_object().and_then(|fields| fields.iter().next()).and_then(|(kind, value)| {
        Some(match kind.as_str() {
            "stringValue" => any_value::Value::StringValue(value.as_str()?.to_owned()),
            "boolValue" => any_value::Value::BoolValue(value.as_bool()?),
            "intValue" => any_value::Value::IntValue(value.as_i64().or_else(|| value.as_str()?.parse().ok())?),
            "doubleValue" => any_value::Value::DoubleValue(value.as_f64().or_else(|| value.as_str()?.parse().ok())?),
            "bytesValue" => any_value::Value::BytesValue(STANDARD.decode(value.as_str()?).ok()?),
            "arrayValue" => {
                any_value::Value::ArrayValue(ArrayValue { values: list(value, &["values"]).map(any).collect() })
            }
            "kvlistValue" => any_value::Value::KvlistValue(KeyValueList {
                values: list(value, &["values"]).filter_map(attribute).collect(),
            }),
            _ => return None,
        })
    });
    AnyValue { value: read }
}

/// A number, which may stand in quotes; 0 for what is none.
pub(super) fn number(value: &Value) -> u64 {
    value.as_u64().or_else(|| value.as_str()?.parse().ok()).unwrap_or_default()
}

fn named(value: &Value, read: impl Fn(&str) -> Option<i32>) -> i32 {
    let number = value.as_i64().and_then(|number| i32::try_from(number).ok());
    number.or_else(|| read(value.as_str()?)).unwrap_or_default()
}

/// A span's id of 8 bytes: 16 hexadecimal digits, or base64.
fn id(value: &Value) -> Vec<u8> {
    let text = value.as_str().unwrap_or_default();
    let byte = |at: usize| text.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
    let read = if text.len() == 16 { (0..8).map(|n| byte(2 * n)).collect() } else { STANDARD.decode(text).ok() };
    read.filter(|bytes: &Vec<u8>| bytes.len() == 8).unwrap_or_default()
}
