pub(super) mod edit;

use std::{fmt::Write as _, sync::Arc};

use axum::{
    Json,
    extract::{Query, State, rejection::QueryRejection},
    response::IntoResponse,
};
use http::{Uri, header};
use schemars::JsonSchema;
use serde::Deserialize;
use weft_api::{Kind, Object, ObjectKey, Spec};
use weft_model::{
    ObjectRef,
    config::{ConfigList, ConfigObject, ConfigRow},
};
use weft_source::Access;

use crate::{
    app::App,
    auth::{Caller, Sight, Verb},
    canary::edit::EditError,
    config::order,
    http::{ApiError, api::pages, routes::Shaped},
    redact,
};

/// `GET /api/v1/config`, in pages. The JSON of all of it is made once for each state of the files.
pub(super) async fn list(
    State(app): State<Arc<App>>,
    caller: Caller,
    uri: Uri,
    paged: Result<Query<pages::Paged>, QueryRejection>,
) -> Result<Shaped<ConfigList>, ApiError> {
    let Query(paged) = paged?;
    let view = app.view();
    let sight = caller.sight();
    let mut rows: Vec<&ConfigRow> = view.list.rows.iter().filter(|row| sight.sees(&row.object.namespace)).collect();
    let whole = paged.is_all(rows.len()) && *sight == Sight::All;
    let next = paged.cut(&mut rows, |row| {
        let (kind, namespace, name, version) = order(&row.object);
        [kind, namespace, name, version].map(str::to_owned)
    })?;
    if whole {
        let json = [(header::CONTENT_TYPE, "application/json")];
        return Ok((json, view.list_json.to_string()).into_response().into());
    }
    // What belongs to no object stands on the first page.
    let findings = if paged.is_first() { redact::file_findings(&view.list, sight) } else { Vec::new() };
    let rows = redact::rows(rows.into_iter().cloned().collect(), &view.list, sight);
    let page = ConfigList { rows, file_findings: findings, next: next.clone() };
    Ok(pages::linked(page, &uri, next.as_deref()))
}

/// Which object.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Wanted {
    /// `group/version`, or `v1`; the version may be another one than it is written in.
    api_version: String,
    /// Its kind.
    kind: String,
    /// Its namespace; empty for what stands in none.
    #[serde(default)]
    namespace: String,
    /// Its name.
    name: String,
}

/// `GET /api/v1/config/object`.
pub(super) async fn object(
    State(app): State<Arc<App>>,
    caller: Caller,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Json<ConfigObject>, ApiError> {
    let Query(Wanted { api_version, kind, namespace, name }) = wanted?;
    let wanted = ObjectRef { api_version, kind, namespace, name };
    let key = ObjectKey::from(&wanted);
    let view = app.view();
    let missing = || {
        ApiError::not_found(
            format!("{wanted} is not configured."),
            "It may have been deleted or renamed. Look for it in the list.",
        )
    };
    // What is hidden is not confirmed to exist.
    if !caller.sees(&wanted.namespace) {
        return Err(missing());
    }
    caller.require(Verb::Get, &wanted).await?;
    let row = view.row(&key).ok_or_else(missing)?.clone();
    let row = redact::rows(vec![row], &view.list, caller.sight()).pop().ok_or_else(missing)?;
    let object = view.snapshot.object(&key).ok_or_else(missing)?;
    let (yaml, first_line) = match (&object.spec, view.index.document(&key)) {
        (Spec::Secret(_), document) => (without_values(object), document.map_or(1, |document| document.line)),
        (_, Some(document)) => (document.text.to_owned(), document.line),
        // A cluster's objects are kept without what nobody reads; the page shows them whole.
        (_, None) => {
            let access = Access { index: None, credential: caller.credential() };
            let document = app.documents.read(access, &key).await.map_err(EditError::Store)?;
            (document.text, document.first_line)
        }
    };
    Ok(Json(ConfigObject {
        command: command(&row.object),
        row,
        revision: weft_source::draft::text_revision(&yaml),
        sentences: weft_lint::meaning::of(object),
        yaml,
        first_line,
    }))
}

/// A Secret by its keys: nobody needs a private key on a page.
fn without_values(object: &Object) -> String {
    let ObjectRef { api_version, kind, namespace, name } = &object.reference;
    let mut text =
        format!("apiVersion: {api_version}\nkind: {kind}\nmetadata:\n  name: {name}\n  namespace: {namespace}\n");
    if let Spec::Secret(secret) = &object.spec {
        let keys = secret.data.iter().flat_map(|data| data.keys());
        for key in keys.chain(secret.string_data.iter().flat_map(|data| data.keys())) {
            let _ = writeln!(text, "# {key} is not shown");
        }
    }
    text
}

/// The same with kubectl.
fn command(object: &ObjectRef) -> String {
    let resource = match Kind::of(object.group(), &object.kind) {
        Some(kind) if !kind.group().is_empty() => format!("{}.{}", kind.plural(), kind.group()),
        Some(kind) => kind.plural().to_owned(),
        None => object.kind.to_lowercase(),
    };
    let namespace = if object.namespace.is_empty() { String::new() } else { format!(" -n {}", object.namespace) };
    format!("kubectl get {resource} {}{namespace} -o yaml", object.name)
}
