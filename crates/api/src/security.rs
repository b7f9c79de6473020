//! Istio's `security.istio.io` (<https://istio.io/latest/docs/reference/config/security/>).

pub mod authorization_policy;
pub mod peer_authentication;
pub mod request_authentication;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::Labels;

pub use authorization_policy::AuthorizationPolicy;
pub use peer_authentication::PeerAuthentication;
pub use request_authentication::RequestAuthentication;

/// Workloads by label.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Selector {
    /// Labels that a workload must carry; none selects every workload.
    pub match_labels: BTreeMap<String, String>,
}

impl Selector {
    /// Whether a workload with `labels` is selected.
    pub fn selects(&self, labels: &Labels) -> bool {
        labels.carry(&self.match_labels)
    }
}

/// An object that a policy is attached to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct TargetRef {
    /// API group; empty for the core group.
    pub group: String,
    /// Kind.
    pub kind: String,
    /// Name.
    pub name: String,
    /// Namespace; empty for the policy's own.
    pub namespace: String,
}
