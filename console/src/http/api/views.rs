use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State, rejection::JsonRejection},
    http::StatusCode,
};
use weft_model::views::{NewView, SavedView, SavedViews};

use crate::{
    app::App,
    auth::Caller,
    clock,
    db::{MAX_OF_OWNER, ViewRecord},
    http::ApiError,
};

/// Characters of a name.
const MAX_NAME: usize = 120;
/// Bytes of a location.
const MAX_LOCATION: usize = 4096;

/// `GET /api/v1/views`.
pub(super) async fn list(State(app): State<Arc<App>>, caller: Caller) -> Result<Json<SavedViews>, ApiError> {
    let views = app.state.views.list(caller.name()).await?;
    Ok(Json(SavedViews { views: views.into_iter().map(|view| shown(view, &caller)).collect() }))
}

/// `POST /api/v1/views`.
pub(super) async fn save(
    State(app): State<Arc<App>>,
    caller: Caller,
    view: Result<Json<NewView>, JsonRejection>,
) -> Result<(StatusCode, Json<SavedView>), ApiError> {
    let Json(NewView { name, location, shared }) = view?;
    let name = name.trim().to_owned();
    if name.is_empty() || name.chars().count() > MAX_NAME || name.chars().any(char::is_control) {
        let title = "The view needs a name that can be shown.";
        return Err(ApiError::bad_request(title, format!("Give one of 1 to {MAX_NAME} characters on one line.")));
    }
    // Only a view of this page: whoever opens a shared one must stay here.
    if !location.starts_with("#/") || location.len() > MAX_LOCATION || location.chars().any(char::is_control) {
        let title = "This is not the address of a view.";
        return Err(ApiError::bad_request(
            title,
            "Give what stands behind the page's address from # on, at most 4 kB.",
        ));
    }
    let record = ViewRecord {
        id: format!("{:016x}", rand::random::<u64>()),
        owner: caller.name().to_owned(),
        name,
        location,
        shared,
        created_ms: clock::now_ms(),
    };
    let saved = app.state.views.save(&record).await?.ok_or_else(|| {
        let title = format!("{} has {MAX_OF_OWNER} saved views already.", caller.name());
        ApiError::conflict(title, "Delete one that is not needed any more, then save this one.")
    })?;
    Ok((StatusCode::CREATED, Json(shown(saved, &caller))))
}

/// `DELETE /api/v1/views/{id}`: one's own, or anybody's for who administrates the console.
pub(super) async fn remove(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    if app.state.views.delete(&id, caller.name(), caller.is_admin()).await? {
        return Ok(StatusCode::NO_CONTENT);
    }
    Err(ApiError::not_found("You have no such view.", "It may have been deleted already. Load the list again."))
}

fn shown(view: ViewRecord, caller: &Caller) -> SavedView {
    let ViewRecord { id, owner, name, location, shared, created_ms } = view;
    let mine = owner == caller.name();
    SavedView { id, owner, name, location, shared, created_ms, mine }
}
