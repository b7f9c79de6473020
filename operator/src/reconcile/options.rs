//! What `weft-operator reconcile` is started with.

use std::{net::SocketAddr, path::PathBuf};

/// Flags of `weft-operator reconcile`, each also `WEFT_<FLAG>` in the environment.
#[derive(Clone, Debug, clap::Args)]
pub struct ReconcileOptions {
    /// Namespace of the installation.
    #[arg(long, env = "WEFT_NAMESPACE", default_value = weft_install::names::NAMESPACE)]
    pub namespace: String,
    /// Name of this replica in the lease and in events; a pod's own name does.
    #[arg(long, env = "WEFT_POD_NAME", default_value = "weft-operator")]
    pub identity: String,
    /// Kubeconfig of the cluster; none is what kubectl would take, or the pod's service account.
    #[arg(long, env = "WEFT_KUBECONFIG")]
    pub kubeconfig: Option<PathBuf>,
    /// Address for health probes.
    #[arg(long, env = "WEFT_ADMIN", default_value = "0.0.0.0:15014")]
    pub admin: SocketAddr,
    /// Trust domain that findings are made with.
    #[arg(long, env = "WEFT_TRUST_DOMAIN", default_value = "cluster.local")]
    pub trust_domain: String,
    /// DNS domain of Kubernetes Services.
    #[arg(long, env = "WEFT_DOMAIN", default_value = "cluster.local")]
    pub domain: String,
    /// Namespace whose policies hold for the whole mesh.
    #[arg(long, env = "WEFT_ROOT_NAMESPACE", default_value = "istio-system")]
    pub root_namespace: String,
}
