//! A real Prometheus.

use std::{net::SocketAddr, path::Path, time::Duration};

use serde_json::Value;

use crate::{
    http::{encoded, get},
    process::{Process, tool},
    wait::{ensure, until},
};

/// A running Prometheus.
pub struct Prometheus {
    _process: Process,
    address: SocketAddr,
}

impl Prometheus {
    /// Starts one at `address` that scrapes `targets` at `/stats/prometheus` every second.
    pub async fn start(address: SocketAddr, targets: &[SocketAddr], dir: &Path) -> Self {
        let list = targets.iter().map(|target| format!("'{target}'")).collect::<Vec<_>>().join(", ");
        let config = dir.join("prometheus.yml");
        let text = format!(
            "global: {{scrape_interval: 1s, scrape_timeout: 1s}}\nscrape_configs:\n  - job_name: proxies\n    metrics_path: /stats/prometheus\n    \
             static_configs: [{{targets: [{list}]}}]\n"
        );
        std::fs::write(&config, text).expect("prometheus.yml");
        let args = [
            format!("--config.file={}", config.display()),
            format!("--storage.tsdb.path={}", dir.join("tsdb").display()),
            format!("--web.listen-address={address}"),
        ];
        let process = Process::start("prometheus", &tool("prometheus", "prometheus"), args, dir);
        let prometheus = Self { _process: process, address };
        until("Prometheus is ready", Duration::from_secs(30), || async {
            let answer = get(address, "prometheus", "/-/ready", &[]).await?;
            ensure(answer.status == 200, || format!("{answer:?}"))
        })
        .await;
        prometheus
    }

    /// The first sample's value of an instant query; `None` when there is none.
    pub async fn value(&self, query: &str) -> Option<f64> {
        query_value(self.address, query).await
    }
}

/// The first sample's value of an instant query at any Prometheus.
pub async fn query_value(address: SocketAddr, query: &str) -> Option<f64> {
    let path = format!("/api/v1/query?query={}", encoded(query));
    let answer = get(address, "prometheus", &path, &[]).await.ok()?;
    let json: Value = answer.json();
    assert_eq!(json["status"], "success", "{query}: {json}");
    json["data"]["result"][0]["value"][1].as_str()?.parse().ok()
}
