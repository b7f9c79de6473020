//! ServiceEntry (<https://istio.io/latest/docs/reference/config/networking/service-entry/>).

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Port, WorkloadEntry};
use crate::one_of::words;

/// A host that is not a Kubernetes Service.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct ServiceEntry {
    /// Hosts, full names or `*.` patterns.
    pub hosts: Vec<String>,
    /// Virtual addresses or CIDR ranges.
    pub addresses: Vec<String>,
    /// Ports.
    pub ports: Vec<Port>,
    /// Whether it belongs to the mesh.
    pub location: Location,
    /// How its endpoints are found.
    pub resolution: Resolution,
    /// Endpoints.
    pub endpoints: Vec<WorkloadEntry>,
    /// Endpoints by label, in place of the list; only in the same namespace.
    pub workload_selector: Option<WorkloadSelector>,
    /// Namespaces that see this: `.`, `*`, or names.
    pub export_to: Vec<String>,
    /// Names of which the server's certificate must have one.
    pub subject_alt_names: Vec<String>,
}

/// Workloads by label, in Sidecar's and ServiceEntry's spelling.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct WorkloadSelector {
    /// Labels that a workload must carry.
    pub labels: BTreeMap<String, String>,
}

words! {
    /// Whether a host belongs to the mesh.
    Location {
        /// No.
        #[default]
        MeshExternal = "MESH_EXTERNAL",
        /// Yes.
        MeshInternal = "MESH_INTERNAL",
    }
}

words! {
    /// How endpoints are found.
    Resolution {
        /// The address that the client dialled.
        #[default]
        None = "NONE",
        /// The addresses of the endpoints.
        Static = "STATIC",
        /// By DNS, all answers.
        Dns = "DNS",
        /// By DNS, the first answer of each lookup.
        DnsRoundRobin = "DNS_ROUND_ROBIN",
        /// By DNS, of the name that is called.
        DynamicDns = "DYNAMIC_DNS",
    }
}
