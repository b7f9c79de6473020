use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State, rejection::JsonRejection},
};
use weft_model::canary::{Canaries, EditPreview, EditResult, WeightEdit};

use crate::{app::App, auth::Caller, http::ApiError};

/// `GET /api/v1/canaries`.
pub(super) async fn list(State(app): State<Arc<App>>) -> Json<Canaries> {
    Json((*app.canaries.evaluate().await).clone())
}

/// `POST /api/v1/canaries/preview`: what applying would do; writes nothing.
pub(super) async fn preview(
    State(app): State<Arc<App>>,
    caller: Caller,
    edit: Result<Json<WeightEdit>, JsonRejection>,
) -> Result<Json<EditPreview>, ApiError> {
    let Json(edit) = edit?;
    Ok(Json(app.editor.preview(&edit, caller.token()).await?))
}

/// `POST /api/v1/canaries/apply`.
pub(super) async fn apply(
    State(app): State<Arc<App>>,
    caller: Caller,
    edit: Result<Json<WeightEdit>, JsonRejection>,
) -> Result<Json<EditResult>, ApiError> {
    let Json(edit) = edit?;
    Ok(Json(app.editor.apply(&edit, caller.name(), caller.token()).await?))
}

/// `POST /api/v1/edits/{id}/undo`.
pub(super) async fn undo(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<EditResult>, ApiError> {
    // Edits of whole objects are taken back at the same address.
    if let Some((verb, object)) = app.objects.undo_needs(&id) {
        caller.require(verb, &object).await?;
        let revision = app.objects.undo(&id, caller.token()).await?;
        return Ok(Json(EditResult { id, revision, undo_until_ms: 0 }));
    }
    Ok(Json(app.editor.undo(&id, caller.name(), caller.token()).await?))
}
