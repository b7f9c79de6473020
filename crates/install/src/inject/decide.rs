//! Whether a pod gets a proxy: Istio's webhook selectors first, then what the pod itself says.

use std::{collections::BTreeMap, fmt};

use serde_json::Value;

use super::InjectConfig;

/// The namespace that a pod is made in.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NamespaceInfo {
    /// Name.
    pub name: String,
    /// Labels; nothing when they are not known (offline), which selects every pod that does not opt out.
    pub labels: Option<BTreeMap<String, String>>,
}

/// Why a pod gets no proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Skip {
    /// It uses its node's network, where a proxy would capture the node's traffic.
    HostNetwork,
    /// Its namespace is needed to bring the cluster up, or is the installation's own.
    SystemNamespace,
    /// It says so, by label or annotation `sidecar.istio.io/inject`.
    OptedOut,
    /// Neither it nor its namespace asks for this revision.
    NotSelected,
}

impl fmt::Display for Skip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::HostNetwork => "it uses the network of its node",
            Self::SystemNamespace => "its namespace is never injected",
            Self::OptedOut => "it opts out by sidecar.istio.io/inject",
            Self::NotSelected => "neither it nor its namespace asks for this revision",
        })
    }
}

const INJECT: &str = "sidecar.istio.io/inject";

pub(super) fn decide(pod: &Value, namespace: &NamespaceInfo, config: &InjectConfig) -> Option<Skip> {
    if pod["spec"]["hostNetwork"] == Value::Bool(true) {
        return Some(Skip::HostNetwork);
    }
    if config.never.contains(&namespace.name) {
        return Some(Skip::SystemNamespace);
    }
    let said = |map: &str, key: &str| pod["metadata"][map][key].as_str();
    if let Some(labels) = &namespace.labels
        && !selected(labels, said("labels", INJECT), said("labels", crate::names::REVISION_LABEL), config)
    {
        // A label is what selectors see; whoever opted out by it was not overlooked.
        return Some(if said("labels", INJECT) == Some("false") { Skip::OptedOut } else { Skip::NotSelected });
    }
    // The label is the newer way and wins; the words are YAML's.
    match said("labels", INJECT).or_else(|| said("annotations", INJECT)).unwrap_or_default().to_lowercase().as_str() {
        "" | "y" | "yes" | "true" | "on" => None,
        _ => Some(Skip::OptedOut),
    }
}

/// What the API server decides by the selectors of the webhooks that [`crate::render::webhooks`] renders.
fn selected(
    namespace: &BTreeMap<String, String>,
    inject: Option<&str>,
    pod_revision: Option<&str>,
    config: &InjectConfig,
) -> bool {
    let ours = |revision: &str| revision == config.revision || config.tags.iter().any(|tag| tag == revision);
    let injection = namespace.get("istio-injection").map(String::as_str);
    let revision = namespace.get(crate::names::REVISION_LABEL).map(String::as_str);
    if inject == Some("false") {
        return false;
    }
    match (injection, revision) {
        // The namespace's own word for the default revision goes before any revision.
        (Some("enabled"), _) => config.default_revision,
        (Some(_), _) => false,
        (None, Some(revision)) => ours(revision),
        (None, None) => match pod_revision {
            Some(revision) => ours(revision),
            None => inject == Some("true") && config.default_revision,
        },
    }
}
