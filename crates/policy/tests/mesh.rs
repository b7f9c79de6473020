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

/// The demo's manifests and some more.
fn store(more: &str) -> Store {
    let manifests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../demo");
    let inputs = [weft_source::Input::Path(manifests), weft_source::Input::Stdin];
    let estate = weft_source::read_paths(&inputs, more.as_bytes()).expect("manifests");
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

/// Workloads that have a proxy, with it.
fn proxies(store: &Store) -> BTreeMap<String, Proxy> {
    let snapshot = store.snapshot();
    let proxy = |reference| {
        let workload = snapshot.workload(reference)?;
        if workload.label("security.istio.io/tlsMode") != "istio" {
            return None;
        }
        let kind = if workload.label("istio") == "ingressgateway" { ProxyKind::Gateway } else { ProxyKind::Sidecar };
        Some((reference.name.clone(), Proxy::for_workload(&snapshot, reference, kind, Engine::Weft)?))
    };
    snapshot.workloads().keys().filter_map(proxy).collect()
}

#[test]
fn nothing_of_the_demo_is_refused() {
    let store = store("");
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
    let store = store("");
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

/// One of everything that a VirtualService, a DestinationRule and an AuthorizationPolicy can say and the proxy can do.
const KITCHEN_SINK: &str = r#"
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: sink, namespace: shop}
spec:
  hosts: [payment-service]
  http:
    - name: matches
      match:
        - uri: {regex: "/v[0-9]+/.*"}
          ignoreUriCase: true
          headers: {x-a: {prefix: a}, x-b: {regex: "b+"}}
          withoutHeaders: {x-c: {exact: c}}
          queryParams: {q: {exact: "1"}}
          method: {exact: POST}
        - uri: {exact: /exact}
      fault:
        delay: {fixedDelay: 1s, percentage: {value: 0.01}}
        abort: {grpcStatus: UNAVAILABLE, percentage: {value: 50}}
      headers:
        request: {set: {x-set: "1", host: other.example.com}, add: {x-add: "%DOWNSTREAM_REMOTE_ADDRESS%"}, remove: [x-no]}
        response: {set: {x-r: "2"}}
      rewrite: {uri: /new}
      mirror: {host: inventory-service}
      mirrorPercentage: {value: 10}
      corsPolicy:
        allowOrigins: [{exact: "https://a.com"}, {regex: ".*"}]
        allowMethods: [GET]
        maxAge: 24h
      route: [{destination: {host: payment-service}}]
    - match: [{uri: {prefix: /redirect}}]
      redirect: {uri: /to, authority: b.com, scheme: https, redirectCode: 308}
    - match: [{uri: {prefix: /direct}}]
      directResponse: {status: 503, body: {string: "sorry"}}
    - match: [{uri: {prefix: /regex}}]
      rewrite: {uriRegexRewrite: {match: "^/regex/(.*)$", rewrite: '/r/\1'}}
      retries: {attempts: 5, perTryTimeout: 2s, retryOn: "5xx,reset,retriable-4xx,429", retryRemoteLocalities: true}
      route: [{destination: {host: payment-service}}]
    - route: [{destination: {host: payment-service}}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: sink, namespace: shop}
spec:
  host: payment-service
  trafficPolicy:
    loadBalancer: {consistentHash: {httpCookie: {name: user, ttl: 60s, path: /, attributes: [{name: SameSite, value: Strict}]}}}
    connectionPool:
      tcp: {maxConnections: 7, connectTimeout: 2s, tcpKeepalive: {time: 60s, interval: 10s, probes: 3}}
      http: {http2MaxRequests: 9, maxRequestsPerConnection: 3, maxRetries: 2, idleTimeout: 30s, h2UpgradePolicy: UPGRADE}
    outlierDetection: {consecutiveGatewayErrors: 3, splitExternalLocalOriginErrors: true, consecutiveLocalOriginFailures: 4, minHealthPercent: 10}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: maglev, namespace: shop}
spec:
  host: inventory-service
  trafficPolicy:
    loadBalancer: {consistentHash: {httpHeaderName: x-user, maglev: {tableSize: 251}}}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: deny, namespace: shop}
spec:
  action: DENY
  rules:
    - from: [{source: {namespaces: ["bad*"], ipBlocks: ["10.0.0.0/8"], notPrincipals: ["cluster.local/ns/shop/sa/*"]}}]
      to: [{operation: {hosts: ["*.example.com"], methods: [DELETE], paths: ["/admin*", "*/secret"], notPorts: ["9999"]}}]
      when:
        - {key: "request.headers[x-token]", notValues: ["ok*"]}
        - {key: connection.sni, values: ["*.b.com"]}
        - {key: remote.ip, values: ["192.0.2.1"]}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: audit, namespace: shop}
spec:
  action: AUDIT
  rules: [{to: [{operation: {methods: [GET]}}]}]
"#;

#[test]
fn nothing_of_the_kitchen_sink_is_refused() {
    let store = store(KITCHEN_SINK);
    for (name, proxy) in proxies(&store) {
        let (config, refused) = configure(&proxy, &store);
        assert!(refused.is_empty(), "{name}: {refused:#?}");
        if name == "checkout-bff" {
            let upstream =
                config.upstreams.values().find(|u| u.cluster.name.contains("payment-service")).expect("a cluster");
            let (limits, outlier) = (upstream.cluster.limits, upstream.cluster.outlier.expect("outlier detection"));
            assert_eq!((limits.connections, limits.requests, limits.retries), (7, 9, 2));
            assert!(outlier.split_local_origin && outlier.consecutive_local_origin_failure == 4);
        }
    }
}
