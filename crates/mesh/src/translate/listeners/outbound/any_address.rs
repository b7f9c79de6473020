//! The listener of a port on any address (`0.0.0.0_<port>`): HTTP by host, TLS by server name, and what is left.

use std::time::Duration;

use envoy_types::pb::envoy::config::core::v3::TrafficDirection;
use weft_model::Hostname;

use super::Outlet;
use crate::{
    resolve::scope::{Egress, Scope},
    resource::Resource,
    translate::listeners::{Bound, Chain, Order, PLAINTEXT_HTTP, RAW, names},
};

/// How long a connection without a byte is kept where everybody who listens waits for the client: as long as an idle
/// connection of HTTP.
const IDLE: Duration = Duration::from_secs(3600);

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
        // Only clients speak first here. One that connects ahead of its need must not be taken for something else.
        let patience = (self.http && self.opaque.is_empty()).then_some(IDLE);
        let bound = Bound {
            name: Some(self.name.clone()),
            address: "0.0.0.0".into(),
            port: self.port,
            direction: TrafficDirection::Outbound,
            chains,
            default: Some(rest),
            order: Order::HandedOver,
            peek: outlet.peek().or(patience),
        };
        bound.add(out);
    }
}
