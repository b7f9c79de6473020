//! Admin, metrics, readiness and probe endpoints: on the instance's own address, in a pod on the pod's. The admin pages ask
//! nobody who he is, so they are for the pod or the machine itself.

pub(crate) mod dump;
mod pages;
mod pod;

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
};

use axum::{
    Router,
    routing::{get, post},
};
use tokio::net::TcpListener;
use weft_model::ports;
use weft_runtime::{Shutdown, StartupError, admin};

pub use pod::Application;

use crate::{
    state::{NodeInfo, Shared},
    workers::Dispatcher,
};

/// The bound endpoints.
pub struct Admin {
    debug: TcpListener,
    metrics: TcpListener,
    merged: TcpListener,
    readiness: TcpListener,
}

#[derive(Clone)]
struct Context {
    shared: Arc<Shared>,
    dispatcher: Dispatcher,
    shutdown: Shutdown,
    application: Arc<Application>,
}

impl Admin {
    /// Binds 15000, 15020, 15021 and 15090.
    pub async fn bind(node: &NodeInfo) -> Result<Self, StartupError> {
        // The kubelet and Prometheus come from outside.
        let open = if node.in_pod { everywhere() } else { node.address };
        let bind = |address, port| async move { admin::bind(SocketAddr::new(address, port), "--address").await };
        Ok(Self {
            debug: bind(debug_address(node), ports::PROXY_ADMIN).await?,
            metrics: bind(open, ports::PROXY_METRICS).await?,
            merged: bind(open, ports::PROXY_MERGED_METRICS).await?,
            readiness: bind(open, ports::PROXY_READINESS).await?,
        })
    }

    /// Serves until `until`; `POST /quitquitquit` begins `shutdown`.
    pub fn serve(
        self,
        shared: &Arc<Shared>,
        dispatcher: Dispatcher,
        application: Application,
        shutdown: &Shutdown,
        until: &Shutdown,
    ) {
        let application = Arc::new(application);
        let context = Context { shared: shared.clone(), dispatcher, shutdown: shutdown.clone(), application };
        let debug = Router::new()
            .route("/config_dump", get(pages::config_dump))
            .route("/clusters", get(pages::clusters))
            .route("/certs", get(pages::certs))
            .route("/stats", get(pages::stats))
            .route("/stats/prometheus", get(pages::prometheus))
            .route("/quitquitquit", post(pages::quit))
            .route("/logging", post(pages::logging));
        let merged = merged(shared.node.in_pod);
        let metrics =
            ready().route("/stats/prometheus", get(pages::prometheus)).route("/metrics", get(pages::prometheus));
        let endpoints =
            [(self.debug, debug), (self.metrics, metrics), (self.merged, merged), (self.readiness, ready())];
        for (listener, routes) in endpoints {
            spawn(listener, routes, &context, until);
        }
    }
}

/// What every port answers that a kubelet may ask.
fn ready() -> Router<Context> {
    Router::new().route("/healthz/ready", get(pages::ready))
}

/// 15020.
fn merged(in_pod: bool) -> Router<Context> {
    let merged = ready().route("/stats/prometheus", get(pod::merged)).route("/metrics", get(pod::merged));
    match in_pod {
        false => merged,
        true => merged
            .route("/app-health/{container}/{probe}", get(pod::probe))
            .route("/app-lifecycle/{container}/{hook}", get(pod::probe))
            .route("/quitquitquit", post(pod::quit)),
    }
}

/// Where 15000 is: whoever reaches it may read and stop everything. Several instances of one machine differ by addresses that
/// nobody else reaches.
fn debug_address(node: &NodeInfo) -> IpAddr {
    match !node.in_pod && node.address.is_loopback() {
        true => node.address,
        false => Ipv4Addr::LOCALHOST.into(),
    }
}

/// Both families where the machine has IPv6.
fn everywhere() -> IpAddr {
    match std::net::TcpListener::bind((Ipv6Addr::UNSPECIFIED, 0)) {
        Ok(_) => Ipv6Addr::UNSPECIFIED.into(),
        Err(_) => Ipv4Addr::UNSPECIFIED.into(),
    }
}

fn spawn(listener: TcpListener, routes: Router<Context>, context: &Context, until: &Shutdown) {
    let service = routes.with_state(context.clone()).into_make_service_with_connect_info::<SocketAddr>();
    let until = until.clone();
    tokio::spawn(async move {
        let served = axum::serve(listener, service).with_graceful_shutdown(async move { until.wait().await });
        if let Err(error) = served.await {
            tracing::error!(%error, "an admin endpoint ended");
        }
    });
}

#[cfg(test)]
mod tests;
