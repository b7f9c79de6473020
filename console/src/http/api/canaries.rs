use std::sync::Arc;

use axum::{
    Json,
    extract::{
        Path, Query, State,
        rejection::{JsonRejection, QueryRejection},
    },
};
use http::Uri;
use schemars::JsonSchema;
use serde::Deserialize;
use weft_model::{
    ObjectRef,
    audit::{WeightChange, WeightHistory},
    canary::{Canaries, Course, EditPreview, EditResult, WeightEdit},
};

use super::{checked_window, pages};
use crate::{
    app::App,
    auth::{Caller, Verb},
    canary::edit::EditError,
    config::edit::OF_ROUTE,
    db::Edit,
    http::{ApiError, routes::Shaped},
    redact,
};

/// Changes given at most.
const MAX_CHANGES: usize = 200;

/// `GET /api/v1/canaries`, in pages.
pub(super) async fn list(
    State(app): State<Arc<App>>,
    caller: Caller,
    uri: Uri,
    paged: Result<Query<pages::Paged>, QueryRejection>,
) -> Result<Shaped<Canaries>, ApiError> {
    let Query(paged) = paged?;
    let mut list = redact::canaries((*app.canaries.evaluate().await).clone(), caller.sight());
    list.next = paged.cut(&mut list.canaries, |canary| (canary.object.clone(), canary.route_index))?;
    let next = list.next.clone();
    Ok(pages::linked(list, &uri, next.as_deref()))
}

/// `POST /api/v1/canaries/preview`: what applying would do; writes nothing.
pub(super) async fn preview(
    State(app): State<Arc<App>>,
    caller: Caller,
    edit: Result<Json<WeightEdit>, JsonRejection>,
) -> Result<Json<EditPreview>, ApiError> {
    let Json(edit) = edit?;
    caller.require(Verb::Get, &edit.object).await?;
    let mut preview = app.editor.preview(&edit, caller.credential()).await?;
    if !caller.may(Verb::Patch, &edit.object).await.unwrap_or(false) {
        preview.refusal = Some(format!("you may not {} {}", Verb::Patch, edit.object));
    }
    let view = app.view();
    for findings in [&mut preview.new_findings, &mut preview.mended_findings] {
        redact::findings(findings, &view.estate.namespaces, caller.sight());
    }
    Ok(Json(preview))
}

/// `POST /api/v1/canaries/apply`.
pub(super) async fn apply(
    State(app): State<Arc<App>>,
    caller: Caller,
    edit: Result<Json<WeightEdit>, JsonRejection>,
) -> Result<Json<EditResult>, ApiError> {
    let Json(edit) = edit?;
    caller.require(Verb::Patch, &edit.object).await?;
    app.audit.able().await?;
    Ok(Json(app.editor.apply(&edit, &caller).await?))
}

/// `POST /api/v1/edits/{id}/undo`.
pub(super) async fn undo(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(mut id): Path<String>,
) -> Result<Json<EditResult>, ApiError> {
    // A route's history has what an edit of the whole object did there, and that is taken back as a whole.
    if let Some(at) = id.find(OF_ROUTE) {
        id.truncate(at);
    }
    let weights = app.state.edits.get(&id).await.map_err(EditError::from)?;
    // Edits of whole objects are taken back at the same address.
    if weights.is_none()
        && let Some(done) = app.objects.done(&id, caller.name()).await?
    {
        caller.require(done.back(), &done.object).await?;
        app.audit.able().await?;
        let revision = app.objects.undo(&id, &done, &caller).await?;
        return Ok(Json(EditResult { id, revision, undo_until_ms: 0 }));
    }
    if let Some(edit) = weights {
        caller.require(Verb::Patch, &edit.object).await?;
    }
    app.audit.able().await?;
    Ok(Json(app.editor.undo(&id, &caller).await?))
}

/// Which route.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Route {
    /// `group/version`; the version may be another one than it is written in.
    api_version: String,
    /// `VirtualService`, the one kind that the mesh routes by weight.
    kind: String,
    /// Its namespace.
    namespace: String,
    /// Its name.
    name: String,
    /// Which of its routes: index in `spec.http`, 10,000 and the index in `spec.tls`, or 20,000 and the index in `spec.tcp`.
    #[serde(default)]
    route_index: usize,
    /// Changes given at most, 1 to 200.
    #[serde(default = "twenty")]
    limit: usize,
}

fn twenty() -> usize {
    20
}

/// `GET /api/v1/canaries/history`: who moved a route's weights, newest first.
pub(super) async fn history(
    State(app): State<Arc<App>>,
    caller: Caller,
    route: Result<Query<Route>, QueryRejection>,
) -> Result<Json<WeightHistory>, ApiError> {
    let Query(Route { api_version, kind, namespace, name, route_index, limit }) = route?;
    let object = ObjectRef { api_version, kind, namespace, name };
    caller.require(Verb::Get, &object).await?;
    if !(1..=MAX_CHANGES).contains(&limit) {
        let title = format!("limit: there cannot be {limit} changes.");
        return Err(ApiError::out_of_range(title, MAX_CHANGES));
    }
    let mut edits = app.state.edits.of_route(&object, route_index, limit + 1).await?;
    let more = edits.len() > limit;
    edits.truncate(limit);
    let change = |edit: Edit| WeightChange {
        id: edit.id,
        at_ms: edit.at_ms,
        by: edit.by,
        from: edit.weights_before,
        to: edit.weights_after,
        undoes: edit.undoes,
    };
    Ok(Json(WeightHistory { changes: edits.into_iter().map(change).collect(), more }))
}

/// `?apiVersion=…&kind=…&namespace=…&name=…&routeIndex=1&window=900`
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct CourseQuery {
    /// `group/version`; the version may be another one than it is written in.
    api_version: String,
    /// `VirtualService`, the one kind that the mesh routes by weight.
    kind: String,
    /// Its namespace.
    namespace: String,
    /// Its name.
    name: String,
    /// Which of its routes: index in `spec.http`, 10,000 and the index in `spec.tls`, or 20,000 and the index in `spec.tcp`.
    #[serde(default)]
    route_index: usize,
    /// Seconds back from now.
    #[schemars(range(min = 10, max = 604_800))]
    #[serde(default = "a_quarter")]
    window: u64,
}

fn a_quarter() -> u64 {
    900
}

/// `GET /api/v1/canaries/course`: how a weighted route fared over time.
pub(super) async fn course(
    State(app): State<Arc<App>>,
    caller: Caller,
    query: Result<Query<CourseQuery>, QueryRejection>,
) -> Result<Json<Course>, ApiError> {
    let Query(CourseQuery { api_version, kind, namespace, name, route_index, window }) = query?;
    let object = ObjectRef { api_version, kind, namespace, name };
    caller.require(Verb::Get, &object).await?;
    let window_s = checked_window(window)?;
    let edits = app.state.edits.of_route(&object, route_index, MAX_CHANGES).await?;
    let course = app.canaries.course(&object, route_index, &edits, window_s).await;
    let missing = || {
        ApiError::not_found(
            format!("{object} has no weighted route {route_index}."),
            "It may have been changed or deleted. Load the canaries again.",
        )
    };
    let mut course = course.ok_or_else(missing)?;
    redact::addresses::sources(&mut course.sources, caller.sight());
    Ok(Json(course))
}
