mod object;
mod words;

use std::{borrow::Cow, ffi::OsStr, path::Path};

use axum::{
    Json,
    extract::rejection::{JsonRejection, QueryRejection},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use weft_model::config::Problem;
use weft_source::{ClusterError, StoreError, config_store::PatchError};

use crate::{canary::edit::EditError, config::hypothetical::EffectsError, db::DbError};

/// What to do when somebody else was faster.
const CONFLICT: &str = "Load it again to see what is there now, then repeat the edit.";

/// An error of the API: what went wrong, and what to do (RFC 9457).
#[derive(Clone, Debug, PartialEq)]
pub struct ApiError(Problem);

impl ApiError {
    /// Builds one; `kind` is the short code that people copy.
    pub fn new(status: StatusCode, kind: &str, title: impl Into<String>, detail: impl Into<String>) -> Self {
        Self(Problem {
            kind: kind.into(),
            title: title.into(),
            detail: detail.into(),
            status: status.as_u16(),
            patch: None,
        })
    }

    /// The request itself is wrong.
    pub fn bad_request(title: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad-request", title, detail)
    }

    /// The address has a parameter that nobody takes; `known` are those that are.
    pub(super) fn unknown_parameter(name: &str, known: &[&str]) -> Self {
        let takes = if known.is_empty() { "no parameters".to_owned() } else { known.join(", ") };
        let detail = format!("{}It takes {takes}.", words::meant(name, known));
        Self::bad_request(format!("There is no parameter {} here.", words::shown(name)), detail)
    }

    /// A parameter has a value that it cannot have.
    pub(super) fn unfit(name: &str, given: &str, remedy: &str) -> Self {
        Self::bad_request(format!("{name} cannot be {}.", words::shown(given)), remedy)
    }

    /// The same where only some words are values.
    pub(super) fn no_choice(name: &str, given: &str, known: &[&str]) -> Self {
        Self::unfit(name, given, &words::choices(given, known))
    }

    /// There cannot be so many as `title` says.
    pub(super) fn out_of_range(title: impl Into<String>, most: impl std::fmt::Display) -> Self {
        Self::bad_request(title, format!("Ask for 1 to {most}."))
    }

    /// What is asked for does not exist.
    pub fn not_found(title: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", title, detail)
    }

    /// The world changed since the caller looked.
    pub fn conflict(title: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "conflict", title, detail)
    }

    /// A fault of the console or its disk; the words go to the log too.
    pub fn internal(error: &dyn std::error::Error) -> Self {
        tracing::error!(%error, "a request failed");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            format!("The console could not answer: {error}."),
            "Try again. If it stays, look at the console's log and at the space left for --data-dir.",
        )
    }

    /// What went wrong, in a sentence.
    pub fn title(&self) -> &str {
        &self.0.title
    }

    /// What to do, in a sentence.
    pub fn detail(&self) -> &str {
        &self.0.detail
    }

    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let again = match self.0.kind.as_str() {
            "busy" | "too-many-tokens" => Some("5"),
            "provider-away" | "cluster-away" if self.0.status == 503 => Some("5"),
            "too-many-pages" | "too-many-own-pages" => Some("30"),
            _ => None,
        };
        let mut response = (self.status(), Json(self.0)).into_response();
        if let Some(seconds) = again {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static(seconds));
        }
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        response
    }
}

impl From<EditError> for ApiError {
    fn from(error: EditError) -> Self {
        let title = capitalized(&error.to_string());
        match error {
            EditError::NoSuchRoute { .. } => {
                Self::not_found(title, "It may have been changed or deleted. Load the canaries again.")
            }
            EditError::Weights(_) => {
                Self::bad_request(title, "Give one weight for each destination, not all of them zero.")
            }
            EditError::Sum(_) => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "weights",
                title,
                "Give the percentages of all destinations; together they are 100.",
            ),
            EditError::Store(error) => store_problem(&error, title),
            EditError::NoSuchEdit(_) => {
                Self::not_found(title, "Whoever made it can take it back for ten minutes; change it by hand.")
            }
            EditError::TooLate => Self::new(StatusCode::GONE, "too-late", title, "Set the weights by hand."),
            EditError::Undone => Self::conflict(title, "Load the canaries again to see the present weights."),
            EditError::Moved => Self::conflict(title, "Load the canaries again, and set the weights that you want."),
            EditError::Db(error) => error.into(),
            EditError::Effects(error) => effects_problem(&error, title),
            error @ EditError::Unrecorded(_) => Self::internal(&error),
        }
    }
}

impl From<ClusterError> for ApiError {
    fn from(error: ClusterError) -> Self {
        Self::from(EditError::Store(error.into()))
    }
}

fn effects_problem(error: &EffectsError, title: String) -> ApiError {
    match error {
        EffectsError::Busy => ApiError::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "busy",
            title,
            "Nothing was written. Ask again in a few seconds.",
        ),
        EffectsError::Broken(_) => ApiError::internal(error),
    }
}

fn store_problem(error: &StoreError, title: String) -> ApiError {
    let unprocessable =
        |kind, detail: &str| ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, kind, title.clone(), detail);
    match error {
        StoreError::Conflict { file } => {
            // Where on the machine the directory is helps nobody who edits.
            let name = Path::new(file).file_name().map_or(Cow::Borrowed(file.as_str()), OsStr::to_string_lossy);
            ApiError::conflict(format!("{name} changed since it was read."), CONFLICT)
        }
        StoreError::Patch(PatchError::Changed { .. }) => ApiError::conflict(title.clone(), CONFLICT),
        StoreError::Stale(_) => ApiError::conflict(
            title.clone(),
            "Nothing was written. Look at both versions in the preview, and repeat the edit on top of theirs.",
        ),
        StoreError::Exists(_) => ApiError::new(
            StatusCode::CONFLICT,
            "exists",
            title.clone(),
            "Choose another name, or change the object that is there.",
        ),
        StoreError::Renamed { .. } => {
            unprocessable("renamed", "Make a new object under the new name, and delete the old one.")
        }
        StoreError::Invalid(_) => unprocessable("invalid", "Change what the words above name, and try again."),
        StoreError::Cluster(error) => cluster_problem(error, title),
        StoreError::NotFound(_) => {
            ApiError::not_found(title.clone(), "It may have been deleted or renamed. Load the list again.")
        }
        StoreError::Broken { .. } => {
            unprocessable("broken-file", "Mend the file first; its findings are in the configuration list.")
        }
        StoreError::Io { .. } => ApiError::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "not-written",
            title.clone(),
            "Look at the file's permissions and at the space left, then repeat the edit.",
        ),
        _ => unprocessable("not-editable", "Edit the file by hand."),
    }
}

/// What a cluster refused, and what to do about it.
fn cluster_problem(error: &ClusterError, title: String) -> ApiError {
    let new = |status, kind, detail: &str| ApiError::new(status, kind, title.clone(), detail);
    match error {
        ClusterError::NoToken => new(
            StatusCode::UNAUTHORIZED,
            "no-token",
            "Give a token at the top of the page; kubectl create token NAME prints one. It is kept in this tab only.",
        ),
        ClusterError::Unauthorized => {
            new(StatusCode::UNAUTHORIZED, "bad-token", "Give a new one at the top of the page.")
        }
        ClusterError::Forbidden { .. } => new(
            StatusCode::FORBIDDEN,
            "forbidden",
            "Ask for a role that allows it, or give the token of somebody who may.",
        ),
        ClusterError::Conflict(conflict) => ApiError::conflict(format!("{}.", conflict.what()), CONFLICT),
        ClusterError::Managed { patch, .. } => {
            let mut problem =
                new(StatusCode::CONFLICT, "managed", "The patch below makes the change in a repository's YAML.");
            problem.0.patch = Some(patch.clone());
            problem
        }
        ClusterError::NotOurs { .. } => new(StatusCode::CONFLICT, "not-ours", "Write it with the tool that made it."),
        ClusterError::Rejected { .. } => {
            new(StatusCode::UNPROCESSABLE_ENTITY, "rejected", "Change what the words above name, and try again.")
        }
        ClusterError::NotServed { .. } => {
            new(StatusCode::UNPROCESSABLE_ENTITY, "not-served", "Install the kind first; weft install does.")
        }
        ClusterError::Unavailable { .. } => new(
            StatusCode::BAD_GATEWAY,
            "cluster-away",
            "Nothing was changed as far as is known. Try again when the API server answers.",
        ),
    }
}

fn capitalized(text: &str) -> String {
    let mut rest = text.chars();
    let sentence: String = rest.next().into_iter().flat_map(char::to_uppercase).chain(rest).collect();
    if sentence.ends_with('.') { sentence } else { sentence + "." }
}

impl From<DbError> for ApiError {
    /// Nothing was done, and asking again is safe.
    fn from(error: DbError) -> Self {
        let kind = match &error {
            DbError::Away(_) | DbError::Slow(_) => "database-away",
            DbError::Locked(_) => "database-locked",
            DbError::Full(_) => "database-full",
            DbError::ReadOnly(_) => "database-read-only",
            _ => return Self::internal(&error),
        };
        let remedy = error.remedy().unwrap_or_default();
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            kind,
            capitalized(&error.to_string()),
            format!("Nothing was changed. {remedy} Then try again."),
        )
    }
}

impl From<JsonRejection> for ApiError {
    fn from(rejection: JsonRejection) -> Self {
        let status = rejection.status();
        let kind = match status {
            StatusCode::PAYLOAD_TOO_LARGE => "too-large",
            StatusCode::UNSUPPORTED_MEDIA_TYPE => "unsupported-media-type",
            _ => "bad-request",
        };
        let said = rejection.body_text();
        let (title, detail) = match rejection {
            JsonRejection::JsonDataError(_) => words::of_body(&said),
            JsonRejection::JsonSyntaxError(_) => words::of_no_json(&said),
            JsonRejection::MissingJsonContentType(_) => (
                "The body is not said to be JSON.".to_owned(),
                "Send it with Content-Type: application/json.".to_owned(),
            ),
            _ if status == StatusCode::PAYLOAD_TOO_LARGE => {
                ("The body is too large.".to_owned(), "Send less at once.".to_owned())
            }
            _ => ("The body did not arrive whole.".to_owned(), "Send it again.".to_owned()),
        };
        Self::new(status, kind, title, detail)
    }
}

impl From<QueryRejection> for ApiError {
    fn from(rejection: QueryRejection) -> Self {
        let said = rejection.body_text();
        match words::named(&said, "unknown field `") {
            Some((name, known)) => Self::unknown_parameter(name, &known),
            None => {
                let (title, detail) = words::of_query(&said);
                Self::bad_request(title, detail)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conflict_tells_what_to_do_once_and_not_where_files_are() {
        let file = "/home/ada/mesh/shop.yaml".to_owned();
        let error = ApiError::from(EditError::Store(StoreError::Conflict { file }));
        assert_eq!(error.title(), "shop.yaml changed since it was read.");
        assert_eq!((error.status(), error.detail()), (StatusCode::CONFLICT, CONFLICT));
    }

    #[test]
    fn a_parameter_with_a_typo_is_named_with_what_was_meant() {
        #[derive(Debug, Default, serde::Deserialize)]
        #[serde(default, deny_unknown_fields)]
        struct Wanted {
            #[allow(dead_code, reason = "only its name is read")]
            namespace: String,
            #[allow(dead_code, reason = "only its name is read")]
            who: String,
        }
        let asked = |query: &str| {
            let uri: http::Uri = format!("/audit?{query}").parse().unwrap();
            axum::extract::Query::<Wanted>::try_from_uri(&uri).map(|_| ()).map_err(ApiError::from)
        };
        asked("who=ada").unwrap();
        let error = asked("naemspace=shop").unwrap_err();
        assert_eq!(
            (error.status(), error.title()),
            (StatusCode::BAD_REQUEST, "There is no parameter “naemspace” here.")
        );
        assert_eq!(error.0.detail, "Did you mean namespace? It takes namespace, who.");
        assert_eq!(asked("colour=red").unwrap_err().0.detail, "It takes namespace, who.");
    }
}
