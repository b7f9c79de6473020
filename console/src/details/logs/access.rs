//! Lines of an access log in Istio's JSON format.

use serde::Deserialize;
use weft_model::details::Access;

use super::shortened;

#[derive(Deserialize)]
struct Line {
    start_time: String,
    method: Option<String>,
    path: Option<String>,
    response_code: u16,
    response_flags: Option<String>,
    response_code_details: Option<String>,
    #[serde(default)]
    bytes_received: u64,
    #[serde(default)]
    bytes_sent: u64,
    #[serde(default)]
    duration: f64,
    upstream_service_time: Option<f64>,
    authority: Option<String>,
    upstream_host: Option<String>,
    upstream_cluster: Option<String>,
    downstream_remote_address: Option<String>,
    trace_id: Option<String>,
}

/// When a request began, and its fields; `None` for a line that is none of an access log.
pub fn read(text: &str) -> Option<(Option<u64>, Access)> {
    if !text.starts_with('{') {
        return None;
    }
    let line: Line = serde_json::from_str(text).ok()?;
    let known = |text: Option<String>| text.filter(|text| text != "-").map(|text| shortened(&text)).unwrap_or_default();
    let cluster = known(line.upstream_cluster);
    let direction = cluster.split('|').next().filter(|side| ["inbound", "outbound"].contains(side));
    let access = Access {
        method: known(line.method),
        path: known(line.path),
        authority: known(line.authority),
        code: line.response_code,
        flags: known(line.response_flags),
        details: known(line.response_code_details),
        duration_ms: line.duration,
        upstream_ms: line.upstream_service_time,
        direction: direction.unwrap_or_default().to_owned(),
        upstream: known(line.upstream_host),
        downstream: known(line.downstream_remote_address),
        bytes: (line.bytes_received, line.bytes_sent),
        trace_id: known(line.trace_id),
        cluster,
    };
    Some((super::moment(&line.start_time), access))
}
