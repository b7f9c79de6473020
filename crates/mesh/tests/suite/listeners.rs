//! Inbound and outbound listeners of sidecars.

use envoy_types::pb::envoy::config::listener::v3::{FilterChain, Listener};

use crate::estate::{app, for_sidecar, listener, names, pair};
use weft_mesh::type_url;

fn peer_authentication(name: &str, namespace: &str, spec: &str) -> String {
    format!(
        "---\napiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: {{name: {name}, namespace: {namespace}}}\nspec: {spec}\n"
    )
}

/// `transport alpn,… [mtls] kind` of each chain.
fn chains(listener: &Listener) -> Vec<String> {
    let one = |chain: &FilterChain| {
        let criteria = chain.filter_chain_match.clone().unwrap_or_default();
        let filter = chain.filters.last().unwrap().name.rsplit('.').next().unwrap().to_owned();
        let mut parts = vec![
            criteria.transport_protocol,
            criteria.application_protocols.join(","),
            criteria.server_names.join(","),
        ];
        parts.push(if chain.transport_socket.is_some() { "mtls".into() } else { String::new() });
        parts.push(filter.replace("http_connection_manager", "http").replace("tcp_proxy", "tcp"));
        parts.retain(|p| !p.is_empty());
        parts.join(" ")
    };
    listener.filter_chains.iter().map(one).collect()
}

fn inbound(extra: &str) -> Vec<String> {
    chains(&listener(&for_sidecar(&(pair() + extra), "shop/b"), "127.0.0.2_8080"))
}

#[test]
fn permissive_is_the_default() {
    assert_eq!(
        inbound(""),
        ["tls istio-http/1.0,istio-http/1.1,istio-h2,istio mtls http", "raw_buffer http", "tls tcp"]
    );
}

#[test]
fn the_most_specific_peer_authentication_holds() {
    let strict = ["tls mtls http"];
    let plain = ["http"];
    let mesh = peer_authentication("default", "istio-system", "{mtls: {mode: STRICT}}");
    assert_eq!(inbound(&mesh), strict);
    let namespace = peer_authentication("default", "shop", "{mtls: {mode: DISABLE}}");
    assert_eq!(inbound(&(mesh.clone() + &namespace)), plain);
    let unset = peer_authentication("default", "shop", "{mtls: {mode: UNSET}}");
    assert_eq!(inbound(&(mesh.clone() + &unset)), strict);
    let workload = peer_authentication("b", "shop", "{selector: {matchLabels: {app: b}}, mtls: {mode: STRICT}}");
    assert_eq!(inbound(&(namespace.clone() + &workload)), strict);
    let other = peer_authentication("c", "shop", "{selector: {matchLabels: {app: c}}, mtls: {mode: STRICT}}");
    assert_eq!(inbound(&(namespace.clone() + &other)), plain);
    let port = peer_authentication(
        "b",
        "shop",
        "{selector: {matchLabels: {app: b}}, mtls: {mode: DISABLE}, portLevelMtls: {8080: {mode: STRICT}}}",
    );
    assert_eq!(inbound(&(mesh + &port)), strict);
}

#[test]
fn an_undeclared_port_is_found_out() {
    let estate = pair().replace("port: {number: 8080, protocol: HTTP, name: http}", "port: {number: 8080, name: x}");
    // The Service's port says what the Sidecar leaves open.
    let found = chains(&listener(&for_sidecar(&estate, "shop/b"), "127.0.0.2_8080"));
    assert_eq!(found.len(), 3);
    let undeclared = estate.replace("ports: [{name: http, port: 8080}]", "ports: [{name: x, port: 8080}]");
    let resources = for_sidecar(&undeclared, "shop/b");
    let listener = listener(&resources, "127.0.0.2_8080");
    assert_eq!(
        chains(&listener),
        [
            "tls istio-http/1.0,istio-http/1.1,istio-h2 mtls http",
            "tls istio mtls tcp",
            "raw_buffer http/1.0,http/1.1,h2c http",
            "raw_buffer tcp",
            "tls tcp",
        ]
    );
    let inspectors: Vec<_> = listener.listener_filters.iter().map(|f| f.name.as_str()).collect();
    assert_eq!(inspectors, ["envoy.filters.listener.tls_inspector", "envoy.filters.listener.http_inspector"]);
}

#[test]
fn declared_tcp_is_opaque_in_and_out() {
    let estate = pair()
        .replace("ports: [{name: http, port: 8080}]", "ports: [{name: tcp, port: 8080}]")
        .replace("port: {number: 8080, protocol: HTTP, name: http}", "port: {number: 8080, protocol: TCP, name: tcp}")
        .replace("['./*']", "['./b.shop.svc.cluster.local']");
    let resources = for_sidecar(&estate, "shop/a");
    assert_eq!(chains(&listener(&resources, "127.0.9.1_8080")), ["tcp"]);
    let bytes = &resources.get(type_url::LISTENER, "127.0.9.1_8080").unwrap().value;
    assert!(String::from_utf8_lossy(bytes).contains("outbound|8080||b.shop.svc.cluster.local"));
    assert!(names(&resources, type_url::ROUTE).is_empty());
}

#[test]
fn without_a_sidecar_nothing_is_bound() {
    let resources = for_sidecar(&app("shop", "a", [127, 0, 0, 1].into(), ""), "shop/a");
    assert!(names(&resources, type_url::LISTENER).is_empty());
    assert!(names(&resources, type_url::CLUSTER).contains(&"outbound|8080||a.shop.svc.cluster.local"));
}

#[test]
fn two_egress_listeners_of_one_port_have_routes_of_their_own() {
    let estate = pair().replace(
        "    hosts: ['./*']",
        "    hosts: ['./a.shop.svc.cluster.local']
  - port: {number: 8080, protocol: HTTP, name: again}
    bind: 127.0.9.2
    captureMode: NONE
    hosts: ['./b.shop.svc.cluster.local']",
    );
    let resources = for_sidecar(&estate, "shop/a");
    assert_eq!(names(&resources, type_url::ROUTE), ["127.0.9.1_8080", "127.0.9.2_8080"]);
    let hosts = names(&resources, type_url::VIRTUAL_HOST);
    assert!(hosts.contains(&"127.0.9.2_8080/b.shop.svc.cluster.local:8080"));
    assert!(!hosts.contains(&"127.0.9.2_8080/a.shop.svc.cluster.local:8080"));
}

#[test]
fn the_sidecar_that_selects_the_workload_holds() {
    let own = "---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: zz, namespace: shop}
spec:
  workloadSelector: {labels: {app: a}}
  egress:
  - port: {number: 8080, protocol: HTTP, name: http}
    bind: 127.0.9.9
    captureMode: NONE
    hosts: ['~/*']
";
    let resources = for_sidecar(&(pair() + own), "shop/a");
    assert_eq!(names(&resources, type_url::LISTENER), ["127.0.9.9_8080"]);
    assert_eq!(names(&resources, type_url::VIRTUAL_HOST), ["8080/*:8080"]);
    assert_eq!(names(&resources, type_url::CLUSTER), ["BlackHoleCluster"]);
}

#[test]
fn everybody_is_in_the_workload_table() {
    let plain = "---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: legacy, namespace: shop}
spec: {address: 127.0.0.7, labels: {app: legacy}}
";
    let resources = for_sidecar(&(pair() + plain), "shop/a");
    assert_eq!(
        names(&resources, type_url::WORKLOAD),
        [
            "Kubernetes/networking.istio.io/WorkloadEntry/shop/a",
            "Kubernetes/networking.istio.io/WorkloadEntry/shop/b",
            "Kubernetes/networking.istio.io/WorkloadEntry/shop/legacy"
        ]
    );
}
