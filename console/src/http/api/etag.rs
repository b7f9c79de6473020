use axum::{
    body::{Body, HttpBody, to_bytes},
    extract::Request,
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use sha2::{Digest, Sha256};

/// Answers up to this size get a tag; a larger one would have to be held a second time.
const MAX_TAGGED: u64 = 16 * 1024 * 1024;

/// Gives each answer that can be read whole a tag (RFC 9110, 8.8.3), and answers 304 to whoever has it already. The tag is
/// weak: the bytes differ by compression.
pub(super) async fn unless_known(request: Request, next: Next) -> Response {
    if request.method() != Method::GET {
        return next.run(request).await;
    }
    let known = request.headers().get(header::IF_NONE_MATCH).cloned();
    let response = next.run(request).await;
    let whole = response.body().size_hint().exact().is_some_and(|size| size <= MAX_TAGGED);
    if response.status() != StatusCode::OK || !whole {
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
        let headers: HeaderMap = parts
            .headers
            .into_iter()
            .filter_map(|(name, value)| name.filter(|name| *name == header::ETAG).map(|name| (name, value)))
            .collect();
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    Response::from_parts(parts, Body::from(body))
}

fn tag(body: &[u8]) -> String {
    let hash = Sha256::digest(body);
    let digits: String = hash.iter().take(12).map(|byte| format!("{byte:02x}")).collect();
    format!("W/\"{digits}\"")
}

/// Whether `If-None-Match` names the tag, compared weakly.
fn has(known: &HeaderValue, tag: &str) -> bool {
    let strong = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    known.to_str().is_ok_and(|known| known.trim() == "*" || known.split(',').any(|one| strong(one) == strong(tag)))
}

#[cfg(test)]
mod tests {
    use super::{HeaderValue, has, tag};

    #[test]
    fn a_tag_is_found_among_others() {
        let tag = tag(b"body");
        let known = |text: &str| has(&HeaderValue::from_str(text).unwrap(), &tag);
        assert!(known(&tag) && known("*") && known(&format!("\"x\", {tag}")) && known(tag.trim_start_matches("W/")));
        assert!(!known("\"x\"") && !known(""));
    }
}
