use std::rc::Rc;

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode, Uri},
};
use opentelemetry_proto::tonic::{collector::trace::v1::ExportTraceServiceRequest, common::v1::any_value::Value};
use prost::Message;
use tokio::net::TcpListener;

use super::*;
use crate::{
    state::testing::shared,
    telemetry::{
        SpanId, TraceContext,
        testing::{edge, request},
    },
};

/// What a collector got: path, media type and body.
type Posted = (String, String, Bytes);

/// A collector that hands over what it gets, and answers with `status`.
async fn collector(encoding: Encoding, status: StatusCode) -> (Endpoint, mpsc::Receiver<Posted>) {
    let (sender, receiver) = mpsc::channel(16);
    let take = move |State(sender): State<mpsc::Sender<Posted>>, uri: Uri, headers: HeaderMap, body: Bytes| async move {
        let media = headers["content-type"].to_str().unwrap().to_owned();
        sender.send((uri.path().to_owned(), media, body)).await.unwrap();
        status
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = Endpoint::new(encoding, &format!("http://{}", listener.local_addr().unwrap())).unwrap();
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(take).with_state(sender)).await });
    (endpoint, receiver)
}

/// Sends two spans, stops, and gives what the collector got.
async fn sent(encoding: Encoding, status: StatusCode) -> (Posted, SpanSink) {
    let (endpoint, mut received) = collector(encoding, status).await;
    let (sink, exporter) = SpanSink::new(endpoint, 256);
    sink.push(span);
    sink.push(span);
    let shutdown = Shutdown::new();
    let exporter = tokio::spawn(exporter.run(shared(), shutdown.clone()));
    let posted = received.recv().await.unwrap();
    shutdown.begin();
    exporter.await.unwrap();
    (posted, sink)
}

fn span(tag_length: usize) -> Span {
    let mut record = request(&Rc::new(edge()), 503, 12);
    record.log.upstream_cluster = Some("inbound|8080||".into());
    record.attempts = 3;
    record.log.tags = vec![("tenant".into(), "acme".into()), ("destination.workload".into(), "lies".into())];
    let context = TraceContext::of(&http::HeaderMap::new(), 1.0);
    span_of(&record, context, SpanId::random(), &crate::state::testing::node(), tag_length)
}

#[tokio::test]
async fn spans_reach_the_collector_in_batches() {
    let ((path, media, body), sink) = sent(Encoding::Otlp, StatusCode::OK).await;
    assert_eq!((path.as_str(), media.as_str()), ("/v1/traces", "application/x-protobuf"));
    let message = ExportTraceServiceRequest::decode(body).unwrap();
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
async fn zipkin_gets_the_same_in_its_own_words() {
    let ((path, media, body), sink) = sent(Encoding::Zipkin, StatusCode::ACCEPTED).await;
    assert_eq!((path.as_str(), media.as_str()), ("/api/v2/spans", "application/json"));
    let spans: Vec<serde_json::Value> = serde_json::from_slice(&body).unwrap();
    assert_eq!((spans.len(), &spans[0]["localEndpoint"]["serviceName"]), (2, &"web-1.shop".into()));
    assert_eq!((sink.exported(), sink.dropped()), (2, 0));
}

#[tokio::test]
async fn a_collector_that_refuses_costs_spans_only() {
    for encoding in [Encoding::Otlp, Encoding::Zipkin] {
        let (_, sink) = sent(encoding, StatusCode::SERVICE_UNAVAILABLE).await;
        assert_eq!((sink.exported(), sink.dropped()), (0, 2), "{encoding:?}");
    }
}

#[tokio::test]
async fn a_full_queue_drops_without_making_the_span() {
    let (sink, _exporter) = SpanSink::new(Endpoint::new(Encoding::Otlp, "http://127.0.0.1:9").unwrap(), 256);
    for _ in 0..QUEUE {
        sink.push(|_| Span::default());
    }
    sink.push(|_| unreachable!("there is no room"));
    assert_eq!(sink.dropped(), 1);
    SpanSink::off().push(|_| unreachable!("there is no collector"));
}

#[test]
fn endpoints_are_http_urls() {
    let shown = |encoding, url: &str| Endpoint::new(encoding, url).map(|endpoint| endpoint.to_string());
    let otlp = |url: &str| shown(Encoding::Otlp, url);
    assert_eq!(otlp("http://127.0.0.1:4318").unwrap(), "http://127.0.0.1:4318/v1/traces");
    assert_eq!(otlp("http://host/otlp/v1/traces").unwrap(), "http://host/otlp/v1/traces");
    let zipkin = |url: &str| shown(Encoding::Zipkin, url);
    assert_eq!(zipkin("http://zipkin:9411/").unwrap(), "http://zipkin:9411/api/v2/spans");
    assert_eq!(zipkin("http://zipkin/own/spans").unwrap(), "http://zipkin/own/spans");
    for encoding in [Encoding::Otlp, Encoding::Zipkin] {
        for wrong in ["https://host", "host:1", "", "http://", "http://a b/"] {
            assert!(shown(encoding, wrong).is_err(), "{wrong}");
        }
    }
}

#[test]
fn what_a_request_says_is_cut_and_who_took_part_is_not() {
    let mut edge = edge();
    edge.source_principal = format!("spiffe://{}", "p".repeat(900)).into();
    let mut record = request(&Rc::new(edge), 200, 1);
    record.method = http::Method::from_bytes("M".repeat(900).as_bytes()).unwrap();
    record.log.path = Some(format!("/{}", "a".repeat(5000)).parse().unwrap());
    record.log.user_agent = Some(http::HeaderValue::from_bytes("ü".repeat(900).as_bytes()).unwrap());
    let context = TraceContext::of(&http::HeaderMap::new(), 1.0);
    let span = span_of(&record, context, SpanId::random(), &crate::state::testing::node(), 20);
    let length = |key: &str| {
        let held = span.attributes.iter().find(|attribute| attribute.key == key).unwrap();
        match held.value.as_ref().unwrap().value.as_ref().unwrap() {
            Value::StringValue(text) => text.chars().count(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(["http.method", "http.path", "http.url", "user_agent"].map(length), [20, 20, 27, 20]);
    assert_eq!(length("source.principal"), 909);
    assert!(span.name.starts_with(&format!("{} api.", "M".repeat(20))), "{}", span.name);
}
