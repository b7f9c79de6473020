//! What every request has to show. A page of another site that the same browser shows must be able neither to read (DNS
//! rebinding) nor to write (cross-site requests), and whoever is not known reads nothing.

use std::{net::IpAddr, sync::Arc};

use axum::{
    body::HttpBody,
    extract::{Request, State},
    http::{Method, StatusCode, header, uri::Authority},
    middleware::Next,
    response::{IntoResponse, Response},
};
use url::Url;

use super::ApiError;
use crate::{app::App, auth::Caller};

/// The header that every write carries. A form or a cross-site script cannot set it without a preflight, which is never
/// granted.
pub(super) const WRITE_HEADER: &str = "x-weft-request";

/// Refuses requests for a name that is neither this machine's own nor the console's: after DNS rebinding the browser
/// still sends the attacker's name.
pub(super) async fn own_host(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let named = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let host = named.or_else(|| request.uri().authority().map(Authority::as_str));
    if host.is_some_and(|host| is_loopback(host) || app.auth.public().is_some_and(|public| is_public(host, public))) {
        return next.run(request).await;
    }
    let detail = match app.auth.public() {
        Some(public) => format!("Open it as {public}."),
        None => {
            "Open it as http://127.0.0.1:PORT or http://localhost:PORT; for another name give --public-url and a way \
                 to sign in."
                .to_owned()
        }
    };
    ApiError::new(StatusCode::MISDIRECTED_REQUEST, "wrong-host", "This console does not answer to that name.", detail)
        .into_response()
}

/// Refuses whoever is not known, before anything else is looked at. Handlers ask for the caller's rights.
pub(super) async fn known_callers(caller: Result<Caller, ApiError>, mut request: Request, next: Next) -> Response {
    match caller {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(error) => error.into_response(),
    }
}

/// Whether `host` is the console's own as browsers write it: without the scheme's usual port.
fn is_public(host: &str, public: &Url) -> bool {
    let Some(name) = public.host_str() else { return false };
    match public.port() {
        Some(port) => host.eq_ignore_ascii_case(&format!("{name}:{port}")),
        None => host.eq_ignore_ascii_case(name),
    }
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
pub(super) async fn same_origin_writes(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    // Nothing takes any other method, which is what whoever tries one is to learn.
    if !matches!(*request.method(), Method::POST | Method::DELETE) {
        return next.run(request).await;
    }
    match check_write(&request, app.auth.public()) {
        Ok(()) => next.run(request).await,
        Err(error) => error.into_response(),
    }
}

fn check_write(request: &Request, public: Option<&Url>) -> Result<(), ApiError> {
    let headers = request.headers();
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    if text("sec-fetch-site").is_some_and(|site| site != "same-origin") {
        return Err(refuse("Make the change on the console's own page."));
    }
    if let Some(origin) = text("origin") {
        let own = text("host").or_else(|| request.uri().authority().map(Authority::as_str));
        // Whatever carries TLS stands in front of the console, so only its address says which scheme browsers use.
        let scheme = match public {
            Some(public) if own.is_some_and(|own| is_public(own, public)) => public.scheme(),
            _ => "http",
        };
        if own.is_none_or(|own| origin.strip_prefix(scheme).and_then(|rest| rest.strip_prefix("://")) != Some(own)) {
            return Err(refuse("Make the change on the console's own page."));
        }
    }
    if text(WRITE_HEADER) != Some("1") {
        return Err(refuse("Send the header x-weft-request: 1 with every write."));
    }
    let media = text("content-type").and_then(|value| value.split(';').next()).map(str::trim);
    // Nothing has no type: what is taken back or removed is named by its address.
    let nothing = media.is_none() && request.body().is_end_stream();
    if !nothing && !media.is_some_and(|media| media.eq_ignore_ascii_case("application/json")) {
        // Refused as well: a form of another site can send no JSON.
        return Err(ApiError::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported-media-type",
            "A write takes JSON only.",
            "Send content-type: application/json with every body.",
        ));
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
    fn the_public_name_is_the_consoles_own() {
        let public = |text: &str| text.parse::<Url>().unwrap();
        assert!(is_public("weft.example.org", &public("https://weft.example.org/")));
        assert!(is_public("WEFT.example.org:8443", &public("https://weft.example.org:8443/")));
        for bad in ["weft.example.org:8443", "example.org", "weft.example.org.evil.example", ""] {
            assert!(!is_public(bad, &public("https://weft.example.org/")), "{bad}");
        }
        let write = |origin: &str| {
            let request = axum::http::Request::post("/")
                .header("host", "weft.example.org")
                .header("origin", origin)
                .header("x-weft-request", "1")
                .header("content-type", "application/json");
            check_write(&request.body(Body::empty()).unwrap(), Some(&public("https://weft.example.org/"))).is_ok()
        };
        assert!(write("https://weft.example.org"));
        for bad in ["http://weft.example.org", "https://evil.example", "https://weft.example.org.evil.example", "null"]
        {
            assert!(!write(bad), "{bad}");
        }
    }

    #[test]
    fn a_write_proves_where_it_comes_from() {
        let own = [("host", "127.0.0.1:20001"), ("x-weft-request", "1"), ("content-type", "application/json")];
        let sent = |change: &[(&str, &str)], body: Body| {
            let mut all: std::collections::BTreeMap<&str, &str> = own.into();
            all.extend(change.iter().copied());
            let mut request = axum::http::Request::post("/api/v1/canaries/apply");
            for (name, value) in all.into_iter().filter(|(_, value)| !value.is_empty()) {
                request = request.header(name, value);
            }
            check_write(&request.body(body).unwrap(), None).is_ok()
        };
        let allowed = |change: &[(&str, &str)]| sent(change, Body::from("{}"));
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
        // Without a body there is nothing to have a type, and the header is demanded as before.
        assert!(sent(&[("content-type", "")], Body::empty()));
        assert!(!sent(&[("content-type", "text/plain")], Body::empty()));
        assert!(!sent(&[("content-type", ""), ("x-weft-request", "")], Body::empty()));
    }
}
