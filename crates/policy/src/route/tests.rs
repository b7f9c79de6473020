use std::sync::Arc;

use http::Method;
use proptest::prelude::*;
use regex::Regex;

use super::*;
use crate::{config::*, testing::Request};

fn matcher(path: PathMatch) -> RouteMatch {
    RouteMatch { path, ignore_case: false, headers: Vec::new(), query: Vec::new(), share: None, grpc: false }
}

fn prefix(p: &str) -> RouteMatch {
    matcher(PathMatch::Prefix(p.into()))
}

fn fits(m: &RouteMatch, r: Request) -> bool {
    r.with(|f| m.matches(f, 0))
}

fn host(name: &str, domains: &[&str]) -> Arc<VirtualHost> {
    let domains = domains.iter().map(|d| Arc::from(*d)).collect();
    Arc::new(VirtualHost { name: name.into(), domains, ..VirtualHost::default() })
}

fn table(hosts: Vec<Arc<VirtualHost>>) -> RouteTable {
    RouteTable::awaited("8080".into()).with_hosts(hosts).unwrap()
}

fn find(t: &RouteTable, authority: &str) -> Option<String> {
    t.virtual_host(authority).map(|h| h.name.to_string())
}

#[test]
fn domains_by_envoys_precedence() {
    let mut t = table(vec![
        host("any", &["*"]),
        host("prefix", &["www.*", "www.e*"]),
        host("wide", &["*.com"]),
        host("narrow", &["*.example.com", "*-bar.example.com"]),
        host("exact", &["api.example.com", "api.example.com:8080", "[::1]:80"]),
    ]);
    for (authority, wanted) in [
        ("api.example.com", "exact"),
        ("API.Example.COM:8080", "exact"),
        ("[::1]:80", "exact"),
        ("api.example.com:9090", "any"),
        ("x.example.com", "narrow"),
        ("foo-bar.example.com", "narrow"),
        (".example.com", "wide"),
        ("example.com", "wide"),
        ("www.org", "prefix"),
        ("www.", "any"),
        ("", "any"),
    ] {
        assert_eq!(find(&t, authority).as_deref(), Some(wanted), "{authority}");
    }
    let long = format!("{}.EXAMPLE.com", "a".repeat(400));
    assert_eq!(find(&t, &long).as_deref(), Some("narrow"));
    t.ignore_port = true;
    assert_eq!(find(&t, "api.example.com:9090").as_deref(), Some("exact"));
    assert_eq!(find(&table(vec![host("a", &["a"])]), "b"), None);
}

#[test]
fn a_domain_belongs_to_one_host() {
    let twice = RouteTable::awaited("t".into()).with_hosts(vec![host("a", &["x", "y"]), host("b", &["z", "y"])]);
    assert_eq!(twice.unwrap_err(), "y".into());
}

#[test]
fn ports_are_cut_off_with_care() {
    for (from, to) in [
        ("a:80", "a"),
        ("a", "a"),
        ("[::1]:80", "[::1]"),
        ("[::1]", "[::1]"),
        ("::1", "::1"),
        ("a:b", "a:b"),
        (":80", ":80"),
    ] {
        assert_eq!(without_port(from), to);
    }
}

#[test]
fn paths() {
    assert!(fits(&prefix("/api"), Request::get("/apix?x")));
    assert!(!fits(&prefix("/api"), Request::get("/ap")));
    let exact = matcher(PathMatch::Exact("/api".into()));
    assert!(fits(&exact, Request::get("/api?x=1")));
    assert!(!fits(&exact, Request::get("/api/")));
    let segments = matcher(PathMatch::Segments("/api".into()));
    for (path, wanted) in [("/api", true), ("/api/", true), ("/api/x", true), ("/apix", false), ("/api?x", true)] {
        assert_eq!(fits(&segments, Request::get(path)), wanted, "{path}");
    }
    let regex = matcher(PathMatch::Regex(Regex::new("^(?:/v[0-9]+/.*)$").unwrap()));
    assert!(fits(&regex, Request::get("/v12/x?y")) && !fits(&regex, Request::get("/a/v12/x")));
    let no_case = RouteMatch { ignore_case: true, ..prefix("/API") };
    assert!(fits(&no_case, Request::get("/api/x")));
}

fn header(name: &str, test: HeaderTest) -> HeaderMatch {
    HeaderMatch { key: HeaderKey::Name(name.parse().unwrap()), test, invert: false, missing_as_empty: false }
}

#[test]
fn headers() {
    let exact = |s: &str| HeaderTest::Value(StringMatch::Exact(s.into()));
    let on = |m: HeaderMatch, r: Request| r.with(|f| m.matches(f));
    let plain = || Request::get("/");
    let with = |v: &str| Request::get("/").header("x-a", v);
    assert!(on(header("x-a", exact("1")), with("1")));
    assert!(!on(header("x-a", exact("1")), plain()));
    assert!(on(header("x-a", exact("1,2")), with("1").header("x-a", "2")), "several values are joined");
    let not = HeaderMatch { invert: true, ..header("x-a", exact("1")) };
    assert!(on(not.clone(), with("2")) && !on(not.clone(), with("1")));
    assert!(!on(not.clone(), plain()), "a missing header fails a value test, inverted or not");
    assert!(on(HeaderMatch { missing_as_empty: true, ..not }, plain()));
    let present = |wanted, invert| HeaderMatch { invert, ..header("x-a", HeaderTest::Present(wanted)) };
    for (m, there, missing) in [
        (present(true, false), true, false),
        (present(true, true), false, true),
        (present(false, false), false, true),
        (present(false, true), true, false),
    ] {
        assert_eq!(on(m.clone(), with("1")), there, "{m:?}");
        assert_eq!(on(m.clone(), plain()), missing, "{m:?}");
    }
    let range = || header("x-a", HeaderTest::Range(10, 20));
    assert!(on(range(), with("10")) && on(range(), with("19")) && !on(range(), with("20")));
    assert!(!on(range(), with("1x")) && !on(range(), with("-15")));
    let pseudo = |key, v: &str| HeaderMatch { key, ..header("x", exact(v)) };
    assert!(on(pseudo(HeaderKey::Method, "POST"), plain().method(Method::POST.as_str())));
    assert!(on(pseudo(HeaderKey::Path, "/p?q"), Request::get("/p?q")));
    assert!(on(pseudo(HeaderKey::Authority, "order-service:8080"), plain()));
}

#[test]
fn queries_shares_and_grpc() {
    let query = |name: &str, value: Option<&str>| {
        let value = value.map(|v| StringMatch::Exact(v.into()));
        RouteMatch { query: vec![QueryMatch { name: name.into(), value }], ..prefix("/") }
    };
    assert!(fits(&query("a", None), Request::get("/?a")));
    assert!(fits(&query("a", Some("1")), Request::get("/x?b=2&a=1#f")));
    assert!(!fits(&query("a", Some("1")), Request::get("/x?a=2&a=1")), "the first one counts");
    assert!(!fits(&query("a", None), Request::get("/x?aa=1")));
    assert!(!fits(&query("a", None), Request::get("/")));
    let half = RouteMatch { share: Some(Fraction { numerator: 50, denominator: 100 }), ..prefix("/") };
    assert_eq!((0..1000).filter(|n| Request::get("/").with(|f| half.matches(f, *n))).count(), 500);
    let grpc = RouteMatch { grpc: true, ..prefix("/") };
    for (kind, wanted) in [
        ("application/grpc", true),
        ("application/grpc+proto", true),
        ("application/grpc-web", false),
        ("application/json", false),
    ] {
        assert_eq!(fits(&grpc, Request::get("/").header("content-type", kind)), wanted, "{kind}");
    }
}

/// Slow and obvious.
fn model(m: &StringMatch, s: &str) -> bool {
    let lower = |s: &str| s.to_ascii_lowercase();
    match m {
        StringMatch::Exact(p) => s == &**p,
        StringMatch::Prefix(p) => s.len() >= p.len() && s.bytes().zip(p.bytes()).all(|(a, b)| a == b),
        StringMatch::Suffix(p) => s.len() >= p.len() && s.bytes().rev().zip(p.bytes().rev()).all(|(a, b)| a == b),
        StringMatch::Contains(p) => s.contains(&**p),
        StringMatch::ExactNoCase(p) => lower(s) == lower(p),
        StringMatch::PrefixNoCase(p) => lower(s).starts_with(&lower(p)),
        StringMatch::SuffixNoCase(p) => lower(s).ends_with(&lower(p)),
        StringMatch::ContainsNoCase(p) => lower(s).contains(&lower(p)),
        StringMatch::Regex(r) => r.is_match(s),
    }
}

fn string_match() -> impl Strategy<Value = StringMatch> {
    ("[aAbé]{0,3}", 0usize..8).prop_map(|(p, kind)| {
        let p: Arc<str> = p.into();
        let kinds = [
            StringMatch::Exact,
            StringMatch::Prefix,
            StringMatch::Suffix,
            StringMatch::Contains,
            StringMatch::ExactNoCase,
            StringMatch::PrefixNoCase,
            StringMatch::SuffixNoCase,
            StringMatch::ContainsNoCase,
        ];
        kinds[kind](p)
    })
}

fn weighted(weights: &[u32]) -> Weighted {
    let cluster = |(i, weight): (usize, &u32)| WeightedCluster {
        weight: *weight,
        cluster: i.to_string().into(),
        request_headers: HeaderOps::default(),
        response_headers: HeaderOps::default(),
        authority: None,
    };
    Weighted::new(weights.iter().enumerate().map(cluster).collect()).unwrap()
}

proptest! {
    #[test]
    fn strings_agree_with_the_model(m in string_match(), s in "[aAbBé]{0,6}") {
        prop_assert_eq!(m.matches(&s), model(&m, &s));
    }

    #[test]
    fn weighted_picks_are_exact(weights in prop::collection::vec(0u32..40, 1..6), base in any::<u32>()) {
        prop_assume!(weights.iter().any(|w| *w > 0));
        let w = weighted(&weights);
        let total: u64 = weights.iter().map(|w| u64::from(*w)).sum();
        let mut seen = vec![0u32; weights.len()];
        // Any run of `total` numbers has each residue once.
        for n in 0..total {
            let picked = w.pick(u64::from(base) + n).unwrap();
            seen[picked.cluster.parse::<usize>().unwrap()] += 1;
        }
        prop_assert_eq!(seen, weights);
    }

    #[test]
    fn the_index_agrees_with_a_search(
        domains in prop::collection::vec("(\\*?[ab]{1,2}(\\.[ab]{1,2}){0,2}|[ab]{1,2}(\\.[ab]{1,2}){0,2}\\.?\\*|\\*)", 1..8),
        authority in "[abA]{1,2}(\\.[ab]{1,2}){0,3}",
    ) {
        let mut domains = domains;
        domains.sort();
        domains.dedup();
        let hosts = domains.iter().map(|d| host(d, &[d])).collect();
        let t = table(hosts);
        let lower = authority.to_ascii_lowercase();
        let rank = |d: &&String| match (d.as_str(), d.strip_prefix('*'), d.strip_suffix('*')) {
            ("*", ..) => Some((0, 0)),
            (_, Some(s), _) => (lower.len() > s.len() && lower.ends_with(s)).then_some((2, s.len())),
            (_, _, Some(p)) => (lower.len() > p.len() && lower.starts_with(p)).then_some((1, p.len())),
            (exact, ..) => (exact == lower).then_some((3, 0)),
        };
        let wanted = domains.iter().filter(|d| rank(d).is_some()).max_by_key(|d| rank(d)).cloned();
        prop_assert_eq!(find(&t, &authority), wanted);
    }
}

#[test]
fn random_numbers_at_the_edge() {
    let w = weighted(&[1, u32::MAX, u32::MAX]);
    assert_eq!(&*w.pick(0).unwrap().cluster, "0");
    assert_eq!(&*w.pick(w.total - 1).unwrap().cluster, "2");
    assert!(w.pick(u64::MAX).is_some());
    assert!(Weighted::new(Vec::new()).is_none());
}
