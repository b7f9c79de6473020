//! The application's own metrics, scraped when the proxy is scraped.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use http::{HeaderMap, HeaderValue, header};
use serde::Deserialize;
use weft_model::ports;

use super::{
    fetch::{FetchError, Place, get, read},
    merge,
    probe::place,
    probes::Port,
};
use crate::state::NodeInfo;

/// Longest exposition that is merged.
const MAX_BYTES: usize = 16 * 1024 * 1024;
/// Time for the application where the scraper does not say how long it waits.
const TIMEOUT: Duration = Duration::from_secs(5);
/// No scrape waits longer.
const MAX_TIMEOUT: Duration = Duration::from_secs(30);
const SCRAPE_TIMEOUT: &str = "x-prometheus-scrape-timeout-seconds";

/// Where the application's metrics are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppMetrics {
    port: u16,
    path: String,
    tls: bool,
}

/// Why the JSON cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum InvalidAppMetrics {
    /// Not the form.
    #[error("not of the form {{\"path\":\"/metrics\",\"port\":\"8080\",\"scheme\":\"http\"}}: {0}")]
    Json(#[from] serde_json::Error),
    /// A field.
    #[error("{0}")]
    Field(String),
}

#[derive(Deserialize)]
struct Given {
    path: Option<String>,
    port: Option<Port>,
    scheme: Option<String>,
}

impl AppMetrics {
    /// Reads the JSON that injection wrote from the pod's `prometheus.io/*` annotations, with Prometheus' defaults.
    pub fn parse(text: &str) -> Result<Self, InvalidAppMetrics> {
        let given: Given = serde_json::from_str(text)?;
        let port = given.port.map_or(Ok(80), |port| port.number()).map_err(InvalidAppMetrics::Field)?;
        let path = given.path.filter(|path| !path.is_empty()).unwrap_or_else(|| "/metrics".into());
        let path = if path.starts_with('/') { path } else { format!("/{path}") };
        http::uri::PathAndQuery::try_from(path.as_str())
            .map_err(|_| InvalidAppMetrics::Field(format!("{path:?} is no path")))?;
        let tls = match given.scheme.as_deref().unwrap_or_default() {
            "" | "http" => false,
            "https" => true,
            other => return Err(InvalidAppMetrics::Field(format!("the scheme {other:?} is neither http nor https"))),
        };
        if port == ports::PROXY_MERGED_METRICS || port == ports::PROXY_METRICS {
            return Err(InvalidAppMetrics::Field(format!("port {port} is the proxy's own")));
        }
        Ok(Self { port, path, tls })
    }
}

/// Our exposition with the application's behind it. The application's is asked for within the scraper's own time.
pub async fn scrape(
    node: &NodeInfo,
    app: &AppMetrics,
    ours: String,
    scraper: &HeaderMap,
) -> (String, Result<(), String>) {
    match tokio::time::timeout(timeout(scraper), fetch(node, app)).await {
        Ok(Ok(theirs)) => (merge::merge(ours, &theirs), Ok(())),
        Ok(Err(error)) => (ours, Err(error.to_string())),
        Err(_) => (ours, Err("the application did not answer in time".into())),
    }
}

/// A little less than what the scraper waits.
fn timeout(scraper: &HeaderMap) -> Duration {
    let told = scraper.get(SCRAPE_TIMEOUT).and_then(|value| value.to_str().ok()?.parse::<f64>().ok());
    let told = told.filter(|seconds| (0.1..3600.0).contains(seconds)).map(|s| Duration::from_secs_f64(s * 0.8));
    told.unwrap_or(TIMEOUT).min(MAX_TIMEOUT)
}

/// Tries the pod's address, then loopback: an application may listen on either.
async fn fetch(node: &NodeInfo, app: &AppMetrics) -> Result<String, FetchError> {
    let loopback: IpAddr = match node.address {
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    let (address, source) = place(node, None, app.port);
    match fetch_at(Place { address, source, tls: app.tls }, app).await {
        Err(error) if error.refused() && node.in_pod => {
            let address = SocketAddr::new(loopback, app.port);
            fetch_at(Place { address, source: None, tls: app.tls }, app).await
        }
        other => other,
    }
}

async fn fetch_at(place: Place, app: &AppMetrics) -> Result<String, FetchError> {
    let mut headers = HeaderMap::new();
    headers.insert(header::ACCEPT, HeaderValue::from_static("text/plain;version=0.0.4;q=1,*/*;q=0.1"));
    let (response, _link) = get(place, &app.path, &headers).await?;
    if !response.status().is_success() {
        return Err(FetchError::Status(place.address, response.status()));
    }
    let bytes = read(place.address, response.into_body(), MAX_BYTES).await?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests;
