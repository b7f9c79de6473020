//! What somebody is told who does not see all: the same, however many traces there are of others.

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};
use weft_console::{
    db::TraceFilter,
    telemetry::traces::{SourceKind, TraceSource},
};

use crate::{
    tempo::{Asked, answering_by},
    trace_sources::{everything, now_us, source},
};

/// A trace of one span.
#[derive(Clone)]
struct One {
    id: u64,
    service: String,
    start_us: u64,
}

/// A store with `newer` traces of `bank` before the one of `shop`, and `older` behind it.
fn traces(newer: u64, older: u64, start_us: u64) -> Vec<One> {
    let bank = |id: u64| One { id: id + 2, service: format!("till-{id}.bank"), start_us: start_us + newer - id };
    let web = One { id: 1, service: "web.shop".to_owned(), start_us };
    (0..newer).map(bank).chain([web]).chain((newer + 1..=newer + older).map(bank)).collect()
}

/// Answers like `kind`, with at most as many traces as were asked for and none that began later than asked for.
async fn store(kind: SourceKind, held: Vec<One>) -> (TraceSource, Asked) {
    let (url, asked) = answering_by(move |path, query| {
        let of = |name: &str| query.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str());
        let number = |name: &str, factor: u64| of(name).and_then(|value| value.parse::<u64>().ok()).map(|n| n * factor);
        let latest = number("endTs", 1000).or(number("end", if kind == SourceKind::Tempo { 1_000_000 } else { 1 }));
        let limit = usize::try_from(number("limit", 1).unwrap_or(u64::MAX)).unwrap();
        let named = of("service").or(of("serviceName"));
        let found = held
            .iter()
            .filter(|one| latest.is_none_or(|latest| one.start_us <= latest))
            .filter(|one| named.is_none_or(|service| one.service == service))
            .take(limit);
        answer(kind, path, &held, &found.cloned().collect::<Vec<_>>())
    })
    .await;
    (source(kind, &url), asked)
}

fn answer(kind: SourceKind, path: &str, held: &[One], found: &[One]) -> Response {
    let services = || held.iter().map(|one| one.service.clone()).collect::<Vec<_>>();
    let found: Vec<Value> = match (kind, path) {
        (SourceKind::Jaeger, "/api/services") => return Json(json!({ "data": services() })).into_response(),
        (SourceKind::Zipkin, "/api/v2/services") => return Json(services()).into_response(),
        (SourceKind::Jaeger, "/api/traces") => found.iter().map(jaeger).collect(),
        (SourceKind::Zipkin, "/api/v2/traces") => found.iter().map(zipkin).collect(),
        (SourceKind::Tempo, "/api/search") => found.iter().map(told).collect(),
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    match kind {
        SourceKind::Jaeger => Json(json!({ "data": found })),
        SourceKind::Tempo => Json(json!({ "traces": found, "metrics": {} })),
        _ => Json(json!(found)),
    }
    .into_response()
}

fn jaeger(one: &One) -> Value {
    json!({
        "traceID": format!("{:x}", one.id),
        "spans": [{ "spanID": "1", "operationName": "GET /", "startTime": one.start_us, "duration": 5, "processID": "p" }],
        "processes": { "p": { "serviceName": one.service } },
    })
}

fn zipkin(one: &One) -> Value {
    json!([{ "traceId": format!("{:x}", one.id), "id": "1", "name": "get /", "timestamp": one.start_us, "duration": 5,
             "localEndpoint": { "serviceName": one.service } }])
}

fn told(one: &One) -> Value {
    let service = json!({ "key": "service.name", "value": { "stringValue": one.service } });
    let span =
        json!({ "spanID": "01", "startTimeUnixNano": (one.start_us * 1000).to_string(), "attributes": [service] });
    json!({ "traceID": format!("{:x}", one.id), "rootServiceName": one.service, "rootTraceName": "GET /",
            "startTimeUnixNano": (one.start_us * 1000).to_string(), "durationMs": 1, "spanSets": [{ "spans": [span] }] })
}

/// Somebody who sees `shop`. A name that no namespace has is not asked for, so that Tempo gives all.
fn of_shop() -> TraceFilter {
    TraceFilter { namespaces: Some(vec!["shop".into(), ".*".into()]), redacted: true, ..everything() }
}

async fn told_to_shop(source: &TraceSource) -> String {
    let list = source.list(&of_shop()).await.unwrap();
    assert_eq!(list.traces.iter().map(|row| row.workload.as_str()).collect::<Vec<_>>(), ["shop/web"]);
    let rest = source.list(&TraceFilter { before: list.next.clone(), ..of_shop() }).await.unwrap();
    let points = source.points(&of_shop()).await.unwrap();
    assert_eq!(points.points.len(), 1);
    format!("{list:?} {rest:?} {points:?}")
}

#[tokio::test]
async fn an_answer_does_not_depend_on_the_traces_of_others() {
    let start_us = now_us() / 1_000_000 * 1_000_000 - 20_000_000;
    for kind in [SourceKind::Jaeger, SourceKind::Zipkin, SourceKind::Tempo] {
        let alone = told_to_shop(&store(kind, traces(0, 0, start_us)).await.0).await;
        for (newer, older) in [(3, 0), (50, 400), (0, 1000)] {
            let among = told_to_shop(&store(kind, traces(newer, older, start_us)).await.0).await;
            assert_eq!(among, alone, "{kind:?}, {newer} newer and {older} older ones of others");
        }
        // Whoever sees all is told that not all was looked at.
        let (many, _) = store(kind, traces(50, 400, start_us)).await;
        let points = many.points(&everything()).await.unwrap();
        assert!(points.note.is_some(), "{kind:?}: {points:?}");
    }
}

#[tokio::test]
async fn one_is_found_behind_hundreds_of_others() {
    let start_us = now_us() / 1_000_000 * 1_000_000 - 20_000_000;
    let (source, asked) = store(SourceKind::Zipkin, spread(1000, start_us)).await;
    assert!(source.list(&of_shop()).await.unwrap().traces.is_empty());
    assert_eq!(asked.lock().unwrap().len(), 4, "but not behind any number of them");
    let (source, _) = store(SourceKind::Zipkin, spread(250, start_us)).await;
    let found = source.list(&of_shop()).await.unwrap();
    assert_eq!(found.traces.iter().map(|row| row.workload.as_str()).collect::<Vec<_>>(), ["shop/web"]);
}

/// The same, 10 ms apart: Zipkin is asked by the millisecond.
fn spread(newer: u64, start_us: u64) -> Vec<One> {
    let mut held = traces(newer, 0, start_us);
    for one in &mut held {
        one.start_us = start_us + (one.start_us - start_us) * 10_000;
    }
    held
}

#[tokio::test]
async fn jaeger_is_not_asked_for_services_of_others() {
    let (source, asked) = store(SourceKind::Jaeger, traces(20, 20, now_us() - 20_000_000)).await;
    source.list(&of_shop()).await.unwrap();
    let asked = asked.lock().unwrap();
    let services: Vec<_> = asked.iter().flat_map(|(_, query, _)| query).filter(|(name, _)| name == "service").collect();
    assert_eq!(services, [&("service".to_owned(), "web.shop".to_owned())]);
}
