//! TLS of every connection that the proxy opens or takes: built from the identity in force and what xDS says, kept
//! until either changes. Connections keep what they were opened with, so a rotation drops none.

mod cache;
mod client;
mod identity;
mod pem;
mod server;
mod spiffe;
#[cfg(test)]
pub(crate) mod testing;
mod verify;

use std::sync::{Arc, LazyLock};

use rustls::crypto::CryptoProvider;

pub use cache::Cache;
pub use client::{Offer, operator_config};
pub use identity::{Identity, root_store};
pub use spiffe::{names_of, peer_spiffe, spiffe_of};
pub use verify::Trust;

use crate::state::Shared;
use weft_policy::config::{DownstreamTls, UpstreamTls};

/// Why TLS cannot be spoken.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// No certificate was issued yet.
    #[error("this proxy has no certificate yet")]
    NoIdentity,
    /// An SDS secret has not come.
    #[error("secret {0:?} is not known")]
    NoSecret(Arc<str>),
    /// An SDS secret is not of the kind that is needed here.
    #[error("secret {0:?} holds no {1}")]
    WrongSecret(Arc<str>, &'static str),
    /// PEM that cannot be read.
    #[error("{0}: {1}")]
    Pem(Arc<str>, String),
    /// rustls refuses the combination.
    #[error("{0}")]
    Rustls(#[from] rustls::Error),
    /// No usable root.
    #[error("no usable root certificate: {0}")]
    Roots(String),
}

/// The one crypto provider, aws-lc-rs; X25519MLKEM768 first.
pub fn provider() -> &'static Arc<CryptoProvider> {
    static PROVIDER: LazyLock<Arc<CryptoProvider>> =
        LazyLock::new(|| Arc::new(rustls::crypto::aws_lc_rs::default_provider()));
    &PROVIDER
}

/// The certificates of PEM that `name` holds; at least one.
pub fn certificates(name: &str, pem: &[u8]) -> Result<Vec<rustls::pki_types::CertificateDer<'static>>, Error> {
    pem::certificates(&name.into(), pem)
}

/// TLS that takes any certificate, as the kubelet does for probes.
pub fn unverified_config() -> Result<rustls::ClientConfig, Error> {
    client::unverified()
}

/// TLS for a new upstream connection. `offer` says what will be spoken in it. Cheap: looked up without a lock, built on
/// first use after the identity or the cluster changed.
pub fn client_config(
    shared: &Shared,
    tls: &Arc<UpstreamTls>,
    offer: Offer,
) -> Result<Arc<rustls::ClientConfig>, Error> {
    let config = shared.config.load();
    let identity = shared.identity.load();
    shared.tls.client(tls, offer, identity.as_ref(), || client::build(&config, identity.as_deref(), tls, offer))
}

/// TLS for a new downstream connection of a filter chain: our own certificate (`default`) or a gateway's secret; client
/// certificates as the chain asks for them. Cheap in the same way as [`client_config`].
pub fn server_config(shared: &Shared, tls: &Arc<DownstreamTls>) -> Result<Arc<rustls::ServerConfig>, Error> {
    let config = shared.config.load();
    let identity = shared.identity.load();
    let secrets = server::secrets(&config, tls);
    shared.tls.server(tls, identity.as_ref(), secrets, || {
        server::build(&config, identity.as_deref(), tls, &shared.node.trust_domain)
    })
}

#[cfg(test)]
mod tests;
