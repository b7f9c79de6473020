//! Listeners.

use std::{sync::Arc, time::Duration};

use envoy_types::pb::envoy::{
    config::{
        core::v3::{TrafficDirection, TransportSocket},
        listener::v3::{
            Filter, FilterChain as ChainMessage, FilterChainMatch, Listener as Message, ListenerFilter, filter,
            filter_chain_match::ConnectionSourceType, listener_filter,
        },
    },
    extensions::filters::{
        listener::{http_inspector::v3::HttpInspector, original_dst::v3::OriginalDst, tls_inspector::v3::TlsInspector},
        network::{
            http_connection_manager::v3::HttpConnectionManager, rbac::v3::Rbac as RbacMessage, tcp_proxy::v3::TcpProxy,
        },
    },
};
use prost::Name;

use super::{
    At, Result, each, fail, http,
    proto::{address, boolean, choice, cidr, duration_or, is_true, port, type_name, unpack},
    same_name, tcp, tls, unsupported,
};
use crate::config::{
    ChainKind, ChainMatch, Direction, DownstreamTls, EndpointAddress, FilterChain, Listener, Transport,
};

/// Envoy's time for the first bytes when none is given.
const PEEK_TIMEOUT: Duration = Duration::from_secs(15);

pub(super) fn read(name: &Arc<str>, m: Message) -> Result<Listener> {
    same_name(name, &m.name, "name")?;
    refuse_unsupported(&m)?;
    let EndpointAddress::Socket(bind) = address(&m.address).at("address")? else {
        return Err(fail("a listener needs an IP address and a port")).at("address");
    };
    let mut inspect = Inspect { original: is_true(&m.use_original_dst), ..Inspect::default() };
    for (i, filter) in m.listener_filters.iter().enumerate() {
        inspect.add(filter).at_index("listener_filters", i)?;
    }
    let chains = m.filter_chains.into_iter().enumerate();
    let chains = chains.map(|(i, m)| chain(i, m).at_index("filter_chains", i)).collect::<Result<Vec<_>>>()?;
    for (i, one) in chains.iter().enumerate() {
        if let Some(j) = chains[..i].iter().position(|other| other.criteria == one.criteria) {
            return Err(fail(format!("has the same criteria as filter_chains[{j}]"))).at_index("filter_chains", i);
        }
    }
    let default_chain =
        m.default_filter_chain.map(|m| chain(chains.len(), m)).transpose().at("default_filter_chain")?;
    if chains.is_empty() && default_chain.is_none() {
        return Err(fail("is empty")).at("filter_chains");
    }
    Ok(Listener {
        name: name.clone(),
        address: bind,
        bind: boolean(&m.bind_to_port).unwrap_or(true),
        direction: match choice("traffic_direction", m.traffic_direction)? {
            TrafficDirection::Inbound => Direction::Inbound,
            TrafficDirection::Outbound | TrafficDirection::Unspecified => Direction::Outbound,
        },
        peek_tls: inspect.tls,
        peek_http: inspect.http,
        original_destination: inspect.original,
        peek_timeout: duration_or("listener_filters_timeout", &m.listener_filters_timeout, PEEK_TIMEOUT)?,
        continue_on_peek_timeout: m.continue_on_listener_filters_timeout,
        chains,
        default_chain,
    })
}

#[allow(deprecated, reason = "deprecated fields are refused, not ignored")]
fn refuse_unsupported(m: &Message) -> Result<()> {
    unsupported(!m.additional_addresses.is_empty(), "additional_addresses")?;
    unsupported(m.fcds_config.is_some(), "fcds_config")?;
    unsupported(m.filter_chain_matcher.is_some(), "filter_chain_matcher")?;
    unsupported(m.udp_listener_config.is_some(), "udp_listener_config")?;
    unsupported(m.api_listener.is_some(), "api_listener")?;
    unsupported(m.listener_specifier.is_some(), "listener_specifier")?;
    unsupported(is_true(&m.transparent), "transparent")
}

#[derive(Default)]
struct Inspect {
    tls: bool,
    http: bool,
    original: bool,
}

impl Inspect {
    fn add(&mut self, filter: &ListenerFilter) -> Result<()> {
        unsupported(filter.filter_disabled.is_some(), "filter_disabled")?;
        let named = match &filter.config_type {
            Some(listener_filter::ConfigType::TypedConfig(any)) => type_name(any).to_owned(),
            Some(listener_filter::ConfigType::ConfigDiscovery(_)) => {
                return Err(fail("is not supported")).at("config_discovery");
            }
            None => filter.name.clone(),
        };
        match named.as_str() {
            "envoy.filters.listener.tls_inspector" => self.tls = true,
            "envoy.filters.listener.http_inspector" => self.http = true,
            "envoy.filters.listener.original_dst" => self.original = true,
            name if name == TlsInspector::full_name() => self.tls = true,
            name if name == HttpInspector::full_name() => self.http = true,
            name if name == OriginalDst::full_name() => self.original = true,
            other => return Err(fail(format!("filter {other} is not supported"))),
        }
        Ok(())
    }
}

#[allow(deprecated, reason = "deprecated fields are refused, not ignored")]
fn chain(index: usize, m: ChainMessage) -> Result<FilterChain> {
    unsupported(is_true(&m.use_proxy_proto), "use_proxy_proto")?;
    let criteria = m.filter_chain_match.as_ref().map(criteria).transpose().at("filter_chain_match")?;
    let tls = m.transport_socket.as_ref().map(transport).transpose().at("transport_socket")?.flatten();
    Ok(FilterChain {
        name: if m.name.is_empty() { format!("filter_chains[{index}]").into() } else { m.name.as_str().into() },
        criteria: criteria.unwrap_or_default(),
        tls: tls.map(Arc::new),
        handshake_timeout: super::proto::timeout(
            "transport_socket_connect_timeout",
            &m.transport_socket_connect_timeout,
            None,
        )?,
        kind: filters(m.filters)?,
    })
}

fn transport(socket: &TransportSocket) -> Result<Option<DownstreamTls>> {
    tls::downstream(socket)
}

fn filters(messages: Vec<Filter>) -> Result<ChainKind> {
    let last = messages.len().checked_sub(1).ok_or_else(|| fail("is empty")).at("filters")?;
    let mut authz = Vec::new();
    for (i, filter) in messages.into_iter().enumerate() {
        let Some(filter::ConfigType::TypedConfig(any)) = filter.config_type else {
            return Err(fail(format!("{:?} has no typed configuration", filter.name))).at_index("filters", i);
        };
        match type_name(&any) {
            name if name == RbacMessage::full_name() => {
                authz.extend(unpack(&any).and_then(|m| tcp::authz(&m)).at_index("filters", i)?);
            }
            name if name == HttpConnectionManager::full_name() && i == last => {
                let m: HttpConnectionManager = unpack(&any).at_index("filters", i)?;
                let mut manager = http::manager(m).at_index("filters", i)?;
                manager.connection_authz = authz;
                return Ok(ChainKind::Http(Arc::new(manager)));
            }
            name if name == TcpProxy::full_name() && i == last => {
                let chain = unpack(&any).and_then(|m| tcp::proxy(&m, authz)).at_index("filters", i)?;
                return Ok(ChainKind::Tcp(Arc::new(chain)));
            }
            other => return Err(fail(format!("filter {other} is not supported here"))).at_index("filters", i),
        }
    }
    Err(fail("the last filter must be a connection manager or a TCP proxy")).at("filters")
}

fn criteria(m: &FilterChainMatch) -> Result<ChainMatch> {
    unsupported(!m.address_suffix.is_empty(), "address_suffix")?;
    unsupported(m.suffix_len.is_some(), "suffix_len")?;
    unsupported(!m.direct_source_prefix_ranges.is_empty(), "direct_source_prefix_ranges")?;
    unsupported(!m.source_prefix_ranges.is_empty(), "source_prefix_ranges")?;
    unsupported(!m.source_ports.is_empty(), "source_ports")?;
    let source: ConnectionSourceType = choice("source_type", m.source_type)?;
    unsupported(source != ConnectionSourceType::Any, "source_type")?;
    Ok(ChainMatch {
        destination_port: m.destination_port.as_ref().map(|p| port(p.value)).transpose().at("destination_port")?,
        destination: each("prefix_ranges", &m.prefix_ranges, cidr)?,
        server_names: each("server_names", &m.server_names, |n| server_name(n))?,
        transport: match m.transport_protocol.as_str() {
            "" => None,
            "tls" => Some(Transport::Tls),
            "raw_buffer" => Some(Transport::Raw),
            other => return Err(fail(format!("{other:?} is not supported"))).at("transport_protocol"),
        },
        application_protocols: m.application_protocols.iter().map(|p| p.as_str().into()).collect(),
    })
}

/// `*.suffix` is kept as `.suffix`.
fn server_name(name: &str) -> Result<Arc<str>> {
    let bare = name.strip_prefix('*').unwrap_or(name);
    if bare.is_empty() || bare.contains('*') || (bare.len() < name.len() && !bare.starts_with('.')) {
        return Err(fail(format!("{name:?} is neither a name nor *.suffix")));
    }
    Ok(bare.to_ascii_lowercase().into())
}
