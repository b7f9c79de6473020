//! What the operator is started with and no object may change.

/// Names that hold for the whole mesh.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// DNS domain of Kubernetes Services, such as `cluster.local`.
    pub domain: String,
    /// Trust domain of the identities that the CA signs.
    pub trust_domain: String,
    /// Namespace whose policies, DestinationRules and Sidecars hold mesh-wide.
    pub root_namespace: String,
    /// Name of this cluster in workload uids and telemetry.
    pub cluster: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            domain: "cluster.local".into(),
            trust_domain: "cluster.local".into(),
            root_namespace: "istio-system".into(),
            cluster: "Kubernetes".into(),
        }
    }
}
