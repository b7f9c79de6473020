//! The user's bearer token, as a request brings it. It is used for that request and kept nowhere.

use axum::{
    extract::FromRequestParts,
    http::{StatusCode, header, request::Parts},
};
use weft_source::BearerToken;

use super::ApiError;

/// The token of a request, if it has one.
pub(super) struct Token(pub Option<BearerToken>);

impl<S: Sync> FromRequestParts<S> for Token {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let Some(value) = parts.headers.get(header::AUTHORIZATION) else { return Ok(Self(None)) };
        let token = value.to_str().ok().filter(|text| text.starts_with("Bearer "));
        match token.map(BearerToken::new) {
            Some(Ok(token)) => Ok(Self(Some(token))),
            Some(Err(_)) | None => Err(ApiError::new(
                StatusCode::UNAUTHORIZED,
                "bad-token",
                "That is not a bearer token.",
                "Give what kubectl create token NAME prints.",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    async fn read(value: Option<&str>) -> Result<Token, ApiError> {
        let mut request = Request::get("/");
        if let Some(value) = value {
            request = request.header(header::AUTHORIZATION, value);
        }
        Token::from_request_parts(&mut request.body(()).unwrap().into_parts().0, &()).await
    }

    #[tokio::test]
    async fn only_bearer_tokens_are_taken() {
        assert!(read(None).await.unwrap().0.is_none());
        assert!(read(Some("Bearer ey.a-b_c")).await.unwrap().0.is_some());
        for bad in ["Basic dXNlcjpwYXNz", "Bearer ", "Bearer a b", "ey.abc"] {
            assert_eq!(read(Some(bad)).await.err().unwrap().status(), StatusCode::UNAUTHORIZED, "{bad}");
        }
    }
}
