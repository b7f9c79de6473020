//! What else may be at an address: people mistake one store for another, or give the address of a page.

use std::time::Duration;

use serde_json::Value;

use super::http::Http;

/// How long looking takes at most; it is only for the words of an error.
const WITHIN: Duration = Duration::from_secs(3);

/// Which product answers there, by what it answers where only it does.
pub(super) async fn at(http: &Http) -> Option<&'static str> {
    tokio::time::timeout(WITHIN, look(http)).await.ok().flatten()
}

async fn look(http: &Http) -> Option<&'static str> {
    let json = async |path: &str| http.get::<Value>(path, &[]).await.ok().flatten();
    if json("/api/v2/services").await.is_some_and(|found| found.is_array()) {
        return Some("Zipkin");
    }
    if json("/api/services").await.is_some_and(|found| found.get("data").is_some()) {
        return Some("Jaeger");
    }
    if http.fetch("/api/echo", &[], "*/*").await.ok().flatten().is_some_and(|body| body.bytes.trim_ascii() == b"echo") {
        return Some("Tempo");
    }
    json("/api/health").await.filter(|found| found.get("database").is_some()).map(|_| "Grafana")
}
