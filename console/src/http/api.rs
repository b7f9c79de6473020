//! `/api/v1`: the shapes are in `weft_model`.

mod canaries;
mod config;
mod graph;
mod traces;
mod who;

pub(super) use self::graph::GraphQuery;

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::State,
    routing::{get, post},
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
        .route("/graph", get(graph::graph))
        .route("/graph/series", get(graph::series))
        .route("/canaries", get(canaries::list))
        .route("/canaries/preview", post(canaries::preview))
        .route("/canaries/apply", post(canaries::apply))
        .route("/edits/{id}/undo", post(canaries::undo))
        .route("/config", get(config::list))
        .route("/config/object", get(config::object))
        .route("/traces", get(traces::list))
        .route("/traces/{id}", get(traces::one))
        .layer(CompressionLayer::new().no_br().quality(CompressionLevel::Fastest))
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
