//! Whether a pod gets a proxy, by what it says itself. Whether its namespace asks for one the API server has decided, by the
//! selectors of the webhooks: to look again, at labels that may have changed since, would let pods in without a proxy.

use std::fmt;

use serde_json::Value;

use super::InjectConfig;

/// Why a pod gets no proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Skip {
    /// It uses its node's network, where a proxy would capture the node's traffic.
    HostNetwork,
    /// Its namespace is needed to bring the cluster up, or is the installation's own.
    SystemNamespace,
    /// It says so, by label or annotation `sidecar.istio.io/inject`.
    OptedOut,
}

impl fmt::Display for Skip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::HostNetwork => "it uses the network of its node",
            Self::SystemNamespace => "its namespace is never injected",
            Self::OptedOut => "it opts out by sidecar.istio.io/inject",
        })
    }
}

const INJECT: &str = "sidecar.istio.io/inject";

pub(super) fn decide(pod: &Value, namespace: &str, config: &InjectConfig) -> Option<Skip> {
    if pod["spec"]["hostNetwork"] == Value::Bool(true) {
        return Some(Skip::HostNetwork);
    }
    if config.never.iter().any(|never| never == namespace) {
        return Some(Skip::SystemNamespace);
    }
    let said = |map: &str, key: &str| pod["metadata"][map][key].as_str();
    // The label is the newer way and wins; the words are YAML's.
    match said("labels", INJECT).or_else(|| said("annotations", INJECT)).unwrap_or_default().to_lowercase().as_str() {
        "" | "y" | "yes" | "true" | "on" => None,
        _ => Some(Skip::OptedOut),
    }
}
