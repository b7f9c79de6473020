//! Jaeger's query API, as its page uses it (<https://www.jaegertracing.io/docs/1.57/apis/#http-json-internal>).

use std::collections::BTreeMap;

use futures::future::try_join_all;
use serde::Deserialize;
use serde_json::Value;
use weft_model::trace::Span;

use super::{
    SourceError,
    backend::{Answer, Backend, Whole},
    span::{MAX_SPANS, Process, SERVICE, Told, padded, service_of, span, text},
};
use crate::{clock::now_ms, db::TraceFilter};

/// Services searched when none is named: Jaeger searches one at a time.
const MAX_SERVICES: usize = 12;
/// How far back it searches when nobody says, in microseconds.
const A_DAY_US: u64 = 24 * 3600 * 1_000_000;

#[derive(Deserialize)]
struct Data<T> {
    // It writes null for none.
    data: Option<Vec<T>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct JaegerTrace {
    #[serde(rename = "traceID")]
    trace_id: String,
    #[serde(default)]
    spans: Vec<JaegerSpan>,
    #[serde(default)]
    processes: BTreeMap<String, Sender>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct JaegerSpan {
    #[serde(rename = "spanID")]
    span_id: String,
    #[serde(default)]
    operation_name: String,
    #[serde(default)]
    references: Vec<Reference>,
    start_time: u64,
    #[serde(default)]
    duration: u64,
    #[serde(default)]
    tags: Vec<Tag>,
    #[serde(rename = "processID", default)]
    process_id: String,
}

#[derive(Deserialize)]
struct Reference {
    #[serde(rename = "refType", default)]
    kind: String,
    #[serde(rename = "spanID")]
    span_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Sender {
    #[serde(default)]
    service_name: String,
    #[serde(default)]
    tags: Vec<Tag>,
}

#[derive(Deserialize)]
struct Tag {
    key: String,
    #[serde(default)]
    value: Value,
}

#[derive(Deserialize)]
struct Operation {
    name: String,
}

pub(super) async fn search(backend: &Backend, filter: &TraceFilter, limit: usize) -> Result<Answer, SourceError> {
    let all = services(backend).await?;
    let (services, note) = match &filter.workload {
        Some(workload) => (service_of(workload, &all).into_iter().collect(), None),
        None if filter.redacted => {
            let note = format!(
                "Jaeger searches one service at a time, {MAX_SERVICES} for a list. Choose a workload to search all of its traces."
            );
            (perhaps_seen(all, filter.namespaces.as_deref().unwrap_or_default()), Some(note))
        }
        None if all.len() > MAX_SERVICES => {
            let note = format!(
                "Jaeger searches one service at a time; {MAX_SERVICES} of {} were searched. Choose a workload to search it.",
                all.len()
            );
            (all.into_iter().take(MAX_SERVICES).collect(), Some(note))
        }
        None => (all, None),
    };
    let searches = services.iter().map(|service: &String| one(backend, filter, service, limit));
    let mut traces = BTreeMap::new();
    let mut full = false;
    for found in try_join_all(searches).await? {
        full |= found.len() >= limit;
        traces.extend(found.into_iter().map(|trace| (trace.trace_id.clone(), trace)));
    }
    Ok(Answer { traces: traces.into_values().map(whole).collect(), full, note })
}

/// The services to search for somebody who sees `namespaces`: those whose names say one of these, then those whose names
/// say none.
fn perhaps_seen(services: Vec<String>, namespaces: &[String]) -> Vec<String> {
    let (own, rest): (Vec<_>, Vec<_>) = services
        .into_iter()
        .partition(|service| service.split_once('.').is_some_and(|(_, own)| namespaces.iter().any(|seen| seen == own)));
    own.into_iter().chain(rest.into_iter().filter(|service| !service.contains('.'))).take(MAX_SERVICES).collect()
}

async fn one(
    backend: &Backend,
    filter: &TraceFilter,
    service: &str,
    limit: usize,
) -> Result<Vec<JaegerTrace>, SourceError> {
    let latest = filter.to_us.unwrap_or(now_ms() * 1000 + 60_000_000);
    let latest = filter.before.as_ref().map_or(latest, |cursor| latest.min(cursor.start_us));
    let earliest = filter.from_us.unwrap_or(latest.saturating_sub(A_DAY_US));
    let mut query = vec![
        ("service", service.to_owned()),
        ("start", earliest.to_string()),
        ("end", latest.to_string()),
        ("limit", limit.to_string()),
    ];
    if let Some(operation) = &filter.operation {
        query.push(("operation", operation.clone()));
    }
    // A trace is at least as long as any of its spans, so the least of a trace says nothing about one of them.
    let mut tags: BTreeMap<&str, &str> =
        filter.tags.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    if filter.errors {
        tags.insert("error", "true");
    }
    if !tags.is_empty() {
        query.push(("tags", serde_json::to_string(&tags).unwrap_or_default()));
    }
    let found: Option<Data<JaegerTrace>> = backend.http().get("/api/traces", &query).await?;
    Ok(found.and_then(|found| found.data).unwrap_or_default())
}

pub(super) async fn spans(backend: &Backend, trace_id: &str) -> Result<Vec<Span>, SourceError> {
    let found: Option<Data<JaegerTrace>> = backend.http().get(&format!("/api/traces/{trace_id}"), &[]).await?;
    let trace = found.and_then(|found| found.data).unwrap_or_default().into_iter().next();
    Ok(trace.map(|trace| whole(trace).spans).unwrap_or_default())
}

pub(super) async fn services(backend: &Backend) -> Result<Vec<String>, SourceError> {
    let found: Option<Data<String>> = backend.http().get("/api/services", &[]).await?;
    let found = found.ok_or_else(|| missing(backend))?;
    let mut services = found.data.unwrap_or_default();
    services.sort_unstable();
    Ok(services)
}

pub(super) async fn operations(backend: &Backend, service: &str) -> Result<Vec<String>, SourceError> {
    let query = [("service", service.to_owned())];
    let found: Option<Data<Operation>> = backend.http().get("/api/operations", &query).await?;
    let mut names: Vec<_> =
        found.and_then(|found| found.data).unwrap_or_default().into_iter().map(|operation| operation.name).collect();
    names.sort_unstable();
    names.dedup();
    Ok(names)
}

fn missing(backend: &Backend) -> SourceError {
    backend.http().odd("it knows no /api/services")
}

fn whole(trace: JaegerTrace) -> Whole {
    let process = |id: &str| trace.processes.get(id);
    let pairs = |tags: &[Tag]| -> BTreeMap<String, String> {
        tags.iter().map(|tag| (tag.key.clone(), text(tag.value.clone()))).collect()
    };
    let spans = trace.spans.iter().take(MAX_SPANS).map(|told| {
        let by = process(&told.process_id);
        let mut resource = by.map(|by| pairs(&by.tags)).unwrap_or_default();
        resource.extend(by.map(|by| (SERVICE.to_owned(), by.service_name.clone())));
        let mut attributes = pairs(&told.tags);
        let caused = told.references.iter().find(|reference| reference.kind == "CHILD_OF");
        let parent = caused.or_else(|| told.references.first());
        span(Told {
            span_id: told.span_id.clone(),
            parent_id: parent.map(|parent| parent.span_id.clone()).unwrap_or_default(),
            name: told.operation_name.clone(),
            kind: attributes.remove("span.kind").unwrap_or_default(),
            start_us: told.start_time,
            duration_us: told.duration,
            process: Process::new(resource),
            attributes,
        })
    });
    Whole { trace_id: padded(&trace.trace_id, 32), spans: spans.collect() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_process_says_whose_a_span_is() {
        let tag = |key: &str, value: &str| json!({ "key": key, "type": "string", "value": value });
        let trace = json!({
            "traceID": "a",
            "spans": [
                { "spanID": "1", "startTime": 1, "processID": "p1", "tags": [
                    tag("service.name", "till.bank"), tag("k8s.namespace.name", "bank"), tag("weft.workload", "till"),
                    tag("span.kind", "server"),
                ] },
                { "spanID": "2", "startTime": 1, "processID": "gone", "tags": [tag("service.name", "till.bank")] },
            ],
            "processes": { "p1": { "serviceName": "web", "tags": [tag("k8s.namespace.name", "shop")] } },
        });
        let spans = whole(serde_json::from_value(trace).unwrap()).spans;
        assert_eq!((spans[0].workload.as_str(), spans[0].kind.as_str()), ("shop/web", "server"));
        assert_eq!(spans[1].workload, "unknown");
    }
}
