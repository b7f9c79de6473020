//! What has to be made for a client: one unit for each thing that can change by itself. A plan says which services,
//! listeners and virtual hosts there are; the units say what they look like.

mod captured;
mod dialled;
mod domains;

use std::{
    collections::BTreeSet,
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
};

use envoy_types::pb::envoy::config::route::v3::{RouteConfiguration, VirtualHost};
use weft_model::{Hostname, xds};

use super::{clusters, listeners::outbound, routes};
use crate::{
    Engine,
    resolve::{
        gateway::{self, GatewayServer},
        scope::{Egress, Scope},
        virtual_service::{self, Caller},
    },
    resource::{Resource, type_url},
    snapshot::Service,
};

/// Units of a run, on average.
const RUN: u64 = 32;

/// Everything that one client is told about others.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// The egress listeners of its Sidecar, or one that knows everything.
    pub(super) egress: Vec<Egress>,
    /// In the order in which the first of a name wins.
    pub(super) units: Vec<Unit>,
}

/// Something to be made. Units that are equal and have read the same are the same.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Unit {
    /// The clusters and endpoints of a service.
    Clusters(Arc<Service>),
    /// The clusters that belong to no service, and the listeners that captured connections come to.
    Ground,
    /// A listener that the application dials.
    Dialled(outbound::Dialled),
    /// The listener of a port on any address.
    AnyAddress(outbound::AnyAddress),
    /// The listener of a service's own address, or those of its pods.
    Own(outbound::Own),
    /// A route configuration and, for Envoy, its virtual hosts.
    Routes(String, Vec<HostPlan>),
    /// A virtual host.
    Host(HostPlan),
    /// The listeners of a gateway with their routes and secrets.
    Edge,
}

/// A virtual host to make.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct HostPlan {
    /// Name of the route configuration.
    pub(super) config: String,
    /// Whose VirtualServices are known: index in [`Plan::egress`].
    pub(super) egress: usize,
    /// `*` stands for all hosts that nobody knows.
    pub(super) host: Hostname,
    /// Port that is called.
    pub(super) port: u16,
    /// The service that it is, and where requests go without a VirtualService.
    pub(super) service: Option<Hostname>,
    /// What it is called by. Those that an earlier host has taken are left out.
    pub(super) domains: Vec<String>,
}

impl Plan {
    /// Plans for a sidecar.
    pub(super) fn sidecar(scope: &Scope<'_>) -> Self {
        let mut plan = Self { egress: scope.egress(), units: vec![Unit::Ground] };
        let services = scope.reachable(&plan.egress);
        plan.units.extend(services.into_values().map(Unit::Clusters));
        if scope.client.captured {
            captured::plan(scope, &mut plan);
        } else {
            dialled::plan(scope, &mut plan);
        }
        plan
    }

    /// Plans for a gateway with these servers.
    pub(super) fn gateway(scope: &Scope<'_>, servers: &[GatewayServer<'_>]) -> Self {
        let services = gateway::reachable(scope, servers);
        let clusters = services.into_values().map(Unit::Clusters);
        Self { egress: Vec::new(), units: [Unit::Ground, Unit::Edge].into_iter().chain(clusters).collect() }
    }

    /// Adds a route configuration with its virtual hosts, of which the first that claims a domain keeps it.
    fn add_routes(&mut self, scope: &Scope<'_>, config: &str, mut hosts: Vec<HostPlan>) {
        let mut taken = std::collections::HashSet::new();
        for host in &mut hosts {
            host.domains.retain(|domain| taken.insert(domain.clone()));
        }
        hosts.retain(|host| !host.domains.is_empty());
        if scope.client.envoy {
            self.units.push(Unit::Routes(config.to_owned(), hosts));
        } else {
            self.units.push(Unit::Routes(config.to_owned(), Vec::new()));
            self.units.extend(hosts.into_iter().map(Unit::Host));
        }
    }
}

impl Unit {
    /// Tells units of one plan apart.
    pub(super) fn key(&self) -> (u8, String) {
        match self {
            Self::Clusters(service) => (0, service.host.to_string()),
            Self::Ground => (1, String::new()),
            Self::Dialled(listener) => (2, listener.name.clone()),
            Self::AnyAddress(listener) => (3, listener.name.clone()),
            Self::Own(listener) => (4, listener.name.clone()),
            Self::Routes(config, _) => (5, config.clone()),
            Self::Host(host) => (6, host.name()),
            Self::Edge => (7, String::new()),
        }
    }

    /// The same, into a hash.
    pub(super) fn hash_key(&self, hasher: &mut impl Hasher) {
        std::mem::discriminant(self).hash(hasher);
        match self {
            Self::Clusters(service) => service.host.hash(hasher),
            Self::Dialled(listener) => listener.name.hash(hasher),
            Self::AnyAddress(listener) => listener.name.hash(hasher),
            Self::Own(listener) => listener.name.hash(hasher),
            Self::Routes(config, _) => config.hash(hasher),
            Self::Host(host) => (&host.config, &host.host, host.port).hash(hasher),
            Self::Ground | Self::Edge => {}
        }
    }

    /// Whether a run of units begins with it: one of some 32 does.
    pub(super) fn begins_run(&self) -> bool {
        let mut hasher = DefaultHasher::new();
        self.hash_key(&mut hasher);
        hasher.finish().is_multiple_of(RUN)
    }

    /// Makes it, but for a gateway's edge, which needs the proxy itself.
    pub(super) fn make(&self, scope: &Scope<'_>, egress: &[Egress], out: &mut Vec<Resource>) {
        match self {
            Self::Clusters(service) => clusters::outbound(scope, service, out),
            Self::Ground => {
                out.push(clusters::black_hole());
                if scope.client.captured {
                    out.push(clusters::passthrough(scope));
                    outbound::ground(scope, out);
                }
            }
            Self::Dialled(listener) => listener.make(scope, egress, out),
            Self::AnyAddress(listener) => listener.make(scope, egress, out),
            Self::Own(listener) => listener.make(scope, egress, out),
            Self::Routes(config, hosts) => {
                let message = RouteConfiguration { name: config.clone(), ..RouteConfiguration::default() };
                let hosts = hosts.iter().filter_map(|host| host.make(scope, egress)).collect();
                let engine = if scope.client.envoy { Engine::Envoy } else { Engine::Weft };
                routes::add(engine, message, hosts, out);
            }
            Self::Edge => {}
            Self::Host(host) => out.extend(host.make(scope, egress).map(|host| {
                let name = host.virtual_host.name.clone();
                Resource::new(name, type_url::VIRTUAL_HOST, &host.virtual_host, host.origins)
            })),
        }
    }
}

impl HostPlan {
    /// The virtual host's name.
    fn name(&self) -> String {
        xds::virtual_host(&self.config, self.host.as_str(), self.port)
    }

    /// Makes it; `None` when nothing can be called by it.
    fn make(&self, scope: &Scope<'_>, egress: &[Egress]) -> Option<routes::Host> {
        let caller = Caller::sidecar(scope.client, self.port);
        let routed = virtual_service::for_host(scope, egress.get(self.egress)?, &caller, &self.host);
        let (routes, origins) = match (routed, &self.service) {
            (Some((_, owned)), _) => routes::of_virtual_service(scope, &caller, &self.host, &owned),
            (None, Some(service)) => (vec![routes::to_service(scope, service, self.port)], BTreeSet::new()),
            (None, None) if self.host.as_str() == "*" => {
                return Some(routes::unknown_host(scope, self.name(), self.domains.clone()));
            }
            (None, None) => return None,
        };
        let virtual_host = VirtualHost {
            name: self.name(),
            domains: self.domains.clone(),
            routes,
            include_request_attempt_count: true,
            ..VirtualHost::default()
        };
        Some(routes::Host { virtual_host, origins })
    }
}

/// The route configuration of a service's port that nobody else shares.
fn own_config(service: &Service, port: u16) -> String {
    format!("{}:{port}", service.host)
}

/// Where opaque connections to a port of a service go when no VirtualService says otherwise.
pub(super) fn plain_cluster(service: &Hostname, port: u16) -> String {
    xds::outbound_cluster(port, "", service.as_str())
}
