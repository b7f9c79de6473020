//! The console's own metrics (`GET /metrics`).

use prometheus_client::{
    encoding::{EncodeLabelSet, text},
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};
use weft_mesh::Snapshot;
use weft_source::Index;

use crate::config::hurry::Hurry;

/// In the file.
const WRITTEN: &str = "written";
/// The write failed.
const LOST: &str = "lost";
/// The queue was full.
const REFUSED: &str = "refused";
/// Against the specification, or too old.
const REJECTED: &str = "rejected";

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SpanLabels {
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    code: u16,
}

/// Counters and gauges of one console.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    spans: Family<SpanLabels, Counter>,
    spans_held: Gauge,
    requests: Family<RequestLabels, Counter>,
    subscribers: Gauge,
    reloads: Counter,
    edits: Counter,
    hurry: Hurry,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// All at zero.
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("weft_console");
        let (spans, requests) = (Family::default(), Family::default());
        let (spans_held, subscribers) = (Gauge::default(), Gauge::default());
        let (reloads, edits) = (Counter::default(), Counter::default());
        registry.register("spans", "Spans received by OTLP, by what became of them", spans.clone());
        registry.register("spans_held", "Spans in the embedded store", spans_held.clone());
        registry.register("requests", "HTTP requests answered, by status", requests.clone());
        registry.register("subscribers", "Pages that listen to live events", subscribers.clone());
        registry.register("config_reloads", "Times that changed configuration was taken up", reloads.clone());
        registry.register("edits", "Weight edits written, undone ones included", edits.clone());
        Self { registry, spans, spans_held, requests, subscribers, reloads, edits, hurry: Hurry::default() }
    }

    fn count_spans(&self, outcome: &'static str, count: usize) {
        self.spans.get_or_create(&SpanLabels { outcome }).inc_by(u64::try_from(count).unwrap_or(u64::MAX));
    }

    /// Spans that reached the file.
    pub fn spans_written(&self, count: usize) {
        self.count_spans(WRITTEN, count);
    }

    /// Spans whose write failed.
    pub fn spans_lost(&self, count: usize) {
        self.count_spans(LOST, count);
    }

    /// Spans that found the queue full.
    pub fn spans_refused(&self, count: usize) {
        self.count_spans(REFUSED, count);
    }

    /// Spans that break the specification or are too old.
    pub fn spans_rejected(&self, count: usize) {
        self.count_spans(REJECTED, count);
    }

    /// Spans in the file.
    pub fn spans_held(&self, count: usize) {
        self.spans_held.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// A request was answered.
    pub fn request(&self, code: u16) {
        self.requests.get_or_create(&RequestLabels { code }).inc();
    }

    /// Pages that listen.
    pub fn subscribers(&self, count: usize) {
        self.subscribers.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// Changed configuration was taken up.
    pub fn reloaded(&self) {
        self.reloads.inc();
    }

    /// An edit was written; whoever follows the configuration hurries to show it. `has` says of a state whether it is in it.
    pub fn edited(&self, has: impl Fn(&Snapshot, &Index) -> bool + Send + Sync + 'static) {
        self.edits.inc();
        self.hurry.ask(has);
    }

    /// Edits that are waited for.
    pub fn hurry(&self) -> &Hurry {
        &self.hurry
    }

    /// Prometheus' text format.
    pub fn text(&self) -> Result<String, std::fmt::Error> {
        let mut page = String::new();
        text::encode(&mut page, &self.registry)?;
        Ok(page)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_names_what_happened() {
        let metrics = Metrics::new();
        metrics.spans_written(3);
        metrics.spans_refused(2);
        metrics.request(200);
        let page = metrics.text().unwrap();
        for line in [
            "weft_console_spans_total{outcome=\"written\"} 3",
            "weft_console_spans_total{outcome=\"refused\"} 2",
            "weft_console_requests_total{code=\"200\"} 1",
        ] {
            assert!(page.contains(line), "{page}");
        }
    }
}
