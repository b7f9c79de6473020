//! Telemetry.

use weft_api::telemetry::{Telemetry, WorkloadMode};

use super::{list, percent, security::whom};

/// What it does about traces; all else of it has no effect.
pub(super) fn sentences(spec: &Telemetry, namespace: &str) -> Vec<String> {
    if spec.is_attached() {
        return vec!["It is attached to objects, so it is for no workload here.".to_owned()];
    }
    let whom = whom(spec.selector.as_ref(), &[], namespace);
    let mut out = Vec::new();
    for tracing in &spec.tracing {
        let requests = match tracing.mode() {
            WorkloadMode::ClientAndServer => format!("requests of and to {whom}"),
            WorkloadMode::Client => format!("requests of {whom}"),
            WorkloadMode::Server => format!("requests to {whom}"),
        };
        if tracing.disable_span_reporting == Some(true) {
            out.push(format!("Of {requests}, no spans are reported; traces of others pass."));
            continue;
        }
        if let Some(share) = tracing.random_sampling_percentage {
            out.push(format!("Of {requests} that nobody has decided about, {} start a trace.", percent(share)));
        }
        if !tracing.custom_tags.is_empty() {
            let names: Vec<&str> = tracing.custom_tags.keys().map(String::as_str).collect();
            out.push(format!("Spans of {requests} also say {}.", list(&names, "and")));
        }
    }
    out
}
