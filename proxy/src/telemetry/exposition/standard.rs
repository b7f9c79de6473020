//! Istio's standard metrics, and Weft's count of weighted picks.

use std::{
    collections::BTreeMap,
    fmt::{Display, Write},
    sync::Arc,
};

use weft_model::metrics::{self, DURATION_BUCKETS, ROUTE_LABELS, SIZE_BUCKETS, STANDARD_LABELS};

use super::{Text, label};
use crate::telemetry::{
    Edge, ResponseFlags, Stats,
    series::{HistogramTotal, RequestValues, TcpValues},
};

/// Labels of an HTTP or gRPC series, in the order of [`STANDARD_LABELS`]; gRPC ones end with `grpc_response_status`.
pub fn request_labels(edge: &Edge, is_grpc: bool, grpc: Option<u16>, status: u16, flags: ResponseFlags) -> String {
    let protocol = if is_grpc { "grpc" } else { "http" };
    let mut labels = standard(edge, protocol, Some(&status.to_string()), flags);
    if let Some(grpc) = grpc {
        label(&mut labels, "grpc_response_status", &grpc.to_string());
    }
    labels
}

/// Labels of an opaque TCP series.
pub fn tcp_labels(edge: &Edge, flags: ResponseFlags) -> String {
    standard(edge, "tcp", None, flags)
}

/// Labels of `weft_route_requests_total`, values in the order of [`ROUTE_LABELS`].
pub fn route_labels(values: [&Arc<str>; ROUTE_LABELS.len()]) -> String {
    let mut labels = String::new();
    for (name, value) in ROUTE_LABELS.iter().zip(values) {
        label(&mut labels, name, value);
    }
    labels
}

fn standard(edge: &Edge, protocol: &str, code: Option<&str>, flags: ResponseFlags) -> String {
    let (source, destination, service) = (&*edge.source, &*edge.destination, &*edge.service);
    let flags = flags.to_string();
    let values: [Option<&str>; STANDARD_LABELS.len()] = [
        Some(edge.reporter.as_str()),
        Some(&source.workload),
        Some(&source.canonical_service),
        Some(&source.canonical_revision),
        Some(&source.namespace),
        Some(&edge.source_principal),
        Some(&source.app),
        Some(&source.version),
        Some(&source.cluster),
        Some(&destination.workload),
        Some(&destination.namespace),
        Some(&edge.destination_principal),
        Some(&destination.app),
        Some(&destination.version),
        Some(&service.host),
        Some(&destination.canonical_service),
        Some(&destination.canonical_revision),
        Some(&service.name),
        Some(&service.namespace),
        Some(&destination.cluster),
        Some(protocol),
        code,
        Some(&flags),
        Some(edge.security.as_str()),
    ];
    let mut labels = String::with_capacity(800);
    for (name, value) in STANDARD_LABELS.iter().zip(values) {
        if let Some(value) = value {
            label(&mut labels, name, value);
        }
    }
    labels
}

#[derive(Default)]
struct Requests {
    requests: u64,
    duration: HistogramTotal,
    request_bytes: HistogramTotal,
    response_bytes: HistogramTotal,
    request_messages: u64,
    response_messages: u64,
}

impl Requests {
    fn add(&mut self, values: &RequestValues) {
        self.requests += values.requests.get();
        values.duration.read(&mut self.duration);
        values.request_bytes.read(&mut self.request_bytes);
        values.response_bytes.read(&mut self.response_bytes);
        self.request_messages += values.request_messages.get();
        self.response_messages += values.response_messages.get();
    }
}

#[derive(Default)]
struct Tcp {
    opened: u64,
    closed: u64,
    sent: u64,
    received: u64,
}

impl Tcp {
    fn add(&mut self, values: &TcpValues) {
        self.opened += values.opened.get();
        self.closed += values.closed.get();
        self.sent += values.sent.get();
        self.received += values.received.get();
    }
}

/// Sums the workers' series and writes them.
pub fn write(text: &mut Text, stats: &Stats) {
    let mut requests: BTreeMap<Arc<str>, Requests> = BTreeMap::new();
    let mut tcp: BTreeMap<Arc<str>, Tcp> = BTreeMap::new();
    let mut routes: BTreeMap<Arc<str>, u64> = BTreeMap::new();
    for worker in stats.workers() {
        worker.requests.each(|labels, values| requests.entry(labels.clone()).or_default().add(values));
        worker.tcp.each(|labels, values| tcp.entry(labels.clone()).or_default().add(values));
        worker.routes.each(|labels, count| *routes.entry(labels.clone()).or_default() += count.get());
    }
    counters(text, metrics::REQUESTS_TOTAL, "Requests.", &requests, |r| Some(r.requests));
    histograms(text, metrics::REQUEST_DURATION, "Request duration in milliseconds.", &requests, |r| {
        (&r.duration, &DURATION_BUCKETS)
    });
    histograms(text, metrics::REQUEST_BYTES, "Request body sizes in bytes.", &requests, |r| {
        (&r.request_bytes, &SIZE_BUCKETS)
    });
    histograms(text, metrics::RESPONSE_BYTES, "Response body sizes in bytes.", &requests, |r| {
        (&r.response_bytes, &SIZE_BUCKETS)
    });
    let some = |count: u64| (count > 0).then_some(count);
    let (sent, received) = ("gRPC messages sent by clients.", "gRPC messages sent by servers.");
    counters(text, metrics::REQUEST_MESSAGES_TOTAL, sent, &requests, |r| some(r.request_messages));
    counters(text, metrics::RESPONSE_MESSAGES_TOTAL, received, &requests, |r| some(r.response_messages));
    counters(text, metrics::TCP_CONNECTIONS_OPENED_TOTAL, "TCP connections opened.", &tcp, |t| Some(t.opened));
    counters(text, metrics::TCP_CONNECTIONS_CLOSED_TOTAL, "TCP connections closed.", &tcp, |t| Some(t.closed));
    counters(text, metrics::TCP_SENT_BYTES_TOTAL, "Bytes to TCP clients.", &tcp, |t| Some(t.sent));
    counters(text, metrics::TCP_RECEIVED_BYTES_TOTAL, "Bytes from TCP clients.", &tcp, |t| Some(t.received));
    let help = "First attempts per weighted destination.";
    counters(text, metrics::ROUTE_REQUESTS_TOTAL, help, &routes, |count| Some(*count));
}

fn counters<V>(
    text: &mut Text,
    name: &str,
    help: &str,
    series: &BTreeMap<Arc<str>, V>,
    value: impl Fn(&V) -> Option<u64>,
) {
    text.family(name, "counter", help);
    for (labels, values) in series {
        if let Some(value) = value(values) {
            text.sample(name, labels, value);
        }
    }
}

fn histograms<V>(
    text: &mut Text,
    name: &str,
    help: &str,
    series: &BTreeMap<Arc<str>, V>,
    of: impl Fn(&V) -> (&HistogramTotal, &'static [f64]),
) {
    text.family(name, "histogram", help);
    let (bucket, mut with_bound) = (format!("{name}_bucket"), String::new());
    for (labels, values) in series {
        let (histogram, bounds) = of(values);
        let mut total = 0;
        for (index, count) in histogram.buckets.iter().enumerate() {
            total += count;
            with_bound.clear();
            let bound: &dyn Display = bounds.get(index).map_or(&"+Inf", |bound| bound);
            // Writing to a String does not fail.
            let _ = write!(with_bound, "{labels},le=\"{bound}\"");
            text.sample(&bucket, &with_bound, total);
        }
        text.sample(&format!("{name}_sum"), labels, histogram.sum);
        text.sample(&format!("{name}_count"), labels, total);
    }
}
