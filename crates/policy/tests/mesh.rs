//! What the control plane writes, the proxy reads: every resource of every proxy of the demo, through both.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use http::{HeaderMap, HeaderValue};
use weft_api::Change;
use weft_mesh::{Engine, Proxy, ProxyKind, Settings, Store, translate};
use weft_policy::{
    balance::PickRequest,
    config::{Action, Config, Delta, Kind, Transport},
    facts::{ConnectionFacts, RequestFacts},
    read::read,
};

fn store() -> Store {
    let manifests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../demo");
    let inputs = [weft_source::Input::Path(manifests)];
    let estate = weft_source::read_paths(&inputs, std::io::empty()).expect("the demo's manifests");
    let mut store = Store::new(Settings::default());
    store.apply(estate.objects().map(|o| Change::Put(Arc::clone(o))).collect());
    store
}

/// What a proxy makes of its whole configuration, and what it refuses.
fn configure(proxy: &Proxy, store: &Store) -> (Config, Vec<String>) {
    let mut delta = Delta::default();
    let mut refused = Vec::new();
    for resource in translate(&store.snapshot(), proxy).iter() {
        let kind = Kind::from_type_url(resource.type_url).expect("a known type");
        let name: Arc<str> = resource.name.as_str().into();
        match read(kind, &name, &resource.value) {
            Ok(read) => delta.put.push((name, read)),
            Err(error) => refused.push(format!("{kind:?} {name}: {error}")),
        }
    }
    (Config::default().update(delta), refused)
}

fn proxies(store: &Store) -> BTreeMap<String, Proxy> {
    let snapshot = store.snapshot();
    let proxy = |reference| {
        let kind = if snapshot.workload(reference)?.label("istio") == "ingressgateway" {
            ProxyKind::Gateway
        } else {
            ProxyKind::Sidecar
        };
        Some((reference.name.clone(), Proxy::for_workload(&snapshot, reference, kind, Engine::Weft)?))
    };
    snapshot.workloads().keys().filter_map(proxy).collect()
}

#[test]
fn nothing_of_the_demo_is_refused() {
    let store = store();
    let proxies = proxies(&store);
    assert!(proxies.len() >= 6, "{:?}", proxies.keys());
    for (name, proxy) in &proxies {
        let (config, refused) = configure(proxy, &store);
        assert!(refused.is_empty(), "{name}: {refused:#?}");
        assert!(!config.upstreams.is_empty() && !config.workloads.is_empty(), "{name}");
        assert!(!config.listeners.is_empty(), "{name}");
    }
}

#[test]
fn ninety_to_ten_and_testers_to_v2() {
    let store = store();
    let proxies = proxies(&store);
    let caller = &proxies["checkout-bff"];
    let (config, _) = configure(caller, &store);
    let authority = "order-service.shop.svc.cluster.local:8080";
    let host = config
        .route_tables()
        .find_map(|t| t.virtual_host(authority).filter(|h| h.domains.iter().any(|d| **d == *authority)));
    let host = host.expect("order-service has a virtual host");
    let route = |tester: bool, random: u64| {
        let mut headers = HeaderMap::new();
        if tester {
            headers.insert("x-canary", HeaderValue::from_static("true"));
        }
        let peer = "127.0.0.1:40000".parse().expect("an address");
        let connection = ConnectionFacts { peer, local: peer, transport: Transport::Raw, sni: None, peer_uri: None };
        let request = RequestFacts {
            method: "GET",
            path: "/api/v1/orders",
            authority,
            scheme: "http",
            headers: &headers,
            remote: peer.ip(),
            connection: &connection,
        };
        let route = host.route(&request, random).expect("a route");
        let Action::Forward(forward) = &route.action else { panic!("{:?}", route.action) };
        let picked = forward.clusters.pick(random).expect("a cluster");
        let upstream = config.upstream(&picked.cluster).expect("its cluster exists");
        let endpoint = upstream.pick(&PickRequest::default()).expect("an endpoint");
        assert!(endpoint.tls.is_some(), "proxies speak mutual TLS with each other");
        assert_eq!(upstream.cluster.services[0].name.as_ref(), "order-service");
        assert!(route.virtual_service.is_some() && route.route_id.is_some());
        upstream.cluster.subset.clone().expect("a subset").to_string()
    };
    assert_eq!((0..100).filter(|n| route(false, *n) == "v2").count(), 10);
    assert!((0..100).all(|n| route(true, n) == "v2"));
}
