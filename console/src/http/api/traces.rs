//! `/api/v1/traces`.

mod query;

use std::{sync::Arc, time::SystemTime};

use axum::{
    Json,
    extract::{Path, Query, State, rejection::QueryRejection},
    http::Uri,
};
use schemars::JsonSchema;
use serde::Deserialize;
use weft_model::trace::{Heat, Trace, TraceList, TraceNames};

use crate::{
    app::App,
    auth::Caller,
    http::{ApiError, api::pages::linked, routes::Shaped},
    redact,
    telemetry::traces::{MAX_AGE, arrange, from_prometheus, heat},
};

/// `GET /api/v1/traces`.
pub(super) async fn list(
    State(app): State<Arc<App>>,
    caller: Caller,
    uri: Uri,
    search: query::Search,
) -> Result<Shaped<TraceList>, ApiError> {
    let filter = search.filter(caller.sight())?;
    let found = app.traces.list(&filter).await?;
    let traces = found.traces.into_iter().map(|row| redact::trace_row(row, caller.sight())).collect();
    let next = found.next.map(|next| next.to_string());
    let page = TraceList { traces, next: next.clone(), note: found.note };
    Ok(linked(page, &uri, next.as_deref()))
}

/// `GET /api/v1/traces/heat`: the same search, counted by time and duration.
pub(super) async fn heat_map(
    State(app): State<Arc<App>>,
    caller: Caller,
    search: query::Search,
) -> Result<Json<Heat>, ApiError> {
    let filter = search.filter(caller.sight())?;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let micros = |time: std::time::Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    let to = filter.to_us.unwrap_or(micros(now));
    let from = filter.from_us.unwrap_or(micros(now.saturating_sub(MAX_AGE)));
    let found = app.traces.points(&filter).await?;
    Ok(Json(heat(found, from, to)))
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Named {
    /// Whose operations are wanted, `namespace/name`; empty for none.
    workload: String,
}

/// `GET /api/v1/traces/names`: what can be searched for.
pub(super) async fn names(
    State(app): State<Arc<App>>,
    caller: Caller,
    named: Result<Query<Named>, QueryRejection>,
) -> Result<Json<TraceNames>, ApiError> {
    let Query(Named { workload }) = named?;
    let mut workloads = app.traces.workloads().await?;
    workloads.retain(|workload| redact::sees_workload(workload, caller.sight()));
    let operations = if !workload.is_empty() && redact::sees_workload(&workload, caller.sight()) {
        app.traces.operations(&workload).await?
    } else {
        Vec::new()
    };
    Ok(Json(TraceNames { workloads, operations }))
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
    let mut trace = redact::trace(arrange(id, spans), caller.sight()).ok_or(missing)?;
    trace.links = app.trace_links.iter().filter_map(|link| link.of(&trace)).collect();
    app.traces.compare(&mut trace.spans).await?;
    if let Some(prometheus) = &app.prometheus {
        from_prometheus(prometheus, &mut trace.spans).await;
    }
    Ok(Json(trace))
}
