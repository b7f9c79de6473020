//! What edits of whole objects answer when they are not made.

use axum::http::StatusCode;

use super::{ApiError, capitalized, effects_problem, store_problem};
use crate::config::edit::ObjectEditError;

impl From<ObjectEditError> for ApiError {
    fn from(error: ObjectEditError) -> Self {
        let title = capitalized(&error.to_string());
        match error {
            ObjectEditError::Kind(_) => {
                Self::new(StatusCode::FORBIDDEN, "kind-not-edited", title, "Use kubectl or the tool that made it.")
            }
            ObjectEditError::NoObject => {
                Self::bad_request(title, "Name the object with apiVersion, kind, namespace and name.")
            }
            ObjectEditError::Draft(_) => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "not-an-object",
                title,
                "Mend the text; the preview names every line that is wrong.",
            ),
            ObjectEditError::Store(error) => store_problem(&error, title),
            ObjectEditError::TooLate => Self::new(StatusCode::GONE, "too-late", title, "Change the object by hand."),
            ObjectEditError::Db(error) => error.into(),
            ObjectEditError::Effects(error) => effects_problem(&error, title),
            error @ ObjectEditError::Broken(_) => Self::internal(&error),
        }
    }
}
