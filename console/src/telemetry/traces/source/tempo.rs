//! Tempo's query API (<https://grafana.com/docs/tempo/latest/api_docs/>). A search gives each trace's totals and the spans
//! that fit, not all of its spans.

mod otlp;
mod rows;
mod traceql;

use serde::Deserialize;
use serde_json::Value;
use weft_model::trace::Span;

use self::traceql::Service;
use super::{
    SourceError,
    backend::{Backend, Rows},
    http::Body,
    span::service_of,
};
use crate::{clock::now_ms, db::TraceFilter};

/// How far back it searches when nobody says, in microseconds. Without a time it looks at the newest traces only.
const A_DAY_US: u64 = 24 * 3600 * 1_000_000;
/// Fitting spans told of each trace.
const FITTING: usize = 20;
/// Names given at once.
const MAX_NAMES: usize = 500;

#[derive(Deserialize)]
struct Values {
    #[serde(rename = "tagValues")]
    values: Option<Vec<Value>>,
}

pub(super) async fn search(backend: &Backend, filter: &TraceFilter, limit: usize) -> Result<Rows, SourceError> {
    let service = match &filter.workload {
        Some(workload) => match service(workload, &services(backend).await?) {
            Some(service) => Some(service),
            None => return Ok(Rows::default()),
        },
        None => None,
    };
    if filter.namespaces.as_ref().is_some_and(Vec::is_empty) {
        return Ok(Rows::default());
    }
    let asked = traceql::search(filter, service.as_ref()).map_err(|why| SourceError::Unasked { what: "Tempo", why })?;
    let latest_us = filter.to_us.unwrap_or(now_ms() * 1000 + 60_000_000);
    let latest_us = filter.before.as_ref().map_or(latest_us, |cursor| latest_us.min(cursor.start_us));
    let earliest_us = filter.from_us.unwrap_or(latest_us.saturating_sub(A_DAY_US));
    // It knows whole seconds; what is outside of the window is left out of its answer.
    let (start, end) = (earliest_us / 1_000_000, latest_us.div_ceil(1_000_000));
    let query = |traceql: String| {
        [
            ("q", traceql),
            ("start", start.to_string()),
            ("end", end.max(start + 1).to_string()),
            ("limit", limit.to_string()),
            ("spss", FITTING.to_string()),
        ]
    };
    let newest = format!("{} with (most_recent=true)", asked.text);
    let (found, ordered) = match backend.http().get("/api/search", &query(newest)).await {
        // Before 2.8 it does not know how to give the newest ones.
        Err(SourceError::Refused { status: 400, .. }) => {
            (backend.http().get("/api/search", &query(asked.text)).await?, false)
        }
        answer => (answer?, true),
    };
    let found: rows::Found = found.ok_or_else(|| backend.http().odd("it knows no /api/search"))?;
    let traces = found.traces().ok_or_else(|| backend.http().odd("it gives no traces"))?;
    let full = traces.len() >= limit;
    let mut notes = Vec::new();
    // How much it gave tells of traces that are not shown.
    if (full || filter.redacted) && !ordered {
        notes.push(format!("This Tempo gives any {limit} traces that fit, not the newest; 2.8 and later give those."));
    }
    if asked.namespaces_left_out && (full || filter.redacted) {
        notes.push(format!("Only traces of these namespaces are shown, of {limit} that Tempo gives at once."));
    }
    let mut oldest_us = traces.iter().map(rows::Told::start_us).min();
    let rows: Vec<_> = traces.iter().filter_map(|told| rows::row(told, filter)).collect();
    if rows.is_empty() && filter.before.is_some() {
        // A second with more traces than one answer holds would be asked for again and again.
        oldest_us = oldest_us.map(|oldest| oldest.min(latest_us / 1_000_000 * 1_000_000));
    }
    Ok(Rows { rows, oldest_us, full, note: (!notes.is_empty()).then(|| notes.join(" ")) })
}

pub(super) async fn spans(backend: &Backend, trace_id: &str) -> Result<Vec<Span>, SourceError> {
    // Version 2 came with Tempo 2.7 and tells a trace that is too large; "not found" may be about either.
    for (path, wrapped) in [("/api/v2/traces/", true), ("/api/traces/", false)] {
        let Some(Body { media, bytes }) =
            backend.http().fetch(&format!("{path}{trace_id}"), &[], "application/protobuf").await?
        else {
            continue;
        };
        let spans = backend.http().read(move || otlp::spans(&media, &bytes, wrapped)).await?;
        if !spans.is_empty() {
            return Ok(spans);
        }
    }
    Ok(Vec::new())
}

pub(super) async fn services(backend: &Backend) -> Result<Vec<String>, SourceError> {
    values(backend, "resource.service.name", None).await
}

pub(super) async fn operations(
    backend: &Backend,
    workload: &str,
    services: &[String],
) -> Result<Vec<String>, SourceError> {
    let Some(service) = service(workload, services) else { return Ok(Vec::new()) };
    let of = traceql::spans_of(&service).map_err(|why| SourceError::Unasked { what: "Tempo", why })?;
    values(backend, "name", Some(of)).await
}

/// What a field is on the last day's spans, in order.
async fn values(backend: &Backend, field: &str, of: Option<String>) -> Result<Vec<String>, SourceError> {
    let now = now_ms() / 1000;
    let mut query = vec![("start", (now - A_DAY_US / 1_000_000).to_string()), ("end", (now + 60).to_string())];
    query.extend(of.map(|of| ("q", of)));
    let found: Option<Values> = backend.http().get(&format!("/api/v2/search/tag/{field}/values"), &query).await?;
    let found = found.ok_or_else(|| backend.http().odd("it knows no /api/v2/search"))?;
    let text = |value: Value| match value {
        Value::Object(mut typed) => typed.remove("value").and_then(|value| value.as_str().map(str::to_owned)),
        value => value.as_str().map(str::to_owned),
    };
    let mut names: Vec<_> = found.values.unwrap_or_default().into_iter().filter_map(text).collect();
    names.sort_unstable();
    names.dedup();
    names.truncate(MAX_NAMES);
    Ok(names)
}

/// The service that a workload belongs to: `cart.shop`, or `cart` of the namespace `shop`.
fn service(workload: &str, services: &[String]) -> Option<Service> {
    if let Some(name) = service_of(workload, services) {
        return Some(Service { name, namespace: None });
    }
    let (namespace, own) = workload.split_once('/')?;
    Some(Service { name: service_of(own, services)?, namespace: Some(namespace.to_owned()) })
}
