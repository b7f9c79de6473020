//! The user's bearer token, as a request brings it. It is used for that request and kept nowhere.

use axum::http::{HeaderMap, StatusCode, header};
use weft_source::BearerToken;

use super::ApiError;

/// The token of a request, if it has one.
pub(crate) fn bearer(headers: &HeaderMap) -> Result<Option<BearerToken>, ApiError> {
    let Some(value) = headers.get(header::AUTHORIZATION) else { return Ok(None) };
    let token = value.to_str().ok().filter(|text| text.starts_with("Bearer "));
    match token.map(BearerToken::new) {
        Some(Ok(token)) => Ok(Some(token)),
        Some(Err(_)) | None => Err(ApiError::new(
            StatusCode::UNAUTHORIZED,
            "bad-token",
            "That is not a bearer token.",
            "Give what kubectl create token NAME prints.",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: Option<&str>) -> Result<Option<BearerToken>, ApiError> {
        let mut headers = HeaderMap::new();
        if let Some(value) = value {
            headers.insert(header::AUTHORIZATION, value.parse().unwrap());
        }
        bearer(&headers)
    }

    #[test]
    fn only_bearer_tokens_are_taken() {
        assert!(read(None).unwrap().is_none());
        assert!(read(Some("Bearer ey.a-b_c")).unwrap().is_some());
        for bad in ["Basic dXNlcjpwYXNz", "Bearer ", "Bearer a b", "ey.abc"] {
            assert_eq!(read(Some(bad)).err().unwrap().status(), StatusCode::UNAUTHORIZED, "{bad}");
        }
    }
}
