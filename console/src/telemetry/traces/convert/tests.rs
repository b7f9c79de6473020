use opentelemetry_proto::tonic::{
    common::v1::ArrayValue,
    resource::v1::Resource,
    trace::v1::{ResourceSpans, ScopeSpans, Status},
};

use super::*;

const NOW: Duration = Duration::from_secs(1_700_000_000);

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.into(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

fn request(resource: &[(&str, &str)], spans: Vec<Span>) -> ExportTraceServiceRequest {
    let attributes = resource.iter().map(|(k, v)| attribute(k, Value::StringValue((*v).into()))).collect();
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: Some(Resource { attributes, ..Resource::default() }),
            scope_spans: vec![ScopeSpans { spans, ..ScopeSpans::default() }],
            ..ResourceSpans::default()
        }],
    }
}

fn span() -> Span {
    let start = u64::try_from(NOW.as_nanos()).unwrap();
    Span {
        trace_id: vec![1; 16],
        span_id: vec![2; 8],
        name: "GET /".into(),
        kind: SpanKind::Client as i32,
        start_time_unix_nano: start,
        end_time_unix_nano: start + 2_500_000,
        ..Span::default()
    }
}

#[test]
fn a_span_is_read() {
    let array = ArrayValue { values: vec![AnyValue { value: Some(Value::IntValue(1)) }, AnyValue { value: None }] };
    let one = Span {
        parent_span_id: vec![0; 8],
        status: Some(Status { code: StatusCode::Error as i32, ..Status::default() }),
        attributes: vec![
            attribute("http.status_code", Value::IntValue(503)),
            attribute("list", Value::ArrayValue(array)),
        ],
        ..span()
    };
    let converted = convert(request(&[("service.name", "checkout-bff.shop")], vec![one]), NOW);
    let read = &converted.spans[0];
    assert_eq!((read.trace_id.as_str(), read.span_id.as_str()), ("01".repeat(16).as_str(), "0202020202020202"));
    assert_eq!((read.parent_id.as_str(), read.workload.as_str(), read.kind), ("", "shop/checkout-bff", "client"));
    assert_eq!((read.duration_us, read.error), (2500, true));
    assert_eq!(read.attributes["http.status_code"], "503");
    assert_eq!(read.attributes["list"], "1, ");
}

#[test]
fn workloads_are_named_by_every_convention() {
    for (resource, expected) in [
        (
            &[("k8s.namespace.name", "shop"), ("k8s.workload.name", "order-v1"), ("service.name", "order")][..],
            "shop/order-v1",
        ),
        (
            &[("service.name", "order.shop"), ("service.instance.id", "order-v1.shop"), ("k8s.namespace.name", "shop")],
            "shop/order-v1",
        ),
        (&[("service.namespace", "shop"), ("service.name", "order")], "shop/order"),
        (&[("k8s.namespace.name", "shop"), ("service.name", "order.shop")], "shop/order"),
        (&[("service.name", "order.shop")], "shop/order"),
        (&[("service.name", "order")], "order"),
        (&[], "unknown"),
    ] {
        assert_eq!(convert(request(resource, vec![span()]), NOW).spans[0].workload, expected);
    }
}

#[test]
fn what_breaks_the_specification_is_rejected_and_the_rest_kept() {
    let day = 25 * 3600 * 1_000_000_000;
    let bad = [
        Span { trace_id: vec![1; 15], ..span() },
        Span { trace_id: vec![0; 16], ..span() },
        Span { span_id: vec![], ..span() },
        Span { start_time_unix_nano: span().start_time_unix_nano - day, ..span() },
        Span { start_time_unix_nano: span().start_time_unix_nano + day, ..span() },
        Span { start_time_unix_nano: u64::MAX, ..span() },
    ];
    let converted = convert(request(&[], bad.into_iter().chain([span()]).collect()), NOW);
    assert_eq!((converted.spans.len(), converted.rejected), (1, 6));
    assert!(converted.problem.is_some());
}

#[test]
fn sizes_are_bounded() {
    let mut deep = AnyValue { value: Some(Value::StringValue("x".into())) };
    for _ in 0..50 {
        deep = AnyValue { value: Some(Value::ArrayValue(ArrayValue { values: vec![deep] })) };
    }
    let mut attributes: Vec<_> = (0..500).map(|n| attribute(&format!("k{n}"), Value::BoolValue(true))).collect();
    attributes[0] = KeyValue { key: "deep".into(), value: Some(deep), ..KeyValue::default() };
    attributes[1] = attribute("long", Value::StringValue("ü".repeat(5000)));
    let converted =
        convert(request(&[], vec![Span { name: "n".repeat(5000), attributes, end_time_unix_nano: 0, ..span() }]), NOW);
    let read = &converted.spans[0];
    assert_eq!((read.attributes.len(), read.attributes["deep"].as_str()), (64, "…"));
    assert_eq!(read.attributes["long"].chars().count(), 1025);
    assert_eq!((read.name.chars().count(), read.duration_us), (257, 0));
}

#[test]
fn no_name_of_a_span_passes_for_another() {
    let resource = &[("k8s.namespace.name", "shop"), ("k8s.workload.name", "gnp.\u{202e}exe")][..];
    let read = convert(request(resource, vec![Span { name: "GET\u{200b} /".into(), ..span() }]), NOW).spans.remove(0);
    assert_eq!((read.workload.as_str(), read.name.as_str()), ("shop/gnp.\u{fffd}exe", "GET\u{fffd} /"));
}

/// Who may see a span is read off its namespace, so a bound on what is kept must not change whose it is.
#[test]
fn whose_a_span_is_is_told_before_anything_is_cut() {
    let workload_of =
        |resource: &[(&str, &str)]| convert(request(resource, vec![span()]), NOW).spans.remove(0).workload;
    // Behind more attributes than are kept.
    let filler: Vec<String> = (0..MAX_ATTRIBUTES).map(|n| format!("a{n}")).collect();
    let mut resource: Vec<(&str, &str)> = vec![("service.namespace", "shop"), ("service.name", "till")];
    resource.extend(filler.iter().map(|key| (key.as_str(), "x")));
    resource.push(("k8s.namespace.name", "bank"));
    assert_eq!(workload_of(&resource), "bank/till");
    // Behind a name that is longer than what is kept of a value.
    let service = format!("{}.bank", "n".repeat(2 * MAX_VALUE));
    let long = workload_of(&[("service.name", service.as_str())]);
    assert!(long.starts_with("bank/nnn") && long.ends_with('…'), "{long}");
    // A namespace that is too long is still one, and none that anybody sees.
    let namespace = format!("shop{}", "x".repeat(2 * MAX_VALUE));
    let odd = workload_of(&[("k8s.namespace.name", namespace.as_str()), ("service.name", "till")]);
    assert!(odd.starts_with("shopx") && odd.ends_with("…/till"), "{odd}");
    let name = "n".repeat(2 * MAX_VALUE);
    let long = workload_of(&[("k8s.namespace.name", "bank"), ("service.name", name.as_str())]);
    assert!(long.starts_with("bank/nnn") && long.chars().count() < 300, "{long}");
}
