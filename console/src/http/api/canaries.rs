use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State, rejection::JsonRejection},
};
use weft_model::canary::{Canaries, EditPreview, EditResult, WeightEdit};

use crate::{
    app::App,
    auth::{Caller, Verb},
    canary::edit::EditError,
    http::ApiError,
    redact,
};

/// `GET /api/v1/canaries`.
pub(super) async fn list(State(app): State<Arc<App>>, caller: Caller) -> Json<Canaries> {
    Json(redact::canaries((*app.canaries.evaluate().await).clone(), caller.sight()))
}

/// `POST /api/v1/canaries/preview`: what applying would do; writes nothing.
pub(super) async fn preview(
    State(app): State<Arc<App>>,
    caller: Caller,
    edit: Result<Json<WeightEdit>, JsonRejection>,
) -> Result<Json<EditPreview>, ApiError> {
    let Json(edit) = edit?;
    caller.require(Verb::Get, &edit.object).await?;
    Ok(Json(app.editor.preview(&edit, caller.token()).await?))
}

/// `POST /api/v1/canaries/apply`.
pub(super) async fn apply(
    State(app): State<Arc<App>>,
    caller: Caller,
    edit: Result<Json<WeightEdit>, JsonRejection>,
) -> Result<Json<EditResult>, ApiError> {
    let Json(edit) = edit?;
    caller.require(Verb::Patch, &edit.object).await?;
    Ok(Json(app.editor.apply(&edit, caller.name(), caller.token()).await?))
}

/// `POST /api/v1/edits/{id}/undo`.
pub(super) async fn undo(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<EditResult>, ApiError> {
    if let Some(edit) = app.state.edits.get(&id).await.map_err(EditError::from)? {
        caller.require(Verb::Patch, &edit.object).await?;
    }
    Ok(Json(app.editor.undo(&id, caller.name(), caller.token()).await?))
}
