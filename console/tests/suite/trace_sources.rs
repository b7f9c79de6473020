//! Traces read from real stores: the same search, answered by Jaeger and by Zipkin.

use std::{
    net::TcpListener,
    time::{SystemTime, UNIX_EPOCH},
};

use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{AnyValue, KeyValue, any_value::Value as OtlpValue},
    resource::v1::Resource,
    trace::v1::{ResourceSpans, ScopeSpans, Span, Status, span::SpanKind, status::StatusCode},
};
use prost::Message;
use serde_json::json;
use weft_console::{
    db::TraceFilter,
    telemetry::traces::{Backend, SourceError, SourceKind, TraceArgs, TraceSource, arrange},
};

use crate::parts::{Jaeger, Zipkin, until};

/// Calls that are sent: `web` calls `cart`, the second time it fails, the third time slowly.
const CALLS: [(u8, u64, bool); 3] = [(1, 20, false), (2, 30, true), (3, 900, false)];

const NONE: [u8; 0] = [];

pub fn now_us() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros()).unwrap()
}

pub fn source(kind: SourceKind, url: &str) -> TraceSource {
    TraceSource::Backend(Backend::new(&args(kind, url)).unwrap().unwrap())
}

pub fn args(kind: SourceKind, url: &str) -> TraceArgs {
    TraceArgs { trace_source: kind, trace_url: Some(url.to_owned()), ..TraceArgs::default() }
}

pub fn everything() -> TraceFilter {
    TraceFilter { limit: 50, ..TraceFilter::default() }
}

fn attribute(key: &str, value: &str) -> KeyValue {
    let value = Some(AnyValue { value: Some(OtlpValue::StringValue(value.into())) });
    KeyValue { key: key.into(), value, ..KeyValue::default() }
}

/// The calls as our proxies export them; they began at `start_us`, a second apart.
pub fn otlp(start_us: u64) -> Vec<u8> {
    let mut resource_spans = Vec::new();
    for (call, ms, failed) in CALLS {
        let start = (start_us + u64::from(call) * 1_000_000) * 1000;
        for (id, service, workload, kind) in
            [(1, "web.shop", "web-v1", SpanKind::Client), (2, "cart.shop", "cart-v1", SpanKind::Server)]
        {
            let inset = if id == 1 { 0 } else { 2_000_000 };
            let code = if failed { StatusCode::Error } else { StatusCode::Unset };
            let mut attributes = vec![
                attribute("component", "proxy"),
                attribute("http.status_code", if failed { "503" } else { "200" }),
                attribute("source.namespace", "shop"),
                attribute("source.workload", "web-v1"),
                attribute("destination.namespace", "shop"),
                attribute("destination.workload", "cart-v1"),
                attribute("upstream_address", "127.0.0.1:80"),
            ];
            if workload == "cart-v1" {
                attributes.push(attribute("call", &call.to_string()));
            }
            let span = Span {
                trace_id: vec![call; 16],
                span_id: vec![id; 8],
                parent_span_id: if id == 1 { Vec::new() } else { vec![1; 8] },
                name: format!("GET {service}/*"),
                kind: kind.into(),
                start_time_unix_nano: start + inset,
                end_time_unix_nano: start + ms * 1_000_000 - inset,
                attributes,
                status: Some(Status { code: code.into(), message: String::new() }),
                ..Span::default()
            };
            let resource = [("service.name", service), ("weft.workload", workload), ("k8s.namespace.name", "shop")];
            resource_spans.push(ResourceSpans {
                resource: Some(Resource {
                    attributes: resource.iter().map(|(key, value)| attribute(key, value)).collect(),
                    ..Resource::default()
                }),
                scope_spans: vec![ScopeSpans { spans: vec![span], ..ScopeSpans::default() }],
                ..ResourceSpans::default()
            });
        }
    }
    ExportTraceServiceRequest { resource_spans }.encode_to_vec()
}

/// The same as a collector hands them on to Zipkin.
fn zipkin(start_us: u64) -> serde_json::Value {
    let mut spans = Vec::new();
    for (call, ms, failed) in CALLS {
        let start = start_us + u64::from(call) * 1_000_000;
        for (id, service, workload, kind) in
            [("01", "web.shop", "web-v1", "CLIENT"), ("02", "cart.shop", "cart-v1", "SERVER")]
        {
            let inset = if id == "01" { 0 } else { 2000 };
            let mut tags = json!({
                "weft.workload": workload, "k8s.namespace.name": "shop", "component": "proxy",
                "http.status_code": if failed { "503" } else { "200" },
                "source.namespace": "shop", "source.workload": "web-v1",
                "destination.namespace": "shop", "destination.workload": "cart-v1", "upstream_address": "127.0.0.1:80",
            });
            if workload == "cart-v1" {
                tags["call"] = json!(call.to_string());
            }
            if failed {
                tags["error"] = json!("true");
            }
            let mut span = json!({
                "traceId": format!("{call:02x}").repeat(16), "id": id.repeat(8), "name": format!("get {service}/*"),
                "kind": kind, "timestamp": start + inset, "duration": ms * 1000 - 2 * inset,
                "localEndpoint": { "serviceName": service }, "tags": tags,
            });
            if id == "02" {
                span["parentId"] = json!("01".repeat(8));
            }
            spans.push(span);
        }
    }
    json!(spans)
}

/// What every store has to answer.
async fn searched(source: &TraceSource, start_us: u64) {
    let found = until("all traces are there", async || {
        let found = source.list(&everything()).await.ok()?;
        (found.traces.len() == 3 && found.traces.iter().all(|row| row.spans == 2)).then_some(found)
    })
    .await;
    let starts: Vec<_> = found.traces.iter().map(|row| row.start_us - start_us).collect();
    assert_eq!(starts, [3_000_000, 2_000_000, 1_000_000], "newest first");
    let newest = &found.traces[0];
    assert_eq!((newest.trace_id.clone(), newest.workload.as_str()), ("03".repeat(16), "shop/web-v1"));
    assert_eq!(
        (newest.duration_us, newest.error, newest.root.to_lowercase().as_str()),
        (900_000, false, "get web.shop/*")
    );
    assert_eq!(source.workloads().await.unwrap(), ["shop/cart", "shop/web"]);
    let operations = source.operations("shop/cart-v1").await.unwrap();
    assert_eq!(operations.iter().map(|name| name.to_lowercase()).collect::<Vec<_>>(), ["get cart.shop/*"]);

    let calls = async |filter: TraceFilter| {
        let found = source.list(&filter).await.unwrap().traces;
        found.iter().map(|row| row.trace_id[1..2].parse::<u8>().unwrap()).collect::<Vec<_>>()
    };
    let tag = |key: &str, value: &str| vec![(key.to_owned(), value.to_owned())];
    let workload = |name: &str| Some(name.to_owned());
    assert_eq!(calls(TraceFilter { errors: true, ..everything() }).await, [2]);
    assert_eq!(calls(TraceFilter { min_us: Some(25_000), ..everything() }).await, [3, 2]);
    assert_eq!(calls(TraceFilter { max_us: Some(25_000), ..everything() }).await, [1]);
    assert_eq!(calls(TraceFilter { tags: tag("call", "3"), ..everything() }).await, [3]);
    assert_eq!(calls(TraceFilter { tags: tag("http.status_code", "503"), ..everything() }).await, [2]);
    assert_eq!(calls(TraceFilter { workload: workload("shop/cart-v1"), ..everything() }).await, [3, 2, 1]);
    assert_eq!(calls(TraceFilter { workload: workload("shop/cart"), ..everything() }).await, [3, 2, 1]);
    assert_eq!(calls(TraceFilter { workload: workload("shop/nobody"), ..everything() }).await, NONE);
    let of_web = TraceFilter { workload: workload("shop/web-v1"), tags: tag("call", "3"), ..everything() };
    assert_eq!(calls(of_web).await, NONE, "of one and the same span");
    let operation = Some(operations[0].clone());
    assert_eq!(calls(TraceFilter { workload: workload("shop/cart"), operation, ..everything() }).await, [3, 2, 1]);
    let window = TraceFilter { from_us: Some(start_us + 1_500_000), to_us: Some(start_us + 2_500_000), ..everything() };
    assert_eq!(calls(window).await, [2]);
    let hidden = TraceFilter { namespaces: Some(vec!["bank".into()]), ..everything() };
    assert_eq!(calls(hidden).await, NONE, "nothing of namespaces that are not seen");
    let hostile = tag("call", r#""}] <script> and x=y"#);
    assert_eq!(calls(TraceFilter { tags: hostile, ..everything() }).await, NONE);

    let mut filter = TraceFilter { limit: 1, ..everything() };
    let mut pages = Vec::new();
    loop {
        let page = source.list(&filter).await.unwrap();
        pages.extend(page.traces.iter().map(|row| row.trace_id[1..2].to_owned()));
        let Some(next) = page.next.filter(|_| pages.len() < 10) else { break };
        filter.before = Some(next);
    }
    assert_eq!(pages, ["3", "2", "1"]);

    let points = source.points(&everything()).await.unwrap();
    assert_eq!(points.points.iter().map(|point| point.error).collect::<Vec<_>>(), [false, true, false]);
    assert!(!points.cut && points.note.is_none());

    call_two(source.spans(&"02".repeat(16)).await.unwrap());
    assert!(source.spans(&"0f".repeat(16)).await.unwrap().is_empty());
}

/// Holds the spans of call 2 of [`otlp`] against what was sent.
pub fn call_two(spans: Vec<weft_model::trace::Span>) {
    let trace = arrange("02".repeat(16), spans);
    let rows: Vec<_> = trace
        .spans
        .iter()
        .map(|span| (span.depth, span.kind.as_str(), span.workload.as_str(), span.error, span.edge.as_str()))
        .collect();
    assert_eq!(
        rows,
        [
            (0, "client", "shop/web-v1", true, "shop/web-v1->shop/cart-v1"),
            (1, "server", "shop/cart-v1", true, "shop/web-v1->shop/cart-v1"),
        ]
    );
    assert_eq!((trace.gaps, trace.totals.network_us, trace.totals.application_us), (0, 4000, 26_000));
}

#[tokio::test]
async fn jaeger_is_searched() {
    let jaeger = Jaeger::start().await;
    let start_us = now_us() - 10_000_000;
    jaeger.take(otlp(start_us)).await;
    searched(&source(SourceKind::Jaeger, &jaeger.url()), start_us).await;
    // One taken for the other: Jaeger gives its page for addresses that it does not know.
    let error = source(SourceKind::Tempo, &jaeger.url()).list(&everything()).await.unwrap_err();
    assert!(matches!(error, SourceError::Shape { instead: Some("Jaeger"), .. }), "{error:?}");
}

#[tokio::test]
async fn zipkin_is_searched() {
    let zipkin_server = Zipkin::start().await;
    let start_us = now_us() - 10_000_000;
    zipkin_server.take(&zipkin(start_us)).await;
    searched(&source(SourceKind::Zipkin, &zipkin_server.url()), start_us).await;
    // One taken for the other.
    let error = source(SourceKind::Jaeger, &zipkin_server.url()).list(&everything()).await.unwrap_err();
    assert!(matches!(error, SourceError::Shape { instead: Some("Zipkin"), .. }), "{error:?}");
    assert!(error.remedy().contains("--trace-source zipkin"));
}

#[tokio::test]
async fn a_store_that_is_away_is_told() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for kind in [SourceKind::Jaeger, SourceKind::Zipkin, SourceKind::Tempo] {
        let error = source(kind, &format!("http://{nobody}/")).list(&everything()).await.unwrap_err();
        // The listener is gone by now.
        assert!(matches!(error, SourceError::Unreachable { .. }), "{error:?}");
        assert!(error.to_string().contains(&nobody.to_string()), "{error}");
    }
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("token");
    let url = format!("http://{nobody}");
    let signed = TraceArgs { trace_token_file: Some(file.clone()), ..args(SourceKind::Jaeger, &url) };
    let backend = Backend::new(&signed).unwrap();
    let error = TraceSource::Backend(backend.unwrap()).list(&everything()).await.unwrap_err();
    assert!(
        matches!(&error, SourceError::Token { file: named, .. } if *named == file.display().to_string()),
        "{error:?}"
    );
    assert!(Backend::new(&TraceArgs::default()).unwrap().is_none());
    for wrong in ["", "jaeger:16686", "ftp://jaeger"] {
        assert!(matches!(Backend::new(&args(SourceKind::Zipkin, wrong)), Err(SourceError::Address { .. })), "{wrong}");
    }
}
