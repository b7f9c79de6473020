//! What a search of Tempo's answers.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use weft_model::trace::{Span, TraceRow};

use super::otlp;
use crate::{
    db::TraceFilter,
    telemetry::traces::{
        convert::{flatten, named, placed},
        source::{
            matching,
            span::{self, Process, SERVICE, padded, workload_of},
        },
    },
};

#[derive(Deserialize)]
pub(super) struct Found {
    // Either may be left out when there is nothing to say.
    traces: Option<Vec<Told>>,
    metrics: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Told {
    #[serde(rename = "traceID")]
    trace_id: String,
    #[serde(default)]
    root_service_name: String,
    #[serde(default)]
    root_trace_name: String,
    #[serde(default)]
    start_time_unix_nano: Value,
    #[serde(default)]
    duration_ms: Value,
    #[serde(default)]
    span_set: Option<SpanSet>,
    #[serde(default)]
    span_sets: Option<Vec<SpanSet>>,
    #[serde(default)]
    service_stats: Option<BTreeMap<String, Stats>>,
}

#[derive(Deserialize)]
struct SpanSet {
    spans: Option<Vec<Fitting>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Fitting {
    #[serde(rename = "spanID", default)]
    span_id: String,
    #[serde(default)]
    start_time_unix_nano: Value,
    #[serde(default)]
    attributes: Vec<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stats {
    #[serde(default)]
    span_count: Value,
    #[serde(default)]
    error_count: Value,
}

impl Found {
    /// `None` where nothing says that this is a search's answer.
    pub(super) fn traces(self) -> Option<Vec<Told>> {
        self.traces.or_else(|| self.metrics.map(|_| Vec::new()))
    }
}

impl Told {
    /// When it began, microseconds since the epoch.
    pub(super) fn start_us(&self) -> u64 {
        otlp::number(&self.start_time_unix_nano) / 1000
    }

    /// The spans that fit, as far as they are told: whose they are and whether they failed.
    fn fitting(&self) -> Vec<Span> {
        let sets = self.span_sets.iter().flatten().chain(self.span_set.iter().filter(|_| self.span_sets.is_none()));
        let read = |told: &Fitting| {
            // Those that say whose a span is were asked for of its resource alone.
            let attributes = told.attributes.iter().filter_map(otlp::attribute);
            let (status, resource): (Vec<_>, Vec<_>) = attributes.partition(|attribute| attribute.key == "status");
            let status = flatten(status).remove("status").unwrap_or_default();
            let attributes = BTreeMap::from([("otel.status_code".to_owned(), status.to_uppercase())]);
            span::span(span::Told {
                span_id: told.span_id.clone(),
                parent_id: String::new(),
                name: String::new(),
                kind: String::new(),
                start_us: otlp::number(&told.start_time_unix_nano) / 1000,
                duration_us: 0,
                process: Process::of(resource),
                attributes,
            })
        };
        sets.filter_map(|set| set.spans.as_ref()).flatten().map(read).collect()
    }
}

/// A trace's row if it passes. What Tempo was asked for is true already; time is as exact here as the filter, and whose
/// spans somebody may see is not left to another program.
pub(super) fn row(told: &Told, filter: &TraceFilter) -> Option<TraceRow> {
    let trace_id = padded(&told.trace_id, 32);
    let start_us = told.start_us();
    let before = filter.before.as_ref();
    let passes = filter.from_us.is_none_or(|from| start_us >= from)
        && filter.to_us.is_none_or(|to| start_us <= to)
        && before.is_none_or(|cursor| (start_us, &trace_id) < (cursor.start_us, &cursor.trace_id));
    let fitting = told.fitting();
    let whose = TraceFilter {
        workload: filter.workload.clone(),
        namespaces: filter.namespaces.clone(),
        ..TraceFilter::default()
    };
    let asked_for = whose.workload.is_some() || whose.namespaces.is_some();
    if !passes || (asked_for && !fitting.iter().any(|span| matching::fits(span, &whose))) {
        return None;
    }
    let stats = || told.service_stats.iter().flat_map(BTreeMap::values);
    let count: u64 = stats().map(|stats| otlp::number(&stats.span_count)).sum();
    let failed = stats().any(|stats| otlp::number(&stats.error_count) > 0);
    let (root, workload) = root(told, &fitting, start_us);
    Some(TraceRow {
        trace_id,
        root,
        workload,
        start_us,
        duration_us: otlp::number(&told.duration_ms).saturating_mul(1000),
        spans: usize::try_from(count).unwrap_or(usize::MAX).max(fitting.len()),
        error: failed || filter.errors || fitting.iter().any(|span| span.error),
    })
}

/// Name and workload of the root. The service's name says less than the root's own attributes, where those are told.
fn root(told: &Told, fitting: &[Span], start_us: u64) -> (String, String) {
    // In place of names it says "<root span not yet received>".
    if told.root_service_name.starts_with('<') || told.root_service_name.is_empty() {
        return ("root span not received".to_owned(), "unknown".to_owned());
    }
    let service = |span: &Span| span.attributes.iter().any(|(k, v)| k == SERVICE && *v == told.root_service_name);
    let own = fitting.iter().find(|span| span.start_us == start_us && service(span));
    let workload = own.map_or_else(|| workload_of(&told.root_service_name), |span| span.workload.clone());
    (named(&told.root_trace_name), placed(&workload))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A name that is cut loses its end, and with it whose it is.
    #[test]
    fn whose_a_row_is_is_told_by_the_whole_name() {
        let service = format!("{}.bank", "n".repeat(2000));
        let text = |key: &str, value: &str| json!({ "key": key, "value": { "stringValue": value } });
        let others = (0..64).map(|n| text(&format!("a{n}"), "x"));
        let attributes: Vec<Value> = others.chain([text("service.name", &service), text("status", "error")]).collect();
        let span = json!({ "spanID": "0101010101010101", "startTimeUnixNano": "1000000", "attributes": attributes });
        let told: Told = serde_json::from_value(json!({
            "traceID": "b1", "rootServiceName": service, "rootTraceName": "charge", "startTimeUnixNano": "1000000",
            "durationMs": 3, "spanSets": [{ "spans": [span] }],
        }))
        .unwrap();
        let of =
            |namespace: &str| TraceFilter { namespaces: Some(vec![namespace.to_owned()]), ..TraceFilter::default() };
        let seen = row(&told, &of("bank")).expect("it is of bank");
        assert!(seen.error && seen.workload.starts_with("bank/nnn"), "{seen:?}");
        assert!(row(&told, &of("shop")).is_none());
    }
}
