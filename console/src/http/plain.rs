//! What the router answers by itself, without a body or in plain words, becomes a problem (RFC 9457) as well.

use axum::{
    body::to_bytes,
    extract::Request,
    http::{Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::ApiError;

/// What a probe reads, as plain words.
pub(super) const READY: &str = "/healthz/ready";
/// What a probe reads that restarts what hangs: no condition of what the console depends on.
pub(super) const LIVE: &str = "/healthz/live";
/// Bytes of the words that are passed on.
const MAX_WORDS: usize = 4 * 1024;

/// The path that was asked for, whole: handlers see what is left of it below the place where they are put.
#[derive(Clone)]
struct Asked(String);

/// Gives errors without a problem one, and lets handlers know the whole path.
pub(super) async fn told(mut request: Request, next: Next) -> Response {
    let (method, asked) = (request.method().clone(), Asked(request.uri().path().to_owned()));
    request.extensions_mut().insert(asked.clone());
    let response = next.run(request).await;
    let status = response.status();
    let failed = status.is_client_error() || status.is_server_error();
    if !failed || !is_bare(&response) || asked.0 == READY {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let error = match status {
        StatusCode::NOT_FOUND => no_such(&asked.0),
        StatusCode::METHOD_NOT_ALLOWED => not_taken(&asked.0, &method),
        _ => {
            let words = to_bytes(body, MAX_WORDS).await.unwrap_or_default();
            let words = String::from_utf8_lossy(&words).trim().to_owned();
            let reason = status.canonical_reason().unwrap_or("Failed");
            let kind = reason.to_ascii_lowercase().replace(' ', "-");
            let detail = if words.is_empty() { "Look at the address and what was sent.".to_owned() } else { words };
            ApiError::new(status, &kind, format!("{} cannot be answered: {reason}.", asked.0), detail)
        }
    };
    let problem = error.into_response();
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.extend(problem.headers().clone());
    Response::from_parts(parts, problem.into_body())
}

fn is_bare(response: &Response) -> bool {
    let media = response.headers().get(header::CONTENT_TYPE);
    media.is_none_or(|media| media.as_bytes().starts_with(b"text/plain"))
}

/// The whole path of a request, below [`told`].
fn path(request: &Request) -> &str {
    request.extensions().get::<Asked>().map_or_else(|| request.uri().path(), |asked| asked.0.as_str())
}

/// Nothing is at this address.
pub(super) async fn no_such_resource(request: Request) -> ApiError {
    no_such(path(&request))
}

/// Something is at this address, but takes another method.
pub(super) async fn wrong_method(request: Request) -> ApiError {
    not_taken(path(&request), request.method())
}

fn no_such(path: &str) -> ApiError {
    ApiError::not_found(format!("{path} does not exist."), "Look at the address; the API begins with /api/v1.")
}

fn not_taken(path: &str, method: &Method) -> ApiError {
    ApiError::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method-not-allowed",
        format!("{path} does not take {method}."),
        "Use the method that the API's description names.",
    )
}

#[cfg(test)]
mod tests {
    use axum::{
        Router,
        body::Body,
        extract::Path,
        middleware,
        routing::{get, post},
    };
    use tower::ServiceExt;

    use super::*;

    async fn asked(method: &str, path: &str) -> (u16, String, String) {
        let api = Router::new()
            .route("/object/{name}", get(|Path(name): Path<String>| async move { name }))
            .route("/object", post(|| async {}))
            .fallback(no_such_resource)
            .method_not_allowed_fallback(wrong_method);
        let router = Router::new()
            .nest("/api/v1", api)
            .route("/metrics", get(|| async { "fine" }))
            .route(READY, get(|| async { (StatusCode::SERVICE_UNAVAILABLE, "the database is locked\n") }))
            .layer(middleware::from_fn(told));
        let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
        let response = router.oneshot(request).await.unwrap();
        let media = response.headers().get(header::CONTENT_TYPE).map(|media| media.to_str().unwrap().to_owned());
        let status = response.status().as_u16();
        let body = to_bytes(response.into_body(), MAX_WORDS).await.unwrap();
        (status, media.unwrap_or_default(), String::from_utf8_lossy(&body).into_owned())
    }

    #[tokio::test]
    async fn a_wrong_method_is_answered_with_the_right_ones() {
        let api = Router::new().route("/object", post(|| async {}).get(|| async {}));
        let router = api.method_not_allowed_fallback(wrong_method).layer(middleware::from_fn(told));
        let request = Request::builder().method("PUT").uri("/object").body(Body::empty()).unwrap();
        let allowed = router.oneshot(request).await.unwrap().headers()[header::ALLOW].to_str().unwrap().to_owned();
        assert!(["POST", "GET"].iter().all(|method| allowed.contains(method)), "{allowed}");
    }

    #[tokio::test]
    async fn every_error_is_a_problem_that_names_the_whole_path() {
        for (method, path, status) in [
            ("GET", "/api/v1/nothing", 404),
            ("PUT", "/api/v1/object", 405),
            ("POST", "/metrics", 405),
            ("GET", "/nowhere", 404),
            ("GET", "/api/v1/object/%ff", 400),
        ] {
            let (told, media, body) = asked(method, path).await;
            assert_eq!((told, media.as_str()), (status, "application/problem+json"), "{method} {path}");
            let problem: serde_json::Value = serde_json::from_str(&body).unwrap();
            assert!(problem["title"].as_str().unwrap().starts_with(path), "{problem}");
            assert_eq!(problem["status"], status);
        }
        assert_eq!(asked("GET", "/metrics").await.0, 200);
        assert_eq!(asked("GET", READY).await.2, "the database is locked\n", "for probes and people");
    }
}
