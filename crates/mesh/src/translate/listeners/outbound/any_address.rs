//! The listener of a port on any address (`0.0.0.0_<port>`): HTTP by host, TLS by server name, and what is left.

use envoy_types::pb::envoy::config::core::v3::TrafficDirection;
use weft_model::Hostname;

use super::Outlet;
use crate::{
    resolve::scope::{Egress, Scope},
    resource::Resource,
    translate::listeners::{Bound, Chain, Order, PLAINTEXT_HTTP, RAW, names},
};

/// What comes together at a port.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::translate) struct AnyAddress {
    /// The listener's name.
    pub(in crate::translate) name: String,
    /// Index of the egress listener.
    pub(in crate::translate) egress: usize,
    /// Port.
    pub(in crate::translate) port: u16,
    /// Whether anybody may speak HTTP here.
    pub(in crate::translate) http: bool,
    /// Hosts without an address of their own that speak something opaque.
    pub(in crate::translate) opaque: Vec<Hostname>,
    /// Hosts without an address of their own that speak TLS.
    pub(in crate::translate) tls: Vec<Hostname>,
}

impl AnyAddress {
    pub(in crate::translate) fn make(&self, scope: &Scope<'_>, egress: &[Egress], out: &mut Vec<Resource>) {
        let Some(egress) = egress.get(self.egress) else { return };
        let outlet = Outlet { scope, egress, name: &self.name, port: self.port };
        let mut chains = Vec::new();
        if self.http {
            let http = outlet.http(&self.port.to_string());
            chains.push(Chain { transport: RAW, alpn: names(&PLAINTEXT_HTTP), ..http });
        }
        if !self.tls.is_empty() {
            chains.extend(outlet.by_server_name(&self.tls, false));
        }
        // Opaque bytes can only be meant for one host; where there are several, they go where they were going.
        let rest = match self.opaque.as_slice() {
            [only] => outlet.tcp("tcp", Vec::new(), &outlet.destinations(only)),
            _ => outlet.nobody(),
        };
        let bound = Bound {
            name: Some(self.name.clone()),
            address: "0.0.0.0".into(),
            port: self.port,
            direction: TrafficDirection::Outbound,
            chains,
            default: Some(rest),
            order: Order::HandedOver,
            peek: outlet.peek(),
        };
        bound.add(out);
    }
}
