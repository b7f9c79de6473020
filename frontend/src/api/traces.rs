//! Traces: what is searched for, and the answers.

use weft_model::trace::{Heat, Trace, TraceList, TraceNames};

use super::{Answer, ROOT, get};
use crate::{
    location::{encode, traces::millis},
    queries::TraceQuery,
};

impl TraceQuery {
    fn pairs(&self) -> String {
        let mut pairs = Vec::new();
        let mut put = |name: &str, value: &str| {
            if !value.is_empty() {
                pairs.push(format!("{name}={}", encode(value)));
            }
        };
        let number = |number: Option<u64>| number.map(|number| number.to_string()).unwrap_or_default();
        put("workload", &self.workload);
        put("operation", &self.operation);
        for tag in &self.tags {
            put("tag", tag);
        }
        put("errors", if self.errors { "true" } else { "" });
        put("minMs", &if self.min_us > 0 { millis(self.min_us) } else { String::new() });
        put("maxMs", &self.max_us.map(millis).unwrap_or_default());
        put("fromMs", &number(self.from_ms));
        put("toMs", &number(self.to_ms));
        put("namespace", &self.namespaces.join(","));
        put("before", self.before.as_deref().unwrap_or_default());
        put("limit", &if self.limit > 0 { self.limit.to_string() } else { String::new() });
        pairs.join("&")
    }

    /// The address of the list.
    pub fn address(&self) -> String {
        format!("{ROOT}/traces?{}", self.pairs())
    }
}

/// Traces that fit, newest first.
pub async fn traces(query: &TraceQuery) -> Answer<TraceList> {
    get(&format!("/traces?{}", query.pairs())).await
}

/// The same, counted by time and duration.
pub async fn heat(query: &TraceQuery) -> Answer<Heat> {
    get(&format!("/traces/heat?{}", query.pairs())).await
}

/// What can be searched for: workloads, and the operations of one.
pub async fn trace_names(workload: &str) -> Answer<TraceNames> {
    get(&format!("/traces/names?workload={}", encode(workload))).await
}

/// The address of one trace.
pub fn trace_address(id: &str) -> String {
    format!("{ROOT}/traces/{}", encode(id))
}

/// One trace with its spans.
pub async fn trace(id: &str) -> Answer<Trace> {
    get(&format!("/traces/{}", encode(id))).await
}
