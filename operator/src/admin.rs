//! The admin port: metrics, readiness, and what the operator knows about proxies.

mod readers;

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicBool, Ordering},
};

use axum::{
    Json, Router,
    extract::{Query, State},
    http::{StatusCode, header},
    middleware,
    response::{IntoResponse, Response},
    routing::get,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use parking_lot::RwLock;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use weft_model::{
    ObjectRef,
    sync::{ObjectAck, ProxySync},
};

pub use readers::Readers;

use crate::{
    ads::{
        AckBook, Kind, Registry, State as SyncState,
        published::Watch,
        registry::{Connected, Fleet},
        roots,
    },
    ca::{AuthorityWatch, describe},
    clock::Clock,
    metrics::Metrics,
    server::tls::ServingTls,
    serving,
};

/// What the pages show.
#[derive(Clone)]
pub struct Admin {
    /// Connected proxies.
    pub registry: Arc<Registry>,
    /// Acknowledgements by object.
    pub acks: Arc<AckBook>,
    /// Metrics.
    pub metrics: Metrics,
    /// The present authority, once there is one.
    pub authority: Arc<OnceLock<AuthorityWatch>>,
    /// Desired state, once it was read.
    pub published: Arc<OnceLock<Watch>>,
    /// Whether the configuration was read and the ports are open.
    pub ready: Arc<AtomicBool>,
    /// Certificates that the ports show.
    pub shown: Arc<RwLock<Vec<Arc<ServingTls>>>>,
    /// What is known of this machine's clock.
    pub clock: Clock,
    /// Whose turn it is to make a page that is large or takes long.
    pub turn: Arc<tokio::sync::Mutex<()>>,
}

/// The routes of the admin port: metrics and probes for anybody, the rest for `readers`.
pub fn router(admin: Admin, readers: Readers) -> Router {
    let debug = Router::new()
        .route("/debug/authority", get(authority))
        .route("/debug/fleet", get(fleet))
        .route("/debug/serving", get(serving_certificates))
        .route("/debug/syncz", get(syncz))
        .route("/debug/acks", get(acks))
        .route("/debug/config_dump", get(config_dump))
        .route_layer(middleware::from_fn_with_state(readers, readers::admit));
    Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz/ready", get(ready))
        .route("/healthz/live", get(async || "alive\n"))
        .merge(debug)
        .with_state(admin)
}

async fn metrics(State(admin): State<Admin>) -> Response {
    match admin.metrics.encode() {
        Ok(text) => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(header::CONTENT_TYPE, kind)], text).into_response()
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

async fn ready(State(admin): State<Admin>) -> (StatusCode, &'static str) {
    let now = OffsetDateTime::now_utc();
    let valid = || admin.shown.read().iter().all(|tls| tls.is_valid(now));
    match admin.ready.load(Ordering::Acquire) {
        true if valid() => (StatusCode::OK, "ready\n"),
        true => (StatusCode::SERVICE_UNAVAILABLE, "the certificate of a port has run out\n"),
        false => (StatusCode::SERVICE_UNAVAILABLE, "starting, or stopping\n"),
    }
}

async fn syncz(State(admin): State<Admin>) -> Json<Vec<ProxySync>> {
    Json(admin.registry.list())
}

async fn fleet(State(admin): State<Admin>) -> Response {
    match admin.authority.get() {
        Some(authority) => {
            let authority = authority.borrow().clone();
            let fleet = admin.registry.fleet(roots::version(&authority));
            Json(Fleet { clock_ahead_s: admin.clock.ahead_s(), ..fleet }).into_response()
        }
        None => (StatusCode::SERVICE_UNAVAILABLE, "no certificate authority yet\n").into_response(),
    }
}

async fn authority(State(admin): State<Admin>) -> Response {
    match admin.authority.get() {
        Some(authority) => Json(describe::authority(&authority.borrow().clone())).into_response(),
        None => (StatusCode::SERVICE_UNAVAILABLE, "no certificate authority yet\n").into_response(),
    }
}

/// `GET /debug/serving`: the certificates that gateways show to clients from outside.
async fn serving_certificates(State(admin): State<Admin>) -> Response {
    match admin.published.get() {
        Some(published) => {
            let snapshot = Arc::clone(&published.borrow().snapshot);
            in_turn(&admin, move || serving::certificates(&snapshot)).await
        }
        None => (StatusCode::SERVICE_UNAVAILABLE, "no configuration yet\n").into_response(),
    }
}

/// Makes one page at a time, beside what serves proxies: of many certificates it takes a while, and a dump is large.
async fn in_turn<T: Serialize + Send + 'static>(admin: &Admin, make: impl FnOnce() -> T + Send + 'static) -> Response {
    let turn = Arc::clone(&admin.turn).lock_owned().await;
    let page = tokio::task::spawn_blocking(move || {
        // The value is gone, and its text made, before the next one begins.
        let page = Json(make()).into_response();
        drop(turn);
        page
    });
    page.await.unwrap_or_else(|error| (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response())
}

async fn acks(State(admin): State<Admin>) -> Json<Vec<ObjectAck>> {
    Json(admin.acks.list())
}

#[derive(Deserialize)]
struct Wanted {
    proxy: Option<String>,
}

/// `GET /debug/config_dump?proxy=<node id or namespace/workload>`.
#[derive(Serialize)]
struct ConfigDump {
    proxy: ProxySync,
    resources: Vec<DumpedResource>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DumpedResource {
    kind: &'static str,
    name: String,
    version: String,
    /// `acked`, `pending` or `refused`; `unasked` when the proxy has not asked for the type.
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    origins: Vec<ObjectRef>,
    bytes: usize,
    /// The encoded message in base64; left out for secrets.
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<String>,
}

async fn config_dump(State(admin): State<Admin>, Query(wanted): Query<Wanted>) -> Response {
    let Some(name) = wanted.proxy else {
        let hint = "say which proxy: ?proxy=<node id> or ?proxy=<namespace>/<workload>; /debug/syncz lists them\n";
        return (StatusCode::BAD_REQUEST, hint).into_response();
    };
    match admin.registry.find(&name) {
        Some(connected) => in_turn(&admin, move || dump(&connected)).await,
        None => {
            (StatusCode::NOT_FOUND, format!("no proxy {name} is connected; /debug/syncz lists them\n")).into_response()
        }
    }
}

fn dump(connected: &Connected) -> ConfigDump {
    let proxy = connected.sync();
    let progress = connected.progress.lock().clone();
    let mut resources = Vec::with_capacity(progress.target.len());
    for kind in Kind::ALL {
        let asked = progress.types.iter().any(|state| state.kind == kind.name());
        for resource in progress.target.of(kind.type_url()).iter() {
            let (state, reason) = match progress.standings[kind as usize].state(resource) {
                _ if !asked => ("unasked", None),
                SyncState::Unasked => ("unasked", None),
                SyncState::Pending => ("pending", None),
                SyncState::Acked => ("acked", None),
                SyncState::Refused(reason) => ("refused", Some(reason)),
            };
            resources.push(DumpedResource {
                kind: kind.name(),
                name: resource.name.clone(),
                version: resource.version.clone(),
                state,
                reason,
                origins: resource.origins.clone(),
                bytes: resource.value.len(),
                value: (kind != Kind::Sds).then(|| STANDARD.encode(&resource.value)),
            });
        }
    }
    ConfigDump { proxy, resources }
}
