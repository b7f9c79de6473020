//! Names inside xDS resources that the control plane writes and the proxy reads. Cluster names are Istio's.

/// How the last line of a NACK begins whose list was too long: what is not named is not accepted.
pub const NACK_CUT: &str = "not named: ";
/// Name of the route that answers what may not leave the mesh.
pub const BLOCK_ALL_ROUTE: &str = "block_all";
/// Key of Weft's own entries in `filter_metadata`: a Struct whose fields are the `META_*` names below.
pub const WEFT_METADATA: &str = "weft.dev";
/// Key of Istio's entries in `filter_metadata` (clusters: `services`; endpoints: `workload`).
pub const ISTIO_METADATA: &str = "istio";
/// Route metadata: `namespace/name` of the VirtualService.
pub const META_VIRTUAL_SERVICE: &str = "virtual_service";
/// Route metadata: what [`route_id`] gives.
pub const META_ROUTE: &str = "route";
/// Cluster metadata: the subset's name, absent when there is none.
pub const META_SUBSET: &str = "subset";
/// `envoy.transport_socket_match` metadata key and value of endpoints that have a proxy, as Istio names them.
pub const TLS_MODE_KEY: &str = "tlsMode";
/// Value of [`TLS_MODE_KEY`].
pub const TLS_MODE_ISTIO: &str = "istio";
/// The label that says a WorkloadEntry or pod has a proxy that speaks mutual TLS, as Istio names it.
pub const TLS_MODE_LABEL: &str = "security.istio.io/tlsMode";
/// SDS name of the proxy's own certificate.
pub const SDS_WORKLOAD: &str = "default";
/// SDS name of the roots that peers are verified against.
pub const SDS_ROOTS: &str = "ROOTCA";
/// SDS name prefix of a gateway's `credentialName`.
pub const SDS_SECRET_PREFIX: &str = "kubernetes://";
/// Cluster that drops everything (unknown hosts with REGISTRY_ONLY).
pub const BLACK_HOLE_CLUSTER: &str = "BlackHoleCluster";
/// Cluster that goes to the original destination (unknown hosts with ALLOW_ANY).
pub const PASSTHROUGH_CLUSTER: &str = "PassthroughCluster";
/// Cluster that opaque inbound connections for the application use when no listener names their port.
pub const INBOUND_PASSTHROUGH_CLUSTER: &str = "InboundPassthroughCluster";
/// Type URL of workload table entries (Istio's workload API, `weft_wire::workload::Workload`).
pub const WORKLOAD_TYPE_URL: &str = "type.googleapis.com/istio.workload.Workload";

/// ALPN protocols that a client proxy offers to a server proxy for HTTP, by version.
pub const ALPN_ISTIO_H2: &str = "istio-h2";
/// HTTP/1.1 between proxies.
pub const ALPN_ISTIO_HTTP11: &str = "istio-http/1.1";
/// HTTP/1.0 between proxies.
pub const ALPN_ISTIO_HTTP10: &str = "istio-http/1.0";
/// Opaque TCP between proxies.
pub const ALPN_ISTIO: &str = "istio";

/// `outbound|8080|v1|order-service.default.svc.cluster.local`; an empty subset leaves its place empty.
pub fn outbound_cluster(port: u16, subset: &str, host: &str) -> String {
    format!("outbound|{port}|{subset}|{host}")
}

/// Subset (empty for none) and host of a cluster that [`outbound_cluster`] named; `None` of any other name.
pub fn outbound_destination(cluster: &str) -> Option<(&str, &str)> {
    let mut parts = cluster.strip_prefix("outbound|")?.splitn(3, '|');
    let (_port, subset, host) = (parts.next()?, parts.next()?, parts.next()?);
    (!host.is_empty()).then_some((subset, host))
}

/// `8080/api.shop.svc.cluster.local:8080`: a virtual host of a route configuration, which is its name in RDS and the name of
/// the resource in VHDS.
pub fn virtual_host(route_config: &str, host: &str, port: u16) -> String {
    format!("{route_config}/{host}:{port}")
}

/// Host of what [`virtual_host`] named; `None` of any other name, and of a wildcard.
pub fn virtual_host_destination(name: &str) -> Option<&str> {
    let (host, port) = name.rsplit_once('/')?.1.rsplit_once(':')?;
    (port.parse::<u16>().is_ok() && !host.is_empty() && !host.contains('*')).then_some(host)
}

/// `inbound|8080||`: the application behind this proxy, on its own port.
pub fn inbound_cluster(port: u16) -> String {
    format!("inbound|{port}||")
}

/// How a route of a VirtualService is named in metrics: its `name` if it has one, else `http[N]`.
pub fn route_id(index: usize, name: Option<&str>) -> String {
    match name {
        Some(name) if !name.is_empty() => name.to_owned(),
        _ => format!("http[{index}]"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clusters_name_tells_where_it_goes() {
        let name = outbound_cluster(8080, "v1", "api.shop.svc.cluster.local");
        assert_eq!(outbound_destination(&name), Some(("v1", "api.shop.svc.cluster.local")));
        assert_eq!(outbound_destination("outbound|80||api"), Some(("", "api")));
        for other in ["inbound|8080||", "BlackHoleCluster", "outbound|80|v1", "outbound|80|v1|"] {
            assert_eq!(outbound_destination(other), None, "{other}");
        }
    }

    #[test]
    fn a_virtual_hosts_name_tells_whose_it_is() {
        let host = "api.shop.svc.cluster.local";
        for config in ["8080", "api.shop.svc.cluster.local:8080"] {
            assert_eq!(virtual_host_destination(&virtual_host(config, host, 8080)), Some(host));
        }
        for other in ["8080/*:8080", "8080/*.shop:80", "block_all", "inbound|http|80", "a/b", "a/b:c"] {
            assert_eq!(virtual_host_destination(other), None, "{other}");
        }
    }
}
