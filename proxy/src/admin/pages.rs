//! The admin pages.

use axum::{
    Json,
    extract::{Query, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use weft_runtime::log;

use super::{Context, dump};
use crate::{state::Shared, telemetry};

/// What a text exposition is called.
pub(super) const EXPOSITION: (header::HeaderName, &str) =
    (header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8");

pub(super) async fn ready(State(context): State<Context>) -> Response {
    let missing = missing(&context.shared);
    if missing.is_empty() {
        return "ready\n".into_response();
    }
    (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {}\n", missing.join(", "))).into_response()
}

/// What readiness waits for.
fn missing(shared: &Shared) -> Vec<String> {
    let waits = [
        (shared.drain.begun(), "draining"),
        (shared.identity.load().is_none(), "no certificate yet"),
        (!shared.readiness.configured(), "no complete configuration yet"),
        (!shared.readiness.listeners_bound(), "listeners not bound yet"),
    ];
    let mut missing: Vec<String> = waits.into_iter().filter(|(waits, _)| *waits).map(|(_, why)| why.into()).collect();
    if !shared.readiness.listeners_bound() {
        missing.extend(shared.sockets.failures().into_values());
    }
    missing
}

pub(super) async fn prometheus(State(context): State<Context>) -> impl IntoResponse {
    let text = telemetry::exposition(&context.shared, &context.dispatcher.loads());
    ([EXPOSITION], text)
}

#[derive(Deserialize)]
pub(super) struct Filter {
    filter: Option<String>,
}

/// Samples alone, without help texts; `?filter=` keeps lines that contain it.
pub(super) async fn stats(State(context): State<Context>, Query(Filter { filter }): Query<Filter>) -> String {
    let text = telemetry::exposition(&context.shared, &context.dispatcher.loads());
    let wanted = |line: &&str| !line.starts_with('#') && filter.as_ref().is_none_or(|filter| line.contains(filter));
    text.lines().filter(wanted).flat_map(|line| [line, "\n"]).collect()
}

pub(super) async fn config_dump(State(context): State<Context>) -> impl IntoResponse {
    Json(dump::config(&context.shared))
}

pub(super) async fn clusters(State(context): State<Context>) -> String {
    dump::clusters(&context.shared)
}

pub(super) async fn certs(State(context): State<Context>) -> impl IntoResponse {
    Json(dump::certificates(&context.shared))
}

pub(super) async fn quit(State(context): State<Context>) -> &'static str {
    context.shutdown.begin();
    "stopping\n"
}

#[derive(Deserialize)]
pub(super) struct Level {
    level: String,
}

/// `?level=debug` or any filter that `--log` takes.
pub(super) async fn logging(Query(Level { level }): Query<Level>) -> Response {
    match log::set_filter(&level) {
        Ok(()) => format!("log filter: {level}\n").into_response(),
        Err(error) => (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response(),
    }
}
