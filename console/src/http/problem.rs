use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use weft_model::config::Problem;
use weft_source::{StoreError, config_store::PatchError};

use crate::canary::edit::EditError;

/// An error of the API: what went wrong, and what to do (RFC 9457).
#[derive(Clone, Debug, PartialEq)]
pub struct ApiError(Problem);

impl ApiError {
    /// Builds one; `kind` is the short code that people copy.
    pub fn new(status: StatusCode, kind: &str, title: impl Into<String>, detail: impl Into<String>) -> Self {
        Self(Problem { kind: kind.into(), title: title.into(), detail: detail.into(), status: status.as_u16() })
    }

    /// The request itself is wrong.
    pub fn bad_request(title: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad-request", title, detail)
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

    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = (self.status(), Json(self.0)).into_response();
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
            EditError::Store(error) => store_problem(&error, title),
            EditError::NoSuchEdit(_) => Self::not_found(title, "Set the weights by hand."),
            EditError::TooLate => Self::new(StatusCode::GONE, "too-late", title, "Set the weights by hand."),
            EditError::Undone => Self::conflict(title, "Load the canaries again to see the present weights."),
            EditError::Moved => Self::conflict(title, "Load the canaries again, and set the weights that you want."),
            error @ (EditError::Unrecorded(_) | EditError::Db(_) | EditError::Broken(_)) => Self::internal(&error),
        }
    }
}

fn store_problem(error: &StoreError, title: String) -> ApiError {
    let unprocessable =
        |kind, detail: &str| ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, kind, title.clone(), detail);
    match error {
        StoreError::Conflict { .. } | StoreError::Patch(PatchError::Changed { .. }) => {
            ApiError::conflict(title.clone(), "Load it again to see what is there now, then repeat the edit.")
        }
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

fn capitalized(text: &str) -> String {
    let mut rest = text.chars();
    let sentence: String = rest.next().into_iter().flat_map(char::to_uppercase).chain(rest).collect();
    if sentence.ends_with('.') { sentence } else { sentence + "." }
}

impl From<crate::db::DbError> for ApiError {
    fn from(error: crate::db::DbError) -> Self {
        Self::internal(&error)
    }
}

impl From<axum::extract::rejection::JsonRejection> for ApiError {
    fn from(rejection: axum::extract::rejection::JsonRejection) -> Self {
        let status = rejection.status();
        let kind = if status == StatusCode::PAYLOAD_TOO_LARGE { "too-large" } else { "bad-request" };
        Self::new(status, kind, "The body cannot be read.", rejection.body_text())
    }
}

impl From<axum::extract::rejection::QueryRejection> for ApiError {
    fn from(rejection: axum::extract::rejection::QueryRejection) -> Self {
        Self::bad_request("The query cannot be read.", rejection.body_text())
    }
}
