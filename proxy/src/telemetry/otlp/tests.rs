use std::rc::Rc;

use axum::{Router, body::Bytes, extract::State, http::StatusCode, routing::post};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use tokio::net::TcpListener;

use super::*;
use crate::{
    state::testing::shared,
    telemetry::{
        SpanId, TraceContext,
        testing::{edge, request},
    },
};

/// A collector that hands over what it gets, and answers with `status`.
async fn collector(status: StatusCode) -> (Endpoint, mpsc::Receiver<ExportTraceServiceRequest>) {
    let (sender, receiver) = mpsc::channel(16);
    let take = move |State(sender): State<mpsc::Sender<_>>, body: Bytes| async move {
        sender.send(ExportTraceServiceRequest::decode(body).unwrap()).await.unwrap();
        status
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    tokio::spawn(async move {
        axum::serve(listener, Router::new().route("/v1/traces", post(take)).with_state(sender)).await
    });
    (endpoint, receiver)
}

fn span() -> Span {
    let mut record = request(&Rc::new(edge()), 503, 12);
    record.log.upstream_cluster = Some("inbound|8080||".into());
    record.attempts = 3;
    record.log.tags = vec![("tenant".into(), "acme".into()), ("destination.workload".into(), "lies".into())];
    let context = TraceContext::of(&http::HeaderMap::new(), 1.0);
    span_of(&record, context, SpanId::random(), &crate::state::testing::node())
}

#[tokio::test]
async fn spans_reach_the_collector_in_batches() {
    let (endpoint, mut received) = collector(StatusCode::OK).await;
    let (sink, exporter) = SpanSink::new(endpoint);
    sink.push(span);
    sink.push(span);
    let shutdown = Shutdown::new();
    let exporter = tokio::spawn(exporter.run(shared(), shutdown.clone()));
    let message = received.recv().await.unwrap();
    shutdown.begin();
    exporter.await.unwrap();
    let spans = &message.resource_spans[0];
    let name = &spans.resource.as_ref().unwrap().attributes[0];
    assert_eq!(name.key, "service.name");
    assert_eq!(name.value.as_ref().unwrap().value, Some(Value::StringValue("web-1.shop".into())));
    let spans = &spans.scope_spans[0].spans;
    assert_eq!((spans.len(), spans[0].name.as_str()), (2, "GET api.shop.svc.cluster.local:8080/*"));
    assert_eq!(spans[0].end_time_unix_nano - spans[0].start_time_unix_nano, 12_000_000);
    assert!(spans[0].parent_span_id.is_empty());
    let attribute = |key: &str| spans[0].attributes.iter().find(|attribute| attribute.key == key);
    assert!(attribute("error").is_some() && attribute("retry.attempts").is_some());
    let said = |key: &str| attribute(key).and_then(|attribute| attribute.value.clone()?.value);
    assert_eq!(said("tenant"), Some(Value::StringValue("acme".into())));
    assert_eq!(said("destination.workload"), Some(Value::StringValue("api".into())), "its own word stands");
    let of_workload = spans[0].attributes.iter().filter(|attribute| attribute.key == "destination.workload");
    assert_eq!(of_workload.count(), 1);
    assert_eq!((sink.exported(), sink.dropped()), (2, 0));
}

#[tokio::test]
async fn a_collector_that_refuses_costs_spans_only() {
    let (endpoint, mut received) = collector(StatusCode::SERVICE_UNAVAILABLE).await;
    let (sink, exporter) = SpanSink::new(endpoint);
    sink.push(span);
    let shutdown = Shutdown::new();
    let exporter = tokio::spawn(exporter.run(shared(), shutdown.clone()));
    received.recv().await.unwrap();
    shutdown.begin();
    exporter.await.unwrap();
    assert_eq!((sink.exported(), sink.dropped()), (0, 1));
}

#[tokio::test]
async fn a_full_queue_drops_without_making_the_span() {
    let (sink, _exporter) = SpanSink::new("http://127.0.0.1:9".parse().unwrap());
    for _ in 0..QUEUE {
        sink.push(Span::default);
    }
    sink.push(|| unreachable!("there is no room"));
    assert_eq!(sink.dropped(), 1);
    SpanSink::off().push(|| unreachable!("there is no collector"));
}

#[test]
fn endpoints_are_http_urls() {
    let shown = |url: &str| url.parse::<Endpoint>().map(|endpoint| endpoint.to_string());
    assert_eq!(shown("http://127.0.0.1:4318").unwrap(), "http://127.0.0.1:4318/v1/traces");
    assert_eq!(shown("http://host/otlp/v1/traces").unwrap(), "http://host/otlp/v1/traces");
    assert!(shown("https://host").is_err() && shown("host:1").is_err() && shown("").is_err());
}
