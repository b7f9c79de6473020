//! What the operator is started with.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use weft_api::mesh::DEFAULT_REVISION;
use weft_model::SpiffeId;
use weft_runtime::StartupError;
use weft_source::kubernetes::Reader;

use crate::ca::authority::MIN_TTL;

/// Longest lifetime of a leaf certificate.
const MAX_TTL: Duration = Duration::from_secs(365 * 24 * 3600);

/// Where desired state comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum SourceKind {
    /// A directory of YAML.
    #[default]
    Directory,
    /// The API server of the cluster that the operator runs in, or that KUBECONFIG names.
    Kubernetes,
}

/// Flags of `weft-operator serve`, each also `WEFT_<FLAG>` in the environment.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// Where desired state comes from.
    #[arg(long, env = "WEFT_SOURCE", value_enum, default_value_t)]
    pub source: SourceKind,
    /// Directory of YAML that is the desired state; watched. Only with --source directory.
    #[arg(long, env = "WEFT_CONFIG_DIR")]
    pub config_dir: Option<PathBuf>,
    /// Directory of the operator's own: the root certificate's key and join tokens. Created when it is missing. Only with
    /// --source directory; a cluster keeps both in Secrets.
    #[arg(long, env = "WEFT_STATE_DIR")]
    pub state_dir: Option<PathBuf>,
    /// Issuer that was made elsewhere, in the layout of Istio's `cacerts` (ca-cert.pem, ca-key.pem, root-cert.pem,
    /// cert-chain.pem), in place of a root of the operator's own. A cluster has it in Secret `cacerts`.
    #[arg(long, env = "WEFT_CA_DIR")]
    pub ca_dir: Option<PathBuf>,
    /// Address for proxies: ADS and certificates.
    #[arg(
        long,
        env = "WEFT_LISTEN",
        default_value = "127.0.0.1:15012",
        default_value_if("source", "kubernetes", "0.0.0.0:15012")
    )]
    pub listen: SocketAddr,
    /// Address for metrics, readiness and debug pages.
    #[arg(
        long,
        env = "WEFT_ADMIN",
        default_value = "127.0.0.1:15014",
        default_value_if("source", "kubernetes", "0.0.0.0:15014")
    )]
    pub admin: SocketAddr,
    /// Address for the webhooks that the API server calls. Only with --source kubernetes.
    #[arg(long, env = "WEFT_WEBHOOKS", default_value = "0.0.0.0:15017")]
    pub webhooks: SocketAddr,
    /// Trust domain of the identities that are issued.
    #[arg(long, env = "WEFT_TRUST_DOMAIN", default_value = "cluster.local")]
    pub trust_domain: String,
    /// DNS domain of Kubernetes Services.
    #[arg(long, env = "WEFT_DOMAIN", default_value = "cluster.local")]
    pub domain: String,
    /// Namespace whose policies hold for the whole mesh.
    #[arg(long, env = "WEFT_ROOT_NAMESPACE", default_value = "istio-system")]
    pub root_namespace: String,
    /// Name of this cluster in workload uids and telemetry.
    #[arg(long, env = "WEFT_CLUSTER_ID", default_value = "Kubernetes")]
    pub cluster_id: String,
    /// Longest lifetime of a proxy's certificate, from 60s; proxies renew at half of it.
    #[arg(long, env = "WEFT_CERT_TTL", default_value = "24h", value_parser = humantime::parse_duration)]
    pub cert_ttl: Duration,
    /// Namespace of the installation. Only with --source kubernetes.
    #[arg(long, env = "WEFT_NAMESPACE", default_value = weft_install::names::NAMESPACE)]
    pub namespace: String,
    /// Revision that this control plane is of; empty or `default` is the default one. Only with --source kubernetes.
    #[arg(long, env = "WEFT_REVISION", default_value = "")]
    pub revision: String,
    /// Name of the Mesh that this control plane belongs to; empty is the first one of the revision by name. Only with
    /// --source kubernetes.
    #[arg(long, env = "WEFT_MESH", default_value = "")]
    pub mesh: String,
}

impl Options {
    /// The two directories that standalone mode cannot do without.
    pub(crate) fn directories(&self) -> Result<(&Path, &Path), StartupError> {
        let missing = |flag: &str| {
            StartupError::new(
                "cannot start",
                format!("{flag} is missing"),
                format!("say {flag} DIR, or --source kubernetes to serve a cluster"),
            )
        };
        let config = self.config_dir.as_deref().ok_or_else(|| missing("--config-dir"))?;
        Ok((config, self.state_dir.as_deref().ok_or_else(|| missing("--state-dir"))?))
    }

    /// The revision as the label `istio.io/rev` says it.
    pub(crate) fn revision_label(&self) -> &str {
        if self.revision.is_empty() { DEFAULT_REVISION } else { &self.revision }
    }

    /// Whose configuration is read.
    pub(crate) fn reader(&self) -> Reader {
        let mesh = Some(self.mesh.clone()).filter(|name| !name.is_empty());
        Reader { revision: self.revision_label().to_owned(), mesh }
    }

    /// `name` for the default revision, `name-<revision>` for others.
    pub(crate) fn revisioned(&self, name: &str) -> String {
        match self.revision_label() {
            DEFAULT_REVISION => name.to_owned(),
            revision => format!("{name}-{revision}"),
        }
    }

    /// Checks what the types do not say and gives the operator's own identity.
    pub fn identity(&self) -> Result<SpiffeId, StartupError> {
        if !(MIN_TTL..=MAX_TTL).contains(&self.cert_ttl) {
            return Err(StartupError::new(
                format!("cannot issue certificates for {}", humantime::format_duration(self.cert_ttl)),
                "the lifetime is out of range",
                "choose --cert-ttl between 60s and 365d",
            ));
        }
        let identity = SpiffeId::new(&self.trust_domain, &self.root_namespace, "weft-operator");
        identity.to_string().parse().map_err(|error| {
            StartupError::new(
                "cannot name the operator",
                error,
                "choose --trust-domain and --root-namespace of lower-case letters, digits, '-' and '.'",
            )
        })
    }
}
