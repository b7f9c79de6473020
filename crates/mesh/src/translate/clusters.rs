//! Clusters: one for each port of each service, one more for each of its subsets, one for each inbound port.

mod load_balancing;
mod policy;
mod transport;

use std::{collections::BTreeMap, net::IpAddr, sync::Arc};

use envoy_types::pb::envoy::config::{
    cluster::v3::{
        Cluster,
        cluster::{ClusterDiscoveryType, DiscoveryType, EdsClusterConfig, LbPolicy},
    },
    core::v3::{BindConfig, Metadata, SocketAddress, socket_address::PortSpecifier},
    endpoint::v3::{
        ClusterLoadAssignment, Endpoint as ProtoEndpoint, LbEndpoint, LocalityLbEndpoints, lb_endpoint::HostIdentifier,
    },
};
use weft_api::networking::{
    Protocol,
    service_entry::{Location, Resolution},
};
use weft_model::{Hostname, xds};

use super::{endpoints, proto};
use crate::{
    Resources,
    resolve::{
        destination_rule::{self, Policy},
        endpoints::{Endpoint, of_port},
        scope::Scope,
    },
    resource::{Resource, type_url},
    snapshot::{Service, ServicePort},
};

/// Adds clusters and endpoints of every service.
pub(super) fn outbound(scope: &Scope<'_>, services: &BTreeMap<Hostname, Arc<Service>>, out: &mut Resources) {
    for service in services.values() {
        let rules = destination_rule::rules(scope.snapshot, scope.proxy, &service.host, Some(service));
        for port in service.ports.iter().filter(|p| p.protocol != Some(Protocol::Udp)) {
            let everyone = of_port(scope.snapshot, service, port, None);
            let target = Target { scope, service, port, subset: "", policy: rules.policy(port.number, None) };
            target.add(&everyone, &everyone, out);
            for (name, subset) in rules.subsets() {
                let part: Vec<Endpoint> = everyone
                    .iter()
                    .filter(|e| crate::resolve::labels_match(&subset.labels, &e.labels))
                    .cloned()
                    .collect();
                let target =
                    Target { scope, service, port, subset: name, policy: rules.policy(port.number, Some(subset)) };
                target.add(&part, &everyone, out);
            }
        }
    }
}

/// One cluster to make.
struct Target<'a> {
    scope: &'a Scope<'a>,
    service: &'a Service,
    port: &'a ServicePort,
    subset: &'a str,
    policy: Policy<'a>,
}

impl Target<'_> {
    fn name(&self) -> String {
        xds::outbound_cluster(self.port.number, self.subset, self.service.host.as_str())
    }

    /// `everyone` are the endpoints of all subsets: whoever serves the host may answer for any of it.
    fn add(&self, part: &[Endpoint], everyone: &[Endpoint], out: &mut Resources) {
        let name = self.name();
        let mesh = self.scope.snapshot.mesh();
        let mut cluster = Cluster {
            name: name.clone(),
            metadata: self.metadata(),
            connect_timeout: Some(proto::duration(mesh.connect_timeout)),
            ..Cluster::default()
        };
        let assignment = || endpoints::assignment(&name, &self.scope.snapshot.settings().cluster, part);
        match self.service.resolution {
            Resolution::Static => {
                cluster.cluster_discovery_type = kind(DiscoveryType::Eds);
                cluster.eds_cluster_config =
                    Some(EdsClusterConfig { eds_config: proto::ads(), service_name: name.clone() });
                out.insert(Resource::new(name.clone(), type_url::ENDPOINT, &assignment(), Default::default()));
            }
            Resolution::Dns => {
                cluster.cluster_discovery_type = kind(DiscoveryType::StrictDns);
                cluster.load_assignment = Some(assignment());
            }
            Resolution::DnsRoundRobin => {
                cluster.cluster_discovery_type = kind(DiscoveryType::LogicalDns);
                cluster.load_assignment = Some(assignment());
            }
            // There is no original destination without capture: such a host cannot be reached.
            Resolution::None | Resolution::DynamicDns => {
                cluster.cluster_discovery_type = kind(DiscoveryType::Static);
                cluster.load_assignment =
                    Some(ClusterLoadAssignment { cluster_name: name.clone(), ..ClusterLoadAssignment::default() });
            }
        }
        load_balancing::apply(self.policy.load_balancer, &mut cluster);
        policy::apply(&self.policy, self.port.protocol, mesh, &mut cluster);
        transport::apply(self, everyone, &mut cluster);
        cluster.upstream_bind_config = self.source_address();
        out.insert(Resource::new(name, type_url::CLUSTER, &cluster, Default::default()));
    }

    fn metadata(&self) -> Option<Metadata> {
        let mut entries = vec![services_metadata([self.service])];
        if !self.subset.is_empty() {
            entries.push((xds::WEFT_METADATA, proto::structure([(xds::META_SUBSET, proto::text(self.subset))])));
        }
        proto::metadata(entries)
    }

    /// An instance that owns a loopback address dials its peers from it, so that the address tells who calls. Hosts outside
    /// the mesh are not reached from a loopback address.
    fn source_address(&self) -> Option<BindConfig> {
        let here = self.scope.proxy.address;
        (here.is_loopback() && self.service.location == Location::MeshInternal).then(|| bind(here))
    }
}

/// The `istio` metadata that names the services of a cluster.
pub(super) fn services_metadata<'s>(
    services: impl IntoIterator<Item = &'s Service>,
) -> (&'static str, envoy_types::pb::google::protobuf::Struct) {
    let list = services
        .into_iter()
        .map(|service| {
            proto::object(proto::structure([
                ("host", proto::text(service.host.as_str())),
                ("name", proto::text(&service.name)),
                ("namespace", proto::text(&service.namespace)),
            ]))
        })
        .collect();
    (xds::ISTIO_METADATA, proto::structure([("services", proto::list(list))]))
}

/// The application behind this proxy, on one of its ports.
pub(super) fn inbound(
    scope: &Scope<'_>,
    port: u16,
    protocol: Option<Protocol>,
    endpoint: &str,
    endpoint_port: u16,
    services: &[&Service],
) -> Resource {
    let name = xds::inbound_cluster(port);
    let mut cluster = Cluster {
        name: name.clone(),
        cluster_discovery_type: kind(DiscoveryType::Static),
        lb_policy: LbPolicy::RoundRobin as i32,
        connect_timeout: Some(proto::duration(scope.snapshot.mesh().connect_timeout)),
        load_assignment: Some(ClusterLoadAssignment {
            cluster_name: name.clone(),
            endpoints: vec![LocalityLbEndpoints {
                lb_endpoints: vec![LbEndpoint {
                    host_identifier: Some(HostIdentifier::Endpoint(ProtoEndpoint {
                        address: Some(endpoints::address(endpoint, endpoint_port)),
                        ..ProtoEndpoint::default()
                    })),
                    ..LbEndpoint::default()
                }],
                ..LocalityLbEndpoints::default()
            }],
            ..ClusterLoadAssignment::default()
        }),
        circuit_breakers: Some(policy::unlimited()),
        metadata: (!services.is_empty())
            .then(|| proto::metadata(vec![services_metadata(services.iter().copied())]))
            .flatten(),
        ..Cluster::default()
    };
    policy::inbound_protocol(protocol, &mut cluster);
    Resource::new(name, type_url::CLUSTER, &cluster, Default::default())
}

/// The cluster that nothing comes out of.
pub(super) fn black_hole() -> Resource {
    let cluster = Cluster {
        name: xds::BLACK_HOLE_CLUSTER.into(),
        cluster_discovery_type: kind(DiscoveryType::Static),
        connect_timeout: Some(proto::duration(std::time::Duration::from_secs(10))),
        ..Cluster::default()
    };
    Resource::new(xds::BLACK_HOLE_CLUSTER, type_url::CLUSTER, &cluster, Default::default())
}

fn kind(discovery: DiscoveryType) -> Option<ClusterDiscoveryType> {
    Some(ClusterDiscoveryType::Type(discovery as i32))
}

fn bind(address: IpAddr) -> BindConfig {
    BindConfig {
        source_address: Some(SocketAddress {
            address: address.to_string(),
            port_specifier: Some(PortSpecifier::PortValue(0)),
            ..SocketAddress::default()
        }),
        ..BindConfig::default()
    }
}
