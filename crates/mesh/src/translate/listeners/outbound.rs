//! Outbound listeners: the application calling out.

mod any_address;
mod dialled;
mod own;

use std::time::Duration;

use envoy_types::pb::envoy::config::{core::v3::TrafficDirection, listener::v3::Filter};
use weft_api::networking::sidecar::OutboundMode;
use weft_model::{Hostname, ports, xds};

use super::{Bound, Chain, Order, TLS, l4};
use crate::{
    resolve::{
        destination_rule,
        scope::{Egress, Scope},
        virtual_service::Caller,
    },
    resource::Resource,
    translate::{
        hcm::{Routes, Side, connection_manager},
        plan::plain_cluster,
        tcp::tcp_proxy,
    },
};

pub(in crate::translate) use any_address::AnyAddress;
pub(in crate::translate) use dialled::Dialled;
pub(in crate::translate) use own::{Own, Reach};

/// Where captured connections of no listener go.
pub(super) fn nobodys_cluster(scope: &Scope<'_>) -> &'static str {
    match scope.outbound_mode() {
        OutboundMode::AllowAny => xds::PASSTHROUGH_CLUSTER,
        OutboundMode::RegistryOnly => xds::BLACK_HOLE_CLUSTER,
    }
}

/// The listeners that the kernel redirects to: they find the listener that is meant by the address that was dialled.
pub(in crate::translate) fn ground(scope: &Scope<'_>, out: &mut Vec<Resource>) {
    let (four, six) = scope.client.families;
    let families = [(four, "virtualOutbound", "0.0.0.0"), (six, "virtualOutbound6", "::")];
    for (_, name, address) in families.into_iter().filter(|(there, ..)| *there) {
        let cluster = nobodys_cluster(scope);
        let chain = |name: &str, cluster: &str| Chain {
            name: name.to_owned(),
            filters: vec![tcp_proxy(cluster, &[(cluster.to_owned(), 1)], None)],
            ..Chain::default()
        };
        // Who dials this port itself would go round in circles.
        let own =
            Chain { port: Some(ports::PROXY_OUTBOUND), ..chain("virtualOutbound-blackhole", xds::BLACK_HOLE_CLUSTER) };
        let bound = Bound {
            name: Some(name.to_owned()),
            address: address.to_owned(),
            port: ports::PROXY_OUTBOUND,
            direction: TrafficDirection::Outbound,
            chains: vec![own],
            default: Some(chain("virtualOutbound-catchall-tcp", cluster)),
            order: Order::Redirected,
            peek: None,
        };
        bound.add(out);
    }
}

/// What the listeners of one port have in common.
struct Outlet<'a> {
    scope: &'a Scope<'a>,
    egress: &'a Egress,
    /// The listener's name, which its statistics begin with.
    name: &'a str,
    port: u16,
}

impl Outlet<'_> {
    fn stat_prefix(&self) -> String {
        format!("outbound_{}", self.name)
    }

    fn http(&self, route_config: &str) -> Chain {
        let routes = Routes::Named(route_config.to_owned());
        let (mesh, tracing) = (self.scope.view.mesh(), self.scope.client.tracing());
        let manager = connection_manager(Side::Outbound, self.stat_prefix(), routes, Vec::new(), mesh, tracing);
        Chain { name: format!("outbound_{}_http", self.port), filters: vec![manager], ..Chain::default() }
    }

    fn tcp(&self, kind: &str, server_names: Vec<String>, destinations: &l4::Destinations) -> Chain {
        let transport = if server_names.is_empty() { "" } else { TLS };
        Chain {
            name: format!("outbound_{}_{kind}", self.port),
            transport,
            server_names,
            filters: vec![self.tcp_filter(destinations)],
            ..Chain::default()
        }
    }

    fn tcp_filter(&self, destinations: &l4::Destinations) -> Filter {
        tcp_proxy(&self.stat_prefix(), destinations, self.idle_timeout(destinations))
    }

    /// Opaque connections to nobody in particular.
    fn nobody(&self) -> Chain {
        let cluster = nobodys_cluster(self.scope);
        Chain {
            name: "PassthroughFilterChain".into(),
            filters: vec![tcp_proxy(cluster, &[(cluster.to_owned(), 1)], None)],
            ..Chain::default()
        }
    }

    /// Where opaque connections to a service go: its VirtualService's TCP route, else the service.
    fn destinations(&self, service: &Hostname) -> l4::Destinations {
        let caller = Caller::sidecar(self.scope.client, self.port);
        let routed = destination_rule::patterns(service).iter().find_map(|pattern| {
            self.scope
                .view
                .virtual_services_of(pattern)
                .filter(|vs| vs.in_mesh() && self.scope.sees(vs) && self.egress.knows(vs.namespace(), pattern))
                .find_map(|vs| l4::tcp(self.scope, &caller, vs))
        });
        routed.unwrap_or_else(|| vec![(plain_cluster(service, self.port), 1)])
    }

    /// TLS that is passed on: by the server names of VirtualServices (all of them, or those for some hosts), then by the
    /// services' own.
    fn by_server_name(&self, services: &[Hostname], only_these: bool) -> Vec<Chain> {
        let caller = Caller::sidecar(self.scope.client, self.port);
        let mut taken = std::collections::BTreeSet::new();
        let mut chains: Vec<Chain> = Vec::new();
        let mut add = |mut server_names: Vec<String>, destinations: &l4::Destinations| {
            server_names.retain(|name| taken.insert(name.clone()));
            if !server_names.is_empty() {
                chains.push(self.tcp("tls", server_names, destinations));
            }
        };
        for vs in self.scope.view.tls_virtual_services().filter(|vs| vs.in_mesh() && self.scope.sees(vs)) {
            let mut hosts = vs.hosts.iter().map(|h| self.scope.view.resolve_host(h, vs.namespace()));
            let meant = |h: &Hostname| !only_these || services.iter().any(|s| h.covers(s));
            if hosts.any(|h| meant(&h) && self.egress.knows(vs.namespace(), &h)) {
                for (server_names, destinations) in l4::tls(self.scope, &caller, vs) {
                    add(server_names, &destinations);
                }
            }
        }
        if !only_these {
            for service in services {
                add(vec![service.to_string()], &vec![(plain_cluster(service, self.port), 1)]);
            }
        }
        chains
    }

    fn idle_timeout(&self, destinations: &l4::Destinations) -> Option<Duration> {
        let (cluster, _) = destinations.first()?;
        let host = Hostname::new(cluster.rsplit('|').next()?);
        let service = self.scope.service(&host).map(AsRef::as_ref);
        let rules = destination_rule::rules(self.scope.view, self.scope.client, &host, service);
        let policy = rules.policy(self.port, None);
        policy.connection_pool?.tcp.as_ref()?.idle_timeout.map(|d| d.get())
    }

    fn peek(&self) -> Option<Duration> {
        self.scope.view.mesh().detection_timeout
    }
}
