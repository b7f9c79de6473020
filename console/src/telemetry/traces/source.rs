//! Where traces are read: what this console received itself, or another store that the proxies send their spans to.

mod args;
mod backend;
mod error;
mod http;
mod jaeger;
mod matching;
mod product;
mod span;
mod tempo;
mod zipkin;

use weft_model::trace::{Span, TraceRow};

pub use self::{
    args::{SourceKind, TraceArgs},
    backend::Backend,
    error::SourceError,
};
use super::usual;
use crate::db::{Cursor, TraceFilter, TracePoint, TraceStore};

/// Traces counted at most for a heat map of spans that are held here.
const MAX_POINTS: usize = 20_000;

/// A place that traces are read from.
#[derive(Clone, Debug)]
pub enum TraceSource {
    /// Received by OTLP, and held by this console.
    Embedded(TraceStore),
    /// Another program.
    Backend(Backend),
}

/// A page of traces.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// Newest first.
    pub traces: Vec<TraceRow>,
    /// Where the next page begins.
    pub next: Option<Cursor>,
    /// What a reader should know: that not everything was searched, for one.
    pub note: Option<String>,
}

/// Traces as points.
#[derive(Clone, Debug, Default)]
pub struct Points {
    /// Newest first.
    pub points: Vec<TracePoint>,
    /// Whether there are more.
    pub cut: bool,
    /// What a reader should know of what was counted.
    pub note: Option<String>,
}

impl TraceSource {
    /// A page of the traces that pass `filter`.
    pub async fn list(&self, filter: &TraceFilter) -> Result<Found, SourceError> {
        match self {
            Self::Embedded(store) => {
                // One more tells whether there are more.
                let mut traces = store.list(&TraceFilter { limit: filter.limit + 1, ..filter.clone() }).await?;
                let more = traces.len() > filter.limit;
                traces.truncate(filter.limit);
                let last = traces.last().filter(|_| more);
                let next = last.map(|row| Cursor { start_us: row.start_us, trace_id: row.trace_id.clone() });
                Ok(Found { traces, next, note: None })
            }
            Self::Backend(backend) => backend.list(filter).await,
        }
    }

    /// The same traces as points.
    pub async fn points(&self, filter: &TraceFilter) -> Result<Points, SourceError> {
        match self {
            Self::Embedded(store) => {
                let filter = TraceFilter { before: None, limit: MAX_POINTS + 1, ..filter.clone() };
                let mut points = store.points(&filter).await?;
                let cut = points.len() > MAX_POINTS;
                points.truncate(MAX_POINTS);
                Ok(Points { points, cut, note: None })
            }
            Self::Backend(backend) => backend.points(filter).await,
        }
    }

    /// The spans of one trace, attributes in order; empty when it is not held.
    pub async fn spans(&self, trace_id: &str) -> Result<Vec<Span>, SourceError> {
        match self {
            Self::Embedded(store) => Ok(store.spans(trace_id).await?),
            Self::Backend(backend) => backend.spans(trace_id).await,
        }
    }

    /// Workloads that sent spans, in order.
    pub async fn workloads(&self) -> Result<Vec<String>, SourceError> {
        match self {
            Self::Embedded(store) => Ok(store.workloads().await?),
            Self::Backend(backend) => backend.workloads().await,
        }
    }

    /// Names of a workload's spans, in order.
    pub async fn operations(&self, workload: &str) -> Result<Vec<String>, SourceError> {
        match self {
            Self::Embedded(store) => Ok(store.operations(workload).await?),
            Self::Backend(backend) => backend.operations(workload).await,
        }
    }

    /// Compares spans with others of their operation, where those are at hand.
    pub async fn compare(&self, spans: &mut [Span]) -> Result<(), SourceError> {
        match self {
            Self::Embedded(store) => Ok(usual::from_spans(store, spans).await?),
            // Asking another program for hundreds of traces to compare one with costs too much; Prometheus has counted.
            Self::Backend(_) => Ok(()),
        }
    }
}
