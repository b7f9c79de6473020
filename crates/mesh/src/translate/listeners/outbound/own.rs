//! Listeners of a service's own address (`<cluster IP>_<port>`), or of the addresses of a headless service's pods.

use std::{collections::BTreeSet, net::IpAddr, sync::Arc};

use envoy_types::pb::envoy::config::core::v3::TrafficDirection;
use weft_api::networking::Protocol;

use super::Outlet;
use crate::{
    resolve::{
        endpoints,
        scope::{Egress, Scope},
    },
    resource::Resource,
    snapshot::Service,
    translate::listeners::{Bound, Chain, Order, PLAINTEXT_HTTP, RAW, listener_name, names},
};

/// A port of a service that is not HTTP for sure.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::translate) struct Own {
    /// The listener's name; `host:port` for pods.
    pub(in crate::translate) name: String,
    /// Index of the egress listener.
    pub(in crate::translate) egress: usize,
    /// The service.
    pub(in crate::translate) service: Arc<Service>,
    /// Port.
    pub(in crate::translate) port: u16,
    /// What clients dial.
    pub(in crate::translate) reach: Reach,
    /// Name of the route configuration, where the first bytes tell whether it is HTTP.
    pub(in crate::translate) route_config: Option<String>,
}

/// What clients of a service dial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::translate) enum Reach {
    /// This address.
    At(IpAddr),
    /// The addresses of its pods.
    Pods,
}

impl Own {
    pub(in crate::translate) fn make(&self, scope: &Scope<'_>, egress: &[Egress], out: &mut Vec<Resource>) {
        let Some(egress) = egress.get(self.egress) else { return };
        let addresses = match self.reach {
            Reach::At(address) => BTreeSet::from([address]),
            Reach::Pods => self.pods(scope),
        };
        for address in addresses {
            let name = listener_name(&address.to_string(), self.port);
            let outlet = Outlet { scope, egress, name: &name, port: self.port };
            let (chains, default) = self.chains(&outlet);
            let bound = Bound {
                name: Some(name.clone()),
                address: address.to_string(),
                port: self.port,
                direction: TrafficDirection::Outbound,
                chains,
                default: Some(default),
                order: Order::HandedOver,
                peek: outlet.peek(),
            };
            bound.add(out);
        }
    }

    fn chains(&self, outlet: &Outlet<'_>) -> (Vec<Chain>, Chain) {
        let opaque = outlet.tcp("tcp", Vec::new(), &outlet.destinations(&self.service.host));
        let mut chains = Vec::new();
        if let Some(config) = &self.route_config {
            chains.push(Chain { transport: RAW, alpn: names(&PLAINTEXT_HTTP), ..outlet.http(config) });
        }
        let port = self.service.port(self.port);
        if port.is_some_and(|p| p.protocol.is_some_and(Protocol::is_tls)) {
            chains.extend(outlet.by_server_name(std::slice::from_ref(&self.service.host), true));
        }
        (chains, opaque)
    }

    fn pods(&self, scope: &Scope<'_>) -> BTreeSet<IpAddr> {
        let Some(port) = self.service.port(self.port) else { return BTreeSet::new() };
        let (four, six) = scope.client.families;
        let endpoints = endpoints::of_port(scope.view, &self.service, port, None);
        let addresses = endpoints.iter().filter_map(|e| e.address.parse::<IpAddr>().ok());
        addresses.filter(|ip| if ip.is_ipv4() { four } else { six }).collect()
    }
}
