//! The program as one value: everything is opened and checked first, then it serves.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::Context;
use time::OffsetDateTime;
use tokio::{net::TcpListener, sync::Semaphore, time::timeout};
use tonic::service::Routes;
use weft_mesh::Settings;
use weft_runtime::{Shutdown, StartupError, admin as admin_port};

use crate::{
    admin::{self, Admin},
    ads::{AckBook, Ads, Registry, stream::Hub},
    ca::{Authority, StateDir, TokenStore, service::CertificateService},
    metrics::Metrics,
    options::Options,
    reload::Reloader,
    server::{self, Limits, tls::ServingCertificate},
};

/// How often expired join tokens are removed.
const SWEEP: Duration = Duration::from_secs(300);
/// Time that everything has to stop.
const STOP: Duration = Duration::from_millis(1800);

/// An operator whose ports are open and whose configuration was read.
pub struct Operator {
    options: Options,
    authority: Arc<Authority>,
    tokens: TokenStore,
    serving: Arc<ServingCertificate>,
    serving_until: OffsetDateTime,
    tls: rustls::ServerConfig,
    listener: TcpListener,
    admin: TcpListener,
    reloader: Reloader,
    acks: Arc<AckBook>,
    metrics: Metrics,
}

impl Operator {
    /// Opens everything; each failure names its remedy.
    pub async fn bind(options: Options) -> Result<Self, StartupError> {
        let identity = options.identity()?;
        let state = StateDir::open(&options.state_dir)?;
        let authority = Arc::new(match &options.ca_dir {
            Some(dir) => Authority::load_plugged_in(dir, &options.trust_domain, options.cert_ttl)?,
            None => Authority::load_or_create(&state, &options.trust_domain, options.cert_ttl)?,
        });
        let tokens = TokenStore::open(&state)?;
        let unusable = |error: server::tls::TlsError| {
            StartupError::new(
                "cannot serve TLS",
                error,
                "check the root certificate in the state directory or --ca-dir",
            )
        };
        let listener = admin_port::bind(options.listen, "--listen").await?;
        let admin = admin_port::bind(options.admin, "--admin").await?;
        let names = vec![
            format!("weft-operator.{}.svc", options.root_namespace),
            format!("weft-operator.{}.svc.{}", options.root_namespace, options.domain),
        ];
        let addresses = Some(options.listen.ip()).filter(|ip| !ip.is_unspecified()).into_iter().collect();
        let (serving, serving_until) =
            ServingCertificate::issue(&authority, identity, names, addresses).map_err(unusable)?;
        let tls = serving.server_config(&authority).map_err(unusable)?;
        let metrics = Metrics::new();
        let acks = Arc::new(AckBook::new(metrics.object_ack.clone()));
        let settings = Settings {
            domain: options.domain.clone(),
            trust_domain: options.trust_domain.clone(),
            root_namespace: options.root_namespace.clone(),
            ..Settings::default()
        };
        let reloader = Reloader::open(&options.config_dir, settings, Arc::clone(&acks), metrics.clone()).await?;
        Ok(Self { options, authority, tokens, serving, serving_until, tls, listener, admin, reloader, acks, metrics })
    }

    /// Where proxies connect.
    pub fn listen_address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Where metrics and debug pages are.
    pub fn admin_address(&self) -> std::io::Result<SocketAddr> {
        self.admin.local_addr()
    }

    /// Serves until shutdown.
    pub async fn serve(self, shutdown: Shutdown) -> anyhow::Result<()> {
        let (listen, admin_address) = (self.listen_address()?, self.admin_address()?);
        let registry = Arc::new(Registry::default());
        let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let hub = Arc::new(Hub {
            registry: Arc::clone(&registry),
            acks: Arc::clone(&self.acks),
            metrics: self.metrics.clone(),
            published: self.reloader.watch(),
            translators: Arc::new(Semaphore::new(processors)),
            trust_domain: self.options.trust_domain.clone(),
            shutdown: shutdown.clone(),
        });
        let ready = Arc::new(AtomicBool::new(true));
        let pages = admin::router(Admin {
            registry,
            acks: Arc::clone(&self.acks),
            metrics: self.metrics.clone(),
            ready: Arc::clone(&ready),
        });
        let certificates =
            CertificateService::new(Arc::clone(&self.authority), self.tokens.clone(), self.metrics.clone());
        let routes = Routes::new(Ads::new(hub).into_service()).add_service(certificates);

        tokio::spawn(self.serving.keep_fresh(Arc::clone(&self.authority), self.serving_until, shutdown.clone()));
        tokio::spawn(sweep(self.tokens, shutdown.clone()));
        let reloading = tokio::spawn(self.reloader.run(shutdown.clone()));
        let admin = tokio::spawn(admin_port::serve(self.admin, pages, shutdown.clone()));
        let port = tokio::spawn(server::serve(
            self.listener,
            self.tls,
            self.options.trust_domain,
            routes,
            Limits::default(),
            self.metrics,
            shutdown.clone(),
        ));
        tracing::info!(%listen, admin = %admin_address, root = %self.authority.root_hash(), "serving");

        shutdown.wait().await;
        tracing::info!("stopping");
        ready.store(false, Ordering::Release);
        let stopped = async { tokio::join!(port, admin, reloading) };
        match timeout(STOP, stopped).await {
            Ok((_, _, reloaded)) => reloaded?.context("taking a change of configuration up"),
            Err(_) => {
                tracing::warn!("not everything stopped in time");
                Ok(())
            }
        }
    }
}

async fn sweep(tokens: TokenStore, shutdown: Shutdown) {
    loop {
        tokio::select! { () = tokio::time::sleep(SWEEP) => {}, () = shutdown.wait() => return }
        let tokens = tokens.clone();
        let swept = tokio::task::spawn_blocking(move || tokens.list(OffsetDateTime::now_utc())).await;
        if let Ok(Err(error)) = swept {
            tracing::warn!(%error, "cannot remove expired join tokens");
        }
    }
}
