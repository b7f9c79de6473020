//! Deciding about a request allocates nothing, however large the configuration; and what it costs.
#![allow(unsafe_code, reason = "a global allocator that counts")]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    sync::Arc,
    time::{Duration, Instant},
};

use envoy_types::pb::{
    envoy::{
        config::{
            cluster::v3::{Cluster, cluster::ClusterDiscoveryType},
            core::v3::{Address, SocketAddress, address, socket_address},
            endpoint::v3::{
                ClusterLoadAssignment, Endpoint, LbEndpoint, LocalityLbEndpoints, lb_endpoint::HostIdentifier,
            },
            route::v3::{
                HeaderMatcher, Route, RouteAction, RouteConfiguration, RouteMatch, Vhds, VirtualHost, WeightedCluster,
                header_matcher::HeaderMatchSpecifier, route, route_action::ClusterSpecifier,
                route_match::PathSpecifier, weighted_cluster::ClusterWeight,
            },
        },
        r#type::matcher::v3::{StringMatcher, string_matcher::MatchPattern},
    },
    google::protobuf::UInt32Value,
};
use http::HeaderMap;
use prost::Message;
use weft_policy::{
    balance::PickRequest,
    config::{Action, Config, Delta, Kind, PathNormalization, Transport},
    facts::{ConnectionFacts, RequestFacts},
    path::normalize_path,
    read::read,
    upstream::{Limit, Outcome},
};

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call is passed on to the system's allocator as it came; counting touches a thread-local `Cell` that is
// initialized at compile time and so never allocates itself.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller's promise about `layout` is the one that `System` needs.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: `pointer` came from `System` by way of `alloc` with the same layout.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

const SERVICES: usize = 5000;

fn put(delta: &mut Delta, kind: Kind, name: &str, message: &impl Message) {
    let name: Arc<str> = name.into();
    let resource = read(kind, &name, &message.encode_to_vec()).unwrap_or_else(|e| panic!("{name}: {e}"));
    delta.put.push((name, resource));
}

fn route(header: Option<&str>, specifier: ClusterSpecifier) -> Route {
    let exact =
        |value: &str| StringMatcher { match_pattern: Some(MatchPattern::Exact(value.into())), ignore_case: false };
    let headers = header.map(|name| HeaderMatcher {
        name: name.into(),
        header_match_specifier: Some(HeaderMatchSpecifier::StringMatch(exact("true"))),
        ..HeaderMatcher::default()
    });
    Route {
        r#match: Some(RouteMatch {
            path_specifier: Some(PathSpecifier::Prefix("/".into())),
            headers: headers.into_iter().collect(),
            ..RouteMatch::default()
        }),
        action: Some(route::Action::Route(RouteAction {
            cluster_specifier: Some(specifier),
            ..RouteAction::default()
        })),
        ..Route::default()
    }
}

fn virtual_host(n: usize, weight: u32) -> VirtualHost {
    let host = format!("s{n}.shop.svc.cluster.local");
    let share = |name: String, weight| ClusterWeight {
        name,
        weight: Some(UInt32Value { value: weight }),
        ..Default::default()
    };
    let clusters = vec![share(format!("c{n}"), 100 - weight), share(format!("c{}", (n + 1) % SERVICES), weight)];
    let split = WeightedCluster { clusters, ..WeightedCluster::default() };
    VirtualHost {
        name: format!("8080/{host}:8080"),
        domains: vec![
            host.clone(),
            format!("{host}:8080"),
            format!("s{n}"),
            format!("s{n}:8080"),
            format!("s{n}.shop"),
        ],
        routes: vec![
            route(Some("x-canary"), ClusterSpecifier::Cluster(format!("c{n}"))),
            route(None, ClusterSpecifier::WeightedClusters(split)),
        ],
        ..VirtualHost::default()
    }
}

fn assignment(n: usize) -> ClusterLoadAssignment {
    let endpoint = |port: u32| LbEndpoint {
        host_identifier: Some(HostIdentifier::Endpoint(Endpoint {
            address: Some(Address {
                address: Some(address::Address::SocketAddress(SocketAddress {
                    address: format!("10.0.{}.{}", n / 256, n % 256),
                    port_specifier: Some(socket_address::PortSpecifier::PortValue(port)),
                    ..SocketAddress::default()
                })),
            }),
            ..Endpoint::default()
        })),
        ..LbEndpoint::default()
    };
    let group = LocalityLbEndpoints { lb_endpoints: (1..=3).map(endpoint).collect(), ..LocalityLbEndpoints::default() };
    ClusterLoadAssignment { cluster_name: format!("c{n}"), endpoints: vec![group], ..ClusterLoadAssignment::default() }
}

fn configuration() -> Config {
    let mut delta = Delta::default();
    for n in 0..SERVICES {
        let cluster = Cluster {
            name: format!("c{n}"),
            cluster_discovery_type: Some(ClusterDiscoveryType::Type(3)),
            lb_policy: 1,
            outlier_detection: Some(Default::default()),
            ..Cluster::default()
        };
        put(&mut delta, Kind::Cluster, &format!("c{n}"), &cluster);
        put(&mut delta, Kind::Endpoints, &format!("c{n}"), &assignment(n));
        let host = virtual_host(n, 10);
        put(&mut delta, Kind::VirtualHost, &host.name, &host);
    }
    let table =
        RouteConfiguration { name: "8080".into(), vhds: Some(Vhds::default()), ..RouteConfiguration::default() };
    put(&mut delta, Kind::RouteConfig, "8080", &table);
    Config::default().update(delta)
}

#[test]
fn a_request_allocates_nothing_and_an_edit_little() {
    let begun = Instant::now();
    let config = configuration();
    println!("{SERVICES} services configured in {:?}", begun.elapsed());
    let mut headers = HeaderMap::new();
    headers.insert("user-agent", "test".parse().unwrap());
    headers.insert("content-type", "application/json".parse().unwrap());
    let peer = "127.0.0.1:40000".parse().unwrap();
    let connection = ConnectionFacts { peer, local: peer, transport: Transport::Raw, sni: None, peer_uri: None };
    let base = PathNormalization { dot_segments: true, ..PathNormalization::default() };
    let decide = |n: u64| {
        let path = match normalize_path("/api/v1/orders/7?expand=items", base) {
            Ok(weft_policy::path::Normalized::Path(std::borrow::Cow::Borrowed(path))) => path,
            other => panic!("{other:?}"),
        };
        let authority = "s4321.shop.svc.cluster.local:8080";
        let remote = peer.ip();
        let request = RequestFacts {
            method: "GET",
            path,
            authority,
            scheme: "http",
            headers: &headers,
            remote,
            connection: &connection,
        };
        let host = config.route_table("8080").unwrap().virtual_host(authority).unwrap();
        let Action::Forward(forward) = &host.route(&request, n).unwrap().action else { panic!() };
        let upstream = config.upstream(&forward.clusters.pick(n).unwrap().cluster).unwrap();
        let _permit = upstream.acquire(Limit::Requests).unwrap();
        let host = upstream.pick(&PickRequest { random: n, ..PickRequest::default() }).unwrap();
        let _active = host.begin();
        upstream.report(host, Outcome::Response(200), Duration::from_secs(1), n)
    };
    decide(0);
    let before = ALLOCATIONS.get();
    let begun = Instant::now();
    const ROUNDS: u64 = 20_000;
    for n in 0..ROUNDS {
        assert_eq!(decide(n), None);
    }
    let (took, allocated) = (begun.elapsed() / ROUNDS as u32, ALLOCATIONS.get() - before);
    assert_eq!(allocated, 0);
    println!("a decision takes {took:?}");

    // A weight edit: a few allocations for the one virtual host, and one vector for all.
    let host = virtual_host(77, 50);
    let mut delta = Delta::default();
    put(&mut delta, Kind::VirtualHost, &host.name, &host);
    let before = ALLOCATIONS.get();
    let begun = Instant::now();
    let edited = config.update(delta);
    let (took, allocated) = (begun.elapsed(), ALLOCATIONS.get() - before);
    assert!(allocated < 40, "{allocated}");
    println!("an edit takes {took:?} and {allocated} allocations");
    let weight = |c: &Config| match &c.route_table("8080").unwrap().virtual_host("s77").unwrap().routes[1].action {
        Action::Forward(forward) => forward.clusters.clusters[1].weight,
        _ => 0,
    };
    assert_eq!((weight(&config), weight(&edited)), (10, 50));
}
