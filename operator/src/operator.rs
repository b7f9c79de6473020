//! The control plane of a directory as one value: everything is opened and checked first, then it serves.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context;
use tokio::{net::TcpListener, sync::watch, time::timeout};
use weft_mesh::Settings;
use weft_runtime::{Shutdown, StartupError, admin as admin_port};

use crate::{
    admin::Readers,
    ca::{Authority, Credentials, JoinTokens, StateDir, TokenStore},
    control_plane::{ControlPlane, Port},
    options::Options,
    reload::Reloader,
    server::tls::{Clients, ServingTls, Shown, TlsError},
};

/// Time that everything has to stop.
const STOP: Duration = Duration::from_millis(1800);

/// An operator whose ports are open and whose configuration was read.
pub struct Operator {
    options: Options,
    authority: watch::Sender<Arc<Authority>>,
    tokens: TokenStore,
    tls: Arc<ServingTls>,
    listener: TcpListener,
    admin: TcpListener,
    reloader: Reloader,
    control_plane: ControlPlane,
}

impl Operator {
    /// Opens everything; each failure names its remedy.
    pub async fn bind(options: Options) -> Result<Self, StartupError> {
        let identity = options.identity()?;
        let (config_dir, state_dir) = options.directories()?;
        let state = StateDir::open(state_dir)?;
        let authority = Arc::new(match &options.ca_dir {
            Some(dir) => Authority::load_plugged_in(dir, &options.trust_domain, options.cert_ttl)?,
            None => Authority::load_or_create(&state, &options.trust_domain, options.cert_ttl)?,
        });
        let tokens = TokenStore::open(&state)?;
        let unusable = |error: TlsError| {
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
        let shown = Shown { identity, names, addresses, clients: Clients::Proxies };
        let tls = ServingTls::issue(&authority, shown).map_err(unusable)?;
        let control_plane = ControlPlane::default();
        let (acks, metrics) = (Arc::clone(&control_plane.acks), control_plane.metrics.clone());
        let reloader = Reloader::directory(config_dir, options.settings(), acks, metrics).await?;
        let authority = watch::Sender::new(authority);
        Ok(Self { options, authority, tokens, tls, listener, admin, reloader, control_plane })
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
        let control_plane = self.control_plane;
        control_plane.set_ready(true);
        let pages = control_plane.pages(Readers::Anybody);
        let admin = tokio::spawn(admin_port::serve(self.admin, pages, shutdown.clone()));
        let port = Port {
            listener: self.listener,
            tls: self.tls,
            authority: self.authority.subscribe(),
            credentials: Credentials { join: JoinTokens::Directory(self.tokens), accounts: None },
            published: self.reloader.watch(),
            trust_domain: self.options.trust_domain,
            // A file is read as a whole before anything is served: nobody is ahead of it.
            patience: Duration::ZERO,
        };
        let reloading = tokio::spawn(self.reloader.run(shutdown.clone()));
        let port = control_plane.serve(port, &shutdown);
        let root = self.authority.borrow().root_hash();
        tracing::info!(%listen, admin = %admin_address, %root, "serving");

        shutdown.wait().await;
        tracing::info!("stopping");
        control_plane.set_ready(false);
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

impl Options {
    /// What the store is made with.
    pub(crate) fn settings(&self) -> Settings {
        Settings {
            domain: self.domain.clone(),
            trust_domain: self.trust_domain.clone(),
            root_namespace: self.root_namespace.clone(),
            cluster: self.cluster_id.clone(),
        }
    }
}
