//! What an estate says about itself.

use serde_json::Value;
use weft_model::sync::{ObjectAck, ProxySync};

use super::Estate;
use crate::http::get;

impl Estate {
    /// What the operator says about connected proxies.
    pub async fn syncz(&self) -> Result<Vec<ProxySync>, String> {
        let answer = get(self.operator_admin(), "operator", "/debug/syncz", &[]).await?;
        serde_json::from_slice(&answer.body).map_err(|error| format!("{error}: {}", answer.text()))
    }

    /// What the operator says about acknowledged VirtualServices.
    pub async fn acks(&self) -> Result<Vec<ObjectAck>, String> {
        let answer = get(self.operator_admin(), "operator", "/debug/acks", &[]).await?;
        serde_json::from_slice(&answer.body).map_err(|error| format!("{error}: {}", answer.text()))
    }

    /// Access log entries of one workload's proxy so far.
    pub fn access_log(&self, namespace: &str, name: &str) -> Vec<Value> {
        let path = self.logs().join(format!("{namespace}.{name}.proxy.access.json"));
        let text = std::fs::read_to_string(path).unwrap_or_default();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// A proxy's own metrics as text.
    pub async fn metrics(&self, name: &str) -> String {
        let address = self.at(name, weft_model::ports::PROXY_METRICS);
        get(address, "proxy", "/stats/prometheus", &[]).await.expect("metrics").text()
    }
}
