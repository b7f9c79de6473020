use std::{sync::Arc, time::Duration};

use super::*;
use crate::{
    config::{HeaderKey, HeaderSet, Piece, Transport, Variable},
    facts::ConnectionFacts,
    flags::{Flag, Flags},
};

const CONNECTION: ConnectionFacts<'static> = ConnectionFacts {
    peer: std::net::SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 9)), 1234),
    local: std::net::SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1)), 80),
    transport: Transport::Tls,
    sni: Some("a.com"),
    peer_uri: Some("spiffe://t/ns/n/sa/s"),
};

fn facts() -> FormatFacts<'static> {
    FormatFacts {
        connection: &CONNECTION,
        remote: "192.0.2.1:5".parse().unwrap(),
        method: "GET",
        path: "/p",
        authority: "h",
        scheme: "http",
        request_headers: None,
        protocol: "HTTP/2",
        upstream_host: None,
        upstream_cluster: Some("c"),
        route: "r",
        status: Some(503),
        flags: Flags::from(Flag::NoRoute),
        start: Duration::from_millis(1_795_453_576_123),
    }
}

fn headers(list: &[(&'static str, &'static str)]) -> HeaderMap {
    list.iter().map(|(n, v)| (n.parse::<HeaderName>().unwrap(), v.parse::<HeaderValue>().unwrap())).collect()
}

fn set(name: &str, value: &str, action: SetAction) -> HeaderSet {
    let value = ValueTemplate::Literal(value.parse().unwrap());
    HeaderSet { name: name.parse().unwrap(), value, action, keep_empty: false }
}

fn values(map: &HeaderMap, name: &str) -> Vec<String> {
    map.get_all(name).iter().map(|v| v.to_str().unwrap().to_owned()).collect()
}

#[test]
fn actions() {
    for (action, there, missing) in [
        (SetAction::Append, vec!["old", "new"], vec!["new"]),
        (SetAction::AddIfAbsent, vec!["old"], vec!["new"]),
        (SetAction::Overwrite, vec!["new"], vec!["new"]),
        (SetAction::OverwriteIfExists, vec!["new"], vec![]),
    ] {
        let ops = HeaderOps { remove: [].into(), set: [set("x", "new", action)].into() };
        let mut map = headers(&[("x", "old")]);
        ops.apply(&mut map, &facts());
        assert_eq!(values(&map, "x"), there, "{action:?}");
        let mut map = HeaderMap::new();
        ops.apply(&mut map, &facts());
        assert_eq!(values(&map, "x"), missing, "{action:?}");
    }
}

#[test]
fn removals_come_first_and_empty_values_are_left_out() {
    let mut empty = set("e", "", SetAction::Overwrite);
    let ops = |empty| HeaderOps {
        remove: ["x".parse().unwrap()].into(),
        set: [set("x", "new", SetAction::OverwriteIfExists), empty].into(),
    };
    let mut map = headers(&[("x", "1"), ("e", "old")]);
    ops(empty.clone()).apply(&mut map, &facts());
    assert_eq!((values(&map, "x"), values(&map, "e")), (vec![], vec!["old".to_owned()]));
    empty.keep_empty = true;
    ops(empty).apply(&mut map, &facts());
    assert_eq!(values(&map, "e"), [""]);
}

#[test]
fn variables() {
    let fill = |v: Variable| {
        format::fill(&[Piece::Text("[".into()), Piece::Variable(v)], &headers(&[("a", "value")]), &facts())
    };
    let key = |n: &str| HeaderKey::Name(n.parse().unwrap());
    for (variable, wanted) in [
        (Variable::DownstreamRemoteAddress, "192.0.2.1:5"),
        (Variable::DownstreamRemoteIp, "192.0.2.1"),
        (Variable::DownstreamLocalPort, "80"),
        (Variable::DownstreamPeerUriSan, "spiffe://t/ns/n/sa/s"),
        (Variable::RequestedServerName, "a.com"),
        (Variable::Protocol, "HTTP/2"),
        (Variable::UpstreamHost, "-"),
        (Variable::UpstreamCluster, "c"),
        (Variable::ResponseCode, "503"),
        (Variable::ResponseFlags, "NR"),
        (Variable::StartTime, "2026-11-23T17:06:16.123Z"),
        (Variable::Request(HeaderKey::Path, None, None), "/p"),
        (Variable::Request(key("a"), None, Some(3)), "val"),
        (Variable::Request(key("b"), Some(key("a")), None), "value"),
        (Variable::Request(key("b"), None, Some(9)), "-"),
    ] {
        assert_eq!(fill(variable.clone()), format!("[{wanted}"), "{variable:?}");
    }
}

#[test]
fn the_order_of_levels() {
    use crate::config::{Action, DirectResponse, PathMatch, RouteMatch};
    let level = |value: &str| HeaderOps { remove: [].into(), set: [set("x", value, SetAction::Overwrite)].into() };
    let matcher = RouteMatch {
        path: PathMatch::Prefix("/".into()),
        ignore_case: false,
        headers: Vec::new(),
        query: Vec::new(),
        share: None,
        grpc: false,
    };
    let route = Route {
        name: "".into(),
        matcher,
        action: Action::Respond(DirectResponse { status: http::StatusCode::OK, body: Arc::from([]) }),
        request_headers: level("route"),
        response_headers: HeaderOps::default(),
        fault: None,
        cors: None,
        virtual_service: None,
        route_id: None,
    };
    let host = VirtualHost { request_headers: level("host"), ..VirtualHost::default() };
    let mut table = RouteTable::awaited("t".into());
    table.request_headers = level("table");
    let apply = |table: &RouteTable| {
        let mut map = HeaderMap::new();
        table.request_ops(&host, &route, None).for_each(|ops| ops.apply(&mut map, &facts()));
        values(&map, "x")
    };
    assert_eq!(apply(&table), ["table"], "the least specific has the last word");
    table.most_specific_wins = true;
    assert_eq!(apply(&table), ["route"]);
}
