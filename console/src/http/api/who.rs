use std::{collections::BTreeSet, sync::Arc};

use axum::{Json, extract::State};
use weft_model::config::Who;
use weft_source::ClusterError;

use crate::{app::App, auth::Caller, http::ApiError};

/// `GET /api/v1/who`: whose token it is, and in which of the namespaces with weighted routes it may move weights.
pub(super) async fn who(State(app): State<Arc<App>>, caller: Caller) -> Result<Json<Who>, ApiError> {
    let Some(reviewer) = app.auth.reviewer() else {
        return Err(ApiError::not_found(
            "This console shows a directory, where nobody signs in.",
            "Whoever reaches the page may change what it shows.",
        ));
    };
    let namespaces: BTreeSet<String> = app.view().splits.iter().map(|split| split.object.namespace.clone()).collect();
    let token = caller.token().ok_or(ClusterError::NoToken)?;
    Ok(Json(reviewer.who(token, namespaces).await?))
}
