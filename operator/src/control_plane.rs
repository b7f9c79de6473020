//! What serves proxies, wherever desired state and keys come from.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::Router;
use parking_lot::RwLock;
use tokio::{net::TcpListener, sync::Semaphore, task::JoinHandle};
use tonic::service::Routes;
use weft_runtime::Shutdown;

use crate::{
    admin::{self, Admin, Readers},
    ads::{
        AckBook, Ads, Registry,
        published::Watch,
        stream::{Hub, MAX_ARRIVING},
    },
    ca::{AuthorityWatch, Credentials, service::CertificateService},
    clock::Clock,
    metrics::Metrics,
    server::{self, Limits, tls::ServingTls},
};

/// How often expired join tokens are removed.
const SWEEP: Duration = Duration::from_secs(300);

/// State that the ports and the admin pages share.
#[derive(Clone)]
pub struct ControlPlane {
    /// Connected proxies.
    pub registry: Arc<Registry>,
    /// Acknowledgements by object.
    pub acks: Arc<AckBook>,
    /// Metrics.
    pub metrics: Metrics,
    /// Whether the configuration was read and the ports are open.
    pub ready: Arc<AtomicBool>,
    /// What is known of this machine's clock.
    pub clock: Clock,
    authority: Arc<OnceLock<AuthorityWatch>>,
    published: Arc<OnceLock<Watch>>,
    shown: Arc<RwLock<Vec<Arc<ServingTls>>>>,
}

/// What the port for proxies needs.
pub struct Port {
    /// The socket.
    pub listener: TcpListener,
    /// Its TLS.
    pub tls: Arc<ServingTls>,
    /// Who signs.
    pub authority: AuthorityWatch,
    /// Who may have a certificate.
    pub credentials: Credentials,
    /// Desired state.
    pub published: Watch,
    /// Trust domain of identities.
    pub trust_domain: String,
    /// How long a proxy may be ahead of the event of its pod.
    pub patience: Duration,
}

impl Default for ControlPlane {
    fn default() -> Self {
        let metrics = Metrics::new();
        let acks = Arc::new(AckBook::new(metrics.object_ack.clone()));
        Self {
            registry: Arc::default(),
            acks,
            metrics,
            ready: Arc::default(),
            clock: Clock::default(),
            authority: Arc::default(),
            published: Arc::default(),
            shown: Arc::default(),
        }
    }
}

impl ControlPlane {
    /// The admin pages; those that tell of proxies are for `readers`.
    pub fn pages(&self, readers: Readers) -> Router {
        let admin = Admin {
            registry: Arc::clone(&self.registry),
            acks: Arc::clone(&self.acks),
            metrics: self.metrics.clone(),
            authority: Arc::clone(&self.authority),
            published: Arc::clone(&self.published),
            ready: Arc::clone(&self.ready),
            shown: Arc::clone(&self.shown),
            clock: self.clock.clone(),
            turn: Arc::default(),
        };
        admin::router(admin, readers)
    }

    /// Serves proxies until shutdown.
    pub fn serve(&self, port: Port, shutdown: &Shutdown) -> JoinHandle<()> {
        let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let hub = Arc::new(Hub {
            registry: Arc::clone(&self.registry),
            acks: Arc::clone(&self.acks),
            metrics: self.metrics.clone(),
            published: port.published.clone(),
            translator: Arc::default(),
            translators: Arc::new(Semaphore::new(processors)),
            trust_domain: port.trust_domain.clone(),
            authority: port.authority.clone(),
            patience: port.patience,
            arriving: Arc::new(Semaphore::new(MAX_ARRIVING)),
            shutdown: shutdown.clone(),
        });
        // There is one port for each control plane, so this cell and the other are empty.
        let _ = self.published.set(port.published.clone());
        let join = port.credentials.join.clone();
        let (authority, metrics) = (port.authority.clone(), self.metrics.clone());
        let certificates = CertificateService::new(authority, port.credentials, port.published, metrics);
        let routes = Routes::new(Ads::new(hub)).add_service(certificates);
        self.keep_fresh(&port.tls, &port.authority, shutdown);
        let stop = shutdown.clone();
        tokio::spawn(async move {
            loop {
                tokio::select! { () = tokio::time::sleep(SWEEP) => join.sweep().await, () = stop.wait() => return }
            }
        });
        let _ = self.authority.set(port.authority);
        tokio::spawn(server::serve(
            port.listener,
            port.tls,
            port.trust_domain,
            routes,
            Limits::default(),
            self.metrics.clone(),
            shutdown.clone(),
        ))
    }

    /// Keeps a port's certificate fresh. Nobody is to come here once it has run out.
    pub fn keep_fresh(&self, tls: &Arc<ServingTls>, authority: &AuthorityWatch, shutdown: &Shutdown) {
        self.shown.write().push(Arc::clone(tls));
        tokio::spawn(Arc::clone(tls).keep_fresh(authority.clone(), shutdown.clone()));
    }

    /// Says on the admin port whether clients should come here.
    pub fn set_ready(&self, ready: bool) {
        self.ready.store(ready, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use axum::{body::Body, http::Request};
    use time::OffsetDateTime;
    use tower::ServiceExt;
    use weft_model::SpiffeId;

    use super::*;
    use crate::{
        ca::{Authority, StateDir},
        server::tls::{Clients, Shown},
    };

    #[tokio::test]
    async fn whose_certificate_ran_out_is_not_ready() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::open(dir.path().join("state")).unwrap();
        let authority = Authority::load_or_create(&state, "cluster.local", Duration::from_secs(3600)).unwrap();
        let shown = || Shown {
            identity: SpiffeId::new("cluster.local", "istio-system", "weft-operator"),
            names: Vec::new(),
            addresses: Vec::new(),
            clients: Clients::Anonymous,
        };
        let plane = ControlPlane::default();
        let pages = plane.pages(Readers::Anybody);
        let status = async || {
            let request = Request::get("/healthz/ready").body(Body::empty()).unwrap();
            pages.clone().oneshot(request).await.unwrap().status().as_u16()
        };
        assert_eq!(status().await, 503, "before it serves");
        plane.set_ready(true);
        plane.shown.write().push(ServingTls::issue(&authority, shown()).unwrap());
        assert_eq!(status().await, 200);
        let yesterday = OffsetDateTime::now_utc() - time::Duration::days(1);
        plane.shown.write().push(ServingTls::issue_at(&authority, shown(), yesterday).unwrap());
        assert_eq!(status().await, 503);
    }
}
