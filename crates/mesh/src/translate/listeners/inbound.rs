//! Inbound listeners: peers calling the application behind this proxy.

mod captured;

use envoy_types::pb::envoy::config::{
    core::v3::{TrafficDirection, TransportSocket},
    listener::v3::Filter,
    route::v3::{RouteConfiguration, VirtualHost},
};
use weft_api::networking::{Protocol, ServerTls, sidecar::IngressListener};
use weft_model::xds;

use super::{Bound, Chain, Order, PLAINTEXT_HTTP, RAW, TLS, gateway, names};
use crate::{
    Proxy,
    resolve::{
        endpoints,
        mutual_tls::{self, Mode},
        protocol,
        scope::Scope,
        telemetry,
    },
    resource::Resource,
    snapshot::Service,
    translate::{
        authz,
        clusters::{self, Application},
        hcm::{Routes, Side, connection_manager},
        routes,
        tcp::tcp_proxy,
        tls,
    },
};

const ISTIO_HTTP: [&str; 3] = [xds::ALPN_ISTIO_HTTP10, xds::ALPN_ISTIO_HTTP11, xds::ALPN_ISTIO_H2];

/// Adds the listeners and clusters of what the application serves.
pub(in crate::translate) fn add(scope: &Scope<'_>, proxy: &Proxy, out: &mut Vec<Resource>) {
    if proxy.is_captured() { captured::add(scope, proxy, out) } else { dialled(scope, proxy, out) }
}

/// What the Sidecar's `ingress` asks for. Without capture there is nothing else to bind.
fn dialled(scope: &Scope<'_>, proxy: &Proxy, out: &mut Vec<Resource>) {
    for ingress in scope.sidecar.iter().flat_map(|s| &s.spec.ingress) {
        let Some(port) = Port::of_ingress(scope, proxy, ingress, out) else { continue };
        let bind = if ingress.bind.is_empty() { proxy.address.to_string() } else { ingress.bind.clone() };
        let Some(number) = port.number else { continue };
        let bound = Bound {
            name: None,
            address: bind,
            port: number,
            direction: TrafficDirection::Inbound,
            chains: port.chains(),
            default: None,
            order: Order::Dialled,
            peek: scope.view.mesh().detection_timeout,
        };
        bound.add(out);
    }
}

/// Where the application listens: `127.0.0.1:PORT`, `0.0.0.0:PORT` (the instance's own address), `unix:///path`; nothing
/// means loopback and the same port. `None` for what cannot be read.
fn application(default_endpoint: &str, port: u16, own: &str) -> Option<(String, u16)> {
    if default_endpoint.is_empty() {
        return Some(("127.0.0.1".into(), port));
    }
    if default_endpoint.starts_with("unix://") {
        return Some((default_endpoint.to_owned(), 0));
    }
    let (host, port) = default_endpoint.rsplit_once(':')?;
    let port = port.parse().ok().filter(|p: &u16| *p > 0)?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    match host {
        "0.0.0.0" | "::" => Some((own.to_owned(), port)),
        _ => Some((host.parse::<std::net::IpAddr>().ok()?.to_string(), port)),
    }
}

/// One inbound port, or all that nobody declares.
struct Port<'a> {
    scope: &'a Scope<'a>,
    proxy: &'a Proxy,
    number: Option<u16>,
    /// The cluster that it leads to.
    cluster: String,
    mode: Mode,
    protocol: Option<Protocol>,
    services: Vec<&'a Service>,
    /// TLS that the Sidecar itself asks for, for callers outside the mesh.
    tls: Option<&'a ServerTls>,
}

impl<'a> Port<'a> {
    /// What a Sidecar's ingress listener asks for, with its cluster; `None` when that makes no sense.
    fn of_ingress(
        scope: &'a Scope<'a>,
        proxy: &'a Proxy,
        ingress: &'a IngressListener,
        out: &mut Vec<Resource>,
    ) -> Option<Self> {
        let number = u16::try_from(ingress.port.number).ok().filter(|p| *p > 0)?;
        let (address, target) = application(&ingress.default_endpoint, number, &proxy.address.to_string())?;
        let workload = scope.view.workload(&proxy.workload);
        let behind: Vec<_> =
            workload.map(|w| endpoints::services_behind(scope.view, w, number).collect()).unwrap_or_default();
        let declared = ingress.port.protocol().or_else(|| behind.iter().find_map(|(_, p)| p.protocol));
        let services: Vec<&Service> = behind.iter().map(|&(service, _)| service.as_ref()).collect();
        let application = Application::At(&address, target);
        out.push(clusters::inbound(scope, Some(number), declared, &application, &services));
        Some(Self {
            scope,
            proxy,
            number: Some(number),
            cluster: xds::inbound_cluster(number),
            mode: mutual_tls::mode(scope.view, proxy.namespace(), &proxy.labels, number),
            protocol: declared,
            services,
            tls: ingress.tls.as_ref(),
        })
    }

    /// Mutual TLS, plaintext, and TLS of the application's own, as PeerAuthentication has it.
    fn chains(&self) -> Vec<Chain> {
        let mode = self.mode;
        if let (Mode::Disable, Some(own)) = (mode, self.own_tls()) {
            return vec![Chain { transport: TLS, tls: Some(own), ..self.plain(protocol::may_be_http(self.protocol)) }];
        }
        match self.protocol {
            Some(p) if p.is_http() => self.declared(mode, true),
            Some(_) => self.declared(mode, false),
            None => self.detected(mode),
        }
    }

    /// A port whose protocol is known: one chain for each way that it is carried.
    fn declared(&self, mode: Mode, http: bool) -> Vec<Chain> {
        let mutual = |alpn| Chain { transport: TLS, alpn, tls: Some(self.mutual(http)), ..self.plain(http) };
        match mode {
            Mode::Disable => vec![self.plain(http)],
            Mode::Strict => vec![mutual(Vec::new())],
            Mode::Permissive => vec![
                mutual(names(&[ISTIO_HTTP.as_slice(), &[xds::ALPN_ISTIO]].concat())),
                Chain { transport: RAW, ..self.plain(http) },
                self.foreign_tls(),
            ],
        }
    }

    /// A port whose protocol the first bytes tell; peers that speak mutual TLS tell it by ALPN.
    fn detected(&self, mode: Mode) -> Vec<Chain> {
        let mutual_http =
            || Chain { transport: TLS, alpn: names(&ISTIO_HTTP), tls: Some(self.mutual(true)), ..self.plain(true) };
        let mutual_tcp = |alpn| Chain { transport: TLS, alpn, tls: Some(self.mutual(false)), ..self.plain(false) };
        let plaintext = |transport| {
            [
                Chain { transport: RAW, alpn: names(&PLAINTEXT_HTTP), ..self.plain(true) },
                Chain { transport, ..self.plain(false) },
            ]
        };
        match mode {
            Mode::Disable => plaintext("").into(),
            Mode::Strict => vec![mutual_http(), mutual_tcp(Vec::new())],
            Mode::Permissive => {
                let mut chains = vec![mutual_http(), mutual_tcp(names(&[xds::ALPN_ISTIO]))];
                chains.extend(plaintext(RAW));
                chains.push(self.foreign_tls());
                chains
            }
        }
    }

    /// TLS that is not the mesh's: the application ends it by itself.
    fn foreign_tls(&self) -> Chain {
        Chain { transport: TLS, ..self.plain(false) }
    }

    fn mutual(&self, http: bool) -> TransportSocket {
        let alpn: &[&str] = if http {
            &[xds::ALPN_ISTIO_H2, xds::ALPN_ISTIO_HTTP11, xds::ALPN_ISTIO_HTTP10, xds::ALPN_ISTIO]
        } else {
            &[xds::ALPN_ISTIO, xds::ALPN_ISTIO_H2, xds::ALPN_ISTIO_HTTP11]
        };
        tls::mutual_server(&self.scope.view.mesh().trust_domains, alpn)
    }

    fn own_tls(&self) -> Option<TransportSocket> {
        self.tls.and_then(|t| gateway::server_tls(t, protocol::may_be_http(self.protocol)))
    }

    fn plain(&self, http: bool) -> Chain {
        let (scope, proxy) = (self.scope, self.proxy);
        let port = self.number.map_or_else(|| "any".to_owned(), |port| port.to_string());
        let stat_prefix = match self.number {
            Some(port) => format!("inbound_{}_{port}", proxy.address),
            None => self.cluster.clone(),
        };
        let (kind, filters): (&str, Vec<Filter>) = if http {
            let routes = Routes::Inline(Box::new(self.routes()));
            let authz = authz::http_filters(scope, proxy);
            let tracing = telemetry::tracing(scope.view, proxy.namespace(), &proxy.labels, telemetry::Side::Server);
            let mesh = scope.view.mesh();
            ("http", vec![connection_manager(Side::Inbound, stat_prefix, routes, authz, mesh, &tracing)])
        } else {
            let mut filters = authz::network_filters(scope, proxy);
            filters.push(tcp_proxy(&stat_prefix, &[(self.cluster.clone(), 1)], None));
            ("tcp", filters)
        };
        Chain { name: format!("inbound_{port}_{kind}"), filters, ..Chain::default() }
    }

    fn routes(&self) -> RouteConfiguration {
        let host = self.services.first().map_or("inbound", |s| s.host.as_str());
        let (name, operation) = match self.number {
            Some(port) => (format!("inbound|http|{port}"), format!("{host}:{port}/*")),
            None => ("inbound|http|any".to_owned(), format!("{host}/*")),
        };
        let virtual_host = VirtualHost {
            name,
            domains: vec!["*".into()],
            routes: vec![routes::to_application(operation, self.cluster.clone())],
            ..VirtualHost::default()
        };
        RouteConfiguration {
            name: self.cluster.clone(),
            virtual_hosts: vec![virtual_host],
            ..RouteConfiguration::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_application_may_be_anywhere_on_the_host() {
        let read = |t: &str| application(t, 8080, "127.1.2.3");
        assert_eq!(read(""), Some(("127.0.0.1".into(), 8080)));
        assert_eq!(read("127.0.0.1:9080"), Some(("127.0.0.1".into(), 9080)));
        assert_eq!(read("0.0.0.0:9080"), Some(("127.1.2.3".into(), 9080)));
        assert_eq!(read("[::1]:9080"), Some(("::1".into(), 9080)));
        assert_eq!(read("unix:///run/app.sock"), Some(("unix:///run/app.sock".into(), 0)));
        assert_eq!(read("127.0.0.1"), None);
        assert_eq!(read("app:9080"), None);
        assert_eq!(read("127.0.0.1:0"), None);
    }
}
