//! `/api/v1`: the shapes are in `weft_model`.

mod audit;
mod canaries;
mod config;
mod csv;
mod details;
mod etag;
mod graph;
mod mesh;
mod openapi;
mod pages;
mod proxies;
mod traces;
mod views;
mod who;
mod wizards;

pub(super) use self::graph::GraphQuery;
pub use self::openapi::text as openapi_text;

use std::sync::Arc;

use axum::{Json, extract::State, middleware};
use schemars::JsonSchema;
use tower_http::{CompressionLevel, compression::CompressionLayer};
use weft_model::{
    audit::How,
    config::{Meta, Status},
};

use super::{
    ApiError,
    routes::{Routes, delete, get, post},
};
use crate::{app::App, auth::Caller, redact};

/// Windows that can be asked for, in seconds: a rate needs two scrapes, and more than a week is no longer one picture.
const WINDOWS_S: std::ops::RangeInclusive<u64> = 10..=604_800;

pub(super) fn routes() -> Routes {
    Routes::strict()
        .with(get("/meta", "What is shown here, and who may change it.", meta).kept_by(etag::kept))
        .with(
            get("/status", "Whether what the console depends on answers, and how many findings there are.", status)
                .kept_by(etag::kept),
        )
        .with(get("/who", "Whose token it is, and in which namespaces it may move weights.", who::who))
        .with(
            get("/graph/series", "How one node or one call of the graph fared over time.", graph::series)
                .kept_by(etag::kept),
        )
        .with(
            get("/canaries", "Weighted routes: configured and observed shares, and a verdict.", canaries::list)
                .kept_by(etag::kept),
        )
        .with(post("/canaries/preview", "What moving weights would do; writes nothing.", canaries::preview).asking())
        .with(post("/canaries/apply", "Moves weights.", canaries::apply))
        .with(get("/canaries/history", "Who moved a route's weights, newest first.", canaries::history))
        .with(get("/canaries/course", "How a weighted route fared over time.", canaries::course).kept_by(etag::kept))
        .with(post("/edits/{id}/undo", "Takes an edit of weights or of an object back.", canaries::undo))
        .with(get("/config", "Configuration objects with their findings.", config::list).kept_by(etag::kept))
        .with(get("/config/object", "One object with its YAML.", config::object))
        .with(get("/config/schema", "Fields, words and names, for whoever writes an object.", config::edit::schema))
        .with(
            post("/config/preview", "What an edit of an object would do; writes nothing.", config::edit::preview)
                .asking()
                .up_to(config::edit::MAX_EDIT_BODY),
        )
        .with(
            post("/config/apply", "Makes, changes or removes an object.", config::edit::apply)
                .up_to(config::edit::MAX_EDIT_BODY),
        )
        .and(details::routes())
        .with(get("/proxies/{namespace}/{name}", "The proxy of one pod or WorkloadEntry.", proxies::one))
        .with(
            get("/mesh", "The mesh's own state: control planes, proxies, certificates, cost.", mesh::state)
                .kept_by(etag::kept),
        )
        .with(get("/wizards/{kind}", "A form as it is configured now.", wizards::start))
        .with(
            post("/wizards/{kind}", "The YAML that a form comes to; writes nothing.", wizards::fill)
                .asking()
                .up_to(wizards::MAX_FORM_BODY),
        )
        .with(get("/traces", "Traces that fit a search, newest first.", traces::list))
        .with(get("/traces/heat", "The same search, counted by time and duration.", traces::heat_map))
        .with(get("/traces/names", "What can be searched for.", traces::names))
        .with(get("/traces/{id}", "One trace.", traces::one))
        .with(get(
            "/audit",
            "Who did what, newest first; with format a file of up to 10,000 entries and 8 MiB.",
            audit::list,
        ))
        .with(get("/views", "Saved views: one's own and those that others share.", views::list))
        .with(post("/views", "Saves a view.", views::save))
        .with(delete("/views/{id}", "Forgets a view.", views::remove))
        .with(
            get("/openapi.json", "This document.", openapi::document)
                .answering(200, Some("application/json"), "OpenAPI 3.1.")
                .kept_by(etag::kept),
        )
        .behind(|router| router.layer(middleware::from_fn(etag::unless_known)))
        // Has a tag of its own, and compresses what many ask for once.
        .with(get("/graph", "The service graph over a window.", graph::graph).tagged())
        .behind(|router| router.layer(CompressionLayer::new().no_br().quality(CompressionLevel::Fastest)))
}

/// `?window=60`
#[derive(Debug, serde::Deserialize, JsonSchema)]
struct Window {
    /// Seconds that the figures are over.
    #[schemars(range(min = 10, max = 604_800))]
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
    let mut meta = redact::meta(app.meta(), caller.sight());
    // Where files are on the machine is for those who are let in.
    if app.auth.guards() && caller.how() == How::Anonymous {
        meta.directory.clear();
    }
    Json(meta)
}

async fn status(State(app): State<Arc<App>>, caller: Caller) -> Json<Status> {
    Json(redact::status(app.status().await, &app.view().list, caller.sight()))
}
