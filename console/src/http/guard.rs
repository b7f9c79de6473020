//! Who may call. There is no sign-in yet, so the console answers this machine only, and a page of another site that
//! the same browser shows must be able neither to read (DNS rebinding) nor to write (cross-site requests).

use std::net::IpAddr;

use axum::{
    extract::Request,
    http::{Method, StatusCode, header, uri::Authority},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::ApiError;

/// The header that every write carries. A form or a cross-site script cannot set it without a preflight, which is never
/// granted.
pub(super) const WRITE_HEADER: &str = "x-weft-request";

/// Refuses requests for a name that is not this machine's own: after DNS rebinding the browser still sends the
/// attacker's name.
pub(super) async fn loopback_host(request: Request, next: Next) -> Response {
    let named = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let host = named.or_else(|| request.uri().authority().map(Authority::as_str));
    if host.is_some_and(is_loopback) {
        return next.run(request).await;
    }
    ApiError::new(
        StatusCode::MISDIRECTED_REQUEST,
        "wrong-host",
        "This console answers only to this machine's own names.",
        "Open it as http://127.0.0.1:PORT or http://localhost:PORT; sign-in, which other names need, is not built yet.",
    )
    .into_response()
}

/// Whether `host` (`name`, `name:port`, `[v6]:port`) can only be this machine.
fn is_loopback(host: &str) -> bool {
    let Ok(authority) = host.parse::<Authority>() else { return false };
    let name = authority.host();
    // No user part, and nothing after the name but a port.
    let port = authority.as_str().strip_prefix(name);
    if !port
        .is_some_and(|rest| rest.is_empty() || rest.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok()))
    {
        return false;
    }
    let address = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(name);
    match address.parse::<IpAddr>() {
        Ok(address) => address.is_loopback(),
        Err(_) => name.eq_ignore_ascii_case("localhost"),
    }
}

/// Refuses writes that a page of another site could have caused.
pub(super) async fn same_origin_writes(request: Request, next: Next) -> Response {
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        return next.run(request).await;
    }
    match check_write(&request) {
        Ok(()) => next.run(request).await,
        Err(detail) => refuse(detail).into_response(),
    }
}

fn check_write(request: &Request) -> Result<(), &'static str> {
    let headers = request.headers();
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    if text("sec-fetch-site").is_some_and(|site| site != "same-origin") {
        return Err("Make the change on the console's own page.");
    }
    if let Some(origin) = text("origin") {
        // The scheme is always http here; only the authority can differ.
        let own = text("host").or_else(|| request.uri().authority().map(Authority::as_str));
        if own.is_none_or(|own| origin.strip_prefix("http://") != Some(own)) {
            return Err("Make the change on the console's own page.");
        }
    }
    if text(WRITE_HEADER) != Some("1") {
        return Err("Send the header x-weft-request: 1 with every write.");
    }
    let media = text("content-type").and_then(|value| value.split(';').next()).map(str::trim);
    if !media.is_some_and(|media| media.eq_ignore_ascii_case("application/json")) {
        return Err("Send content-type: application/json with every write.");
    }
    Ok(())
}

/// Refuses everything that comes from a web page: exporters send no Origin.
pub(super) async fn no_browsers(request: Request, next: Next) -> Response {
    let headers = request.headers();
    if headers.contains_key(header::ORIGIN) || headers.contains_key("sec-fetch-site") {
        return refuse("Spans are taken from exporters, not from web pages.").into_response();
    }
    next.run(request).await
}

fn refuse(detail: &str) -> ApiError {
    ApiError::new(StatusCode::FORBIDDEN, "cross-site", "This request could have come from another site.", detail)
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    #[test]
    fn only_this_machines_names_are_loopback() {
        for good in ["127.0.0.1", "127.78.32.1:20001", "localhost:20001", "LOCALHOST", "[::1]:20001", "[::1]"] {
            assert!(is_loopback(good), "{good}");
        }
        for bad in [
            "",
            "evil.example",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "10.0.0.1:20001",
            "[::2]",
            "0.0.0.0",
            "evil@127.0.0.1",
            "127.0.0.1:x",
            "127.0.0.1, evil",
            "xlocalhost",
        ] {
            assert!(!is_loopback(bad), "{bad}");
        }
    }

    #[test]
    fn a_write_proves_where_it_comes_from() {
        let own = [("host", "127.0.0.1:20001"), ("x-weft-request", "1"), ("content-type", "application/json")];
        let allowed = |change: &[(&str, &str)]| {
            let mut all: std::collections::BTreeMap<&str, &str> = own.into();
            all.extend(change.iter().copied());
            let mut request = axum::http::Request::post("/api/v1/canaries/apply");
            for (name, value) in all.into_iter().filter(|(_, value)| !value.is_empty()) {
                request = request.header(name, value);
            }
            check_write(&request.body(Body::empty()).unwrap()).is_ok()
        };
        assert!(allowed(&[]));
        assert!(allowed(&[("origin", "http://127.0.0.1:20001"), ("sec-fetch-site", "same-origin")]));
        assert!(allowed(&[("content-type", "application/json; charset=utf-8")]));
        assert!(!allowed(&[("origin", "http://evil.example")]));
        assert!(!allowed(&[("origin", "null")]));
        assert!(!allowed(&[("origin", "https://127.0.0.1:20001")]));
        assert!(!allowed(&[("origin", "http://127.0.0.1:9")]));
        assert!(!allowed(&[("sec-fetch-site", "cross-site")]));
        assert!(!allowed(&[("sec-fetch-site", "same-site")]));
        assert!(!allowed(&[("x-weft-request", "")]));
        assert!(!allowed(&[("content-type", "text/plain")]));
        assert!(!allowed(&[("content-type", "")]));
    }
}
