use std::{collections::BTreeSet, sync::Arc};

use axum::{Json, extract::State};
use weft_model::config::Who;
use weft_source::ClusterError;

use crate::{
    app::App,
    auth::{Caller, Whose},
    http::ApiError,
};

/// `GET /api/v1/who`: who asks, and in which of the namespaces with weighted routes they may move weights.
pub(super) async fn who(State(app): State<Arc<App>>, caller: Caller) -> Result<Json<Who>, ApiError> {
    let Some(reviewer) = app.auth.reviewer() else {
        return Err(ApiError::not_found(
            "This console shows a directory, where nobody signs in.",
            "Whoever reaches the page may change what it shows.",
        ));
    };
    let namespaces: BTreeSet<String> = app
        .view()
        .splits
        .iter()
        .map(|split| split.object.namespace.clone())
        .filter(|namespace| caller.sees(namespace))
        .collect();
    let whose = match caller.credential() {
        None => return Err(ClusterError::NoToken.into()),
        Some(credential) => {
            credential.token().cloned().map_or_else(|| Whose::User(caller.user().clone()), Whose::Token)
        }
    };
    Ok(Json(reviewer.who(&whose, namespaces).await?))
}
