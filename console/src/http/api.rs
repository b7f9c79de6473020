//! `/api/v1`: the shapes are in `weft_model`.

mod audit;
mod canaries;
mod config;
mod csv;
mod details;
mod etag;
mod graph;
mod mesh;
mod proxies;
mod traces;
mod views;
mod who;
mod wizards;

pub(super) use self::graph::GraphQuery;

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, State},
    middleware,
    routing::{delete, get, post},
};
use tower_http::{CompressionLevel, compression::CompressionLayer};
use weft_model::config::{Meta, Status};

use super::ApiError;
use crate::{app::App, auth::Caller, redact};

/// Windows that can be asked for, in seconds: a rate needs two scrapes, and more than a week is no longer one picture.
const WINDOWS_S: std::ops::RangeInclusive<u64> = 10..=604_800;

pub(super) fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/meta", get(meta))
        .route("/status", get(status))
        .route("/who", get(who::who))
        .route("/graph/series", get(graph::series))
        .route("/canaries", get(canaries::list))
        .route("/canaries/preview", post(canaries::preview))
        .route("/canaries/apply", post(canaries::apply))
        .route("/edits/{id}/undo", post(canaries::undo))
        .route("/config", get(config::list))
        .route("/config/object", get(config::object))
        .merge(details::router())
        .route("/proxies/{namespace}/{name}", get(proxies::one))
        .route("/mesh", get(mesh::state))
        .route("/config/schema", get(config::edit::schema))
        .route("/config/preview", post(config::edit::preview).layer(DefaultBodyLimit::max(config::edit::MAX_EDIT_BODY)))
        .route("/config/apply", post(config::edit::apply).layer(DefaultBodyLimit::max(config::edit::MAX_EDIT_BODY)))
        .route(
            "/wizards/{kind}",
            get(wizards::start).post(wizards::fill).layer(DefaultBodyLimit::max(wizards::MAX_FORM_BODY)),
        )
        .route("/traces", get(traces::list))
        .route("/traces/heat", get(traces::heat_map))
        .route("/traces/names", get(traces::names))
        .route("/traces/{id}", get(traces::one))
        .route("/canaries/history", get(canaries::history))
        .route("/canaries/course", get(canaries::course))
        .route("/audit", get(audit::list))
        .route("/views", get(views::list).post(views::save))
        .route("/views/{id}", delete(views::remove))
        .layer(middleware::from_fn(etag::unless_known))
        // Has a tag of its own, and compresses what many ask for once.
        .route("/graph", get(graph::graph))
        .layer(CompressionLayer::new().no_br().quality(CompressionLevel::Fastest))
}

/// `?window=60`, in seconds.
#[derive(Debug, serde::Deserialize)]
struct Window {
    #[serde(default = "a_minute")]
    window: u64,
}

impl Window {
    fn checked(&self) -> Result<u64, ApiError> {
        checked_window(self.window)
    }
}

fn a_minute() -> u64 {
    60
}

/// A length that can be shown, in seconds.
fn checked_window(window_s: u64) -> Result<u64, ApiError> {
    if WINDOWS_S.contains(&window_s) {
        return Ok(window_s);
    }
    let title = format!("A window of {window_s} s cannot be shown.");
    let (from, to) = WINDOWS_S.into_inner();
    Err(ApiError::bad_request(title, format!("Choose one between {from} and {to} seconds.")))
}

async fn meta(State(app): State<Arc<App>>, caller: Caller) -> Json<Meta> {
    Json(redact::meta(app.meta(), caller.sight()))
}

async fn status(State(app): State<Arc<App>>, caller: Caller) -> Json<Status> {
    Json(redact::status(app.status().await, &app.view().list, caller.sight()))
}
