//! What spans of other stores have in common.

use std::collections::BTreeMap;

use serde_json::Value;
use weft_model::trace::Span;

use crate::telemetry::traces::convert::{self, MAX_ATTRIBUTES, MAX_VALUE, named, shortened};

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
    /// What the process says of itself. It alone says whose span this is: any library may write attributes of a span, and
    /// who may see a span depends on the workload that it is of.
    pub resource: BTreeMap<String, String>,
    /// The span's own.
    pub attributes: BTreeMap<String, String>,
}

/// The span, with bounds on all that it holds. Where the process and the span name one attribute, the process is shown.
pub(super) fn span(told: Told) -> Span {
    let Told { span_id, parent_id, name, kind, start_us, duration_us, resource, mut attributes } = told;
    let workload = convert::placed(&convert::workload(&resource));
    let error = attributes.get("error").is_some_and(|error| error != "false")
        || attributes.get("otel.status_code").is_some_and(|code| code == "ERROR");
    let kind = match kind.to_ascii_lowercase().as_str() {
        "client" | "producer" => "client",
        "server" | "consumer" => "server",
        _ => "internal",
    };
    attributes.extend(resource);
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
                resource: map(resource),
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
