//! DestinationRules, endpoints and TLS towards them.

use envoy_types::pb::envoy::{
    config::{
        cluster::v3::{Cluster, cluster::LbPolicy},
        core::v3::transport_socket,
    },
    extensions::transport_sockets::tls::v3::{UpstreamTlsContext, common_tls_context::ValidationContextType},
};
use prost::Message;
use weft_mesh::type_url;

use crate::estate::{addresses, app, cluster, for_sidecar, names, pair};

const B: &str = "outbound|8080||b.shop.svc.cluster.local";

fn rule(namespace: &str, host: &str, rest: &str) -> String {
    format!(
        "---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {{name: r{}, namespace: {namespace}}}\nspec:\n  host: '{host}'\n{rest}\n",
        host.len()
    )
}

fn limit(connections: u32) -> String {
    format!("  trafficPolicy: {{connectionPool: {{tcp: {{maxConnections: {connections}}}}}}}")
}

fn max_connections(cluster: &Cluster) -> u32 {
    cluster.circuit_breakers.as_ref().unwrap().thresholds[0].max_connections.as_ref().unwrap().value
}

fn mutual(cluster: &Cluster) -> UpstreamTlsContext {
    let socket = cluster.transport_socket_matches[0].transport_socket.as_ref().unwrap();
    let Some(transport_socket::ConfigType::TypedConfig(any)) = &socket.config_type else { panic!() };
    UpstreamTlsContext::decode(any.value.as_slice()).unwrap()
}

#[test]
fn nothing_said_means_least_request_without_bounds() {
    let resources = for_sidecar(&pair(), "shop/a");
    let cluster = cluster(&resources, B);
    assert_eq!(cluster.lb_policy, LbPolicy::LeastRequest as i32);
    assert_eq!(max_connections(&cluster), u32::MAX);
    assert!(cluster.outlier_detection.is_none());
    assert_eq!(addresses(&resources, B), ["127.0.0.2:8080"]);
}

#[test]
fn the_clients_namespace_wins_then_the_services_then_the_root() {
    let estate = app("pay", "c", [127, 0, 0, 3].into(), "") + &pair().replace("['./*']", "['*/*']");
    let host = "c.pay.svc.cluster.local";
    let name = format!("outbound|8080||{host}");
    let with = |rules: &[String]| {
        let resources = for_sidecar(&(estate.clone() + &rules.concat()), "shop/a");
        max_connections(&cluster(&resources, &name))
    };
    let root = rule("istio-system", host, &limit(1));
    let server = rule("pay", host, &limit(2));
    let client = rule("shop", host, &limit(3));
    assert_eq!(with(std::slice::from_ref(&root)), 1);
    assert_eq!(with(&[root.clone(), server.clone()]), 2);
    assert_eq!(with(&[root.clone(), server.clone(), client]), 3);
    let hidden = server.replace("spec:", "spec:\n  exportTo: ['.']");
    assert_eq!(with(&[root, hidden]), 1);
}

#[test]
fn an_exact_host_wins_over_the_longest_wildcard() {
    let with = |rules: &[String]| {
        let resources = for_sidecar(&(pair() + &rules.concat()), "shop/a");
        max_connections(&cluster(&resources, B))
    };
    let all = rule("shop", "*", &limit(1));
    let local = rule("shop", "*.cluster.local", &limit(2));
    let shop = rule("shop", "*.shop.svc.cluster.local", &limit(3));
    let exact = rule("shop", "b", &limit(4));
    assert_eq!(with(&[all.clone(), local.clone()]), 2);
    assert_eq!(with(&[all.clone(), local.clone(), shop.clone()]), 3);
    assert_eq!(with(&[all, local, shop, exact]), 4);
}

#[test]
fn subsets_and_ports_replace_whole_sections() {
    let spec = "  trafficPolicy:
    connectionPool: {tcp: {maxConnections: 100}, http: {http1MaxPendingRequests: 50}}
    outlierDetection: {consecutive5xxErrors: 5}
  subsets:
  - name: v1
    labels: {version: v1}
    trafficPolicy: {connectionPool: {tcp: {maxConnections: 7}}}
  - name: v2
    labels: {version: v2}
    trafficPolicy:
      portLevelSettings:
      - port: {number: 8080}
        loadBalancer: {simple: RANDOM}";
    let resources = for_sidecar(&(pair() + &rule("shop", "b", spec)), "shop/a");
    let v1 = cluster(&resources, "outbound|8080|v1|b.shop.svc.cluster.local");
    assert_eq!(max_connections(&v1), 7);
    let pending = v1.circuit_breakers.as_ref().unwrap().thresholds[0].max_pending_requests.as_ref().unwrap().value;
    assert_eq!(pending, u32::MAX, "the section is replaced as a whole");
    assert!(v1.outlier_detection.is_some(), "other sections are inherited");
    let v2 = cluster(&resources, "outbound|8080|v2|b.shop.svc.cluster.local");
    assert_eq!(v2.lb_policy, LbPolicy::Random as i32);
    assert!(v2.outlier_detection.is_none(), "port settings inherit nothing");
    assert!(addresses(&resources, "outbound|8080|v1|b.shop.svc.cluster.local").is_empty());
}

#[test]
fn mutual_tls_is_automatic_and_names_the_servers_accounts() {
    let resources = for_sidecar(&pair(), "shop/a");
    let cluster = cluster(&resources, B);
    assert_eq!(cluster.transport_socket_matches.len(), 2);
    let tls = mutual(&cluster);
    assert_eq!(tls.sni, "outbound_.8080_._.b.shop.svc.cluster.local");
    let common = tls.common_tls_context.unwrap();
    assert_eq!(common.alpn_protocols, ["istio-http/1.1"]);
    let Some(ValidationContextType::CombinedValidationContext(validation)) = common.validation_context_type else {
        panic!()
    };
    let names = validation.default_validation_context.unwrap().match_typed_subject_alt_names;
    assert_eq!(names.len(), 1);
    assert!(format!("{names:?}").contains("spiffe://cluster.local/ns/shop/sa/b"));
}

#[test]
fn disable_and_a_plaintext_only_server_are_called_in_plaintext() {
    let off = rule("shop", "b", "  trafficPolicy: {tls: {mode: DISABLE}}");
    let resources = for_sidecar(&(pair() + &off), "shop/a");
    assert!(cluster(&resources, B).transport_socket_matches.is_empty());
    let plain = "---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: b, namespace: shop}
spec:
  selector: {matchLabels: {app: b}}
  mtls: {mode: DISABLE}
";
    let resources = for_sidecar(&(pair() + plain), "shop/a");
    let bytes = &resources.get(type_url::ENDPOINT, B).unwrap().value;
    assert!(!String::from_utf8_lossy(bytes).contains("tlsMode"));
    let resources = for_sidecar(&pair(), "shop/a");
    let bytes = &resources.get(type_url::ENDPOINT, B).unwrap().value;
    assert!(String::from_utf8_lossy(bytes).contains("tlsMode"));
}

#[test]
fn target_ports_have_numbers_and_names() {
    let estate = pair().replace(
        "ports: [{name: http, port: 8080}]",
        "ports: [{name: http, port: 8080, targetPort: web}, {name: other, port: 81, targetPort: 8181}]",
    );
    let named = estate.replace("  address: 127.0.0.2", "  address: 127.0.0.2\n  ports: {web: 8088}");
    let resources = for_sidecar(&named, "shop/a");
    assert_eq!(addresses(&resources, B), ["127.0.0.2:8088"]);
    assert_eq!(addresses(&resources, "outbound|81||b.shop.svc.cluster.local"), ["127.0.0.2:8181"]);
    let resources = for_sidecar(&estate, "shop/a");
    assert!(addresses(&resources, B).is_empty(), "a name that the workload does not have leads nowhere");
}

#[test]
fn service_entries_list_or_select() {
    let entry = "---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: ext, namespace: shop}
spec:
  hosts: [ext.example.com]
  ports: [{number: 8080, name: http, protocol: HTTP}]
  resolution: STATIC
  endpoints:
  - {address: 192.0.2.1, ports: {http: 9090}}
  - {address: 192.0.2.2}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: sel, namespace: shop}
spec:
  hosts: [sel.example.com]
  location: MESH_INTERNAL
  ports: [{number: 8080, name: http, protocol: HTTP, targetPort: 7070}]
  resolution: STATIC
  workloadSelector: {labels: {app: b}}
";
    let resources = for_sidecar(&(pair() + entry), "shop/a");
    assert_eq!(addresses(&resources, "outbound|8080||ext.example.com"), ["192.0.2.1:9090", "192.0.2.2:8080"]);
    assert_eq!(addresses(&resources, "outbound|8080||sel.example.com"), ["127.0.0.2:7070"]);
    let names = names(&resources, type_url::VIRTUAL_HOST);
    assert!(names.contains(&"8080/ext.example.com:8080"));
}

#[test]
fn destinations_beyond_the_listed_hosts_are_reachable() {
    let estate = app("pay", "c", [127, 0, 0, 3].into(), "") + &pair();
    let vs = "---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: b, namespace: shop}
spec:
  hosts: [b]
  http: [{route: [{destination: {host: c.pay.svc.cluster.local}}]}]
";
    let resources = for_sidecar(&estate, "shop/a");
    assert!(!names(&resources, type_url::CLUSTER).contains(&"outbound|8080||c.pay.svc.cluster.local"));
    let resources = for_sidecar(&(estate + vs), "shop/a");
    assert!(names(&resources, type_url::CLUSTER).contains(&"outbound|8080||c.pay.svc.cluster.local"));
}

#[test]
fn a_consistent_hash_reaches_cluster_and_route() {
    let hash = rule("shop", "b", "  trafficPolicy: {loadBalancer: {consistentHash: {httpHeaderName: x-user}}}");
    let resources = for_sidecar(&(pair() + &hash), "shop/a");
    assert_eq!(cluster(&resources, B).lb_policy, LbPolicy::RingHash as i32);
    let host = crate::estate::virtual_host(&resources, "8080/b.shop.svc.cluster.local:8080");
    assert!(format!("{:?}", host.routes[0]).contains("x-user"));
}
