//! Counting and telling: metric series per worker thread, summed when they are scraped; the access log; spans.

mod access_log;
mod exposition;
mod facts;
mod record;
mod recorder;
mod series;
mod spans;
mod stats;
mod tags;
#[cfg(test)]
mod testing;
mod trace;

pub use access_log::{AccessLog, AccessLogTarget, Sampling};
pub use exposition::exposition;
pub use facts::{Edge, Facts, Service};
pub use record::{LogFields, Reporter, RequestRecord, Security, TcpRecord};
pub use recorder::{Recorder, TcpSeries};
pub use spans::{Encoding, Endpoint, Exporter, InvalidEndpoint, SpanSink};
pub use stats::Stats;
pub use tags::of_request as span_tags;
pub use trace::{SpanId, TraceContext, TraceId};

pub use weft_policy::{
    flags::{Flag, Flags as ResponseFlags},
    upstream::Limit as Overflow,
};
