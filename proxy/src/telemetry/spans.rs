//! Finished spans, on their way to a collector in the encoding that it takes. A collector that is slow or gone costs
//! spans, never requests.

mod encoding;
mod otlp;
mod post;
mod span;
mod zipkin;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use opentelemetry_proto::tonic::trace::v1::Span;
use tokio::sync::mpsc;
use weft_runtime::Shutdown;

pub use encoding::Encoding;
pub use post::{Endpoint, InvalidEndpoint};
pub(super) use span::span_of;

use crate::state::Shared;

/// Spans that may wait for the exporter.
const QUEUE: usize = 2048;
/// Spans in one message.
const BATCH: usize = 256;
/// How long the first span of a batch waits for others.
const LINGER: Duration = Duration::from_millis(500);
/// Waiting times after failures: doubled each time, from this to that.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));

/// Takes finished spans from all workers.
#[derive(Clone, Default)]
pub struct SpanSink {
    queue: Option<mpsc::Sender<Span>>,
    tag_length: usize,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    dropped: AtomicU64,
    exported: AtomicU64,
}

impl SpanSink {
    /// A sink and what empties it. Of what a request says, such as its path, a span has `tag_length` characters.
    pub fn new(endpoint: Endpoint, tag_length: usize) -> (Self, Exporter) {
        let (sender, receiver) = mpsc::channel(QUEUE);
        let counts = Arc::<Counts>::default();
        let sink = Self { queue: Some(sender), tag_length, counts: counts.clone() };
        (sink, Exporter { endpoint, queue: receiver, counts })
    }

    /// A sink that swallows everything, for a proxy without a collector.
    pub fn off() -> Self {
        Self::default()
    }

    /// Whether spans go anywhere. Without a collector, context is still passed on.
    pub fn is_on(&self) -> bool {
        self.queue.is_some()
    }

    /// Spans dropped so far.
    pub fn dropped(&self) -> u64 {
        self.counts.dropped.load(Ordering::Relaxed)
    }

    /// Spans that the collector took.
    pub fn exported(&self) -> u64 {
        self.counts.exported.load(Ordering::Relaxed)
    }

    /// Queues a span, or drops and counts it when the queue is full; `make` runs only when there is room, and is told how
    /// long a tag may be.
    pub(super) fn push(&self, make: impl FnOnce(usize) -> Span) {
        let Some(queue) = &self.queue else { return };
        match queue.try_reserve() {
            Ok(place) => place.send(make(self.tag_length)),
            Err(_) => drop(self.counts.dropped.fetch_add(1, Ordering::Relaxed)),
        }
    }
}

/// Sends queued spans in batches.
pub struct Exporter {
    endpoint: Endpoint,
    queue: mpsc::Receiver<Span>,
    counts: Arc<Counts>,
}

impl Exporter {
    /// Runs until shutdown, then sends what is left once.
    pub async fn run(mut self, shared: Arc<Shared>, shutdown: Shutdown) {
        let mut backoff = BACKOFF.0;
        while let Some(spans) = self.batch(&shutdown).await {
            let count = spans.len() as u64;
            let resource = span::resource(&shared.node, &shared.facts.load());
            let body = self.endpoint.encoding().encode(resource, spans);
            match self.endpoint.post(body).await {
                Ok(()) => {
                    self.counts.exported.fetch_add(count, Ordering::Relaxed);
                    backoff = BACKOFF.0;
                }
                Err(error) => {
                    self.counts.dropped.fetch_add(count, Ordering::Relaxed);
                    tracing::debug!(endpoint = %self.endpoint, %error, spans = count, "spans were not taken");
                    if shutdown.begun() {
                        return;
                    }
                    // While waiting, the queue fills and then drops: memory stays bounded.
                    tokio::select! { () = tokio::time::sleep(backoff) => {}, () = shutdown.wait() => {} }
                    backoff = (backoff * 2).min(BACKOFF.1);
                }
            }
        }
    }

    /// Waits for the next batch; `None` when shutdown has begun and nothing is left.
    async fn batch(&mut self, shutdown: &Shutdown) -> Option<Vec<Span>> {
        let mut spans = Vec::new();
        tokio::select! {
            biased;
            first = self.queue.recv() => spans.push(first?),
            () = shutdown.wait() => return None,
        }
        let deadline = tokio::time::Instant::now() + LINGER;
        while spans.len() < BATCH {
            tokio::select! {
                biased;
                next = self.queue.recv() => match next { Some(span) => spans.push(span), None => break },
                () = tokio::time::sleep_until(deadline) => break,
                () = shutdown.wait() => break,
            }
        }
        Some(spans)
    }
}

#[cfg(test)]
mod tests;
