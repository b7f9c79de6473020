use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, Query, State, rejection::QueryRejection},
};
use serde::Deserialize;
use weft_model::trace::{Trace, TraceList};

use crate::{app::App, auth::Caller, db::TraceFilter, http::ApiError, redact, telemetry::traces::arrange};

/// Rows given at most.
const MAX_ROWS: u32 = 500;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Filter {
    workload: String,
    errors: bool,
    min_ms: f64,
    limit: u32,
}

impl Default for Filter {
    fn default() -> Self {
        Self { workload: String::new(), errors: false, min_ms: 0.0, limit: 50 }
    }
}

/// `GET /api/v1/traces`.
pub(super) async fn list(
    State(app): State<Arc<App>>,
    caller: Caller,
    filter: Result<Query<Filter>, QueryRejection>,
) -> Result<Json<TraceList>, ApiError> {
    let Query(filter) = filter?;
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let filter = TraceFilter {
        workload: Some(filter.workload).filter(|workload| !workload.is_empty()),
        errors: filter.errors,
        min_us: (filter.min_ms.max(0.0) * 1000.0) as u64,
        limit: filter.limit.clamp(1, MAX_ROWS),
    };
    let mut traces = app.traces.list(&filter).await?;
    traces.retain(|row| redact::sees_trace(row, caller.sight()));
    Ok(Json(TraceList { traces }))
}

/// `GET /api/v1/traces/{id}`.
pub(super) async fn one(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Trace>, ApiError> {
    let id = id.to_ascii_lowercase();
    if id.len() != 32 || !id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(ApiError::bad_request("This is not a trace id.", "A trace id has 32 hexadecimal digits."));
    }
    let missing = ApiError::not_found(
        format!("Trace {id} is not held."),
        "It was not received, or made room for newer ones. Look for another in the list.",
    );
    let spans = app.traces.spans(&id).await?;
    if spans.is_empty() {
        return Err(missing);
    }
    redact::trace(arrange(id, spans), caller.sight()).map(Json).ok_or(missing)
}
