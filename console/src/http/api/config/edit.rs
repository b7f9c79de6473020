use std::sync::Arc;

use axum::{
    Json,
    extract::{
        Query, State,
        rejection::{JsonRejection, QueryRejection},
    },
};
use schemars::JsonSchema;
use serde::Deserialize;
use weft_api::Kind;
use weft_model::edit::{ObjectEdit, ObjectPreview, ObjectResult, Schema};

use crate::{
    app::App,
    auth::{Caller, Verb},
    config::help,
    http::ApiError,
    redact,
};

/// Largest body of an edit: the largest object, every character of it escaped once.
pub(in crate::http) const MAX_EDIT_BODY: usize = 2 * 1024 * 1024 + 64 * 1024;

/// `POST /api/v1/config/preview`: what an edit would do; writes nothing.
pub(in crate::http) async fn preview(
    State(app): State<Arc<App>>,
    caller: Caller,
    edit: Result<Json<ObjectEdit>, JsonRejection>,
) -> Result<Json<ObjectPreview>, ApiError> {
    let Json(edit) = edit?;
    if let Some(object) = &edit.object {
        caller.require(Verb::Get, object).await?;
    }
    // What is hidden is not told by way of a draft of the same name.
    let needed = app.objects.needs(&edit).await.ok();
    if let Some((verb, object)) = needed.as_ref().filter(|(_, object)| !caller.sees(&object.namespace)) {
        caller.require(*verb, object).await?;
    }
    let mut preview = app.objects.preview(&edit, caller.credential()).await?;
    if preview.ready
        && let Some((verb, object)) = needed
        && !caller.may(verb, &object).await.unwrap_or(false)
    {
        (preview.ready, preview.refusal) = (false, Some(format!("you may not {verb} {object}")));
    }
    let view = app.view();
    redact::named(&mut preview.findings, &view.estate.namespaces, caller.sight());
    for findings in [&mut preview.new_findings, &mut preview.mended_findings] {
        redact::findings(findings, &view.estate.namespaces, caller.sight());
    }
    Ok(Json(preview))
}

/// `POST /api/v1/config/apply`.
pub(in crate::http) async fn apply(
    State(app): State<Arc<App>>,
    caller: Caller,
    edit: Result<Json<ObjectEdit>, JsonRejection>,
) -> Result<Json<ObjectResult>, ApiError> {
    let Json(edit) = edit?;
    let (verb, object) = app.objects.needs(&edit).await?;
    caller.require(verb, &object).await?;
    app.audit.able().await?;
    Ok(Json(app.objects.apply(&edit, &caller).await?))
}

/// `?kind=VirtualService`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct OfKind {
    /// The kind.
    kind: String,
    /// Namespace whose names come first.
    #[serde(default)]
    namespace: String,
}

/// `GET /api/v1/config/schema?kind=…`: fields, words and names, for whoever writes.
pub(in crate::http) async fn schema(
    State(app): State<Arc<App>>,
    caller: Caller,
    wanted: Result<Query<OfKind>, QueryRejection>,
) -> Result<Json<Schema>, ApiError> {
    let Query(OfKind { kind, namespace }) = wanted?;
    let known = Kind::ALL.iter().copied().find(|known| known.name() == kind);
    let known = known.ok_or_else(|| {
        ApiError::not_found("There is no such kind here.", "Name one of the kinds that the configuration list has.")
    })?;
    Ok(Json(help::schema(&app.view(), known, &namespace, |namespace| caller.sees(namespace))))
}
