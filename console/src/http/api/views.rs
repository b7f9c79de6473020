use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State, rejection::JsonRejection},
    http::StatusCode,
};
use weft_model::{
    audit::{Action, How},
    views::{NewView, SavedView, SavedViews},
};

use crate::{
    app::App,
    auth::Caller,
    clock,
    db::{MAX_OF_OWNER, ViewRecord},
    http::ApiError,
    redact,
};

/// Characters of a name.
const MAX_NAME: usize = 120;
/// Bytes of a location.
const MAX_LOCATION: usize = 4096;

/// `GET /api/v1/views`.
pub(super) async fn list(State(app): State<Arc<App>>, caller: Caller) -> Result<Json<SavedViews>, ApiError> {
    // Whoever has no name owns nothing, whatever somebody else is called.
    let owner = if caller.how() == How::Anonymous { "" } else { caller.name() };
    let views = app.state.views.list(owner).await?;
    let present = app.view();
    let told = |view: &ViewRecord| {
        is_own(view, &caller) || redact::views::shows(&view.location, &present.estate.namespaces, caller.sight())
    };
    Ok(Json(SavedViews { views: views.into_iter().filter(told).map(|view| shown(view, &caller)).collect() }))
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
    app.audit.able().await?;
    let saved = app.state.views.save(&record).await?.ok_or_else(|| {
        let title = format!("{} has {MAX_OF_OWNER} saved views already.", caller.name());
        ApiError::conflict(title, "Delete one that is not needed any more, then save this one.")
    })?;
    // What somebody keeps for themselves alone is written down only where it may have been others' before.
    let replaced = saved.id != record.id;
    if saved.shared || replaced {
        let action = if replaced { Action::Update } else { Action::Create };
        app.audit.record(&caller, action, None, "", &sentence(&saved)).await;
    }
    Ok((StatusCode::CREATED, Json(shown(saved, &caller))))
}

/// `DELETE /api/v1/views/{id}`: one's own, or anybody's for who administrates the console.
pub(super) async fn remove(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    app.audit.able().await?;
    let deleted = app.state.views.delete(&id, caller.name(), caller.is_admin()).await?.ok_or_else(|| {
        ApiError::not_found("You have no such view.", "It may have been deleted already. Load the list again.")
    })?;
    if deleted.shared || !is_own(&deleted, &caller) {
        app.audit.record(&caller, Action::Delete, None, "", &sentence(&deleted)).await;
    }
    Ok(StatusCode::NO_CONTENT)
}

/// A view as the audit tells of it.
fn sentence(view: &ViewRecord) -> String {
    let ViewRecord { owner, name, location, .. } = view;
    let whom = if view.shared { "shared with everybody" } else { "for its owner alone" };
    format!("The saved view “{name}” of {owner}, {whom}: {location}")
}

fn is_own(view: &ViewRecord, caller: &Caller) -> bool {
    view.owner == caller.name() && caller.how() != How::Anonymous
}

fn shown(view: ViewRecord, caller: &Caller) -> SavedView {
    let mine = is_own(&view, caller);
    let owner = if mine || caller.is_admin() { view.owner.clone() } else { redact::views::owner(&view).to_owned() };
    let ViewRecord { id, name, location, shared, created_ms, .. } = view;
    SavedView { id, owner, name, location, shared, created_ms, mine }
}
