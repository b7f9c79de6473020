//! Listeners: where a proxy accepts connections, and what it does with each kind of them.

pub(super) mod gateway;
pub(super) mod inbound;
pub(super) mod l4;
pub(super) mod outbound;

use std::time::Duration;

use envoy_types::pb::envoy::{
    config::{
        core::v3::{TrafficDirection, TransportSocket},
        listener::v3::{Filter, FilterChain, FilterChainMatch, Listener, ListenerFilter, listener_filter},
    },
    extensions::filters::listener::{http_inspector::v3::HttpInspector, tls_inspector::v3::TlsInspector},
};

use super::{endpoints, proto};
use crate::{
    canonical::pack_plain,
    resource::{Resource, type_url},
};

const TLS: &str = "tls";
const RAW: &str = "raw_buffer";
/// What the HTTP inspector calls what it finds.
const PLAINTEXT_HTTP: [&str; 3] = ["http/1.0", "http/1.1", "h2c"];

/// One kind of connection and what is done with it.
#[derive(Default)]
struct Chain {
    name: String,
    /// The port that was dialled, where that matters.
    port: Option<u16>,
    /// `tls`, `raw_buffer`, or any.
    transport: &'static str,
    alpn: Vec<String>,
    server_names: Vec<String>,
    tls: Option<TransportSocket>,
    filters: Vec<Filter>,
}

impl Chain {
    fn into_proto(self) -> FilterChain {
        let criteria = FilterChainMatch {
            destination_port: self.port.and_then(|port| proto::uint32(port.into())),
            transport_protocol: self.transport.to_owned(),
            application_protocols: self.alpn,
            server_names: self.server_names,
            ..FilterChainMatch::default()
        };
        FilterChain {
            name: self.name,
            filter_chain_match: (criteria != FilterChainMatch::default()).then_some(criteria),
            transport_socket: self.tls,
            filters: self.filters,
            ..FilterChain::default()
        }
    }
}

fn names(list: &[&str]) -> Vec<String> {
    list.iter().map(|name| (*name).to_owned()).collect()
}

/// Where the port's protocol is not declared and the mesh sets no `protocolDetectionTimeout`, a client that is silent for
/// so long is taken to wait for the server to speak first. Istio waits for ever. A call through two proxies waits twice.
const SILENCE: Duration = Duration::from_millis(500);

/// How connections get to a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    /// Its address is dialled.
    Dialled,
    /// The kernel redirects them to its address.
    Redirected,
    /// The listener that they were redirected to hands them over; it is not bound.
    HandedOver,
}

/// A listener.
struct Bound {
    /// Where it is not named by its address.
    name: Option<String>,
    /// IP address, or `unix:///path`.
    address: String,
    port: u16,
    direction: TrafficDirection,
    chains: Vec<Chain>,
    /// For what none of them takes.
    default: Option<Chain>,
    order: Order,
    /// How long to peek; `None` is the proxy's own default.
    peek: Option<Duration>,
}

impl Bound {
    fn name(&self) -> String {
        self.name.clone().unwrap_or_else(|| listener_name(&self.address, self.port))
    }

    /// Adds the listener. It peeks as far as its chains need it.
    fn add(self, out: &mut Vec<Resource>) {
        if self.chains.is_empty() && self.default.is_none() {
            return;
        }
        let name = self.name();
        let mut inspectors = Vec::new();
        if self.chains.iter().any(|c| !c.transport.is_empty() || !c.server_names.is_empty()) {
            inspectors.push(inspector("envoy.filters.listener.tls_inspector", pack_plain(&TlsInspector::default())));
        }
        let undeclared = self.chains.iter().any(|c| c.transport != TLS && !c.alpn.is_empty());
        if undeclared {
            inspectors.push(inspector("envoy.filters.listener.http_inspector", pack_plain(&HttpInspector {})));
        }
        let peeks = !inspectors.is_empty();
        let listener = Listener {
            name: name.clone(),
            address: Some(endpoints::address(&self.address, self.port)),
            traffic_direction: self.direction as i32,
            listener_filters: inspectors,
            listener_filters_timeout: self
                .peek
                .or(undeclared.then_some(SILENCE))
                .filter(|_| peeks)
                .map(proto::duration),
            // A client that waits for the server to speak first gets the chain for opaque bytes.
            continue_on_listener_filters_timeout: peeks,
            filter_chains: self.chains.into_iter().map(Chain::into_proto).collect(),
            default_filter_chain: self.default.map(Chain::into_proto),
            use_original_dst: (self.order == Order::Redirected).then(|| proto::boolean(true)).flatten(),
            bind_to_port: (self.order == Order::HandedOver).then(|| proto::boolean(false)).flatten(),
            ..Listener::default()
        };
        out.push(Resource::new(name, type_url::LISTENER, &listener, Default::default()));
    }
}

/// `<ip>_<port>`; a Unix socket is named by its path.
pub(super) fn listener_name(address: &str, port: u16) -> String {
    match address.strip_prefix("unix://") {
        Some(path) => path.to_owned(),
        None => format!("{address}_{port}"),
    }
}

fn inspector(name: &str, config: envoy_types::pb::google::protobuf::Any) -> ListenerFilter {
    ListenerFilter {
        name: name.to_owned(),
        config_type: Some(listener_filter::ConfigType::TypedConfig(config)),
        ..ListenerFilter::default()
    }
}
