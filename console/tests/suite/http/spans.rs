//! Spans that come in, and traces that go out.

use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{AnyValue, KeyValue, any_value::Value as OtlpValue},
    resource::v1::Resource,
    trace::v1::{ResourceSpans, ScopeSpans, Span},
};
use prost::Message;

use super::*;

/// A trace of so many spans, each below the one before.
pub fn spans(count: u8) -> ExportTraceServiceRequest {
    let now = std::time::SystemTime::now().duration_since(std::time::SystemTime::UNIX_EPOCH).unwrap();
    let start = u64::try_from(now.as_nanos()).unwrap();
    let span = |n: u8| Span {
        trace_id: vec![7; 16],
        span_id: vec![n; 8],
        parent_span_id: if n == 1 { Vec::new() } else { vec![n - 1; 8] },
        name: format!("hop {n}"),
        kind: 3,
        start_time_unix_nano: start + u64::from(n) * 1000,
        end_time_unix_nano: start + 50_000_000,
        ..Span::default()
    };
    let name = AnyValue { value: Some(OtlpValue::StringValue("checkout-bff.shop".into())) };
    let attributes = vec![KeyValue { key: "service.name".into(), value: Some(name), ..KeyValue::default() }];
    let scope_spans = vec![ScopeSpans { spans: (1..=count).map(span).collect(), ..ScopeSpans::default() }];
    let resource = Some(Resource { attributes, ..Resource::default() });
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans { resource, scope_spans, ..ResourceSpans::default() }],
    }
}

#[tokio::test]
async fn spans_come_in_and_a_waterfall_goes_out() {
    let console = Running::start(&["--trace-link=Jaeger=https://jaeger.example.org/trace/{trace}"]).await;
    let export = |body: Vec<u8>, media: &str| {
        console.request(Method::POST, "/v1/traces").header(header::CONTENT_TYPE, media).body(body).send()
    };
    let sent = export(spans(4).encode_to_vec(), "application/x-protobuf").await.unwrap();
    assert_eq!(
        (sent.status().as_u16(), &sent.headers()[header::CONTENT_TYPE]),
        (200, &"application/x-protobuf".parse().unwrap())
    );
    let row = until("the trace is listed", async || {
        console.json("/api/v1/traces?workload=shop/checkout-bff&minMs=10").await["traces"].get(0).cloned()
    })
    .await;
    assert_eq!((&row["spans"], &row["root"]), (&json!(4), &json!("hop 1")));
    let trace = console.json(&format!("/api/v1/traces/{}", "07".repeat(16))).await;
    let depths: Vec<_> = trace["spans"].as_array().unwrap().iter().map(|span| span["depth"].clone()).collect();
    assert_eq!(depths, [0, 1, 2, 3]);
    let url = format!("https://jaeger.example.org/trace/{}", "07".repeat(16));
    assert_eq!(trace["links"], json!([{ "name": "Jaeger", "url": url }]));
    assert_eq!(console.json("/api/v1/traces?errors=true").await["traces"], json!([]));
    assert_eq!(problem(console.get(&format!("/api/v1/traces/{}", "08".repeat(16))).await).await.0, 404);

    assert_eq!(export(b"{}".to_vec(), "application/json").await.unwrap().status(), 415);
    assert_eq!(export(vec![0xff; 100], "application/x-protobuf").await.unwrap().status(), 400);
    assert_eq!(export(vec![0; 5 * 1024 * 1024], "application/x-protobuf").await.unwrap().status(), 413);
    console.stop().await;
}
