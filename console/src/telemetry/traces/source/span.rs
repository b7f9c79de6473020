//! What spans of other stores have in common.

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::common::v1::KeyValue;
use serde_json::Value;
use weft_model::trace::Span;

use crate::telemetry::traces::convert::{self, MAX_ATTRIBUTES, MAX_VALUE, flatten, named, naming, shortened};

/// Spans read of one trace.
pub(super) const MAX_SPANS: usize = 5000;
/// Which service a span is of, among its attributes.
pub(super) const SERVICE: &str = "service.name";

/// What a store says of a span.
pub(super) struct Told {
    pub span_id: String,
    pub parent_id: String,
    pub name: String,
    pub kind: String,
    pub start_us: u64,
    pub duration_us: u64,
    /// The process that it is of.
    pub process: Process,
    /// The span's own.
    pub attributes: BTreeMap<String, String>,
}

/// What a process says of itself. It alone says whose its spans are: any library may write attributes of a span, and who
/// may see a span depends on the workload that it is of.
#[derive(Clone, Default)]
pub(super) struct Process {
    workload: String,
    shown: BTreeMap<String, String>,
}

impl Process {
    /// By what a store says of it.
    pub(super) fn new(resource: BTreeMap<String, String>) -> Self {
        Self { workload: convert::placed(&convert::workload(&resource)), shown: resource }
    }

    /// By its attributes: whose it is by the whole of them, and shown as much as is shown of a span's.
    pub(super) fn of(resource: Vec<KeyValue>) -> Self {
        let whose = naming(&resource);
        let workload = convert::placed(&convert::workload(&whose));
        let mut shown = flatten(resource);
        shown.extend(whose.into_iter().map(|(key, value)| (key, shortened(&value, MAX_VALUE))));
        Self { workload, shown }
    }
}

/// The span, with bounds on all that it holds. Where the process and the span name one attribute, the process is shown.
pub(super) fn span(told: Told) -> Span {
    let Told { span_id, parent_id, name, kind, start_us, duration_us, process, mut attributes } = told;
    let Process { workload, shown } = process;
    let error = attributes.get("error").is_some_and(|error| error != "false")
        || attributes.get("otel.status_code").is_some_and(|code| code == "ERROR");
    let kind = match kind.to_ascii_lowercase().as_str() {
        "client" | "producer" => "client",
        "server" | "consumer" => "server",
        _ => "internal",
    };
    attributes.extend(shown);
    let attributes = attributes.into_iter().take(MAX_ATTRIBUTES);
    Span {
        span_id: padded(&span_id, 16),
        parent_id: if parent_id.is_empty() { parent_id } else { padded(&parent_id, 16) },
        name: named(&name),
        workload,
        kind: kind.to_owned(),
        start_us,
        duration_us,
        error,
        attributes: attributes.map(|(key, value)| (named(&key), shortened(&value, MAX_VALUE))).collect(),
        ..Span::default()
    }
}

/// An id with all of its digits: some stores leave out zeros at its left.
pub(super) fn padded(id: &str, digits: usize) -> String {
    let id: String = id.chars().filter(char::is_ascii_hexdigit).take(32).collect();
    format!("{:0>digits$}", id.to_ascii_lowercase())
}

/// A value of any type as it is read.
pub(super) fn text(value: Value) -> String {
    match value {
        Value::String(text) => text,
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// `order-service.shop`, as proxies name their service, as `shop/order-service`.
pub(super) fn workload_of(service: &str) -> String {
    match service.split_once('.') {
        Some((name, namespace)) => format!("{namespace}/{name}"),
        None => service.to_owned(),
    }
}

/// The service among `services` that a workload belongs to: of `shop/order-service-v1` that is `order-service.shop`.
pub(super) fn service_of(workload: &str, services: &[String]) -> Option<String> {
    let own = |service: &&String| {
        let known = workload_of(service);
        workload == known || workload.strip_prefix(&known).is_some_and(|rest| rest.starts_with('-'))
    };
    services.iter().filter(own).max_by_key(|service| service.len()).cloned()
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::common::v1::{AnyValue, any_value};

    use super::*;

    #[test]
    fn a_span_does_not_say_whose_it_is() {
        let map = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect::<BTreeMap<_, _>>()
        };
        let told = |resource: &[(&str, &str)]| {
            span(Told {
                span_id: "1".into(),
                parent_id: String::new(),
                name: "GET /".into(),
                kind: "SERVER".into(),
                start_us: 1,
                duration_us: 1,
                process: Process::new(map(resource)),
                attributes: map(&[
                    (SERVICE, "till.bank"),
                    ("k8s.namespace.name", "bank"),
                    ("k8s.deployment.name", "till"),
                    ("weft.workload", "till"),
                    ("http.route", "/"),
                ]),
            })
        };
        let read = told(&[(SERVICE, "web.shop")]);
        assert_eq!(read.workload, "shop/web");
        assert!(read.attributes.contains(&(SERVICE.into(), "web.shop".into())), "{:?}", read.attributes);
        assert!(read.attributes.contains(&("http.route".into(), "/".into())), "{:?}", read.attributes);
        assert_eq!(told(&[]).workload, "unknown", "and where the process says nothing, nobody does");
    }

    /// Spans of one process are thousands, and it may say megabytes of itself.
    #[test]
    fn whose_a_process_is_is_told_by_the_whole_and_no_more_is_carried_than_is_shown() {
        let text = |key: &str, value: String| KeyValue {
            key: key.to_owned(),
            value: Some(AnyValue { value: Some(any_value::Value::StringValue(value)) }),
            ..KeyValue::default()
        };
        let mut said: Vec<_> = (0..MAX_ATTRIBUTES).map(|n| text(&format!("a{n}"), "x".repeat(10_000))).collect();
        said.push(text(SERVICE, format!("{}.bank", "n".repeat(100_000))));
        let process = Process::of(said);
        assert!(process.workload.starts_with("bank/nnn"), "{}", process.workload);
        assert!(process.shown.contains_key(SERVICE));
        assert!(process.shown.values().all(|value| value.chars().count() <= MAX_VALUE + 1));
    }

    #[test]
    fn ids_have_all_of_their_digits() {
        assert_eq!(padded("A1", 16), "00000000000000a1");
        assert_eq!(padded("<script>&", 4), "000c", "the rest are no digits");
        assert_eq!(padded("", 4), "0000");
    }

    #[test]
    fn a_workload_belongs_to_the_service_that_names_it_best() {
        let services = ["order.shop", "order-service.shop", "web", "order-service.bank"].map(str::to_owned);
        let service = |workload| service_of(workload, &services);
        assert_eq!(service("shop/order-service-v1").as_deref(), Some("order-service.shop"));
        assert_eq!(service("shop/order-service").as_deref(), Some("order-service.shop"));
        assert_eq!(service("shop/order-v2").as_deref(), Some("order.shop"));
        assert_eq!(service("web").as_deref(), Some("web"));
        assert_eq!(service("shop/orders"), None);
    }
}
