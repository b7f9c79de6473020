//! Cluster load assignments.

mod preference;

use std::collections::BTreeMap;

use envoy_types::pb::envoy::config::{
    core::v3::{Address, Locality},
    endpoint::v3::{ClusterLoadAssignment, Endpoint as ProtoEndpoint, LbEndpoint, LocalityLbEndpoints, lb_endpoint},
};
use weft_model::xds;

pub(super) use self::preference::Preference;
use super::proto;
use crate::resolve::endpoints::Endpoint;

/// The assignment of one cluster: localities by name, endpoints in the order given. A locality weighs what its endpoints
/// weigh together, so that shares are those of the endpoints.
pub(super) fn assignment(
    cluster: &str,
    cluster_id: &str,
    endpoints: &[Endpoint],
    preference: &Preference<'_>,
) -> ClusterLoadAssignment {
    let mut localities: BTreeMap<&str, Vec<&Endpoint>> = BTreeMap::new();
    for endpoint in endpoints {
        localities.entry(&endpoint.locality).or_default().push(endpoint);
    }
    let priorities = preference.priorities(localities.keys().copied());
    ClusterLoadAssignment {
        cluster_name: cluster.to_owned(),
        endpoints: localities
            .into_iter()
            .map(|(name, endpoints)| LocalityLbEndpoints {
                locality: Some(locality(name)),
                priority: priorities.get(name).copied().unwrap_or(0),
                load_balancing_weight: proto::uint32(
                    endpoints.iter().fold(0u32, |sum, e| sum.saturating_add(e.weight)),
                ),
                lb_endpoints: endpoints.into_iter().map(|e| lb_endpoint(e, cluster_id)).collect(),
                ..LocalityLbEndpoints::default()
            })
            .collect(),
        ..ClusterLoadAssignment::default()
    }
}

/// `region/zone/sub-zone`, as WorkloadEntry writes it.
fn locality(text: &str) -> Locality {
    let mut parts = text.splitn(3, '/').map(str::to_owned);
    let mut part = || parts.next().unwrap_or_default();
    Locality { region: part(), zone: part(), sub_zone: part() }
}

fn lb_endpoint(endpoint: &Endpoint, cluster_id: &str) -> LbEndpoint {
    let mut metadata = Vec::new();
    if endpoint.mutual_tls {
        metadata.push((
            "envoy.transport_socket_match",
            proto::structure([(xds::TLS_MODE_KEY, proto::text(xds::TLS_MODE_ISTIO))]),
        ));
    }
    if let Some(workload) = &endpoint.workload {
        let text = format!(
            "{};{};{};{};{cluster_id}",
            workload.name,
            workload.reference.namespace,
            workload.canonical_name(),
            workload.canonical_revision()
        );
        metadata.push((xds::ISTIO_METADATA, proto::structure([("workload", proto::text(text))])));
    }
    LbEndpoint {
        host_identifier: Some(lb_endpoint::HostIdentifier::Endpoint(ProtoEndpoint {
            address: Some(address(&endpoint.address, endpoint.port)),
            ..ProtoEndpoint::default()
        })),
        load_balancing_weight: proto::uint32(endpoint.weight),
        metadata: proto::metadata(metadata),
        ..LbEndpoint::default()
    }
}

/// An IP address or name with a port, or `unix:///path`.
pub(super) fn address(text: &str, port: u16) -> Address {
    match text.strip_prefix("unix://") {
        Some(path) => proto::pipe(path),
        None => proto::socket(text, port),
    }
}
