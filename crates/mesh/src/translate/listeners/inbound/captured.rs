//! The listener that the kernel redirects inbound connections to: chains for each port that a service has, and chains for
//! all other ports, under the same rules of mutual TLS and authorization.

use std::collections::BTreeMap;

use envoy_types::pb::envoy::config::core::v3::TrafficDirection;
use weft_api::networking::Protocol;
use weft_model::{ports, xds};

use super::{Application, Bound, Chain, Order, Port, clusters, endpoints, mutual_tls};
use crate::{Proxy, resolve::scope::Scope, resource::Resource, snapshot::Service, translate::tcp::tcp_proxy};

pub(super) fn add(scope: &Scope<'_>, proxy: &Proxy, out: &mut Vec<Resource>) {
    let ingress = scope.sidecar.iter().flat_map(|s| &s.spec.ingress);
    let mut served: Vec<Port<'_>> = ingress.filter_map(|i| Port::of_ingress(scope, proxy, i, out)).collect();
    if served.is_empty() {
        served = of_services(scope, proxy, out);
    }
    // A port that only a PeerAuthentication names is carried on like any other, in its own mode.
    for port in mutual_tls::ports(scope.view, proxy.namespace(), &proxy.labels) {
        if served.iter().all(|s| s.number != Some(port)) {
            served.push(Port { number: Some(port), ..elsewhere(scope, proxy, Some(port)) });
        }
    }
    out.push(clusters::inbound(scope, None, None, &Application::Dialled, &[]));
    for (name, address) in families(scope) {
        let mut chains = vec![Chain {
            name: "virtualInbound-blackhole".into(),
            port: Some(ports::PROXY_INBOUND),
            filters: vec![tcp_proxy(xds::BLACK_HOLE_CLUSTER, &[(xds::BLACK_HOLE_CLUSTER.to_owned(), 1)], None)],
            ..Chain::default()
        }];
        for port in &served {
            chains.extend(port.chains().into_iter().map(|chain| Chain { port: port.number, ..chain }));
        }
        chains.extend(elsewhere(scope, proxy, None).chains());
        let bound = Bound {
            name: Some(name.to_owned()),
            address: address.to_owned(),
            port: ports::PROXY_INBOUND,
            direction: TrafficDirection::Inbound,
            chains,
            default: None,
            order: Order::Redirected,
            peek: scope.view.mesh().detection_timeout,
        };
        bound.add(out);
    }
}

/// The ports that services lead to at this workload, with their clusters. What several services say of one is what the
/// first that declares a protocol says.
fn of_services<'a>(scope: &'a Scope<'a>, proxy: &'a Proxy, out: &mut Vec<Resource>) -> Vec<Port<'a>> {
    let Some(workload) = scope.view.workload(&proxy.workload) else { return Vec::new() };
    let mut by_port: BTreeMap<u16, (Option<Protocol>, Vec<&Service>)> = BTreeMap::new();
    let here = scope.view.services_in(proxy.namespace()).iter().filter(|s| s.selects(&workload.labels));
    for service in here {
        for port in service.ports.iter().filter(|p| p.protocol != Some(Protocol::Udp)) {
            if let Some(number) = endpoints::target(workload, port) {
                let (protocol, services) = by_port.entry(number).or_default();
                *protocol = protocol.or(port.protocol);
                if services.last().is_none_or(|last| last.host != service.host) {
                    services.push(service);
                }
            }
        }
    }
    let ports = by_port.into_iter().map(|(number, (protocol, services))| {
        out.push(clusters::inbound(scope, Some(number), protocol, &Application::Dialled, &services));
        Port {
            scope,
            proxy,
            number: Some(number),
            cluster: xds::inbound_cluster(number),
            mode: mutual_tls::mode(scope.view, proxy.namespace(), &proxy.labels, number),
            protocol,
            services,
            tls: None,
        }
    });
    ports.collect()
}

/// A port that no service has; every such port without one.
fn elsewhere<'a>(scope: &'a Scope<'a>, proxy: &'a Proxy, port: Option<u16>) -> Port<'a> {
    // No port has the number 0, so this is what holds for the workload as a whole.
    let mode = mutual_tls::mode(scope.view, proxy.namespace(), &proxy.labels, port.unwrap_or(0));
    let cluster = xds::INBOUND_PASSTHROUGH_CLUSTER.to_owned();
    Port { scope, proxy, number: None, cluster, mode, protocol: None, services: Vec::new(), tls: None }
}

fn families(scope: &Scope<'_>) -> impl Iterator<Item = (&'static str, &'static str)> {
    let (four, six) = scope.client.families;
    let both = [(four, "virtualInbound", "0.0.0.0"), (six, "virtualInbound6", "::")];
    both.into_iter().filter(|(there, ..)| *there).map(|(_, name, address)| (name, address))
}
