//! Cluster load assignments.

use std::sync::Arc;

use envoy_types::pb::envoy::config::{
    core::v3::{HealthStatus, Locality as LocalityMessage, Metadata},
    endpoint::v3::{ClusterLoadAssignment, LbEndpoint, lb_endpoint::HostIdentifier},
};
use weft_model::xds;

use super::{
    At, Result, fail,
    proto::{address, choice, metadata_text, uint32},
    same_name, unsupported,
};
use crate::config::{Endpoint, EndpointWorkload, Endpoints, Health, Locality};

/// Metadata namespace of transport socket matches.
const SOCKET_MATCH: &str = "envoy.transport_socket_match";

pub(super) fn read(name: &Arc<str>, message: ClusterLoadAssignment) -> Result<Endpoints> {
    same_name(name, &message.cluster_name, "cluster_name")?;
    read_assignment(name.clone(), &message)
}

/// Also for the assignment inside a STATIC cluster, whose name does not matter.
pub(super) fn read_assignment(cluster: Arc<str>, message: &ClusterLoadAssignment) -> Result<Endpoints> {
    unsupported(!message.named_endpoints.is_empty(), "named_endpoints")?;
    let mut overprovisioning = 140;
    if let Some(policy) = &message.policy {
        unsupported(!policy.drop_overloads.is_empty(), "policy.drop_overloads")?;
        unsupported(policy.weighted_priority_health, "policy.weighted_priority_health")?;
        overprovisioning = uint32(&policy.overprovisioning_factor).unwrap_or(overprovisioning).clamp(100, 10_000);
    }
    let mut endpoints = Vec::new();
    for (at, group) in message.endpoints.iter().enumerate() {
        let place = unsupported(group.lb_config.is_some(), "lb_config");
        place.at_index("endpoints", at)?;
        let group_fields = Group {
            locality: Arc::new(locality(group.locality.as_ref())),
            // Localities without a weight get nothing when localities are weighted.
            weight: Some(uint32(&group.load_balancing_weight).unwrap_or(0)),
            priority: group.priority,
        };
        for (i, message) in group.lb_endpoints.iter().enumerate() {
            let read = endpoint(&group_fields, message).at_index("lb_endpoints", i);
            endpoints.push(read.at_index("endpoints", at)?);
        }
    }
    Ok(Endpoints { cluster, endpoints, overprovisioning })
}

struct Group {
    locality: Arc<Locality>,
    weight: Option<u32>,
    priority: u32,
}

fn endpoint(group: &Group, message: &LbEndpoint) -> Result<Endpoint> {
    let endpoint = match &message.host_identifier {
        Some(HostIdentifier::Endpoint(endpoint)) => endpoint,
        Some(HostIdentifier::EndpointName(_)) => return Err(fail("is not supported")).at("endpoint_name"),
        None => return Err(fail("is needed")).at("endpoint"),
    };
    let health = match choice("health_status", message.health_status)? {
        HealthStatus::Unknown | HealthStatus::Healthy => Health::Healthy,
        HealthStatus::Degraded => Health::Degraded,
        HealthStatus::Draining => Health::Draining,
        HealthStatus::Unhealthy | HealthStatus::Timeout => Health::Unhealthy,
    };
    Ok(Endpoint {
        address: address(&endpoint.address).at("endpoint.address")?,
        hostname: endpoint.hostname.as_str().into(),
        weight: uint32(&message.load_balancing_weight).unwrap_or(1).max(1),
        health,
        locality: group.locality.clone(),
        locality_weight: group.weight,
        priority: group.priority,
        tls_mode: metadata_text(&message.metadata, SOCKET_MATCH, xds::TLS_MODE_KEY).map(Arc::from),
        workload: workload(&message.metadata),
    })
}

fn locality(message: Option<&LocalityMessage>) -> Locality {
    let Some(l) = message else { return Locality::default() };
    Locality { region: l.region.clone(), zone: l.zone.clone(), sub_zone: l.sub_zone.clone() }
}

/// `name;namespace;canonical name;canonical revision;cluster`, Istio's order.
fn workload(metadata: &Option<Metadata>) -> Option<Arc<EndpointWorkload>> {
    let text = metadata_text(metadata, xds::ISTIO_METADATA, "workload")?;
    let mut parts = text.split(';');
    let mut next = || Arc::from(parts.next().unwrap_or_default());
    Some(Arc::new(EndpointWorkload {
        name: next(),
        namespace: next(),
        canonical_service: next(),
        canonical_revision: next(),
        cluster: next(),
    }))
}
