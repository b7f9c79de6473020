//! Outbound listeners: the application calling out.

use std::collections::BTreeSet;

use envoy_types::pb::envoy::config::{
    core::v3::TrafficDirection,
    route::v3::{RouteConfiguration, VirtualHost},
};
use weft_api::networking::{
    Protocol,
    sidecar::{CaptureMode, EgressListener},
};
use weft_model::{Hostname, xds};

use super::{Bound, Chain, PLAINTEXT_HTTP, RAW, TLS, l4, listener_name, names};
use crate::{
    Resources,
    resolve::{
        destination_rule, protocol,
        scope::{Egress, Scope},
        virtual_service::{self, Caller},
    },
    snapshot::Service,
    translate::{
        hcm::{Routes, Side, connection_manager},
        routes::{self, Host},
        tcp::tcp_proxy,
    },
};

/// Adds a listener for each egress listener that can be dialled: one with a port, and an address or no capture.
pub(in crate::translate) fn add(scope: &Scope<'_>, egress: &[Egress<'_>], out: &mut Resources) {
    let dialled: Vec<Dialled<'_>> = egress.iter().filter_map(|e| Dialled::new(scope, e)).collect();
    for listener in &dialled {
        // Istio names a route configuration by its port alone; two listeners of one port need names of their own.
        let shared = dialled.iter().filter(|other| other.port == listener.port).count() > 1;
        let route_config =
            if shared { listener_name(&listener.address, listener.port) } else { listener.port.to_string() };
        let bound = Bound {
            address: listener.address.clone(),
            port: listener.port,
            direction: TrafficDirection::Outbound,
            chains: listener.chains(&route_config),
            peek: scope.snapshot.mesh().detection_timeout,
        };
        bound.add(out);
        if protocol::may_be_http(listener.protocol) {
            let config = RouteConfiguration { name: route_config.clone(), ..RouteConfiguration::default() };
            routes::add(scope.proxy.engine, config, listener.hosts(&route_config), out);
        }
    }
}

/// An egress listener that is bound.
struct Dialled<'a> {
    scope: &'a Scope<'a>,
    egress: &'a Egress<'a>,
    address: String,
    port: u16,
    protocol: Option<Protocol>,
}

impl<'a> Dialled<'a> {
    fn new(scope: &'a Scope<'a>, egress: &'a Egress<'a>) -> Option<Self> {
        let listener: &EgressListener = egress.listener?;
        let declared = listener.port.as_ref()?;
        let unix = listener.bind.starts_with("unix://");
        let port = u16::try_from(declared.number).ok().filter(|p| *p > 0 || unix)?;
        let address = match (listener.bind.as_str(), listener.capture_mode) {
            ("", CaptureMode::None) => "127.0.0.1".to_owned(),
            ("", _) => return None,
            (bind, _) => bind.to_owned(),
        };
        Some(Self { scope, egress, address, port, protocol: declared.protocol() })
    }

    /// The services that can be called here.
    fn services(&self) -> impl Iterator<Item = &Service> {
        self.egress.services.values().map(AsRef::as_ref).filter(|s| s.port(self.port).is_some())
    }

    fn chains(&self, route_config: &str) -> Vec<Chain> {
        match self.protocol {
            Some(p) if p.is_http() => vec![self.http(route_config)],
            Some(p) if p.is_tls() => self.by_server_name(),
            Some(Protocol::Udp) => Vec::new(),
            Some(_) => vec![self.opaque()],
            None => {
                // A chain that names the transport hides those that do not: opaque bytes need one for each transport.
                let tls = Chain { transport: TLS, name: format!("outbound_{}_tls", self.port), ..self.opaque() };
                vec![
                    Chain { transport: RAW, alpn: names(&PLAINTEXT_HTTP), ..self.http(route_config) },
                    Chain { transport: RAW, ..self.opaque() },
                    tls,
                ]
            }
        }
    }

    fn stat_prefix(&self) -> String {
        format!("outbound_{}", listener_name(&self.address, self.port))
    }

    fn http(&self, route_config: &str) -> Chain {
        let routes = Routes::Named(route_config.to_owned());
        let mesh = self.scope.snapshot.mesh();
        let manager = connection_manager(Side::Outbound, self.stat_prefix(), routes, Vec::new(), mesh);
        Chain { name: format!("outbound_{}_http", self.port), filters: vec![manager], ..Chain::default() }
    }

    /// Opaque bytes go to the one host that has this port here. With several there is no telling which one is meant.
    fn opaque(&self) -> Chain {
        let mut services = self.services();
        let destinations = match (services.next(), services.next()) {
            (Some(only), None) => self.destinations(only),
            _ => vec![(xds::BLACK_HOLE_CLUSTER.to_owned(), 1)],
        };
        drop(services);
        self.tcp_chain("tcp", Vec::new(), &destinations)
    }

    fn tcp_chain(&self, kind: &str, server_names: Vec<String>, destinations: &l4::Destinations) -> Chain {
        let transport = if server_names.is_empty() { "" } else { TLS };
        Chain {
            name: format!("outbound_{}_{kind}", self.port),
            transport,
            server_names,
            filters: vec![tcp_proxy(&self.stat_prefix(), destinations, self.idle_timeout(destinations))],
            ..Chain::default()
        }
    }

    /// Where opaque connections to a service go: its VirtualService's TCP route, else the service.
    fn destinations(&self, service: &Service) -> l4::Destinations {
        let caller = Caller::sidecar(self.scope.proxy, self.port);
        let routed = destination_rule::patterns(&service.host).iter().find_map(|pattern| {
            self.scope
                .snapshot
                .virtual_services_of(pattern)
                .filter(|vs| vs.in_mesh() && self.scope.sees(vs) && self.egress.knows(vs.namespace(), pattern))
                .find_map(|vs| l4::tcp(self.scope, &caller, vs))
        });
        routed.unwrap_or_else(|| vec![(xds::outbound_cluster(self.port, "", service.host.as_str()), 1)])
    }

    /// TLS that is passed on: by the server names of VirtualServices, then by the services' own.
    fn by_server_name(&self) -> Vec<Chain> {
        let caller = Caller::sidecar(self.scope.proxy, self.port);
        let mut taken: BTreeSet<String> = BTreeSet::new();
        let mut chains: Vec<Chain> = Vec::new();
        let mut add = |mut server_names: Vec<String>, destinations: &l4::Destinations| {
            server_names.retain(|name| taken.insert(name.clone()));
            if !server_names.is_empty() {
                chains.push(self.tcp_chain("tls", server_names, destinations));
            }
        };
        for vs in self.scope.snapshot.virtual_services().iter().filter(|vs| vs.in_mesh() && self.scope.sees(vs)) {
            let mut hosts = vs.hosts.iter().map(|h| self.scope.snapshot.resolve_host(h, vs.namespace()));
            if hosts.any(|h| self.egress.knows(vs.namespace(), &h)) {
                for (server_names, destinations) in l4::tls(self.scope, &caller, vs) {
                    add(server_names, &destinations);
                }
            }
        }
        for service in self.services() {
            let cluster = xds::outbound_cluster(self.port, "", service.host.as_str());
            add(vec![service.host.to_string()], &vec![(cluster, 1)]);
        }
        chains
    }

    fn idle_timeout(&self, destinations: &l4::Destinations) -> Option<std::time::Duration> {
        let (cluster, _) = destinations.first()?;
        let host = Hostname::new(cluster.rsplit('|').next()?);
        let service = self.scope.service(&host).map(AsRef::as_ref);
        let rules = destination_rule::rules(self.scope.snapshot, self.scope.proxy, &host, service);
        let policy = rules.policy(self.port, None);
        policy.connection_pool?.tcp.as_ref()?.idle_timeout.map(|d| d.get())
    }

    /// A virtual host for each service of this port, one for each host that only a VirtualService knows, and one for all
    /// the rest, unless a VirtualService has taken `*`.
    fn hosts(&self, route_config: &str) -> Vec<Host> {
        let mut hosts = Vec::new();
        let mut named: BTreeSet<Hostname> = BTreeSet::new();
        for service in self.services().filter(|s| s.port(self.port).is_some_and(|p| protocol::may_be_http(p.protocol)))
        {
            named.insert(service.host.clone());
            hosts.push(self.host(route_config, &service.host, Some(service)));
        }
        let of_virtual_services: BTreeSet<Hostname> = self
            .scope
            .snapshot
            .virtual_services()
            .iter()
            .filter(|vs| vs.in_mesh() && !vs.http.is_empty() && self.scope.sees(vs))
            .flat_map(|vs| {
                let host = |h: &String| self.scope.snapshot.resolve_host(h, vs.namespace());
                vs.hosts.iter().map(host).filter(|h| self.egress.knows(vs.namespace(), h)).collect::<Vec<_>>()
            })
            .collect();
        for host in of_virtual_services.difference(&named) {
            // A service that is known but has no such port is not called here.
            if !self.egress.services.contains_key(host) {
                hosts.push(self.host(route_config, host, None));
            }
        }
        hosts.retain(|h| !h.virtual_host.routes.is_empty());
        hosts.push(routes::unknown_host(route_config, self.port));
        hosts
    }

    fn host(&self, route_config: &str, host: &Hostname, service: Option<&Service>) -> Host {
        let caller = Caller::sidecar(self.scope.proxy, self.port);
        let (routes, origins) = match virtual_service::for_host(self.scope, self.egress, &caller, host) {
            Some((_, owned)) => routes::of_virtual_service(self.scope, &caller, host, &owned),
            None if service.is_some() => (vec![routes::to_service(self.scope, host, self.port)], BTreeSet::new()),
            None => Default::default(),
        };
        let virtual_host = VirtualHost {
            name: routes::host_name(route_config, host.as_str(), self.port),
            domains: self.domains(host, service),
            routes,
            include_request_attempt_count: true,
            ..VirtualHost::default()
        };
        Host { virtual_host, origins }
    }

    /// The names that a host is called by: its own, a Kubernetes Service's shorter ones as far as they mean it in the
    /// caller's namespace, its virtual addresses; each with and without the port.
    fn domains(&self, host: &Hostname, service: Option<&Service>) -> Vec<String> {
        if host.as_str() == "*" {
            return vec!["*".to_owned()];
        }
        let mut called = vec![host.to_string()];
        if let Some(service) = service.filter(|s| s.is_kubernetes()) {
            let (name, namespace) = (&service.name, &service.namespace);
            called.push(format!("{name}.{namespace}.svc"));
            called.push(format!("{name}.{namespace}"));
            if namespace == self.scope.proxy.namespace() {
                called.push(name.clone());
            }
        }
        for address in service.iter().flat_map(|s| &s.addresses) {
            called.push(match address {
                std::net::IpAddr::V4(v4) => v4.to_string(),
                std::net::IpAddr::V6(v6) => format!("[{v6}]"),
            });
        }
        called
            .into_iter()
            .flat_map(|name| [format!("{name}:{}", self.port), name])
            .map(|d| d.to_ascii_lowercase())
            .collect()
    }
}
