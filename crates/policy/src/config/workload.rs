//! Rows of the workload table: who an address belongs to.

use std::{net::IpAddr, sync::Arc};

/// A workload instance. Its identity counts only if the peer's certificate proves the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WorkloadRow {
    /// xDS resource name.
    pub uid: Arc<str>,
    /// Instance name (pod or WorkloadEntry).
    pub name: Arc<str>,
    /// Namespace.
    pub namespace: Arc<str>,
    /// Addresses.
    pub addresses: Vec<IpAddr>,
    /// Trust domain; empty means the mesh's.
    pub trust_domain: Arc<str>,
    /// Service account.
    pub service_account: Arc<str>,
    /// Canonical service.
    pub canonical_service: Arc<str>,
    /// Canonical revision.
    pub canonical_revision: Arc<str>,
    /// Name of the owning workload.
    pub workload: Arc<str>,
    /// Cluster of the mesh.
    pub cluster: Arc<str>,
    /// `app` label.
    pub app: Arc<str>,
    /// `version` label.
    pub version: Arc<str>,
}
