//! Clusters: one for each port of each service, one more for each of its subsets, one for each inbound port.

mod discovery;
mod load_balancing;
mod policy;
mod transport;

use std::net::IpAddr;

use envoy_types::pb::envoy::config::{
    cluster::v3::{
        Cluster,
        cluster::{ClusterDiscoveryType, DiscoveryType, EdsClusterConfig, LbPolicy},
    },
    core::v3::{BindConfig, ExtraSourceAddress, Metadata, SocketAddress, socket_address::PortSpecifier},
    endpoint::v3::{
        ClusterLoadAssignment, Endpoint as ProtoEndpoint, LbEndpoint, LocalityLbEndpoints, lb_endpoint::HostIdentifier,
    },
};
use weft_api::networking::{Protocol, service_entry::Location};
use weft_model::xds;

use self::discovery::Discovery;
use super::{
    endpoints::{self, Preference},
    proto,
};
use crate::{
    resolve::{
        destination_rule::{self, Policy},
        endpoints::{Endpoint, of_port},
        scope::Scope,
    },
    resource::{Resource, type_url},
    snapshot::{Service, ServicePort},
};

/// Adds the clusters and endpoints of a service.
pub(super) fn outbound(scope: &Scope<'_>, service: &Service, out: &mut Vec<Resource>) {
    // Another name for something else has nothing of its own where names cannot be looked up.
    if service.external_name.is_some() && !scope.client.envoy {
        return;
    }
    let rules = destination_rule::rules(scope.view, scope.client, &service.host, Some(service));
    for port in service.ports.iter().filter(|p| p.protocol != Some(Protocol::Udp)) {
        let everyone = of_port(scope.view, service, port, None);
        let target = Target { scope, service, port, subset: "", policy: rules.policy(port.number, None) };
        target.add(&everyone, &everyone, out);
        for (name, subset) in rules.subsets() {
            let part: Vec<Endpoint> = everyone.iter().filter(|e| e.labels.carry(&subset.labels)).cloned().collect();
            let target = Target { scope, service, port, subset: name, policy: rules.policy(port.number, Some(subset)) };
            target.add(&part, &everyone, out);
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
    fn add(&self, part: &[Endpoint], everyone: &[Endpoint], out: &mut Vec<Resource>) {
        let name = self.name();
        let mesh = self.scope.view.mesh();
        let mut cluster = Cluster {
            name: name.clone(),
            metadata: self.metadata(),
            connect_timeout: Some(proto::duration(mesh.connect_timeout)),
            ..Cluster::default()
        };
        let assignment = |part: &[Endpoint]| {
            endpoints::assignment(&name, &self.scope.view.settings().cluster, part, &self.localities())
        };
        match discovery::of(self.scope.client, self.service) {
            Discovery::Endpoints => {
                cluster.cluster_discovery_type = kind(DiscoveryType::Eds);
                cluster.eds_cluster_config =
                    Some(EdsClusterConfig { eds_config: proto::ads(), service_name: name.clone() });
                // Names are for whoever can look them up.
                let dialled: Vec<Endpoint> = part.iter().filter(|e| !discovery::is_name(&e.address)).cloned().collect();
                out.push(Resource::new(name.clone(), type_url::ENDPOINT, &assignment(&dialled), Default::default()));
            }
            Discovery::Names => {
                cluster.cluster_discovery_type = kind(DiscoveryType::StrictDns);
                cluster.load_assignment = Some(assignment(part));
            }
            Discovery::OneName => {
                cluster.cluster_discovery_type = kind(DiscoveryType::LogicalDns);
                cluster.load_assignment = Some(assignment(part));
            }
            Discovery::Dialled => cluster.cluster_discovery_type = kind(DiscoveryType::OriginalDst),
            // There is no original destination without capture: such a host cannot be reached.
            Discovery::Nothing => {
                cluster.cluster_discovery_type = kind(DiscoveryType::Static);
                cluster.load_assignment =
                    Some(ClusterLoadAssignment { cluster_name: name.clone(), ..ClusterLoadAssignment::default() });
            }
        }
        if cluster.cluster_discovery_type == kind(DiscoveryType::OriginalDst) {
            cluster.lb_policy = LbPolicy::ClusterProvided as i32;
        } else {
            load_balancing::apply(self.policy.load_balancer, self.service.client_affinity, &mut cluster);
        }
        policy::apply(&self.policy, self.port.protocol, mesh, &mut cluster);
        transport::apply(self, everyone, &mut cluster);
        cluster.upstream_bind_config = self.source_address();
        out.push(Resource::new(name, type_url::CLUSTER, &cluster, Default::default()));
    }

    /// By which localities endpoints are preferred: only where bad ones are found out, as in Istio.
    fn localities(&self) -> Preference<'_> {
        let setting = self.policy.load_balancer.and_then(|lb| lb.locality_lb_setting.as_ref());
        let setting = setting.or(self.scope.view.mesh().config.locality_lb_setting.as_ref());
        // Where localities do not count nobody is asked for his.
        let on = self.policy.outlier_detection.is_some();
        Preference::new(if on { self.scope.client.locality() } else { "" }, setting, on)
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
        let here = self.scope.client.source?;
        (self.service.location == Location::MeshInternal).then(|| bind(here))
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

/// Where the application listens.
pub(super) enum Application<'a> {
    /// At this address.
    At(&'a str, u16),
    /// Where the captured connection was going.
    Dialled,
}

/// The application behind this proxy, on one of its ports; without a port, on any that nobody declares.
pub(super) fn inbound(
    scope: &Scope<'_>,
    port: Option<u16>,
    protocol: Option<Protocol>,
    application: &Application<'_>,
    services: &[&Service],
) -> Resource {
    let name = port.map_or_else(|| xds::INBOUND_PASSTHROUGH_CLUSTER.to_owned(), xds::inbound_cluster);
    let mut cluster = Cluster {
        name: name.clone(),
        connect_timeout: Some(proto::duration(scope.view.mesh().connect_timeout)),
        circuit_breakers: Some(policy::unlimited()),
        metadata: (!services.is_empty())
            .then(|| proto::metadata(vec![services_metadata(services.iter().copied())]))
            .flatten(),
        ..Cluster::default()
    };
    match *application {
        Application::At(endpoint, port) => at(&mut cluster, endpoint, port),
        Application::Dialled => {
            dialled(&mut cluster);
            cluster.upstream_bind_config = Some(inward(scope.client.families));
        }
    }
    policy::inbound_protocol(protocol, &mut cluster);
    Resource::new(name, type_url::CLUSTER, &cluster, Default::default())
}

fn at(cluster: &mut Cluster, endpoint: &str, port: u16) {
    cluster.cluster_discovery_type = kind(DiscoveryType::Static);
    cluster.lb_policy = LbPolicy::RoundRobin as i32;
    let endpoint = LbEndpoint {
        host_identifier: Some(HostIdentifier::Endpoint(ProtoEndpoint {
            address: Some(endpoints::address(endpoint, port)),
            ..ProtoEndpoint::default()
        })),
        ..LbEndpoint::default()
    };
    cluster.load_assignment = Some(ClusterLoadAssignment {
        cluster_name: cluster.name.clone(),
        endpoints: vec![LocalityLbEndpoints { lb_endpoints: vec![endpoint], ..LocalityLbEndpoints::default() }],
        ..ClusterLoadAssignment::default()
    });
}

fn dialled(cluster: &mut Cluster) {
    cluster.cluster_discovery_type = kind(DiscoveryType::OriginalDst);
    cluster.lb_policy = LbPolicy::ClusterProvided as i32;
}

/// What is dialled from these addresses is not captured again.
fn inward((four, six): (bool, bool)) -> BindConfig {
    let (v4, v6) = (IpAddr::from([127, 0, 0, 6]), IpAddr::from([0, 0, 0, 0, 0, 0, 0, 6]));
    let mut config = bind(if four { v4 } else { v6 });
    if four && six {
        config.extra_source_addresses =
            vec![ExtraSourceAddress { address: bind(v6).source_address, ..ExtraSourceAddress::default() }];
    }
    config
}

/// Where captured connections to nobody in particular go: on to where they were going.
pub(super) fn passthrough(scope: &Scope<'_>) -> Resource {
    let mut cluster = Cluster {
        name: xds::PASSTHROUGH_CLUSTER.into(),
        connect_timeout: Some(proto::duration(scope.view.mesh().connect_timeout)),
        circuit_breakers: Some(policy::unlimited()),
        ..Cluster::default()
    };
    dialled(&mut cluster);
    policy::inbound_protocol(None, &mut cluster);
    Resource::new(xds::PASSTHROUGH_CLUSTER, type_url::CLUSTER, &cluster, Default::default())
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
