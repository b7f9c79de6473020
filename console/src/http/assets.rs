//! The page's files. They are looked for at each request, so a page built later is served without a restart.

use std::path::{Path, PathBuf};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{HeaderValue, Method, StatusCode, header},
    response::{Html, IntoResponse, Redirect, Response},
    routing::any,
};
use tower::ServiceExt;
use tower_http::services::{ServeDir, ServeFile};

use super::ApiError;

/// Serves `dir`: precompressed `.br` and `.gz` neighbours where the browser takes them, `index.html` for the page's own
/// routes, files with a hash in their name for good.
pub(super) fn service(dir: &Path) -> Router {
    Router::new().fallback(any(serve)).with_state(dir.to_path_buf())
}

async fn serve(State(dir): State<PathBuf>, request: Request) -> Response {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let title = format!("{} takes no {}.", request.uri().path(), request.method());
        return ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", title, "Writes go to /api/v1.")
            .into_response();
    }
    let index = dir.join("index.html");
    if !tokio::fs::try_exists(&index).await.unwrap_or(false) {
        return not_built(&dir);
    }
    let path = request.uri().path().to_owned();
    // The page's rooms are behind a `#`; whoever left that out is led to the room, and nothing else is there.
    if let Some(room) = room(&path) {
        return Redirect::temporary(&format!("/#/{room}")).into_response();
    }
    // A path with an extension names a file.
    let is_file = path.rsplit('/').next().is_some_and(|name| name.contains('.'));
    if !is_file && !PAGES.contains(&path.as_str()) {
        return missing(&path).into_response();
    }
    let answer = if is_file {
        ServeDir::new(&dir)
            .precompressed_br()
            .precompressed_gzip()
            .append_index_html_on_directories(false)
            .oneshot(request)
            .await
    } else {
        ServeFile::new(&index).precompressed_br().precompressed_gzip().oneshot(request).await
    };
    let mut response = match answer {
        Ok(response) if response.status() == StatusCode::NOT_FOUND => {
            return missing(&path).into_response();
        }
        Ok(response) => response.map(Body::new),
        Err(error) => return ApiError::internal(&error).into_response(),
    };
    let caching = if is_file && is_hashed(&path) { "public, max-age=31536000, immutable" } else { "no-cache" };
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static(caching));
    response
}

/// Where the page itself is: its rooms, and where people come after they signed in or out.
const PAGES: [&str; 3] = ["/", "/signed-in", "/signed-out"];

/// The page's rooms, as its addresses name them.
const ROOMS: [&str; 7] = ["graph", "canaries", "configuration", "workloads", "traces", "mesh", "audit"];

/// The room that an address without a `#` is meant to lead to, with what is behind it.
fn room(path: &str) -> Option<&str> {
    let place = path.trim_matches('/');
    let plain = |c: char| c.is_ascii_alphanumeric() || "/-._~%:@".contains(c);
    ROOMS.contains(&place.split('/').next()?).then_some(place).filter(|place| place.chars().all(plain))
}

fn missing(path: &str) -> ApiError {
    ApiError::not_found(format!("{path} does not exist."), "Open / for the page.")
}

/// Whether the file's name carries a hash of its content: a part of at least eight hexadecimal digits before an
/// extension, set off by `-`, `_` or `.`.
fn is_hashed(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    let Some((stem, _)) = name.rsplit_once('.') else { return false };
    stem.split(['-', '_', '.']).any(|part| {
        part.len() >= 8 && part.bytes().all(|b| b.is_ascii_hexdigit()) && part.bytes().any(|b| b.is_ascii_digit())
    })
}

fn not_built(dir: &Path) -> Response {
    let page = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Weft console</title>\
         <h1>The page is not built</h1>\
         <p>There is no <code>index.html</code> in <code>{}</code>.</p>\
         <p>Build it with <code>cargo xtask frontend</code>, or name its directory with <code>--assets DIR</code>; \
         then load this again. The API under <code>/api/v1</code> works without it.</p>",
        escape(&dir.display().to_string())
    );
    (StatusCode::SERVICE_UNAVAILABLE, Html(page)).into_response()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashed_names_are_told_from_others() {
        for hashed in ["/weft-0a1b2c3d4e5f6071.js", "/assets/weft_bg.0a1b2c3d.wasm", "/app-1234567890abcdef.css"] {
            assert!(is_hashed(hashed), "{hashed}");
        }
        for plain in ["/index.html", "/weft.js", "/deadbeef", "/dir-0a1b2c3d/x.js", "/facade.js"] {
            assert!(!is_hashed(plain), "{plain}");
        }
    }

    #[tokio::test]
    async fn an_address_without_its_hash_leads_to_the_room_and_others_are_not_there() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("index.html"), "<!doctype html>").unwrap();
        let page = service(dir.path());
        let asked = async |path: &str| {
            let request = Request::builder().uri(path).body(Body::empty()).unwrap();
            let response = page.clone().oneshot(request).await.unwrap();
            let to = response.headers().get(header::LOCATION).map(|to| to.to_str().unwrap().to_owned());
            (response.status().as_u16(), to.unwrap_or_default())
        };
        for path in ["/", "/signed-in", "/signed-out?problem=link"] {
            assert_eq!(asked(path).await.0, 200, "{path}");
        }
        for (path, to) in [
            ("/canaries", "/#/canaries"),
            ("/mesh/", "/#/mesh"),
            ("/workloads/shop/cart-v1", "/#/workloads/shop/cart-v1"),
        ] {
            assert_eq!(asked(path).await, (307, to.to_owned()), "{path}");
        }
        for path in ["/nowhere", "/canariesx", "/index", "/nothing.js"] {
            assert_eq!(asked(path).await.0, 404, "{path}");
        }
    }

    #[test]
    fn names_cannot_break_the_page() {
        assert_eq!(escape("<a&\"b\">"), "&lt;a&amp;&quot;b&quot;&gt;");
    }
}
