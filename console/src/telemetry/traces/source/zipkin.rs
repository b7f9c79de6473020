//! Zipkin's API v2 (<https://zipkin.io/zipkin-api/>).

use std::collections::{BTreeMap, HashSet};

use serde::Deserialize;
use weft_model::trace::Span;

use super::{
    SourceError,
    backend::{Answer, Backend, Whole},
    span::{MAX_SPANS, Process, SERVICE, Told, padded, service_of, span},
};
use crate::{clock::now_ms, db::TraceFilter};

/// How far back it searches when nobody says, in milliseconds.
const A_DAY_MS: u64 = 24 * 3600 * 1000;
/// Stands behind the id of a span that both sides of a call share, for its inner side.
const INNER: &str = "-inner";

#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ZipkinSpan {
    trace_id: String,
    id: String,
    #[serde(default)]
    parent_id: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    kind: String,
    #[serde(default)]
    timestamp: u64,
    #[serde(default)]
    duration: u64,
    #[serde(default)]
    local_endpoint: Endpoint,
    #[serde(default)]
    tags: BTreeMap<String, String>,
    #[serde(default)]
    shared: bool,
}

#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Endpoint {
    #[serde(default)]
    service_name: Option<String>,
}

impl ZipkinSpan {
    fn service(&self) -> &str {
        self.local_endpoint.service_name.as_deref().unwrap_or_default()
    }
}

pub(super) async fn search(backend: &Backend, filter: &TraceFilter, limit: usize) -> Result<Answer, SourceError> {
    let latest = filter.to_us.map_or(now_ms() + 60_000, |to| to / 1000);
    let latest = filter.before.as_ref().map_or(latest, |cursor| latest.min(cursor.start_us / 1000 + 1));
    let lookback = filter.from_us.map_or(A_DAY_MS, |from| latest.saturating_sub(from / 1000).max(1));
    let mut query =
        vec![("endTs", latest.to_string()), ("lookback", lookback.to_string()), ("limit", limit.to_string())];
    if let Some(workload) = &filter.workload {
        let Some(service) = service_of(workload, &services(backend).await?) else { return Ok(Answer::default()) };
        query.push(("serviceName", service));
        if let Some(operation) = &filter.operation {
            query.push(("spanName", operation.to_lowercase()));
        }
    }
    // What its little language cannot say is looked for in what it gives.
    let plain = |text: &str| !text.is_empty() && !text.contains([' ', '=']);
    let mut wanted: Vec<String> = filter
        .tags
        .iter()
        .filter(|(key, value)| plain(key) && plain(value))
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    if filter.errors {
        wanted.push("error".to_owned());
    }
    if !wanted.is_empty() {
        query.push(("annotationQuery", wanted.join(" and ")));
    }
    let found: Vec<Vec<ZipkinSpan>> =
        backend.http().get("/api/v2/traces", &query).await?.ok_or_else(|| missing(backend))?;
    let full = found.len() >= limit;
    Ok(Answer { traces: found.into_iter().filter_map(whole).collect(), full, note: None })
}

pub(super) async fn spans(backend: &Backend, trace_id: &str) -> Result<Vec<Span>, SourceError> {
    // Ids of 64 bits are held as they came.
    let id = trace_id.strip_prefix("0000000000000000").unwrap_or(trace_id);
    let found: Option<Vec<ZipkinSpan>> = backend.http().get(&format!("/api/v2/trace/{id}"), &[]).await?;
    Ok(found.and_then(whole).map(|whole| whole.spans).unwrap_or_default())
}

pub(super) async fn services(backend: &Backend) -> Result<Vec<String>, SourceError> {
    backend.http().get("/api/v2/services", &[]).await?.ok_or_else(|| missing(backend))
}

pub(super) async fn operations(backend: &Backend, service: &str) -> Result<Vec<String>, SourceError> {
    Ok(backend.http().get("/api/v2/spans", &[("serviceName", service.to_owned())]).await?.unwrap_or_default())
}

fn missing(backend: &Backend) -> SourceError {
    backend.http().odd("it knows no /api/v2")
}

/// B3 lets both sides of a call share one span: its inner side becomes a span below the outer one, and what the callee
/// did hangs below that.
fn whole(spans: Vec<ZipkinSpan>) -> Option<Whole> {
    let trace_id = padded(&spans.first()?.trace_id, 32);
    let shared: HashSet<(String, String)> =
        spans.iter().filter(|told| told.shared).map(|told| (told.id.clone(), told.service().to_owned())).collect();
    let outer: HashSet<String> = spans.iter().filter(|told| !told.shared).map(|told| told.id.clone()).collect();
    let spans = spans.into_iter().take(MAX_SPANS).map(|told| {
        let service = told.service().to_owned();
        let inner = told.shared && outer.contains(&told.id);
        let below = outer.contains(&told.parent_id) && shared.contains(&(told.parent_id.clone(), service.clone()));
        let parent_id = if inner { told.id.clone() } else { told.parent_id };
        let resource = resource(&service, &told.tags);
        let mut span = span(Told {
            span_id: told.id,
            parent_id,
            name: told.name,
            kind: told.kind,
            start_us: told.timestamp,
            duration_us: told.duration,
            process: Process::new(resource),
            attributes: told.tags,
        });
        if inner {
            span.span_id.push_str(INNER);
        } else if below {
            span.parent_id.push_str(INNER);
        }
        span
    });
    Some(Whole { trace_id, spans: spans.collect() })
}

/// What the process says of itself, which Zipkin keeps among the span's tags. Where the service's name says its namespace
/// (`web.shop`), tags that say another one are not believed.
fn resource(service: &str, tags: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let said = tags.get("k8s.namespace.name").or_else(|| tags.get("service.namespace"));
    let own = service.split_once('.').map(|(_, namespace)| namespace).filter(|namespace| !namespace.contains('.'));
    let believed = said.zip(own).is_none_or(|(said, own)| said == own);
    let mut resource = if believed { tags.clone() } else { BTreeMap::new() };
    resource.insert(SERVICE.to_owned(), service.to_owned());
    resource
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_tag_moves_no_span_to_another_namespace() {
        let workload = |service: &str, tags: serde_json::Value| {
            let span =
                json!([{ "traceId": "a", "id": "1", "localEndpoint": { "serviceName": service }, "tags": tags }]);
            whole(serde_json::from_value(span).unwrap()).unwrap().spans.remove(0).workload
        };
        let bank = json!({ "k8s.namespace.name": "bank", "weft.workload": "till", "service.name": "till.bank" });
        assert_eq!(workload("web.shop", bank.clone()), "shop/web");
        assert_eq!(
            workload("web.shop", json!({ "k8s.namespace.name": "shop", "weft.workload": "web-v1" })),
            "shop/web-v1"
        );
        // A name without a namespace says nothing against the tags, and neither does a Java package.
        assert_eq!(workload("till", bank.clone()), "bank/till");
        assert_eq!(workload("org.example.till", bank), "bank/till");
    }

    #[test]
    fn a_shared_span_has_two_sides() {
        let spans = json!([
            { "traceId": "a", "id": "1", "kind": "CLIENT", "localEndpoint": { "serviceName": "web.shop" } },
            { "traceId": "a", "id": "1", "kind": "SERVER", "shared": true, "localEndpoint": { "serviceName": "cart.shop" } },
            { "traceId": "a", "id": "2", "parentId": "1", "kind": "CLIENT", "localEndpoint": { "serviceName": "cart.shop" } },
        ]);
        let whole = whole(serde_json::from_value(spans).unwrap()).unwrap();
        let parents: Vec<_> = whole
            .spans
            .iter()
            .map(|span| (span.span_id.trim_start_matches('0'), span.parent_id.trim_start_matches('0')))
            .collect();
        assert_eq!(parents, [("1", ""), ("1-inner", "1"), ("2", "1-inner")]);
        assert_eq!(whole.spans[1].workload, "shop/cart");
    }
}
