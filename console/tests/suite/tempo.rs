//! Traces read from Tempo. Its source may not be used here (AGPL), so a server in this test answers in the shapes of its
//! API reference (<https://grafana.com/docs/tempo/latest/api_docs/>) and remembers what it was asked.

use std::sync::{Arc, Mutex};

use axum::{
    Json, Router,
    http::{HeaderMap, StatusCode, Uri, header},
    response::{Html, IntoResponse, Response},
};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest, common::v1::any_value::Value as AnyText,
};
use prost::{Message, encoding::encode_varint};
use serde_json::{Value, json};
use weft_console::{
    db::TraceFilter,
    telemetry::traces::{Backend, SourceError, SourceKind, TraceArgs, TraceSource},
};

use crate::{
    parts::serve,
    trace_sources::{args, call_two, everything, now_us, otlp, source},
};

/// What Tempo was asked: path, query by name, headers.
pub type Asked = Arc<Mutex<Vec<(String, Vec<(String, String)>, HeaderMap)>>>;

/// A server that answers with `answer` and remembers; its address.
pub async fn tempo(answer: impl Fn(&str, &str) -> Response + Clone + Send + Sync + 'static) -> (String, Asked) {
    answering_by(move |path, query| {
        let traceql = query.iter().find(|(name, _)| name == "q").map_or("", |(_, q)| q);
        answer(path, traceql)
    })
    .await
}

/// The same, where the answer depends on all of the query.
pub async fn answering_by(
    answer: impl Fn(&str, &[(String, String)]) -> Response + Clone + Send + Sync + 'static,
) -> (String, Asked) {
    let asked = Asked::default();
    let seen = asked.clone();
    let router = Router::new().fallback(move |uri: Uri, headers: HeaderMap| {
        let query: Vec<(String, String)> =
            url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
        let answer = answer(uri.path(), &query);
        seen.lock().unwrap().push((uri.path().to_owned(), query, headers));
        async move { answer }
    });
    (format!("http://{}", serve(router).await), asked)
}

fn missing() -> Response {
    (StatusCode::NOT_FOUND, "404 page not found").into_response()
}

fn services() -> Value {
    json!({ "tagValues": [
        { "type": "string", "value": "web.shop" }, { "type": "string", "value": "cart.shop" },
        { "type": "string", "value": "till" },
    ], "metrics": { "inspectedBytes": "502756" } })
}

fn fitting(start_us: u64, service: &str, resource: &[(&str, &str)], status: &str) -> Value {
    let text = |key: &str, value: &str| json!({ "key": key, "value": { "stringValue": value } });
    let mut attributes = vec![text("service.name", service), text("status", status)];
    attributes.extend(resource.iter().map(|(key, value)| text(key, value)));
    json!({ "spanID": "0101010101010101", "startTimeUnixNano": format!("{}", start_us * 1000),
            "durationNanos": "900000000", "attributes": attributes })
}

/// Three traces as a search gives them: of `shop`, of `bank`, and one whose root did not come.
fn found(start_us: u64) -> Value {
    let web = fitting(start_us, "web.shop", &[("weft.workload", "web-v1"), ("k8s.namespace.name", "shop")], "unset");
    let till = fitting(start_us - 1_000_000, "till", &[("k8s.namespace.name", "bank")], "error");
    let cart = fitting(start_us - 2_000_000, "cart.shop", &[("k8s.namespace.name", "shop")], "unset");
    let told = |id: &str, service: &str, name: &str, start_us: u64, ms: u64, span: &Value| {
        json!({ "traceID": id, "rootServiceName": service, "rootTraceName": name, "durationMs": ms,
                "startTimeUnixNano": format!("{}", start_us * 1000), "spanSets": [{ "spans": [span], "matched": 1 }] })
    };
    let mut first = told(&"03".repeat(16), "web.shop", "GET /cart", start_us, 900, &web);
    first["serviceStats"] = json!({ "web.shop": { "spanCount": 3, "errorCount": 1 }, "cart.shop": { "spanCount": 2 } });
    // Zeros at the left of an id are left out.
    let second = told("b1", "till", "charge", start_us - 1_000_000, 30, &till);
    let third = told("b2", "<root span not yet received>", "", start_us - 2_000_000, 20, &cart);
    json!({ "traces": [second, first, third], "metrics": { "inspectedTraces": 3, "totalBlocks": 1 } })
}

fn answering(start_us: u64) -> impl Fn(&str, &str) -> Response + Clone + Send + Sync + 'static {
    move |path: &str, _: &str| match path {
        "/api/search" => Json(found(start_us)).into_response(),
        "/api/v2/search/tag/resource.service.name/values" => Json(services()).into_response(),
        "/api/v2/search/tag/name/values" => Json(
            json!({ "tagValues": [{ "type": "string", "value": "GET /b" }, { "type": "string", "value": "GET /a" }] }),
        )
        .into_response(),
        _ => missing(),
    }
}

fn names(rows: &[weft_model::trace::TraceRow]) -> Vec<(&str, &str, u64, usize, bool)> {
    rows.iter().map(|row| (row.workload.as_str(), row.root.as_str(), row.duration_us, row.spans, row.error)).collect()
}

#[tokio::test]
async fn tempo_is_searched_in_traceql() {
    let start_us = now_us() - 10_000_000;
    let (url, asked) = tempo(answering(start_us)).await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("password");
    std::fs::write(&file, "open sesame\n").unwrap();
    let signed = TraceArgs {
        trace_token_file: Some(file),
        trace_user: Some("weft".into()),
        trace_tenant: Some("team-a".into()),
        ..args(SourceKind::Tempo, &url)
    };
    let source = TraceSource::Backend(Backend::new(&signed).unwrap().unwrap());

    let rows = source.list(&everything()).await.unwrap();
    assert_eq!(
        names(&rows.traces),
        [
            ("shop/web-v1", "GET /cart", 900_000, 5, true),
            ("bank/till", "charge", 30_000, 1, true),
            ("unknown", "root span not received", 20_000, 1, false),
        ]
    );
    assert_eq!(rows.traces[1].trace_id, format!("{:0>32}", "b1"));
    assert!(rows.next.is_none() && rows.note.is_none());
    let (path, query, headers) = asked.lock().unwrap().pop().unwrap();
    let of = |name: &str| query.iter().find(|(n, _)| n == name).map_or("", |(_, value)| value.as_str());
    assert_eq!((path.as_str(), of("limit"), of("spss")), ("/api/search", "100", "20"));
    assert!(
        of("q").starts_with("{} | select(status, ") && of("q").ends_with(") with (most_recent=true)"),
        "{}",
        of("q")
    );
    let seconds = |name: &str| of(name).parse::<u64>().unwrap();
    assert!((86_400..86_402).contains(&(seconds("end") - seconds("start"))), "a day: {query:?}");
    assert_eq!(headers["x-scope-orgid"], "team-a");
    assert_eq!(headers[header::AUTHORIZATION], "Basic d2VmdDpvcGVuIHNlc2FtZQ==");

    let hostile = vec![("call".to_owned(), "\" || true || .a = \"\n".to_owned())];
    let filter = TraceFilter {
        workload: Some("shop/cart-v1".into()),
        operation: Some("GET /a".into()),
        tags: hostile,
        from_us: Some(start_us - 5_000_000),
        to_us: Some(start_us),
        ..everything()
    };
    // Tempo gave spans of another version too; it is asked by service.
    let of_cart = source.list(&filter).await.unwrap().traces;
    assert_eq!(of_cart.len(), 0);
    let of_cart = TraceFilter { workload: Some("shop/cart".into()), ..filter.clone() };
    assert_eq!(source.list(&of_cart).await.unwrap().traces.len(), 1);
    let (_, query, _) = asked.lock().unwrap().pop().unwrap();
    assert!(
        query[0].1.starts_with(
            r#"{ resource.service.name = "cart.shop" && name = "GET /a" && .call = "\" || true || .a = \"\u000a" } | "#
        ),
        "{query:?}"
    );
    assert_eq!(query[1], ("start".to_owned(), ((start_us - 5_000_000) / 1_000_000).to_string()));
    let nobody = TraceFilter { workload: Some("shop/nobody".into()), ..everything() };
    assert!(source.list(&nobody).await.unwrap().traces.is_empty());

    let points = source.points(&everything()).await.unwrap();
    assert_eq!(points.points.iter().map(|point| point.error).collect::<Vec<_>>(), [true, true, false]);
    assert!(!points.cut && points.note.is_none());
    assert_eq!(source.workloads().await.unwrap(), ["shop/cart", "shop/web", "till"]);
    assert_eq!(source.operations("shop/cart-v1").await.unwrap(), ["GET /a", "GET /b"]);
    let last = asked.lock().unwrap().pop().unwrap();
    assert!(last.1.contains(&("q".to_owned(), r#"{ resource.service.name = "cart.shop" }"#.to_owned())), "{last:?}");
    // A service whose name has no namespace in it.
    assert_eq!(source.operations("bank/till-v2").await.unwrap(), ["GET /a", "GET /b"]);
    assert!(source.operations("shop/nobody").await.unwrap().is_empty());
}

#[tokio::test]
async fn what_is_not_seen_is_not_left_to_tempo() {
    let start_us = now_us() - 10_000_000;
    // It answers with all, whatever it is asked.
    let (url, asked) = tempo(answering(start_us)).await;
    let source = source(SourceKind::Tempo, &url);
    let seen = async |names: &[&str]| {
        let namespaces = Some(names.iter().map(|&name| name.to_owned()).collect());
        let found = source.list(&TraceFilter { namespaces, ..everything() }).await.unwrap();
        found.traces.into_iter().map(|row| row.workload).collect::<Vec<_>>()
    };
    assert_eq!(seen(&["bank"]).await, ["bank/till"]);
    let asked_for = asked.lock().unwrap().pop().unwrap().1[0].1.clone();
    assert!(asked_for.contains("resource.k8s.namespace.name =~ \"bank\""), "{asked_for}");
    assert_eq!(seen(&["shop", ".*"]).await, ["shop/web-v1", "unknown"], "no name of a namespace is asked for");
    assert!(!asked.lock().unwrap().pop().unwrap().1[0].1.contains("=~"));
    assert!(seen(&["ban"]).await.is_empty());
    let before = asked.lock().unwrap().len();
    assert!(seen(&[]).await.is_empty());
    assert_eq!(asked.lock().unwrap().len(), before, "nothing is asked for somebody who sees nothing");
}

#[tokio::test]
async fn an_older_tempo_and_pages() {
    let start_us = now_us() / 1_000_000 * 1_000_000 - 10_000_000;
    // More traces of one second than one answer holds, and one before.
    let (url, asked) = tempo(move |path, traceql| match path {
        "/api/search" if traceql.contains("most_recent") => {
            (StatusCode::BAD_REQUEST, "invalid TraceQL query: parse error at line 1, col 5").into_response()
        }
        "/api/search" => {
            let told = |n: u64| {
                json!({ "traceID": format!("{n:x}"), "rootServiceName": "web.shop", "rootTraceName": "GET /",
                        "startTimeUnixNano": format!("{}", (start_us + n) * 1000), "durationMs": 1,
                        "spanSet": { "spans": [], "matched": 1 } })
            };
            Json(json!({ "traces": (1..=4).map(told).collect::<Vec<_>>() })).into_response()
        }
        _ => missing(),
    })
    .await;
    let source = source(SourceKind::Tempo, &url);
    let mut filter = TraceFilter { limit: 2, from_us: Some(start_us - 1_000_000), ..everything() };
    let mut seen = Vec::new();
    let mut ends = Vec::new();
    for _ in 0..6 {
        let page = source.list(&filter).await.unwrap();
        assert!(page.note.unwrap().contains("not the newest"));
        seen.extend(page.traces.iter().map(|row| row.start_us - start_us));
        ends.push(asked.lock().unwrap().last().unwrap().1[2].1.parse::<u64>().unwrap());
        filter.before = page.next;
    }
    assert_eq!(seen, [4, 3, 2, 1], "each once");
    assert_eq!(ends.last(), Some(&(start_us / 1_000_000)), "and then it goes on below that second: {ends:?}");
    let points = source.points(&everything()).await.unwrap();
    assert_eq!((points.points.len(), points.cut), (4, false), "of 300");
}

/// Call 2 of what the proxies sent.
fn call() -> ExportTraceServiceRequest {
    let mut request = ExportTraceServiceRequest::decode(otlp(1_000_000).as_slice()).unwrap();
    request.resource_spans.retain(|group| group.scope_spans[0].spans[0].trace_id == [2; 16]);
    request
}

#[tokio::test]
async fn whole_traces_come_as_protobuf_or_as_json() {
    let id = "02".repeat(16);
    // Version 2: a message around the trace, and what else it says behind it.
    let trace = call().encode_to_vec();
    let mut wrapped = vec![0x0a];
    encode_varint(trace.len() as u64, &mut wrapped);
    wrapped.extend(&trace);
    wrapped.extend([0x18, 0x00]);
    let (path, v1) = (format!("/api/v2/traces/{id}"), format!("/api/traces/{id}"));
    let protobuf = |bytes: Vec<u8>| ([(header::CONTENT_TYPE, "application/protobuf")], bytes).into_response();
    let v2 = path.clone();
    let (url, asked) = tempo(move |path, _| if path == v2 { protobuf(wrapped.clone()) } else { missing() }).await;
    let now = source(SourceKind::Tempo, &url);
    call_two(now.spans(&id).await.unwrap());
    assert_eq!(asked.lock().unwrap()[0].2[header::ACCEPT], "application/protobuf");
    assert!(now.spans(&"0f".repeat(16)).await.unwrap().is_empty(), "neither version knows it");

    // Before version 2, in JSON as Tempo writes it: base64, names, `batches`.
    let value = |key: &str, value: &str| json!({ "key": key, "value": { "stringValue": value } });
    let batch = |service: &str, workload: &str, span: Value| {
        json!({
            "resource": { "attributes": [
                value("service.name", service), value("weft.workload", workload), value("k8s.namespace.name", "shop"),
            ] },
            "scopeSpans": [{ "scope": {}, "spans": [span] }],
        })
    };
    let attributes: Vec<_> = call().resource_spans[1].scope_spans[0].spans[0]
        .attributes
        .iter()
        .map(|pair| match pair.value.as_ref().and_then(|value| value.value.as_ref()) {
            Some(AnyText::StringValue(text)) => value(&pair.key, text),
            other => panic!("{other:?}"),
        })
        .chain([json!({ "key": "n", "value": { "intValue": "7" } })])
        .collect();
    let web = json!({
        "traceId": "AgICAgICAgICAgICAgICAg==", "spanId": "AQEBAQEBAQE=", "name": "GET web.shop/*",
        "kind": "SPAN_KIND_CLIENT", "startTimeUnixNano": "3000000000", "endTimeUnixNano": "3030000000",
        "attributes": attributes, "status": { "code": "STATUS_CODE_ERROR", "message": "no" },
    });
    let cart = json!({
        "traceId": "AgICAgICAgICAgICAgICAg==", "spanId": "0202020202020202", "parentSpanId": "AQEBAQEBAQE=",
        "name": "GET cart.shop/*", "kind": 2, "startTimeUnixNano": 3_002_000_000_u64,
        "endTimeUnixNano": "3028000000", "attributes": attributes, "status": { "code": 2 },
    });
    let json = json!({ "batches": [batch("web.shop", "web-v1", web), batch("cart.shop", "cart-v1", cart)] });
    let (url, _) = tempo(move |path, _| if path == v1 { Json(json.clone()).into_response() } else { missing() }).await;
    let spans = source(SourceKind::Tempo, &url).spans(&id).await.unwrap();
    assert!(spans[0].attributes.contains(&("n".into(), "7".into())));
    assert!(spans[0].attributes.contains(&("otel.status_description".into(), "no".into())));
    call_two(spans);

    let garbage = tempo(|_, _| ([(header::CONTENT_TYPE, "application/protobuf")], vec![0xff; 40]).into_response());
    let error = source(SourceKind::Tempo, &garbage.await.0).spans(&id).await.unwrap_err();
    assert!(matches!(error, SourceError::Shape { .. }), "{error:?}");
}

#[tokio::test]
async fn what_goes_wrong_is_told_with_a_remedy() {
    let refused = async |status: StatusCode| {
        let (url, _) = tempo(move |_, _| (status, "too many\n outstanding requests").into_response()).await;
        let error = source(SourceKind::Tempo, &url).list(&everything()).await.unwrap_err();
        assert!(error.to_string().contains("Tempo at http://127.0.0.1"), "{error}");
        (error.to_string(), error.remedy())
    };
    let (words, remedy) = refused(StatusCode::TOO_MANY_REQUESTS).await;
    assert!(
        words.contains("429: too many outstanding requests") && remedy.contains("wait a moment"),
        "{words} {remedy}"
    );
    assert!(refused(StatusCode::SERVICE_UNAVAILABLE).await.1.contains("starting"));
    assert!(refused(StatusCode::FOUND).await.1.contains("sign in"));
    assert!(refused(StatusCode::BAD_REQUEST).await.1.contains("shorter time"));
    assert!(refused(StatusCode::UNAUTHORIZED).await.1.contains("--trace-token-file"));

    let (url, _) = tempo(|_, _| Html("<!doctype html><title>Sign in</title>").into_response()).await;
    let error = source(SourceKind::Tempo, &url).list(&everything()).await.unwrap_err();
    assert!(error.to_string().contains("a page for people"), "{error}");
    let error = source(SourceKind::Tempo, &url).spans("0a").await.unwrap_err();
    assert!(error.to_string().contains("a page for people"), "{error}");

    // Its page, and another store's reader at Tempo.
    let (url, _) = tempo(|path, _| match path {
        "/api/health" => Json(json!({ "database": "ok", "version": "12.4.0" })).into_response(),
        "/api/search" => Json(json!([])).into_response(),
        _ => missing(),
    })
    .await;
    let error = source(SourceKind::Tempo, &url).list(&everything()).await.unwrap_err();
    assert!(error.to_string().contains("it looks like Grafana") && error.remedy().contains("holds none"), "{error}");
    let (url, _) = tempo(|path, _| if path == "/api/echo" { "echo\n".into_response() } else { missing() }).await;
    let error = source(SourceKind::Zipkin, &url).workloads().await.unwrap_err();
    assert!(error.remedy().starts_with("Did you mean --trace-source tempo?"), "{error}");

    let long = TraceFilter { operation: Some("x".repeat(1000)), ..everything() };
    let error = source(SourceKind::Tempo, &url).list(&long).await.unwrap_err();
    assert!(matches!(error, SourceError::Unasked { .. }), "{error:?}");
    let flag = |args: TraceArgs| match Backend::new(&args) {
        Err(SourceError::Flag { flag, .. }) => flag,
        other => panic!("{other:?}"),
    };
    let plain = args(SourceKind::Tempo, &url);
    assert_eq!(flag(TraceArgs { trace_user: Some("weft".into()), ..plain.clone() }), "--trace-user");
    assert_eq!(flag(TraceArgs { trace_user: Some("a:b".into()), ..plain.clone() }), "--trace-user");
    assert_eq!(flag(TraceArgs { trace_tenant: Some("a\nb".into()), ..plain }), "--trace-tenant");
}

#[tokio::test]
async fn a_renewed_token_is_sent_at_the_next_request() {
    let start_us = now_us() - 10_000_000;
    let (url, asked) = tempo(answering(start_us)).await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("token");
    std::fs::write(&file, "first-token\n").unwrap();
    let signed = TraceArgs { trace_token_file: Some(file.clone()), ..args(SourceKind::Tempo, &url) };
    let source = TraceSource::Backend(Backend::new(&signed).unwrap().unwrap());
    let sent = async || {
        source.list(&everything()).await.unwrap();
        let (_, _, headers) = asked.lock().unwrap().pop().unwrap();
        headers[header::AUTHORIZATION].to_str().unwrap().to_owned()
    };
    assert_eq!(sent().await, "Bearer first-token");
    // As the kubelet does it: another file in its place.
    std::fs::write(dir.path().join("next"), "second-token").unwrap();
    std::fs::rename(dir.path().join("next"), &file).unwrap();
    assert_eq!(sent().await, "Bearer second-token");
    std::fs::remove_file(&file).unwrap();
    let error = source.list(&everything()).await.unwrap_err();
    assert!(matches!(error, SourceError::Token { .. }), "nothing is asked without it: {error:?}");
    let said = format!("{source:?} {error:?} {error}");
    assert!(
        !said.contains("second-token") && !said.contains("first-token"),
        "no token is in what may be logged: {said}"
    );
}
