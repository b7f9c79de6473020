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

pub(super) const INJECT: &str = "sidecar.istio.io/inject";

pub(super) fn decide(pod: &Value, namespace: &str, config: &InjectConfig) -> Option<Skip> {
    if pod["spec"]["hostNetwork"] == Value::Bool(true) {
        return Some(Skip::HostNetwork);
    }
    if config.never.iter().any(|never| never == namespace) {
        return Some(Skip::SystemNamespace);
    }
    (word(pod) == Word::No).then_some(Skip::OptedOut)
}

/// What a pod says of itself.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Word<'p> {
    Yes,
    No,
    /// Nothing, or what is neither: its namespace's word counts, as in Istio.
    Else(&'p str),
}

fn word(pod: &Value) -> Word<'_> {
    let said = |map: &str| pod["metadata"][map][INJECT].as_str();
    // The label is the newer way and wins; the words are YAML's.
    let said = said("labels").or_else(|| said("annotations")).unwrap_or_default().trim();
    match said.to_lowercase().as_str() {
        "y" | "yes" | "true" | "on" => Word::Yes,
        "n" | "no" | "false" | "off" => Word::No,
        _ => Word::Else(said),
    }
}

/// What a pod says that is neither yes nor no.
pub(super) fn unclear(pod: &Value) -> Option<&str> {
    match word(pod) {
        Word::Else(said) if !said.is_empty() => Some(said),
        _ => None,
    }
}
