use std::{rc::Rc, sync::Arc, time::Duration};

use http::HeaderValue;

use super::*;
use crate::{
    state::testing::node,
    telemetry::{
        Edge, Facts, Reporter, RequestRecord, SpanId, TraceContext,
        spans::{span::resource, span_of},
        testing::{edge, request},
    },
};

const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// What is posted for one request, with the process that reports it.
fn posted(record: &RequestRecord, traceparent: &str) -> Value {
    let mut headers = http::HeaderMap::new();
    headers.insert("traceparent", traceparent.parse().unwrap());
    let span = span_of(record, TraceContext::of(&headers, 1.0), SpanId([0xab; 8]), &node(), 256);
    let own = Facts { canonical_service: "api".into(), version: "v2".into(), ..Facts::named("api-v2", "shop") };
    let body = encode(&resource(&node(), &own), &[span]);
    let mut spans: Vec<Value> = serde_json::from_slice(&body).unwrap();
    assert_eq!(spans.len(), 1);
    spans.remove(0)
}

#[test]
fn a_request_is_written_as_zipkin_reads_it() {
    let mut record = request(&Rc::new(edge()), 503, 12);
    record.attempts = 3;
    record.log.path = Some("/orders?page=2".parse().unwrap());
    record.log.authority = Some(HeaderValue::from_static("api:8080"));
    record.log.upstream_cluster = Some("inbound|8080||".into());
    record.log.upstream_service_time = Some(Duration::from_millis(9));
    record.log.downstream_remote_address = Some("127.0.0.7:40100".parse().unwrap());
    let expected = json!([{
        "traceId": "0af7651916cd43dd8448eb211c80319c",
        "id": "abababababababab",
        "parentId": "b7ad6b7169203331",
        "kind": "SERVER",
        "name": "GET api.shop.svc.cluster.local:8080/*",
        "timestamp": 1_700_000_000_123_000_u64,
        "duration": 12_000,
        "localEndpoint": {"serviceName": "api.shop", "ipv4": "127.0.0.1"},
        "remoteEndpoint": {"serviceName": "web.shop", "ipv4": "127.0.0.7", "port": 40100},
        "tags": {
            "component": "proxy",
            "node_id": "sidecar~127.0.0.1~web-1.shop~shop.svc.cluster.local",
            "http.method": "GET",
            "http.url": "http://api:8080/orders?page=2",
            "http.path": "/orders",
            "http.protocol": "HTTP/1.1",
            "http.status_code": "503",
            "response_flags": "-",
            "request_size": "3",
            "response_size": "1024",
            "source.workload": "web",
            "source.namespace": "shop",
            "source.principal": "spiffe://cluster.local/ns/shop/sa/web",
            "destination.workload": "api",
            "destination.namespace": "shop",
            "destination.version": "v2",
            "destination.service": "api.shop.svc.cluster.local",
            "upstream_cluster": "inbound|8080||",
            "upstream_time_us": "9000",
            "peer.address": "127.0.0.7:40100",
            "peer.service": "web.shop",
            "retry.attempts": "2",
            "error": "true",
            "service.version": "v2",
            "service.instance.id": "web-1.shop",
            "k8s.namespace.name": "shop",
            "k8s.pod.name": "web-1",
            "weft.workload": "api-v2",
            "host.ip": "127.0.0.1",
        },
    }]);
    assert_eq!(posted(&record, PARENT), expected[0]);
}

#[test]
fn the_callers_side_names_where_it_went() {
    let mut record = request(&Rc::new(Edge { reporter: Reporter::Source, ..edge() }), 200, 1);
    record.log.upstream_host = Some("[fd00::7]:8080".parse().unwrap());
    record.duration = Duration::ZERO;
    // No such context: the trace begins here.
    let span = posted(&record, "00-0-0-00");
    assert_eq!([&span["kind"], &span["duration"]], [&json!("CLIENT"), &json!(1)]);
    assert_eq!(span["remoteEndpoint"], json!({"serviceName": "api.shop", "ipv6": "fd00::7", "port": 8080}));
    assert_eq!((span.get("parentId"), span["tags"].get("error")), (None, None), "{span}");
    assert_eq!(span["traceId"].as_str().unwrap().len(), 32);

    // Outside of the mesh there is a host and no workload, or not even that.
    let outside = |host: &str| {
        let mut service = (*edge().service).clone();
        service.host = host.into();
        let (destination, service) = (Facts::unknown(), Arc::new(service));
        Rc::new(Edge { reporter: Reporter::Source, destination, service, ..edge() })
    };
    let named = posted(&request(&outside("db.example.org"), 200, 1), PARENT);
    assert_eq!(named["remoteEndpoint"], json!({"serviceName": "db.example.org"}));
    assert_eq!(posted(&request(&outside("unknown"), 200, 1), PARENT).get("remoteEndpoint"), None);
    let stranger = Rc::new(Edge { source: Facts::unknown(), ..edge() });
    assert_eq!(posted(&request(&stranger, 200, 1), PARENT).get("remoteEndpoint"), None);
}

#[test]
fn hostile_words_stay_words() {
    let mut record = request(&Rc::new(edge()), 200, 1);
    let words = r#""}],"id":"1 \ <script>"#;
    record.log.user_agent = Some(HeaderValue::from_str(words).unwrap());
    record.log.request_id = Some(HeaderValue::from_bytes(b"\xff\xfe").unwrap());
    record.log.authority = Some(HeaderValue::from_bytes("h\u{e9}\t\u{1F600}".as_bytes()).unwrap());
    record.log.path = Some(format!("/{}", "a".repeat(60_000)).parse().unwrap());
    let span = posted(&record, PARENT);
    let tags = &span["tags"];
    assert_eq!((tags["user_agent"].as_str().unwrap(), &span["id"]), (words, &"abababababababab".into()));
    assert_eq!(tags["guid:x-request-id"], "\u{fffd}\u{fffd}");
    assert!(tags["http.url"].as_str().unwrap().starts_with("http://h\u{e9}\t\u{1F600}/aaa"), "{}", tags["http.url"]);
    assert_eq!(tags["http.path"].as_str().unwrap().len(), 256);
}
