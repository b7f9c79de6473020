//! WorkloadEntry (<https://istio.io/latest/docs/reference/config/networking/workload-entry/>).

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

/// One workload instance that is not a pod, or one endpoint of a ServiceEntry.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct WorkloadEntry {
    /// IP address, DNS name (in endpoints of a ServiceEntry with DNS resolution) or `unix:///path`.
    pub address: String,
    /// Ports by the name of the service's port, where they differ.
    pub ports: BTreeMap<String, u32>,
    /// Labels, which Services and ServiceEntries select by.
    pub labels: BTreeMap<String, String>,
    /// Network; empty for the same.
    pub network: String,
    /// `region/zone/subzone`.
    pub locality: String,
    /// Weight among the endpoints; none is 1.
    pub weight: Option<u32>,
    /// Service account, in the same namespace.
    pub service_account: String,
}
