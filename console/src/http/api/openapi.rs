use std::sync::LazyLock;

use axum::{
    http::header,
    response::{IntoResponse, Response},
};

use crate::{auth::Caller, http};

static TEXT: LazyLock<String> = LazyLock::new(|| {
    // A document of plain JSON is always written.
    let text = serde_json::to_string_pretty(&http::document()).unwrap_or_default();
    text + "\n"
});

/// The OpenAPI document of the API, as it is served and as `docs/openapi.json` has it.
pub fn text() -> &'static str {
    &TEXT
}

/// `GET /api/v1/openapi.json`.
pub(super) async fn document(_caller: Caller) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], text()).into_response()
}
