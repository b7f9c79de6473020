//! Listeners that the application dials (`captureMode: NONE`, or with a `bind`).

use envoy_types::pb::envoy::config::core::v3::TrafficDirection;
use weft_api::networking::Protocol;
use weft_model::{Hostname, xds};

use super::Outlet;
use crate::{
    resolve::scope::{Egress, Scope},
    resource::Resource,
    translate::listeners::{Bound, Chain, Order, PLAINTEXT_HTTP, RAW, TLS, names},
};

/// An egress listener that is bound.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::translate) struct Dialled {
    /// The listener's name.
    pub(in crate::translate) name: String,
    /// Name of its route configuration.
    pub(in crate::translate) route_config: String,
    /// Index of the egress listener.
    pub(in crate::translate) egress: usize,
    /// IP address, or `unix:///path`.
    pub(in crate::translate) address: String,
    /// Port.
    pub(in crate::translate) port: u16,
    /// What it speaks.
    pub(in crate::translate) protocol: Option<Protocol>,
    /// The services that can be called here.
    pub(in crate::translate) services: Vec<Hostname>,
}

impl Dialled {
    pub(in crate::translate) fn make(&self, scope: &Scope<'_>, egress: &[Egress], out: &mut Vec<Resource>) {
        let Some(egress) = egress.get(self.egress) else { return };
        let outlet = Outlet { scope, egress, name: &self.name, port: self.port };
        let bound = Bound {
            name: Some(self.name.clone()),
            address: self.address.clone(),
            port: self.port,
            direction: TrafficDirection::Outbound,
            chains: self.chains(&outlet),
            default: None,
            order: Order::Dialled,
            peek: outlet.peek(),
        };
        bound.add(out);
    }

    fn chains(&self, outlet: &Outlet<'_>) -> Vec<Chain> {
        match self.protocol {
            Some(p) if p.is_http() => vec![outlet.http(&self.route_config)],
            Some(p) if p.is_tls() => outlet.by_server_name(&self.services, false),
            Some(Protocol::Udp) => Vec::new(),
            Some(_) => vec![self.opaque(outlet)],
            None => {
                // A chain that names the transport hides those that do not: opaque bytes need one for each transport.
                let tls = Chain { transport: TLS, name: format!("outbound_{}_tls", self.port), ..self.opaque(outlet) };
                let http = outlet.http(&self.route_config);
                vec![
                    Chain { transport: RAW, alpn: names(&PLAINTEXT_HTTP), ..http },
                    Chain { transport: RAW, ..self.opaque(outlet) },
                    tls,
                ]
            }
        }
    }

    /// Opaque bytes go to the one host that has this port here. With several there is no telling which one is meant.
    fn opaque(&self, outlet: &Outlet<'_>) -> Chain {
        let destinations = match self.services.as_slice() {
            [only] => outlet.destinations(only),
            _ => vec![(xds::BLACK_HOLE_CLUSTER.to_owned(), 1)],
        };
        outlet.tcp("tcp", Vec::new(), &destinations)
    }
}
