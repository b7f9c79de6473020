//! `/api/v1`: the shapes are in `weft_model`.

mod canaries;
mod config;
mod traces;
mod who;

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, Query, State, rejection::QueryRejection},
    routing::{get, post},
};
use serde::Deserialize;
use tower_http::{CompressionLevel, compression::CompressionLayer};
use weft_model::{
    config::{Meta, Status},
    graph::Graph,
};

use super::ApiError;
use crate::{app::App, graph::draw};

/// Windows that can be asked for, in seconds: a rate needs two scrapes, and more than a week is no longer one picture.
const WINDOWS_S: std::ops::RangeInclusive<u64> = 10..=604_800;

pub(super) fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/meta", get(meta))
        .route("/status", get(status))
        .route("/who", get(who::who))
        .route("/graph", get(graph))
        .route("/canaries", get(canaries::list))
        .route("/canaries/preview", post(canaries::preview))
        .route("/canaries/apply", post(canaries::apply))
        .route("/edits/{id}/undo", post(canaries::undo))
        .route("/config", get(config::list))
        .route("/config/object", get(config::object))
        .route("/config/schema", get(config::edit::schema))
        .route("/config/preview", post(config::edit::preview).layer(DefaultBodyLimit::max(config::edit::MAX_EDIT_BODY)))
        .route("/config/apply", post(config::edit::apply).layer(DefaultBodyLimit::max(config::edit::MAX_EDIT_BODY)))
        .route("/traces", get(traces::list))
        .route("/traces/{id}", get(traces::one))
        .layer(CompressionLayer::new().no_br().quality(CompressionLevel::Fastest))
}

/// `?window=60`, in seconds.
#[derive(Debug, Deserialize)]
pub(super) struct Window {
    #[serde(default = "a_minute")]
    window: u64,
}

fn a_minute() -> u64 {
    60
}

impl Window {
    pub(super) fn checked(&self) -> Result<u64, ApiError> {
        if WINDOWS_S.contains(&self.window) {
            return Ok(self.window);
        }
        let title = format!("A window of {} s cannot be shown.", self.window);
        let (from, to) = WINDOWS_S.into_inner();
        Err(ApiError::bad_request(title, format!("Choose one between {from} and {to} seconds.")))
    }
}

async fn meta(State(app): State<Arc<App>>) -> Json<Meta> {
    Json(app.meta())
}

async fn status(State(app): State<Arc<App>>) -> Json<Status> {
    Json(app.status().await)
}

async fn graph(
    State(app): State<Arc<App>>,
    window: Result<Query<Window>, QueryRejection>,
) -> Result<Json<Graph>, ApiError> {
    let observed = app.graphs.get(window?.checked()?).await;
    Ok(Json(draw(&observed, &app.view().estate)))
}
