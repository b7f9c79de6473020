use std::sync::Arc;

use http::StatusCode;

use super::*;
use crate::{
    config::{HashPolicy, Weighted},
    testing::Request,
};

fn forward(policies: Vec<(HashBy, bool)>) -> Forward {
    Forward {
        clusters: Weighted::single("c".into()),
        path: None,
        authority: None,
        append_forwarded_host: false,
        timeout: None,
        idle_timeout: None,
        max_stream_duration: None,
        max_grpc_timeout: None,
        retry: None,
        mirrors: Vec::new(),
        hash: policies.into_iter().map(|(by, terminal)| HashPolicy { by, terminal }).collect(),
        upgrades: Vec::new(),
        cluster_not_found: StatusCode::SERVICE_UNAVAILABLE,
    }
}

fn header(name: &str) -> HashBy {
    HashBy::Header(name.parse().unwrap())
}

fn cookie(ttl: Option<Duration>) -> HashBy {
    HashBy::Cookie { name: "user".into(), path: "/".into(), ttl, attributes: Arc::from("; SameSite=Strict") }
}

fn hash(f: &Forward, r: Request) -> Affinity {
    r.with(|facts| f.affinity(facts, 0xabc))
}

#[test]
fn sources() {
    let value = Some(xxh64(b"v", 0));
    let plain = Request::get("/?q=v");
    assert_eq!(hash(&forward(vec![(HashBy::Query("q".into()), false)]), plain).hash, value);
    let f = forward(vec![(header("x"), false)]);
    assert_eq!(hash(&f, Request::get("/").header("x", "v")).hash, value);
    assert_eq!(hash(&f, Request::get("/")), Affinity::default());
    let ip = hash(&forward(vec![(HashBy::SourceIp, false)]), Request::get("/")).hash;
    assert_eq!(ip, Some(xxh64(b"192.0.2.7", 0)));
    for text in ["user=v", "a=b; user=v", "user=\"v\"; z=1", "xuser=no;user=v"] {
        let found = hash(&forward(vec![(cookie(None), false)]), Request::get("/").header("cookie", text));
        assert_eq!(found, Affinity { hash: value, cookie: None }, "{text}");
    }
}

#[test]
fn a_missing_cookie_is_made() {
    let made = hash(&forward(vec![(cookie(Some(Duration::from_secs(60))), false)]), Request::get("/"));
    let text = made.cookie.unwrap();
    assert_eq!(text, "user=\"0000000000000abc\"; Max-Age=60; Path=/; HttpOnly; SameSite=Strict");
    let again = Request::get("/").header("cookie", "user=\"0000000000000abc\"");
    assert_eq!(hash(&forward(vec![(cookie(None), false)]), again).hash, made.hash);
    let session = hash(&forward(vec![(cookie(Some(Duration::ZERO)), false)]), Request::get("/"));
    assert!(!session.cookie.unwrap().to_str().unwrap().contains("Max-Age"));
    assert_eq!(hash(&forward(vec![(cookie(None), false)]), Request::get("/")), Affinity::default());
}

#[test]
fn policies_add_up_until_a_terminal_one() {
    let both = || Request::get("/").header("a", "1").header("b", "2");
    let a = xxh64(b"1", 0);
    let sum = hash(&forward(vec![(header("a"), false), (header("b"), false)]), both()).hash;
    assert_eq!(sum, Some(a.rotate_left(1) ^ xxh64(b"2", 0)));
    assert_eq!(hash(&forward(vec![(header("a"), true), (header("b"), false)]), both()).hash, Some(a));
    assert_eq!(hash(&forward(vec![(header("no"), true), (header("a"), false)]), both()).hash, Some(a));
}
