//! TLS of the operator's ports: its own certificate and the check of client certificates, both replaced in place when the
//! certificate ages or the authority changes.

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
    server::{NoServerSessionStorage, WebPkiClientVerifier},
    sign::{CertifiedKey, SingleCertAndKey},
    version::TLS13,
};
use time::OffsetDateTime;
use tokio_rustls::TlsAcceptor;
use weft_model::SpiffeId;
use weft_runtime::Shutdown;

use crate::ca::{Authority, AuthorityWatch, SignError};

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

/// Who may connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clients {
    /// Anybody; a certificate of the mesh is verified when one is shown.
    Proxies,
    /// Anybody, and no certificate is asked for: the API server, which calls webhooks.
    Anonymous,
}

/// What a port shows.
#[derive(Clone, Debug)]
pub struct Shown {
    /// Identity, as URI name.
    pub identity: SpiffeId,
    /// DNS names.
    pub names: Vec<String>,
    /// Addresses.
    pub addresses: Vec<IpAddr>,
    /// Who connects.
    pub clients: Clients,
}

/// TLS of one port.
#[derive(Debug)]
pub struct ServingTls {
    shown: Shown,
    provider: Arc<CryptoProvider>,
    current: ArcSwap<ServerConfig>,
}

impl ServingTls {
    /// Issues the first certificate. Returns the TLS with the end of its validity.
    pub fn issue(authority: &Authority, shown: Shown) -> Result<(Arc<Self>, OffsetDateTime), TlsError> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let (config, not_after) = config(authority, &shown, &provider)?;
        Ok((Arc::new(Self { shown, provider, current: ArcSwap::from_pointee(config) }), not_after))
    }

    /// What accepts the next connection.
    pub fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.current.load_full())
    }

    /// Renews at half of what is left, with jitter, and at once when the authority changes, until shutdown. A failed
    /// renewal is logged and tried again while the present certificate serves on.
    pub async fn keep_fresh(
        self: Arc<Self>,
        mut authority: AuthorityWatch,
        mut not_after: OffsetDateTime,
        shutdown: Shutdown,
    ) {
        loop {
            let left = (not_after - OffsetDateTime::now_utc()).try_into().unwrap_or(Duration::ZERO);
            let wait = left.mul_f64(rand::rng().random_range(0.4..0.5)).max(Duration::from_secs(1));
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                changed = authority.changed() => if changed.is_err() {
                    // No other authority will come.
                    tokio::select! { () = tokio::time::sleep(wait) => {}, () = shutdown.wait() => return }
                },
                () = shutdown.wait() => return,
            }
            let present = authority.borrow_and_update().clone();
            match config(&present, &self.shown, &self.provider) {
                Ok((fresh, until)) => {
                    self.current.store(Arc::new(fresh));
                    not_after = until;
                    tracing::info!(%until, names = ?self.shown.names, "renewed the operator's certificate");
                }
                Err(error) => tracing::error!(%error, "cannot renew the operator's certificate"),
            }
        }
    }
}

/// TLS 1.3, HTTP/2. Sessions are not resumed, so that every connection's certificate is checked against the clock.
fn config(
    authority: &Authority,
    shown: &Shown,
    provider: &Arc<CryptoProvider>,
) -> Result<(ServerConfig, OffsetDateTime), TlsError> {
    let now = OffsetDateTime::from(SystemTime::now());
    let (issued, key) = authority.issue_own(&shown.identity, &shown.names, &shown.addresses, now)?;
    let certified = CertifiedKey::from_der(authority.tls_chain(issued.leaf), key, provider)?;
    let builder = ServerConfig::builder_with_provider(Arc::clone(provider)).with_protocol_versions(&[&TLS13])?;
    let builder = match shown.clients {
        Clients::Anonymous => builder.with_no_client_auth(),
        Clients::Proxies => {
            let mut roots = RootCertStore::empty();
            for root in authority.roots() {
                roots.add(root.clone())?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
                .allow_unauthenticated()
                .build()?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let mut config = builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
    config.alpn_protocols = vec![b"h2".to_vec()];
    if shown.clients == Clients::Anonymous {
        config.alpn_protocols.push(b"http/1.1".to_vec());
    }
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok((config, issued.not_after))
}
