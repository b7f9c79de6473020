//! What a gateway proxy serves: the servers of every Gateway that selects it, and the VirtualServices bound to them.

use std::{collections::BTreeMap, sync::Arc};

use weft_api::networking::{Gateway, Protocol, Server, VirtualService};
use weft_model::Hostname;

use super::{endpoints, scope::Scope, virtual_service::names_gateway};
use crate::{
    Proxy, View,
    snapshot::{Service, Typed, Workload},
};

/// One server of one Gateway, at one proxy.
#[derive(Clone, Debug)]
pub struct GatewayServer<'a> {
    /// The Gateway.
    pub gateway: &'a Typed<Gateway>,
    /// The server.
    pub server: &'a Server,
    /// The port that clients call: the gateway Service's.
    pub port: u16,
    /// The port that the proxy binds: what the Service's port leads to.
    pub bind_port: u16,
    /// The hosts that it serves.
    pub hosts: Vec<ServerHost>,
}

/// A host of a server, and the namespace that VirtualServices for it must be in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerHost {
    /// `None` is any.
    pub namespace: Option<String>,
    /// Exact or wildcard.
    pub host: Hostname,
}

impl GatewayServer<'_> {
    /// `namespace/name` of the Gateway.
    pub fn gateway_name(&self) -> String {
        format!("{}/{}", self.gateway.namespace(), self.gateway.name())
    }

    /// What the port speaks; `None` when neither declared nor told by its name.
    pub fn protocol(&self) -> Option<Protocol> {
        self.server.port.protocol()
    }
}

/// The servers that hold for a gateway proxy, oldest Gateway first. A port that no Service of the proxy's namespace has is
/// bound as it is; servers with an impossible port are left out.
pub fn servers<'a>(view: &View<'a>, proxy: &Proxy) -> Vec<GatewayServer<'a>> {
    let workload = view.workload(&proxy.workload);
    let mut servers = Vec::new();
    for gateway in view.gateways().filter(|g| proxy.labels.carry(&g.selector)) {
        for server in &gateway.spec.servers {
            let Some(port) = u16::try_from(server.port.number).ok().filter(|p| *p > 0) else { continue };
            servers.push(GatewayServer {
                gateway,
                server,
                port,
                bind_port: bind_port(view, proxy, workload.map(AsRef::as_ref), port),
                hosts: server.hosts.iter().map(|h| server_host(h, gateway.namespace())).collect(),
            });
        }
    }
    servers
}

fn bind_port(view: &View<'_>, proxy: &Proxy, workload: Option<&Workload>, port: u16) -> u16 {
    let services = view.services_in(proxy.namespace()).iter().filter(|s| s.selects(&proxy.labels));
    let mut targets = services.filter_map(|s| s.port(port)).filter_map(|p| endpoints::target(workload?, p));
    targets.next().unwrap_or(port)
}

/// `host` or `namespace/host`; `.` is the Gateway's namespace, `*` any.
fn server_host(text: &str, own: &str) -> ServerHost {
    let (namespace, host) = text.split_once('/').unwrap_or(("*", text));
    let namespace = match namespace {
        "*" => None,
        "." => Some(own.to_owned()),
        other => Some(other.to_owned()),
    };
    ServerHost { namespace, host: Hostname::new(host) }
}

/// The VirtualServices bound to a server with the hosts that both have, oldest first. Of two hosts of which one covers the
/// other, the narrower counts.
pub fn bound<'a>(scope: &Scope<'a>, server: &GatewayServer<'_>) -> Vec<(&'a Typed<VirtualService>, Vec<Hostname>)> {
    let gateway = server.gateway_name();
    let mut bound = Vec::new();
    for vs in scope.view.gateway_virtual_services() {
        let here = vs.spec.gateways.iter().any(|g| names_gateway(g, vs.namespace(), &gateway));
        if !here || !scope.sees(vs) {
            continue;
        }
        let mut hosts: Vec<Hostname> = Vec::new();
        for host in vs.hosts.iter().map(|h| scope.view.resolve_host(h, vs.namespace())) {
            for offered in server.hosts.iter().filter(|o| o.namespace.as_deref().is_none_or(|n| n == vs.namespace())) {
                if let Some(common) = intersection(&offered.host, &host)
                    && !hosts.contains(&common)
                {
                    hosts.push(common);
                }
            }
        }
        if !hosts.is_empty() {
            bound.push((vs, hosts));
        }
    }
    bound
}

/// The services that the VirtualServices of these servers send to.
pub fn reachable(scope: &Scope<'_>, servers: &[GatewayServer<'_>]) -> BTreeMap<Hostname, Arc<Service>> {
    let mut services = BTreeMap::new();
    for (vs, _) in servers.iter().flat_map(|server| bound(scope, server)) {
        scope.add_destinations(vs, &mut services);
    }
    services
}

/// The narrower of two hosts, if one covers the other.
pub fn intersection(a: &Hostname, b: &Hostname) -> Option<Hostname> {
    if a.covers(b) {
        Some(b.clone())
    } else if b.covers(a) {
        Some(a.clone())
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_narrower_host_counts() {
        let both = |a: &str, b: &str| intersection(&a.into(), &b.into()).map(|h| h.to_string());
        assert_eq!(both("*", "api.example.com").as_deref(), Some("api.example.com"));
        assert_eq!(both("api.example.com", "*.example.com").as_deref(), Some("api.example.com"));
        assert_eq!(both("*.a.example.com", "*.example.com").as_deref(), Some("*.a.example.com"));
        assert_eq!(both("a.com", "b.com"), None);
    }

    #[test]
    fn hosts_may_name_a_namespace() {
        assert_eq!(server_host("./a.com", "edge").namespace.as_deref(), Some("edge"));
        assert_eq!(server_host("*/a.com", "edge").namespace, None);
        assert_eq!(server_host("a.com", "edge").namespace, None);
        assert_eq!(server_host("shop/a.com", "edge").namespace.as_deref(), Some("shop"));
    }
}
