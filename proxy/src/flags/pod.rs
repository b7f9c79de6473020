//! What injection tells a proxy in a pod.

use std::path::PathBuf;

use clap::Args;

use crate::{pod, state::Capture};

/// Flags of a proxy in a pod.
#[derive(Clone, Debug, Args)]
pub struct PodArgs {
    /// Whether connections are redirected to this proxy (by `weft-proxy capture`): it then listens on 15001 and 15006 of
    /// all addresses and finds where a connection was going.
    #[arg(long, env = "WEFT_CAPTURE", value_enum, default_value_t = Capture::None)]
    pub capture: Capture,
    /// File with the pod's service account token for the audience `weft-ca`; read anew for each request.
    #[arg(long, env = "WEFT_TOKEN_FILE", value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// File with the mesh's root certificates (PEM); read anew when it changes.
    #[arg(long, env = "WEFT_ROOT_CERT_FILE", value_name = "FILE")]
    pub root_cert_file: Option<PathBuf>,
    /// The Kubernetes node that the pod runs on.
    #[arg(long, env = "WEFT_NODE_NAME", value_name = "NAME")]
    pub node_name: Option<String>,
    /// The control plane's revision that injected this proxy; empty for the default one.
    #[arg(long, env = "WEFT_REVISION", value_name = "REVISION", default_value = "")]
    pub revision: String,
    /// The application's probes and lifecycle handlers that 15020 answers for, JSON as Istio's
    /// `ISTIO_KUBE_APP_PROBERS`.
    #[arg(long, env = "WEFT_APP_PROBES", value_name = "JSON", value_parser = pod::Probes::parse)]
    pub app_probes: Option<pod::Probes>,
    /// The application's own metrics, merged into 15020: `{"path":"/metrics","port":"8080","scheme":"http"}`.
    #[arg(long, env = "WEFT_PROMETHEUS", value_name = "JSON", value_parser = pod::AppMetrics::parse)]
    pub prometheus: Option<pod::AppMetrics>,
}
