//! Admin, metrics and readiness endpoints, on the instance's own address.

mod dump;

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use axum::{
    Json, Router,
    extract::{Query, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::Deserialize;
use tokio::net::TcpListener;
use weft_model::ports;
use weft_runtime::{Shutdown, StartupError, admin, log};

use crate::{state::Shared, telemetry, workers::Dispatcher};

/// The bound endpoints.
pub struct Admin {
    debug: TcpListener,
    metrics: Vec<TcpListener>,
    readiness: TcpListener,
}

#[derive(Clone)]
struct Context {
    shared: Arc<Shared>,
    dispatcher: Dispatcher,
    shutdown: Shutdown,
}

impl Admin {
    /// Binds 15000, 15020, 15021 and 15090 of `address`.
    pub async fn bind(address: IpAddr) -> Result<Self, StartupError> {
        let bind = |port| async move { admin::bind(SocketAddr::new(address, port), "--address").await };
        Ok(Self {
            debug: bind(ports::PROXY_ADMIN).await?,
            metrics: vec![bind(ports::PROXY_METRICS).await?, bind(ports::PROXY_MERGED_METRICS).await?],
            readiness: bind(ports::PROXY_READINESS).await?,
        })
    }

    /// Serves until `until`; `POST /quitquitquit` begins `shutdown`.
    pub fn serve(self, shared: &Arc<Shared>, dispatcher: Dispatcher, shutdown: &Shutdown, until: &Shutdown) {
        let context = Context { shared: shared.clone(), dispatcher, shutdown: shutdown.clone() };
        let debug = Router::new()
            .route("/config_dump", get(config_dump))
            .route("/clusters", get(clusters))
            .route("/certs", get(certs))
            .route("/stats", get(stats))
            .route("/stats/prometheus", get(prometheus))
            .route("/quitquitquit", post(quit))
            .route("/logging", post(logging));
        spawn(self.debug, debug, &context, until);
        for listener in self.metrics {
            let routes = Router::new()
                .route("/stats/prometheus", get(prometheus))
                .route("/metrics", get(prometheus))
                .route("/healthz/ready", get(ready));
            spawn(listener, routes, &context, until);
        }
        spawn(self.readiness, Router::new().route("/healthz/ready", get(ready)), &context, until);
    }
}

fn spawn(listener: TcpListener, routes: Router<Context>, context: &Context, until: &Shutdown) {
    let (router, until) = (routes.with_state(context.clone()), until.clone());
    tokio::spawn(async move {
        if let Err(error) = admin::serve(listener, router, until).await {
            tracing::error!(%error, "an admin endpoint ended");
        }
    });
}

async fn ready(State(context): State<Context>) -> Response {
    let missing = missing(&context.shared);
    if missing.is_empty() {
        return "ready\n".into_response();
    }
    (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {}\n", missing.join(", "))).into_response()
}

/// What readiness waits for.
fn missing(shared: &Shared) -> Vec<&'static str> {
    let waits = [
        (shared.drain.begun(), "draining"),
        (shared.identity.load().is_none(), "no certificate yet"),
        (!shared.readiness.configured(), "no complete configuration yet"),
        (!shared.readiness.listeners_bound(), "listeners not bound yet"),
    ];
    waits.into_iter().filter(|(waits, _)| *waits).map(|(_, why)| why).collect()
}

async fn prometheus(State(context): State<Context>) -> impl IntoResponse {
    let text = telemetry::exposition(&context.shared, &context.dispatcher.loads());
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text)
}

#[derive(Deserialize)]
struct Filter {
    filter: Option<String>,
}

/// Samples alone, without help texts; `?filter=` keeps lines that contain it.
async fn stats(State(context): State<Context>, Query(Filter { filter }): Query<Filter>) -> String {
    let text = telemetry::exposition(&context.shared, &context.dispatcher.loads());
    let wanted = |line: &&str| !line.starts_with('#') && filter.as_ref().is_none_or(|filter| line.contains(filter));
    text.lines().filter(wanted).flat_map(|line| [line, "\n"]).collect()
}

async fn config_dump(State(context): State<Context>) -> impl IntoResponse {
    Json(dump::config(&context.shared))
}

async fn clusters(State(context): State<Context>) -> String {
    dump::clusters(&context.shared)
}

async fn certs(State(context): State<Context>) -> impl IntoResponse {
    Json(dump::certificates(&context.shared))
}

async fn quit(State(context): State<Context>) -> &'static str {
    context.shutdown.begin();
    "stopping\n"
}

#[derive(Deserialize)]
struct Level {
    level: String,
}

/// `?level=debug` or any filter that `--log` takes.
async fn logging(Query(Level { level }): Query<Level>) -> Response {
    match log::set_filter(&level) {
        Ok(()) => format!("log filter: {level}\n").into_response(),
        Err(error) => (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response(),
    }
}
