use std::sync::Arc;

use axum::{
    body::{Body, HttpBody, to_bytes},
    extract::Request,
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    middleware,
    response::{IntoResponse, Response},
    routing::MethodRouter,
};

use crate::{app::App, live::version};

/// Answers up to this size get a tag; a larger one would have to be held a second time.
const MAX_TAGGED: u64 = 16 * 1024 * 1024;
/// Lets the reader's own browser keep an answer, and show it only after it asked whether it still holds.
pub(super) const KEPT: &str = "private, no-cache";
/// What an answer depends on besides its address (RFC 9110, 12.5.5): who asks. On the way back a browser may show what it kept
/// without asking, and then only what was kept for the same one.
pub(super) const BY_WHOM: &str = "authorization, cookie";

/// Lets a browser keep what a route answers, so that it can be told that nothing changed. All other answers of the API are
/// kept nowhere: what is about persons, and what objects, logs and traces quote.
pub(super) fn kept(handler: MethodRouter<Arc<App>>) -> MethodRouter<Arc<App>> {
    handler.layer(middleware::from_fn(keep))
}

async fn keep(request: Request, next: middleware::Next) -> Response {
    let mut response = next.run(request).await;
    if response.status() == StatusCode::OK {
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static(KEPT));
        response.headers_mut().append(header::VARY, HeaderValue::from_static(BY_WHOM));
    }
    response
}

/// Gives each answer that may be kept ([`kept`]) and can be read whole a tag (RFC 9110, 8.8.3), and answers 304 to whoever has
/// it already: what is kept nowhere has nothing to be compared with. The tag is weak: the bytes differ by compression.
pub(super) async fn unless_known(request: Request, next: middleware::Next) -> Response {
    if request.method() != Method::GET {
        return next.run(request).await;
    }
    let known = request.headers().get(header::IF_NONE_MATCH).cloned();
    let response = next.run(request).await;
    let whole = response.body().size_hint().exact().is_some_and(|size| size <= MAX_TAGGED);
    if response.status() != StatusCode::OK || !whole || !response.headers().contains_key(header::CACHE_CONTROL) {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let Ok(body) = to_bytes(body, usize::MAX).await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let tag = tag(&body);
    if let Ok(value) = HeaderValue::from_str(&tag) {
        parts.headers.insert(header::ETAG, value);
    }
    if known.is_some_and(|known| has(&known, &tag)) {
        // What an answer without its body says as well (RFC 9110, 15.4.5).
        let stays = [header::ETAG, header::CACHE_CONTROL, header::VARY];
        let told = stays.into_iter().filter_map(|name| parts.headers.remove(&name).map(|value| (name, value)));
        return (StatusCode::NOT_MODIFIED, HeaderMap::from_iter(told)).into_response();
    }
    Response::from_parts(parts, Body::from(body))
}

fn tag(body: &[u8]) -> String {
    format!("W/\"{}\"", version(body))
}

/// Whether `If-None-Match` names the tag, compared weakly.
pub(super) fn has(known: &HeaderValue, tag: &str) -> bool {
    let strong = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    known.to_str().is_ok_and(|known| known.trim() == "*" || known.split(',').any(|one| strong(one) == strong(tag)))
}

#[cfg(test)]
mod tests {
    use axum::{Router, routing::get};
    use tower::ServiceExt;

    use super::*;

    #[tokio::test]
    async fn what_may_be_kept_is_asked_for_with_its_tag() {
        let kept = get(|| async { "rows" }).layer(middleware::from_fn(keep));
        let router: Router = Router::new()
            .route("/list", kept)
            .route("/secret", get(|| async { "rows" }))
            .layer(middleware::from_fn(unless_known));
        let ask = async |path: &str, known: &str| {
            let request = Request::get(path).header(header::IF_NONE_MATCH, known).body(Body::empty()).unwrap();
            let response = router.clone().oneshot(request).await.unwrap();
            let said = |name: header::HeaderName| {
                response.headers().get(name).map_or("", |value| value.to_str().unwrap()).to_owned()
            };
            (response.status().as_u16(), said(header::CACHE_CONTROL), said(header::VARY))
        };
        let tag = tag(b"rows");
        let kept = |status: u16| (status, KEPT.to_owned(), BY_WHOM.to_owned());
        assert_eq!(ask("/list", "\"x\"").await, kept(200));
        assert_eq!(ask("/list", &tag).await, kept(304), "or it would be kept nowhere, or for everybody, the next time");
        for known in ["\"x\"", tag.as_str()] {
            assert_eq!(ask("/secret", known).await, (200, String::new(), String::new()));
        }
    }

    #[test]
    fn a_tag_is_found_among_others() {
        let tag = tag(b"body");
        let known = |text: &str| has(&HeaderValue::from_str(text).unwrap(), &tag);
        assert!(known(&tag) && known("*") && known(&format!("\"x\", {tag}")) && known(tag.trim_start_matches("W/")));
        assert!(!known("\"x\"") && !known(""));
    }
}
