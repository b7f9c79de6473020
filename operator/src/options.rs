//! What the operator is started with.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use weft_model::{SpiffeId, ports};
use weft_runtime::StartupError;

use crate::ca::authority::MIN_TTL;

/// Longest lifetime of a leaf certificate.
const MAX_TTL: Duration = Duration::from_secs(365 * 24 * 3600);

/// Flags of `weft-operator`, each also `WEFT_<FLAG>` in the environment.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// Directory of YAML that is the desired state; watched.
    #[arg(long, env = "WEFT_CONFIG_DIR")]
    pub config_dir: PathBuf,
    /// Directory of the operator's own: the root certificate's key and join tokens. Created when it is missing.
    #[arg(long, env = "WEFT_STATE_DIR")]
    pub state_dir: PathBuf,
    /// Issuer that was made elsewhere, in the layout of Istio's `cacerts` (ca-cert.pem, ca-key.pem, root-cert.pem,
    /// cert-chain.pem), in place of a root of the operator's own.
    #[arg(long, env = "WEFT_CA_DIR")]
    pub ca_dir: Option<PathBuf>,
    /// Address for proxies: ADS and certificates.
    #[arg(long, env = "WEFT_LISTEN", default_value_t = on_loopback(ports::CONTROL_PLANE))]
    pub listen: SocketAddr,
    /// Address for metrics, readiness and debug pages.
    #[arg(long, env = "WEFT_ADMIN", default_value_t = on_loopback(ports::CONTROL_PLANE_ADMIN))]
    pub admin: SocketAddr,
    /// Trust domain of the identities that are issued.
    #[arg(long, env = "WEFT_TRUST_DOMAIN", default_value = "cluster.local")]
    pub trust_domain: String,
    /// DNS domain of Kubernetes Services.
    #[arg(long, env = "WEFT_DOMAIN", default_value = "cluster.local")]
    pub domain: String,
    /// Namespace whose policies hold for the whole mesh.
    #[arg(long, env = "WEFT_ROOT_NAMESPACE", default_value = "istio-system")]
    pub root_namespace: String,
    /// Longest lifetime of a proxy's certificate, from 60s; proxies renew at half of it.
    #[arg(long, env = "WEFT_CERT_TTL", default_value = "24h", value_parser = humantime::parse_duration)]
    pub cert_ttl: Duration,
}

fn on_loopback(port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}

impl Options {
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
