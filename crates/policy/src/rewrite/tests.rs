use http::StatusCode;
use regex::Regex;

use super::*;
use crate::testing::Request;

fn prefix(p: &str) -> PathMatch {
    PathMatch::Prefix(p.into())
}

#[test]
fn prefixes_and_patterns() {
    let rewrite = |with: &str, matched: PathMatch, path: &str| PathRewrite::Prefix(with.into()).apply(&matched, path);
    assert_eq!(rewrite("/v2", prefix("/v1"), "/v1/x?a=/v1"), "/v2/x?a=/v1");
    assert_eq!(rewrite("/", prefix("/v1"), "/v1"), "/");
    assert_eq!(rewrite("/", prefix("/v1"), "/v1/x"), "//x", "as Envoy does");
    assert_eq!(rewrite("/", prefix("/v1/"), "/v1/x"), "/x");
    assert_eq!(rewrite("v2", prefix("/"), "/x"), "/v2x");
    assert_eq!(rewrite("/new", PathMatch::Exact("/old".into()), "/OLD?q"), "/new?q");
    assert_eq!(rewrite("/new", PathMatch::Regex(Regex::new("^/a.*$").unwrap()), "/abc?q"), "/new?q");
    let regex = PathRewrite::Regex(Regex::new("/user/([^/]+)").unwrap(), "/u/${1}".into());
    assert_eq!(regex.apply(&prefix("/"), "/user/7/user/8?user/9"), "/u/7/u/8?user/9");
}

fn redirect() -> Redirect {
    Redirect { scheme: None, host: None, port: None, path: None, strip_query: false, status: StatusCode::FOUND }
}

fn location(r: &Redirect, authority: &str, path: &str) -> String {
    let mut request = Request::get(path);
    request.authority = authority.into();
    request.with(|f| r.location(&prefix("/a"), f))
}

#[test]
fn locations() {
    let https = Redirect { scheme: Some("https".into()), ..redirect() };
    assert_eq!(location(&https, "a.com:80", "/a?q"), "https://a.com/a?q");
    assert_eq!(location(&https, "a.com:8080", "/a"), "https://a.com:8080/a");
    assert_eq!(location(&redirect(), "a.com:80", "/a"), "http://a.com:80/a");
    let port = Redirect { port: Some(444), ..https };
    assert_eq!(location(&port, "[::1]:80", "/a"), "https://[::1]:444/a");
    let host = Redirect { host: Some("b.com".into()), ..redirect() };
    assert_eq!(location(&host, "a.com:81", "/a"), "http://b.com/a");
}

#[test]
fn redirected_paths() {
    let to = |path, strip_query| Redirect { path: Some(path), strip_query, ..redirect() };
    let full = |p: &str| RedirectPath::Full(p.into());
    assert_eq!(location(&to(full("/n"), false), "h", "/a?q"), "http://h/n?q");
    assert_eq!(location(&to(full("/n"), true), "h", "/a?q"), "http://h/n");
    assert_eq!(location(&to(full("/n?own"), true), "h", "/a?q"), "http://h/n?own");
    let rewrite = || RedirectPath::Rewrite(PathRewrite::Prefix("/n".into()));
    assert_eq!(location(&to(rewrite(), false), "h", "/a/b?q"), "http://h/n/b?q");
    assert_eq!(location(&to(rewrite(), true), "h", "/a/b?q"), "http://h/n/b");
    assert_eq!(location(&Redirect { strip_query: true, ..redirect() }, "h", "/a?q"), "http://h/a");
}

#[test]
fn authorities() {
    use crate::config::Weighted;
    let forward = |authority| Forward {
        clusters: Weighted::single("c".into()),
        path: None,
        authority,
        append_forwarded_host: false,
        timeout: None,
        idle_timeout: None,
        max_stream_duration: None,
        max_grpc_timeout: None,
        retry: None,
        mirrors: Vec::new(),
        hash: Vec::new(),
        upgrades: Vec::new(),
        cluster_not_found: StatusCode::SERVICE_UNAVAILABLE,
    };
    let request = Request::get("/tenant/x").header("x-host", "from-header");
    let rewritten = |forward: &Forward| {
        request.with(|f| forward.rewrite_authority(&forward.clusters.clusters[0], f, "pod-1").map(|a| a.into_owned()))
    };
    assert_eq!(rewritten(&forward(None)), None);
    assert_eq!(rewritten(&forward(Some(AuthorityRewrite::Literal("lit".into())))).as_deref(), Some("lit"));
    assert_eq!(rewritten(&forward(Some(AuthorityRewrite::Auto))).as_deref(), Some("pod-1"));
    let header = AuthorityRewrite::Header("x-host".parse().unwrap());
    assert_eq!(rewritten(&forward(Some(header))).as_deref(), Some("from-header"));
    let regex = AuthorityRewrite::PathRegex(Regex::new("^/tenant/(.*)$").unwrap(), "${1}.example.com".into());
    assert_eq!(rewritten(&forward(Some(regex))).as_deref(), Some("x.example.com"));
    let mut own = forward(Some(AuthorityRewrite::Auto));
    own.clusters.clusters[0].authority = Some("weighted".into());
    assert_eq!(rewritten(&own).as_deref(), Some("weighted"));
}
