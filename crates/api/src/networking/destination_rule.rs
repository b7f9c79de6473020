//! DestinationRule (<https://istio.io/latest/docs/reference/config/networking/destination-rule/>).

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::TrafficPolicy;
use crate::security::Selector;

/// Policies and subsets of a host.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct DestinationRule {
    /// Host in the service registry, or a `*.` pattern; a short name is in the rule's namespace.
    pub host: String,
    /// Policy for all of the host.
    pub traffic_policy: Option<TrafficPolicy>,
    /// Named parts of the host.
    pub subsets: Vec<Subset>,
    /// Namespaces that see this: `.`, `*`, or names.
    pub export_to: Vec<String>,
    /// The calling workloads this is for; none is all that see it.
    pub workload_selector: Option<Selector>,
}

/// A named part of a host.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Subset {
    /// Name, for routes.
    pub name: String,
    /// Labels that its endpoints carry.
    pub labels: BTreeMap<String, String>,
    /// Policy for this part, field by field over the host's.
    pub traffic_policy: Option<TrafficPolicy>,
}
