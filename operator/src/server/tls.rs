//! TLS of the operator's ports: its own certificate and the check of client certificates, both replaced in place when the
//! certificate ages or the authority changes.

use std::{net::IpAddr, sync::Arc, time::Duration};

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

/// How seldom the time is looked at. Sleep is not counted while a machine is suspended, and does not follow a clock that
/// is set.
const LOOK: Duration = Duration::from_secs(60);
/// Before a renewal that failed is tried again.
const RETRY: Duration = Duration::from_secs(10);

/// A certificate's time.
#[derive(Clone, Copy, Debug)]
struct Life {
    issued: OffsetDateTime,
    until: OffsetDateTime,
}

impl Life {
    /// From when on it is renewed: a certain share of its life before its end.
    fn due(&self, share: f64) -> OffsetDateTime {
        self.until - (self.until - self.issued) * share
    }

    /// Whether it is time to renew. Where the clock was set back since, the times in the certificate are wrong.
    fn is_due(&self, share: f64, now: OffsetDateTime) -> bool {
        now >= self.due(share) || now < self.issued
    }

    /// How long to wait before the next look.
    fn pause(&self, share: f64, now: OffsetDateTime) -> Duration {
        let left = Duration::try_from(self.due(share) - now).unwrap_or(Duration::ZERO);
        left.clamp(Duration::from_secs(1), LOOK)
    }
}

#[derive(Debug)]
struct Current {
    config: Arc<ServerConfig>,
    life: Life,
}

/// TLS of one port.
#[derive(Debug)]
pub struct ServingTls {
    shown: Shown,
    provider: Arc<CryptoProvider>,
    current: ArcSwap<Current>,
}

impl ServingTls {
    /// Issues the first certificate.
    pub fn issue(authority: &Authority, shown: Shown) -> Result<Arc<Self>, TlsError> {
        Self::issue_at(authority, shown, OffsetDateTime::now_utc())
    }

    /// The same at another time than now.
    pub(crate) fn issue_at(authority: &Authority, shown: Shown, now: OffsetDateTime) -> Result<Arc<Self>, TlsError> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let current = ArcSwap::from_pointee(issue(authority, &shown, &provider, now)?);
        Ok(Arc::new(Self { shown, provider, current }))
    }

    /// What accepts the next connection.
    pub fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.current.load().config))
    }

    /// Whether the certificate has not run out at `now`.
    pub fn is_valid(&self, now: OffsetDateTime) -> bool {
        now < self.current.load().life.until
    }

    /// Renews at half of its life, with jitter, and at once when the authority changes, until shutdown. A failed renewal is
    /// logged and tried again while the present certificate serves on.
    pub async fn keep_fresh(self: Arc<Self>, mut authority: AuthorityWatch, shutdown: Shutdown) {
        let mut share = share();
        let mut least = Duration::ZERO;
        let mut changes = true;
        loop {
            let pause = self.current.load().life.pause(share, OffsetDateTime::now_utc()).max(least);
            let changed = tokio::select! {
                () = tokio::time::sleep(pause) => false,
                changed = authority.changed(), if changes => {
                    // An error is that no other authority will come.
                    changes = changed.is_ok();
                    changes
                }
                () = shutdown.wait() => return,
            };
            let now = OffsetDateTime::now_utc();
            if !changed && !self.current.load().life.is_due(share, now) {
                continue;
            }
            let present = authority.borrow_and_update().clone();
            match self.renew(&present, now) {
                Ok(until) => {
                    (share, least) = (self::share(), Duration::ZERO);
                    tracing::info!(%until, names = ?self.shown.names, "renewed the operator's certificate");
                }
                Err(error) => {
                    least = RETRY;
                    tracing::error!(%error, "cannot renew the operator's certificate");
                }
            }
        }
    }

    fn renew(&self, authority: &Authority, now: OffsetDateTime) -> Result<OffsetDateTime, TlsError> {
        let fresh = issue(authority, &self.shown, &self.provider, now)?;
        let until = fresh.life.until;
        self.current.store(Arc::new(fresh));
        Ok(until)
    }
}

/// How much of a certificate's life is left when it is renewed: replicas do not do it all at once.
fn share() -> f64 {
    rand::rng().random_range(0.5..0.6)
}

/// TLS 1.3, HTTP/2. Sessions are not resumed, so that every connection's certificate is checked against the clock.
fn issue(
    authority: &Authority,
    shown: &Shown,
    provider: &Arc<CryptoProvider>,
    now: OffsetDateTime,
) -> Result<Current, TlsError> {
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
    Ok(Current { config: Arc::new(config), life: Life { issued: now, until: issued.not_after } })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ca::StateDir;

    const DAY: Duration = Duration::from_secs(24 * 3600);

    fn tls(ttl: Duration, now: OffsetDateTime) -> (Authority, Arc<ServingTls>) {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::open(dir.path().join("state")).unwrap();
        let authority = Authority::load_or_create(&state, "cluster.local", ttl).unwrap();
        let identity = SpiffeId::new("cluster.local", "istio-system", "weft-operator");
        let names = vec!["weft-control-plane.weft-system.svc".to_owned()];
        let shown = Shown { identity, names, addresses: Vec::new(), clients: Clients::Anonymous };
        let tls = ServingTls::issue_at(&authority, shown, now).unwrap();
        (authority, tls)
    }

    #[test]
    fn a_certificate_is_renewed_at_half_of_its_life() {
        let now = OffsetDateTime::now_utc();
        let (authority, tls) = tls(Duration::from_secs(100), now);
        let due = |after: u64| tls.current.load().life.is_due(0.5, now + Duration::from_secs(after));
        assert_eq!([due(0), due(45), due(51)], [false, false, true]);
        let until = tls.renew(&authority, now + Duration::from_secs(51)).unwrap();
        assert!(!due(51) && until > now + Duration::from_secs(140), "{until}");
    }

    #[test]
    fn a_clock_that_jumps_is_seen_within_a_minute() {
        let now = OffsetDateTime::now_utc();
        let (authority, tls) = tls(DAY, now);
        let life = || tls.current.load().life;
        assert!(life().pause(0.5, now) <= LOOK, "however much of it is left");
        // Suspended for two days.
        let later = now + 2 * DAY;
        assert!(life().is_due(0.5, later) && !tls.is_valid(later) && life().pause(0.5, later) <= LOOK);
        tls.renew(&authority, later).unwrap();
        assert!(tls.is_valid(later) && !life().is_due(0.5, later));
        // And set right again: what was issued by the wrong time is not valid by the right one.
        assert!(life().is_due(0.5, now));
        tls.renew(&authority, now).unwrap();
        assert!(tls.is_valid(now) && !life().is_due(0.5, now));
    }
}
