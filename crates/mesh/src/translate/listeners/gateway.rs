//! Listeners of gateways: clients outside the mesh.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use envoy_types::pb::envoy::{
    config::{
        core::v3::{TrafficDirection, TransportSocket},
        route::v3::{RouteConfiguration, VirtualHost, virtual_host::TlsRequirementType},
    },
    extensions::transport_sockets::tls::v3::tls_parameters::TlsProtocol,
};
use weft_api::networking::{Protocol, ServerTls, ServerTlsMode, gateway::TlsVersion};
use weft_model::{Hostname, xds};

use super::{Bound, Chain, Order, RAW, TLS, l4};
use crate::{
    Proxy,
    resolve::{
        gateway::{GatewayServer, bound},
        scope::Scope,
        virtual_service::{self, Caller},
    },
    resource::Resource,
    translate::{
        authz,
        hcm::{Routes, Side, connection_manager},
        routes::{self, Host},
        secrets,
        tcp::tcp_proxy,
        tls::{ClientCertificates, ServerCertificate, credential_roots_resource, gateway_server},
    },
};

/// Adds the listeners of a gateway: one for each address and port that its servers bind, with their routes and secrets.
pub(in crate::translate) fn add(
    scope: &Scope<'_>,
    proxy: &Proxy,
    servers: &[GatewayServer<'_>],
    out: &mut Vec<Resource>,
) {
    let mut by_address: BTreeMap<(String, u16), Vec<&GatewayServer<'_>>> = BTreeMap::new();
    for server in servers {
        let address = match server.server.bind.as_str() {
            "" => own_address(proxy),
            bind => bind.to_owned(),
        };
        by_address.entry((address, server.bind_port)).or_default().push(server);
    }
    for ((address, port), servers) in by_address {
        let edge = Edge { scope, proxy, port, servers: &servers };
        let chains = edge.chains(out);
        let bound = Bound {
            name: None,
            address,
            port,
            direction: TrafficDirection::Outbound,
            chains,
            default: None,
            order: Order::Dialled,
            peek: None,
        };
        bound.add(out);
    }
}

/// What a gateway binds where its Gateways do not say: in a pod every address, elsewhere the one that it owns.
fn own_address(proxy: &Proxy) -> String {
    match (proxy.in_pod, proxy.address) {
        (false, address) => address.to_string(),
        (true, IpAddr::V4(_)) => "0.0.0.0".to_owned(),
        (true, IpAddr::V6(_)) => "::".to_owned(),
    }
}

/// What a server does with connections.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Plain HTTP.
    Http,
    /// HTTP behind TLS that is ended here.
    Https,
    /// Opaque bytes behind TLS that is ended here.
    TlsTcp,
    /// TLS that is passed on.
    Passthrough,
    /// Opaque bytes.
    Tcp,
}

fn kind(server: &GatewayServer<'_>) -> Option<Kind> {
    let mode = server.server.tls.as_ref().map(|t| t.mode);
    let ended = mode.is_some_and(|m| !matches!(m, ServerTlsMode::Passthrough | ServerTlsMode::AutoPassthrough));
    match server.protocol()? {
        p if p.is_http() => Some(Kind::Http),
        Protocol::Https if ended => Some(Kind::Https),
        Protocol::Tls if ended => Some(Kind::TlsTcp),
        // AUTO_PASSTHROUGH joins clusters; between the proxies of one there is nothing that it could lead to.
        Protocol::Https | Protocol::Tls if mode == Some(ServerTlsMode::Passthrough) => Some(Kind::Passthrough),
        Protocol::Tcp | Protocol::Mongo | Protocol::Mysql | Protocol::Redis if ended => Some(Kind::TlsTcp),
        Protocol::Tcp | Protocol::Mongo | Protocol::Mysql | Protocol::Redis => Some(Kind::Tcp),
        _ => None,
    }
}

/// One bound address of a gateway.
struct Edge<'a> {
    scope: &'a Scope<'a>,
    proxy: &'a Proxy,
    port: u16,
    servers: &'a [&'a GatewayServer<'a>],
}

impl Edge<'_> {
    fn chains(&self, out: &mut Vec<Resource>) -> Vec<Chain> {
        let mut chains = Vec::new();
        // A server name belongs to the first server that has it.
        let mut taken: BTreeSet<String> = BTreeSet::new();
        let plain: Vec<&GatewayServer<'_>> =
            self.servers.iter().copied().filter(|s| kind(s) == Some(Kind::Http)).collect();
        let with_tls =
            self.servers.iter().any(|s| matches!(kind(s), Some(Kind::Https | Kind::TlsTcp | Kind::Passthrough)));
        if let Some(first) = plain.first() {
            let name = match first.server.bind.as_str() {
                "" => format!("http.{}", self.port),
                bind => format!("http.{}.{bind}", self.port),
            };
            let transport = if with_tls { RAW } else { "" };
            chains.push(Chain { transport, ..self.http(&name) });
            self.routes(name, &plain, out);
        }
        for server in self.servers {
            match kind(server) {
                Some(Kind::Https) => chains.extend(self.https(server, &mut taken, out)),
                Some(Kind::TlsTcp) => chains.extend(self.ended_tls(server, &mut taken, out)),
                Some(Kind::Passthrough) => chains.extend(self.passthrough(server, &mut taken)),
                Some(Kind::Tcp) if plain.is_empty() && !chains.iter().any(|c| c.transport != TLS) => {
                    let transport = if with_tls { RAW } else { "" };
                    chains.extend(self.opaque(server).map(|chain| Chain { transport, ..chain }));
                }
                Some(Kind::Http | Kind::Tcp) | None => {}
            }
        }
        chains
    }

    fn http(&self, route_config: &str) -> Chain {
        let scope = self.scope;
        let stat_prefix = format!("outbound_{}_{}", self.proxy.address, self.port);
        let routes = Routes::Named(route_config.to_owned());
        let authz = authz::http_filters(scope, self.proxy);
        let (mesh, tracing) = (scope.view.mesh(), scope.client.tracing());
        let manager = connection_manager(Side::Edge, stat_prefix, routes, authz, mesh, tracing);
        Chain { name: route_config.to_owned(), filters: vec![manager], ..Chain::default() }
    }

    fn https(
        &self,
        server: &GatewayServer<'_>,
        taken: &mut BTreeSet<String>,
        out: &mut Vec<Resource>,
    ) -> Option<Chain> {
        let name = format!(
            "https.{}.{}.{}.{}",
            server.port,
            server.server.port.name,
            server.gateway.name(),
            server.gateway.namespace()
        );
        let settings = server.server.tls.as_ref()?;
        let server_names = server_names(server, taken)?;
        self.secrets(settings, out);
        self.routes(name.clone(), &[server], out);
        Some(Chain { transport: TLS, server_names, tls: Some(server_tls(settings, true)?), ..self.http(&name) })
    }

    fn ended_tls(
        &self,
        server: &GatewayServer<'_>,
        taken: &mut BTreeSet<String>,
        out: &mut Vec<Resource>,
    ) -> Option<Chain> {
        let settings = server.server.tls.as_ref()?;
        let server_names = server_names(server, taken)?;
        self.secrets(settings, out);
        let chain = self.opaque(server)?;
        Some(Chain { transport: TLS, server_names, tls: Some(server_tls(settings, false)?), ..chain })
    }

    /// TLS by server name, to where TLS routes of the bound VirtualServices say.
    fn passthrough(&self, server: &GatewayServer<'_>, taken: &mut BTreeSet<String>) -> Vec<Chain> {
        let gateway = server.gateway_name();
        let caller = Caller { client: self.scope.client, port: server.port, gateway: &gateway };
        let mut chains = Vec::new();
        for (vs, _) in bound(self.scope, server) {
            for (mut names, destinations) in l4::tls(self.scope, &caller, vs) {
                names.retain(|name| {
                    server.hosts.iter().any(|h| h.host.covers(&Hostname::new(name))) && taken.insert(name.clone())
                });
                if !names.is_empty() {
                    chains.push(Chain {
                        transport: TLS,
                        server_names: sni(names),
                        ..self.tcp_chain(server, &destinations)
                    });
                }
            }
        }
        chains
    }

    /// Opaque bytes, to where the first bound VirtualService with a TCP route says.
    fn opaque(&self, server: &GatewayServer<'_>) -> Option<Chain> {
        let gateway = server.gateway_name();
        let caller = Caller { client: self.scope.client, port: server.port, gateway: &gateway };
        let destinations =
            bound(self.scope, server).into_iter().find_map(|(vs, _)| l4::tcp(self.scope, &caller, vs))?;
        Some(self.tcp_chain(server, &destinations))
    }

    fn tcp_chain(&self, server: &GatewayServer<'_>, destinations: &l4::Destinations) -> Chain {
        let stat_prefix = format!("outbound_{}_{}", self.proxy.address, self.port);
        let mut filters = authz::network_filters(self.scope, self.proxy);
        filters.push(tcp_proxy(&stat_prefix, destinations, None));
        Chain { name: format!("tcp.{}.{}", server.port, server.server.port.name), filters, ..Chain::default() }
    }

    /// The routes of some servers that share a route configuration. A host that no VirtualService is bound to has none, so
    /// that it answers 404; with a redirect to HTTPS, it redirects.
    fn routes(&self, route_config: String, servers: &[&GatewayServer<'_>], out: &mut Vec<Resource>) {
        let mut hosts: BTreeMap<Hostname, Host> = BTreeMap::new();
        for server in servers {
            let redirect = server.server.tls.as_ref().is_some_and(|t| t.https_redirect);
            let gateway = server.gateway_name();
            let caller = Caller { client: self.scope.client, port: server.port, gateway: &gateway };
            for (vs, common) in bound(self.scope, server) {
                let owned = virtual_service::http_routes(self.scope, vs, &caller);
                if owned.is_empty() {
                    continue;
                }
                for host in common {
                    let (routes, origins) = routes::of_virtual_service(self.scope, &caller, &host, &owned);
                    let entry =
                        hosts.entry(host.clone()).or_insert_with(|| empty_host(&route_config, &host, server.port));
                    entry.virtual_host.routes.extend(routes);
                    entry.origins.extend(origins);
                    if redirect {
                        entry.virtual_host.require_tls = TlsRequirementType::All as i32;
                    }
                }
            }
            if redirect {
                for offered in &server.hosts {
                    let host = &offered.host;
                    hosts
                        .entry(host.clone())
                        .or_insert_with(|| empty_host(&route_config, host, server.port))
                        .virtual_host
                        .require_tls = TlsRequirementType::All as i32;
                }
            }
        }
        for host in hosts.values_mut() {
            // Routes of several VirtualServices come together here: what matches everything comes last.
            host.virtual_host.routes.sort_by_key(catches_all);
        }
        let config = RouteConfiguration {
            name: route_config,
            // Clients name the port that they dial, which need not be the one that is bound.
            ignore_port_in_host_matching: true,
            ..RouteConfiguration::default()
        };
        routes::add(self.proxy.engine, config, hosts.into_values().collect(), out);
    }

    fn secrets(&self, settings: &ServerTls, out: &mut Vec<Resource>) {
        let (view, namespace) = (self.scope.view, self.proxy.namespace());
        if let Some((_, credential)) = settings.credential() {
            for secret in [
                secrets::certificate(view, namespace, credential),
                secrets::roots(view, namespace, credential).filter(|_| wants_client_certificates(settings)),
            ]
            .into_iter()
            .flatten()
            {
                out.push(secret);
            }
        }
    }
}

fn empty_host(route_config: &str, host: &Hostname, port: u16) -> Host {
    let virtual_host = VirtualHost {
        name: xds::virtual_host(route_config, host.as_str(), port),
        domains: vec![host.to_string()],
        include_request_attempt_count: true,
        ..VirtualHost::default()
    };
    Host { virtual_host, origins: BTreeSet::new() }
}

fn catches_all(route: &envoy_types::pb::envoy::config::route::v3::Route) -> bool {
    use envoy_types::pb::envoy::config::route::v3::route_match::PathSpecifier;
    route.r#match.as_ref().is_some_and(|m| {
        matches!(&m.path_specifier, Some(PathSpecifier::Prefix(p)) if p == "/")
            && m.headers.is_empty()
            && m.query_parameters.is_empty()
    })
}

/// The server names that are left for a server; `None` when others have all of them.
fn server_names(server: &GatewayServer<'_>, taken: &mut BTreeSet<String>) -> Option<Vec<String>> {
    let mut hosts: Vec<String> = server.hosts.iter().map(|h| h.host.to_string()).collect();
    hosts.retain(|host| taken.insert(host.clone()));
    (!hosts.is_empty()).then(|| sni(hosts))
}

/// `*` asks for nothing, and makes every other name superfluous.
fn sni(hosts: Vec<String>) -> Vec<String> {
    if hosts.iter().any(|h| h == "*") { Vec::new() } else { hosts }
}

fn wants_client_certificates(settings: &ServerTls) -> bool {
    matches!(settings.mode, ServerTlsMode::Mutual | ServerTlsMode::OptionalMutual)
}

/// TLS that a server ends; `None` when its mode ends none.
pub(super) fn server_tls(settings: &ServerTls, http: bool) -> Option<TransportSocket> {
    if matches!(settings.mode, ServerTlsMode::Passthrough | ServerTlsMode::AutoPassthrough) {
        return None;
    }
    let named = settings.credential().map(|(_, name)| name);
    let files = settings.tls_certificates.first();
    let certificate = match (settings.mode, named, files) {
        (ServerTlsMode::IstioMutual, _, _) => ServerCertificate::Workload,
        (_, Some(credential), _) => ServerCertificate::Credential(credential),
        (_, None, Some(pair)) => ServerCertificate::Files { chain: &pair.server_certificate, key: &pair.private_key },
        (_, None, None) => ServerCertificate::Files { chain: &settings.server_certificate, key: &settings.private_key },
    };
    let names = settings.subject_alt_names.as_slice();
    let roots = named.map(credential_roots_resource).unwrap_or_default();
    let clients = match settings.mode {
        ServerTlsMode::IstioMutual => ClientCertificates::Required { roots: xds::SDS_ROOTS, names },
        ServerTlsMode::Mutual if named.is_some() => ClientCertificates::Required { roots: &roots, names },
        ServerTlsMode::Mutual => ClientCertificates::RequiredByFile { roots: &settings.ca_certificates, names },
        ServerTlsMode::OptionalMutual if named.is_some() => ClientCertificates::Optional { roots: &roots },
        _ => ClientCertificates::None,
    };
    let minimum =
        if settings.min_protocol_version == TlsVersion::V1_3 { TlsProtocol::TlSv13 } else { TlsProtocol::TlSv12 };
    let alpn: &[&str] = if http { &["h2", "http/1.1"] } else { &[] };
    Some(gateway_server(&certificate, &clients, minimum, alpn))
}
