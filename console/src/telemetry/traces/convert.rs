use std::{collections::BTreeMap, fmt::Write as _, time::Duration};

use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{AnyValue, KeyValue, any_value::Value},
    trace::v1::{Span, span::SpanKind, status::StatusCode},
};

use super::MAX_AGE;
use crate::{db::SpanRecord, graph::clean};

/// Attributes kept of one span.
pub(super) const MAX_ATTRIBUTES: usize = 64;
/// Characters kept of one attribute.
pub(super) const MAX_VALUE: usize = 1024;
/// Characters kept of a name.
const MAX_NAME: usize = 256;
/// Characters kept of a namespace; Kubernetes allows 63.
const MAX_NAMESPACE: usize = 100;
/// Characters kept of a workload's name; Kubernetes allows 253.
const MAX_WORKLOAD: usize = 256;
/// How far a sender's clock may be ahead.
const CLOCK_SKEW: Duration = Duration::from_secs(3600);

/// What an export request came to.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Converted {
    /// Spans to keep.
    pub spans: Vec<SpanRecord>,
    /// Spans that break the specification or are too old to keep.
    pub rejected: usize,
    /// Why the first of them was rejected.
    pub problem: Option<&'static str>,
}

/// Reads an OTLP export request
/// (<https://opentelemetry.io/docs/specs/otlp/>). `now` is the time since the epoch.
pub fn convert(request: ExportTraceServiceRequest, now: Duration) -> Converted {
    let mut converted = Converted::default();
    for resource_spans in request.resource_spans {
        let resource = resource_spans.resource.map(|r| r.attributes).unwrap_or_default();
        let workload = placed(&workload(&naming(&resource)));
        for span in resource_spans.scope_spans.into_iter().flat_map(|scope| scope.spans) {
            match read(span, &workload, now) {
                Ok(span) => converted.spans.push(span),
                Err(problem) => {
                    converted.rejected += 1;
                    converted.problem.get_or_insert(problem);
                }
            }
        }
    }
    converted
}

fn read(span: Span, workload: &str, now: Duration) -> Result<SpanRecord, &'static str> {
    let trace_id = id(&span.trace_id, 16).ok_or("a trace id is not 16 bytes, or all zero")?;
    let span_id = id(&span.span_id, 8).ok_or("a span id is not 8 bytes, or all zero")?;
    let parent_id = match span.parent_span_id.as_slice() {
        [] => String::new(),
        // Some senders write "no parent" as zeros.
        bytes => id(bytes, 8).unwrap_or_default(),
    };
    let start = Duration::from_nanos(span.start_time_unix_nano);
    if start + MAX_AGE < now || start > now + CLOCK_SKEW {
        return Err("a span's start is too old, or in the future: look at the sender's clock");
    }
    let micros = |nanos: u64| nanos / 1000;
    let attributes = flatten(span.attributes);
    let failed = span.status.is_some_and(|status| status.code == StatusCode::Error as i32);
    Ok(SpanRecord {
        trace_id,
        span_id,
        parent_id,
        name: named(&span.name),
        workload: workload.to_owned(),
        kind: match SpanKind::try_from(span.kind) {
            Ok(SpanKind::Client | SpanKind::Producer) => "client",
            Ok(SpanKind::Server | SpanKind::Consumer) => "server",
            _ => "internal",
        },
        start_us: micros(span.start_time_unix_nano),
        duration_us: micros(span.end_time_unix_nano.saturating_sub(span.start_time_unix_nano)),
        error: failed || attributes.get("error").is_some_and(|error| error == "true"),
        attributes,
    })
}

/// What [`workload`] reads, by their names.
const NAMING: [&str; 7] = [
    "k8s.namespace.name",
    "service.namespace",
    "weft.workload",
    "k8s.workload.name",
    "k8s.deployment.name",
    "service.instance.id",
    "service.name",
];

/// What attributes of a process say about whose it is: all of it, wherever among them it stands. Who may see a span
/// depends on it, so nothing of it is cut before it is understood.
pub(super) fn naming(resource: &[KeyValue]) -> BTreeMap<String, String> {
    let told = resource.iter().filter(|kv| NAMING.contains(&kv.key.as_str()));
    told.map(|kv| (kv.key.clone(), text(kv.value.as_ref(), 0))).collect()
}

/// `namespace/name` by the conventions that proxies and applications use: Kubernetes' attributes, the instance id that
/// our proxies send (`workload.namespace`), the service's own attributes, Istio's `name.namespace`.
pub(super) fn workload(resource: &BTreeMap<String, String>) -> String {
    let get = |key: &str| resource.get(key).map(String::as_str).filter(|value| !value.is_empty());
    let namespace = get("k8s.namespace.name").or_else(|| get("service.namespace"));
    let suffix = namespace.map(|namespace| format!(".{namespace}")).unwrap_or_default();
    let instance = || get("service.instance.id").filter(|_| !suffix.is_empty())?.strip_suffix(&suffix);
    let name = get("weft.workload")
        .or_else(|| get("k8s.workload.name"))
        .or_else(|| get("k8s.deployment.name"))
        .or_else(instance);
    match (namespace, name, get("service.name")) {
        (Some(namespace), Some(name), _) | (Some(namespace), None, Some(name)) => {
            format!("{namespace}/{}", name.strip_suffix(&suffix).unwrap_or(name))
        }
        (None, _, Some(service)) => match service.split_once('.') {
            Some((name, namespace)) => format!("{namespace}/{name}"),
            None => service.to_owned(),
        },
        _ => "unknown".to_owned(),
    }
}

pub(super) fn flatten(attributes: Vec<KeyValue>) -> BTreeMap<String, String> {
    let texts = attributes.into_iter().take(MAX_ATTRIBUTES);
    texts.map(|kv| (named(&kv.key), shortened(&text(kv.value.as_ref(), 0), MAX_VALUE))).collect()
}

fn text(value: Option<&AnyValue>, depth: usize) -> String {
    // A value may nest; three levels are more than any convention uses.
    if depth > 3 {
        return "…".to_owned();
    }
    let list = |values: Vec<String>| values.join(", ");
    match value.and_then(|value| value.value.as_ref()) {
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::BoolValue(value)) => value.to_string(),
        Some(Value::IntValue(value)) => value.to_string(),
        Some(Value::DoubleValue(value)) => value.to_string(),
        Some(Value::BytesValue(bytes)) => hex(bytes.get(..MAX_VALUE / 2).unwrap_or(bytes)),
        Some(Value::ArrayValue(array)) => {
            list(array.values.iter().take(MAX_ATTRIBUTES).map(|v| text(Some(v), depth + 1)).collect())
        }
        Some(Value::KvlistValue(map)) => {
            let pairs = map.values.iter().take(MAX_ATTRIBUTES);
            list(pairs.map(|kv| format!("{}={}", kv.key, text(kv.value.as_ref(), depth + 1))).collect())
        }
        _ => String::new(),
    }
}

fn id(bytes: &[u8], length: usize) -> Option<String> {
    (bytes.len() == length && bytes.iter().any(|byte| *byte != 0)).then(|| hex(bytes))
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A name as it is shown: anyone may send spans, and one name must not pass for another.
pub(super) fn named(name: &str) -> String {
    shortened(&clean(name), MAX_NAME)
}

/// A workload as it is kept and shown. Its two parts are cut each by itself, so that a long name does not take the end off
/// its namespace, nor a long namespace what tells it from a name.
pub(super) fn placed(workload: &str) -> String {
    let cut = |part: &str, max| shortened(&clean(part), max);
    match workload.split_once('/') {
        Some((namespace, name)) => format!("{}/{}", cut(namespace, MAX_NAMESPACE), cut(name, MAX_WORKLOAD)),
        None => cut(workload, MAX_WORKLOAD),
    }
}

pub(super) fn shortened(text: &str, max: usize) -> String {
    match text.char_indices().nth(max) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests;
