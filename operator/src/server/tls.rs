//! TLS of the operator's port: its own certificate, renewed in place, and the check of client certificates.

use std::{
    net::IpAddr,
    sync::Arc,
    time::{Duration, SystemTime},
};

use arc_swap::ArcSwap;
use rand::Rng;
use rustls::{
    RootCertStore, ServerConfig,
    crypto::CryptoProvider,
    server::{ClientHello, NoServerSessionStorage, ResolvesServerCert, WebPkiClientVerifier},
    sign::CertifiedKey,
    version::TLS13,
};
use time::OffsetDateTime;
use weft_model::SpiffeId;
use weft_runtime::Shutdown;

use crate::ca::{Authority, SignError};

/// Why TLS could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The operator's own certificate.
    #[error("the operator's own certificate: {0}")]
    Sign(#[from] SignError),
    /// rustls refused a key or certificate.
    #[error(transparent)]
    Rustls(#[from] rustls::Error),
    /// The roots cannot verify anybody.
    #[error("the root certificates: {0}")]
    Verifier(#[from] rustls::server::VerifierBuilderError),
}

/// The operator's own certificate; replaced while connections go on.
#[derive(Debug)]
pub struct ServingCertificate {
    current: ArcSwap<CertifiedKey>,
    identity: SpiffeId,
    names: Vec<String>,
    addresses: Vec<IpAddr>,
    provider: Arc<CryptoProvider>,
}

impl ServingCertificate {
    /// Issues the first one. Returns it with the end of its validity.
    pub fn issue(
        authority: &Authority,
        identity: SpiffeId,
        names: Vec<String>,
        addresses: Vec<IpAddr>,
    ) -> Result<(Arc<Self>, OffsetDateTime), TlsError> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let (key, not_after) = certified(authority, &identity, &names, &addresses, &provider)?;
        let serving = Self { current: ArcSwap::from_pointee(key), identity, names, addresses, provider };
        Ok((Arc::new(serving), not_after))
    }

    /// The certificate now in use, leaf first and the root last.
    pub fn chain(&self) -> Vec<rustls_pki_types::CertificateDer<'static>> {
        self.current.load().cert.clone()
    }

    /// Renews at half of what is left, with jitter, until shutdown. A failed renewal is logged and tried again while the
    /// present certificate serves on.
    pub async fn keep_fresh(
        self: Arc<Self>,
        authority: Arc<Authority>,
        mut not_after: OffsetDateTime,
        shutdown: Shutdown,
    ) {
        loop {
            let left = (not_after - OffsetDateTime::now_utc()).try_into().unwrap_or(Duration::ZERO);
            let wait = left.mul_f64(rand::rng().random_range(0.4..0.5)).max(Duration::from_secs(1));
            tokio::select! { () = tokio::time::sleep(wait) => {}, () = shutdown.wait() => return }
            match certified(&authority, &self.identity, &self.names, &self.addresses, &self.provider) {
                Ok((key, until)) => {
                    self.current.store(Arc::new(key));
                    not_after = until;
                    tracing::info!(%until, "renewed the operator's certificate");
                }
                Err(error) => tracing::error!(%error, "cannot renew the operator's certificate"),
            }
        }
    }

    /// The TLS configuration of the port: TLS 1.3, HTTP/2, a client certificate verified when there is one. Sessions are
    /// not resumed, so that every connection's certificate is checked against the clock.
    pub fn server_config(self: &Arc<Self>, authority: &Authority) -> Result<ServerConfig, TlsError> {
        let mut roots = RootCertStore::empty();
        for root in authority.roots() {
            roots.add(root.clone())?;
        }
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&self.provider))
            .allow_unauthenticated()
            .build()?;
        let mut config = ServerConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_protocol_versions(&[&TLS13])?
            .with_client_cert_verifier(verifier)
            .with_cert_resolver(Arc::clone(self) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![b"h2".to_vec()];
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(config)
    }
}

impl ResolvesServerCert for ServingCertificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.load_full())
    }
}

fn certified(
    authority: &Authority,
    identity: &SpiffeId,
    names: &[String],
    addresses: &[IpAddr],
    provider: &CryptoProvider,
) -> Result<(CertifiedKey, OffsetDateTime), TlsError> {
    let now = OffsetDateTime::from(SystemTime::now());
    let (issued, key) = authority.issue_own(identity, names, addresses, now)?;
    let certified = CertifiedKey::from_der(authority.tls_chain(issued.leaf), key, provider)?;
    Ok((certified, issued.not_after))
}
