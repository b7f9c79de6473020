//! YAML into snapshots, and questions about what came of them.

use std::{net::IpAddr, sync::Arc};

use envoy_types::pb::envoy::config::{
    cluster::v3::Cluster,
    endpoint::v3::{ClusterLoadAssignment, lb_endpoint::HostIdentifier},
    listener::v3::Listener,
    route::v3::{Route, RouteConfiguration, VirtualHost, route::Action, route_action::ClusterSpecifier},
};
use prost::Message;
use weft_api::Change;
use weft_mesh::{Engine, Proxy, ProxyKind, Resources, Settings, Snapshot, Store, translate, type_url};
use weft_model::WorkloadRef;
use weft_source::yaml;

/// The changes that put every object of some YAML documents; those without a namespace are in `default`.
pub fn changes(text: &str) -> Vec<Change> {
    let mut changes = Vec::new();
    for chunk in yaml::split(text) {
        let node = yaml::parse(&text[chunk.range]).expect("YAML").expect("a document");
        let parsed = weft_api::parse(&node.to_value(), "default").expect("an object");
        assert!(parsed.unknown_fields.is_empty(), "{:?}", parsed.unknown_fields);
        changes.push(Change::Put(Arc::new(parsed.object)));
    }
    changes
}

/// A store with these documents.
pub fn store(text: &str) -> Store {
    let mut store = Store::new(Settings::default());
    store.apply(changes(text));
    store
}

/// A snapshot of these documents.
pub fn snapshot(text: &str) -> Arc<Snapshot> {
    store(text).snapshot()
}

/// The sidecar of `namespace/name`.
pub fn sidecar(snapshot: &Snapshot, workload: &str) -> Proxy {
    proxy(snapshot, workload, ProxyKind::Sidecar, Engine::Weft)
}

/// A proxy of `namespace/name`.
pub fn proxy(snapshot: &Snapshot, workload: &str, kind: ProxyKind, engine: Engine) -> Proxy {
    let (namespace, name) = workload.split_once('/').expect("namespace/name");
    Proxy::for_workload(snapshot, &WorkloadRef::new(namespace, name), kind, engine).expect("a workload")
}

/// What the sidecar of `namespace/name` gets.
pub fn for_sidecar(text: &str, workload: &str) -> Resources {
    let snapshot = snapshot(text);
    translate(&snapshot, &sidecar(&snapshot, workload))
}

/// What the gateway proxy of `namespace/name` gets.
pub fn for_gateway(text: &str, workload: &str) -> Resources {
    let snapshot = snapshot(text);
    translate(&snapshot, &proxy(&snapshot, workload, ProxyKind::Gateway, Engine::Weft))
}

fn decode<M: Message + Default>(resources: &Resources, type_url: &str, name: &str) -> M {
    let names: Vec<&str> = resources.of(type_url).names().collect();
    let resource = resources.get(type_url, name).unwrap_or_else(|| panic!("no {name} among {names:?}"));
    M::decode(resource.value.as_slice()).expect("a message")
}

/// A virtual host by resource name.
pub fn virtual_host(resources: &Resources, name: &str) -> VirtualHost {
    decode(resources, type_url::VIRTUAL_HOST, name)
}

/// A route configuration.
pub fn route_config(resources: &Resources, name: &str) -> RouteConfiguration {
    decode(resources, type_url::ROUTE, name)
}

/// A cluster.
pub fn cluster(resources: &Resources, name: &str) -> Cluster {
    decode(resources, type_url::CLUSTER, name)
}

/// A listener.
pub fn listener(resources: &Resources, name: &str) -> Listener {
    decode(resources, type_url::LISTENER, name)
}

/// Names of one type's resources.
pub fn names<'a>(resources: &'a Resources, type_url: &str) -> Vec<&'a str> {
    resources.of(type_url).names().collect()
}

/// `address:port` of each endpoint of a cluster.
pub fn addresses(resources: &Resources, cluster: &str) -> Vec<String> {
    use envoy_types::pb::envoy::config::core::v3::{address::Address, socket_address::PortSpecifier};
    let assignment: ClusterLoadAssignment = decode(resources, type_url::ENDPOINT, cluster);
    let endpoints = assignment.endpoints.into_iter().flat_map(|locality| locality.lb_endpoints);
    endpoints
        .map(|endpoint| {
            let Some(HostIdentifier::Endpoint(endpoint)) = endpoint.host_identifier else { panic!("no endpoint") };
            match endpoint.address.and_then(|a| a.address) {
                Some(Address::SocketAddress(socket)) => match socket.port_specifier {
                    Some(PortSpecifier::PortValue(port)) => format!("{}:{port}", socket.address),
                    _ => panic!("no port"),
                },
                Some(Address::Pipe(pipe)) => pipe.path,
                _ => panic!("no address"),
            }
        })
        .collect()
}

/// `cluster=weight` of each destination of a route.
pub fn destinations(route: &Route) -> Vec<String> {
    let Some(Action::Route(action)) = &route.action else { panic!("not forwarded: {route:?}") };
    match &action.cluster_specifier {
        Some(ClusterSpecifier::Cluster(name)) => vec![name.clone()],
        Some(ClusterSpecifier::WeightedClusters(weighted)) => weighted
            .clusters
            .iter()
            .map(|c| format!("{}={}", c.name, c.weight.as_ref().map_or(0, |w| w.value)))
            .collect(),
        other => panic!("{other:?}"),
    }
}

/// A Service of `namespace` with one HTTP port 8080 and one workload `name` at `address` whose proxy speaks mutual TLS.
pub fn app(namespace: &str, name: &str, address: IpAddr, labels: &str) -> String {
    format!(
        "---
apiVersion: v1
kind: Service
metadata: {{name: {name}, namespace: {namespace}}}
spec:
  selector: {{app: {name}}}
  ports: [{{name: http, port: 8080}}]
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {{name: {name}, namespace: {namespace}}}
spec:
  address: {address}
  serviceAccount: {name}
  labels: {{app: {name}, security.istio.io/tlsMode: istio{labels}}}
"
    )
}

/// A Sidecar for every workload of `namespace` that dials 127.0.9.1:8080 and takes calls on 8080.
pub fn dialler(namespace: &str, hosts: &str) -> String {
    format!(
        "---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {{name: default, namespace: {namespace}}}
spec:
  ingress:
  - port: {{number: 8080, protocol: HTTP, name: http}}
    defaultEndpoint: 0.0.0.0:9080
    captureMode: NONE
  egress:
  - port: {{number: 8080, protocol: HTTP, name: http}}
    bind: 127.0.9.1
    captureMode: NONE
    hosts: {hosts}
"
    )
}

/// Two services `a` and `b` in `shop` that see each other.
pub fn pair() -> String {
    app("shop", "a", [127, 0, 0, 1].into(), "")
        + &app("shop", "b", [127, 0, 0, 2].into(), "")
        + &dialler("shop", "['./*']")
}
