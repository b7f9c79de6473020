use super::*;
use crate::{config::StringMatch, testing::Request};

fn cors(forward: bool) -> Cors {
    let value = |s| Some(HeaderValue::from_static(s));
    Cors {
        origins: vec![StringMatch::Exact("https://a.com".into())],
        methods: value("GET,POST"),
        headers: value("x-a"),
        expose: value("x-b"),
        max_age: value("60"),
        credentials: true,
        forward_unmatched_preflights: forward,
    }
}

fn preflight(origin: &str) -> Request {
    Request::get("/").method("OPTIONS").header("origin", origin).header("access-control-request-method", "POST")
}

fn decide(cors: &Cors, request: Request) -> CorsDecision {
    request.with(|f| cors.decide(f))
}

#[test]
fn preflights() {
    let CorsDecision::Answer(headers) = decide(&cors(true), preflight("https://a.com")) else { panic!() };
    assert_eq!(headers["access-control-allow-origin"], "https://a.com");
    assert_eq!(headers["access-control-allow-methods"], "GET,POST");
    assert_eq!(headers["access-control-allow-headers"], "x-a");
    assert_eq!(headers["access-control-max-age"], "60");
    assert_eq!(headers["access-control-allow-credentials"], "true");
    assert_eq!(decide(&cors(true), preflight("https://b.com")), CorsDecision::PassThrough);
    assert_eq!(decide(&cors(false), preflight("https://b.com")), CorsDecision::Answer(HeaderMap::new()));
}

#[test]
fn actual_requests() {
    let CorsDecision::Decorate(headers) = decide(&cors(true), Request::get("/").header("origin", "https://a.com"))
    else {
        panic!()
    };
    assert_eq!(headers["access-control-expose-headers"], "x-b");
    assert!(!headers.contains_key("access-control-allow-methods"));
    assert_eq!(decide(&cors(true), Request::get("/").header("origin", "https://b.com")), CorsDecision::PassThrough);
    assert_eq!(decide(&cors(true), Request::get("/")), CorsDecision::PassThrough);
}
