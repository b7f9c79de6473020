//! The HTTP surface: API, live events, trace ingest, the page's assets, metrics and readiness.

mod api;
mod assets;
mod auth;
mod connections;
mod events;
mod guard;
mod headers;
mod otlp;
mod plain;
pub mod probe;
mod problem;
mod routes;
mod token;

use std::sync::Arc;

use axum::{
    Router,
    extract::{DefaultBodyLimit, Request, State},
    http::{StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{any, get, post},
};

pub(crate) use self::token::bearer;
pub use self::{api::openapi_text as openapi, connections::serve, problem::ApiError};
use self::{
    plain::{no_such_resource, wrong_method},
    routes::Routes,
};
use crate::app::App;

/// Largest body of an API request. An edit is a few hundred bytes.
const MAX_API_BODY: usize = 64 * 1024;

/// Where spans are received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spans {
    /// Beside the page.
    Here,
    /// At an address of their own, or nowhere.
    Elsewhere,
}

/// Everything the console serves to people.
pub fn router(app: Arc<App>, spans: Spans) -> Router {
    let api = guarded()
        .into_router()
        .fallback(no_such_resource)
        .method_not_allowed_fallback(wrong_method)
        .layer(middleware::from_fn_with_state(app.clone(), guard::same_origin_writes))
        .layer(middleware::from_fn_with_state(app.clone(), guard::known_callers))
        // Before any guard: it tells how to sign in.
        .merge(unguarded().into_router())
        .layer(DefaultBodyLimit::max(MAX_API_BODY));
    let traces = match spans {
        Spans::Here => traces(),
        Spans::Elsewhere => Router::new().fallback(no_spans_here),
    };
    let signing_in = auth::routes(Some(&app)).into_router();
    let signing_in = signing_in.fallback(no_such_resource).method_not_allowed_fallback(wrong_method);
    Router::new()
        .nest("/api/v1", api)
        .route("/api", any(no_such_resource))
        .route("/api/", any(no_such_resource))
        .route("/api/{*rest}", any(no_such_resource))
        .nest("/v1", traces)
        .nest("/auth", signing_in)
        .fallback_service(assets::service(&app.assets))
        .layer(middleware::from_fn_with_state(app.clone(), guard::own_host))
        // Whoever scrapes and probes calls by an address.
        .route("/metrics", get(metrics))
        .route(plain::READY, get(ready))
        .route(plain::LIVE, get(|| async { "live\n" }))
        .layer(middleware::from_fn(plain::told))
        .layer(middleware::from_fn(headers::secure))
        .layer(middleware::from_fn_with_state(app.clone(), count))
        .with_state(app)
}

/// What exporters reach at an address of their own: spans, and nothing that people see.
pub fn otlp_router(app: Arc<App>) -> Router {
    Router::new()
        .nest("/v1", traces())
        .fallback(no_such_resource)
        .layer(middleware::from_fn(plain::told))
        .layer(middleware::from_fn(headers::secure))
        .layer(middleware::from_fn_with_state(app.clone(), count))
        .with_state(app)
}

fn traces() -> Router<Arc<App>> {
    Router::new()
        .route("/traces", post(otlp::receive))
        .fallback(no_such_resource)
        .method_not_allowed_fallback(wrong_method)
        .layer(middleware::from_fn(guard::no_browsers))
        .layer(DefaultBodyLimit::max(otlp::MAX_BODY))
}

async fn no_spans_here() -> ApiError {
    ApiError::not_found(
        "Spans are not received at this address.",
        "Send them to the address that --otlp-listen names; a console that others reach takes them nowhere else.",
    )
}

/// What of the API asks who calls.
fn guarded() -> Routes {
    let events = "Events as they happen: status and canaries with the JSON of the resource of that name; config and \
        graph say that the resource of that name is another one.";
    api::routes().with(routes::get("/events", events, events::subscribe).answering(
        200,
        Some("text/event-stream"),
        "Server-sent events.",
    ))
}

/// What of the API is everybody's.
fn unguarded() -> Routes {
    let who = "Who asks, or how to sign in.";
    Routes::default().with(routes::get("/session", who, auth::session)).for_everybody()
}

/// The OpenAPI document of all of it.
fn document() -> serde_json::Value {
    routes::document(&[("/api/v1", &guarded()), ("/api/v1", &unguarded()), ("/auth", &auth::routes(None))])
}

async fn count(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    app.metrics.request(response.status().as_u16());
    response
}

async fn metrics(State(app): State<Arc<App>>) -> Response {
    match app.metrics.text() {
        Ok(text) => ([(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text)
            .into_response(),
        Err(error) => ApiError::internal(&error).into_response(),
    }
}

/// Ready once configuration was read and the database answers. Prometheus is not asked: without it the console still
/// has its use.
async fn ready(State(app): State<Arc<App>>) -> Response {
    match app.state.ready().await {
        Ok(()) => (StatusCode::OK, "ready\n").into_response(),
        Err(error) => {
            let remedy = error.remedy().unwrap_or_default();
            (StatusCode::SERVICE_UNAVAILABLE, format!("{error}. {remedy}\n")).into_response()
        }
    }
}
