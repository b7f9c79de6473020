//! Clusters.

mod balance;
mod options;

use std::{net::IpAddr, sync::Arc, time::Duration};

use envoy_types::pb::{
    envoy::config::{
        cluster::v3::{
            CircuitBreakers, Cluster as Message,
            circuit_breakers::Thresholds,
            cluster::{ClusterDiscoveryType, DiscoveryType, TransportSocketMatch},
        },
        core::v3::{BindConfig, RoutingPriority, TransportSocket},
    },
    google::protobuf::{ListValue, value::Kind},
};
use weft_model::{metrics::UNKNOWN, xds};

use super::{
    At, Result, endpoints, fail, outlier,
    proto::{choice, duration_or, ip, metadata_struct, metadata_text, text, uint32},
    same_name, tls, unsupported,
};
use crate::config::{
    Balance, Cluster, Discovery, Keepalive, LimitSettings, RetryBudget, ServiceRef, TlsChoice, UpstreamTls,
};

pub(super) fn read(name: &Arc<str>, m: Message) -> Result<Cluster> {
    same_name(name, &m.name, "name")?;
    refuse_unsupported(&m)?;
    let discovery = discovery(&m)?;
    let balance = balance::policy(&m)?;
    if matches!(discovery, Discovery::OriginalDestination) != (balance == Balance::ClusterProvided) {
        return Err(fail("CLUSTER_PROVIDED and ORIGINAL_DST belong together")).at("lb_policy");
    }
    let common = balance::common(&m.common_lb_config).at("common_lb_config")?;
    let options = options::read(&m)?;
    let keepalive = m.upstream_connection_options.as_ref().and_then(|o| o.tcp_keepalive.as_ref());
    let seconds = |n: u32| Duration::from_secs(n.into());
    Ok(Cluster {
        name: name.clone(),
        discovery,
        balance,
        connect_timeout: duration_or("connect_timeout", &m.connect_timeout, Duration::from_secs(5))?,
        limits: m.circuit_breakers.as_ref().map_or(Ok(LimitSettings::default()), limits).at("circuit_breakers")?,
        outlier: m.outlier_detection.as_ref().map(outlier::read).transpose().at("outlier_detection")?,
        protocol: options.protocol,
        max_requests_per_connection: options.max_requests_per_connection,
        max_concurrent_streams: options.max_concurrent_streams,
        idle_timeout: options.idle_timeout,
        max_connection_duration: options.max_connection_duration,
        tls: tls_choices(&m)?,
        keepalive: keepalive.map(|k| Keepalive {
            probes: uint32(&k.keepalive_probes),
            time: uint32(&k.keepalive_time).map(seconds),
            interval: uint32(&k.keepalive_interval).map(seconds),
        }),
        panic_threshold: common.panic_threshold,
        locality_weighted: common.locality_weighted,
        services: services(&m),
        subset: metadata_text(&m.metadata, xds::WEFT_METADATA, xds::META_SUBSET)
            .filter(|s| !s.is_empty())
            .map(Arc::from),
        bind: m.upstream_bind_config.as_ref().map_or(Ok(Vec::new()), bind).at("upstream_bind_config")?,
    })
}

/// One address of each family; more cannot be told apart.
fn bind(m: &BindConfig) -> Result<Vec<IpAddr>> {
    let extra = m.extra_source_addresses.iter().map(|extra| extra.address.as_ref());
    let mut addresses: Vec<IpAddr> = Vec::new();
    for (i, address) in std::iter::once(m.source_address.as_ref()).chain(extra).enumerate() {
        let Some(address) = address else { continue };
        let address = ip(&address.address).at_index("source_addresses", i)?;
        if addresses.iter().any(|known| known.is_ipv4() == address.is_ipv4()) {
            return Err(fail("a second address of this family")).at_index("source_addresses", i);
        }
        addresses.push(address);
    }
    Ok(addresses)
}

fn refuse_unsupported(m: &Message) -> Result<()> {
    unsupported(m.transport_socket_matcher.is_some(), "transport_socket_matcher")?;
    unsupported(!m.health_checks.is_empty(), "health_checks")?;
    unsupported(m.lb_subset_config.is_some(), "lb_subset_config")?;
    unsupported(!m.filters.is_empty(), "filters")?;
    unsupported(m.load_balancing_policy.is_some(), "load_balancing_policy")?;
    unsupported(m.upstream_config.is_some(), "upstream_config")?;
    unsupported(m.connection_pool_per_downstream_connection, "connection_pool_per_downstream_connection")
}

fn discovery(m: &Message) -> Result<Discovery> {
    let kind = match &m.cluster_discovery_type {
        Some(ClusterDiscoveryType::Type(number)) => choice("type", *number)?,
        Some(ClusterDiscoveryType::ClusterType(_)) => return Err(fail("is not supported")).at("cluster_type"),
        None => DiscoveryType::Static,
    };
    match kind {
        DiscoveryType::Eds => {
            let service = m.eds_cluster_config.as_ref().map(|e| e.service_name.as_str()).filter(|s| !s.is_empty());
            Ok(Discovery::Eds(service.unwrap_or(&m.name).into()))
        }
        DiscoveryType::Static => match &m.load_assignment {
            Some(assignment) => {
                let endpoints = endpoints::read_assignment(m.name.as_str().into(), assignment);
                Ok(Discovery::Static(Arc::new(endpoints.at("load_assignment")?)))
            }
            None => Ok(Discovery::Static(Arc::default())),
        },
        DiscoveryType::OriginalDst => Ok(Discovery::OriginalDestination),
        DiscoveryType::StrictDns | DiscoveryType::LogicalDns => Err(fail("DNS discovery is not supported")).at("type"),
    }
}

fn limits(m: &CircuitBreakers) -> Result<LimitSettings> {
    unsupported(!m.per_host_thresholds.is_empty(), "per_host_thresholds")?;
    // All requests have the default priority; thresholds of the other can never be reached.
    let ours = |t: &&Thresholds| t.priority == RoutingPriority::Default as i32;
    let Some(t) = m.thresholds.iter().find(ours) else { return Ok(LimitSettings::default()) };
    let default = LimitSettings::default();
    Ok(LimitSettings {
        connections: uint32(&t.max_connections).unwrap_or(default.connections),
        pending: uint32(&t.max_pending_requests).unwrap_or(default.pending),
        requests: uint32(&t.max_requests).unwrap_or(default.requests),
        retries: uint32(&t.max_retries).unwrap_or(default.retries),
        retry_budget: match &t.retry_budget {
            None => None,
            Some(budget) => {
                let percent = budget.budget_percent.as_ref().map_or(20.0, |p| p.value);
                if !(0.0..=100.0).contains(&percent) {
                    return Err(fail(format!("{percent} is not a percentage"))).at("retry_budget.budget_percent");
                }
                Some(RetryBudget { percent, min_concurrency: uint32(&budget.min_retry_concurrency).unwrap_or(3) })
            }
        },
    })
}

/// Matches by `tlsMode` in order, then the cluster's own socket; without any, plaintext.
fn tls_choices(m: &Message) -> Result<Vec<TlsChoice>> {
    let own =
        |socket: &TransportSocket| -> Result<Option<Arc<UpstreamTls>>> { Ok(tls::upstream(socket)?.map(Arc::new)) };
    let mut choices = Vec::new();
    for (i, choice) in m.transport_socket_matches.iter().enumerate() {
        let tls_mode = tls_mode(choice).at_index("transport_socket_matches", i)?;
        let socket = choice.transport_socket.as_ref().ok_or_else(|| fail("is needed"));
        let tls = socket.and_then(own).at("transport_socket").at_index("transport_socket_matches", i)?;
        choices.push(TlsChoice { tls_mode, tls });
    }
    let rest = m.transport_socket.as_ref().map(own).transpose().at("transport_socket")?.flatten();
    choices.push(TlsChoice { tls_mode: None, tls: rest });
    Ok(choices)
}

fn tls_mode(m: &TransportSocketMatch) -> Result<Option<Arc<str>>> {
    let Some(fields) = m.r#match.as_ref().filter(|s| !s.fields.is_empty()) else { return Ok(None) };
    match (text(fields, xds::TLS_MODE_KEY), fields.fields.len()) {
        (Some(mode), 1) => Ok(Some(mode.into())),
        _ => Err(fail(format!("only {} is supported", xds::TLS_MODE_KEY))).at("match"),
    }
}

/// Istio's metrics name those clusters that stand for no service of the mesh in a service's place.
fn stranger(cluster: &str) -> Option<ServiceRef> {
    let known = [xds::PASSTHROUGH_CLUSTER, xds::BLACK_HOLE_CLUSTER, xds::INBOUND_PASSTHROUGH_CLUSTER];
    known.contains(&cluster).then(|| ServiceRef {
        host: UNKNOWN.into(),
        name: cluster.into(),
        namespace: UNKNOWN.into(),
    })
}

fn services(m: &Message) -> Vec<ServiceRef> {
    if let Some(stranger) = stranger(&m.name) {
        return vec![stranger];
    }
    let list = metadata_struct(&m.metadata, xds::ISTIO_METADATA).and_then(|s| s.fields.get("services"));
    let Some(Kind::ListValue(ListValue { values })) = list.and_then(|v| v.kind.as_ref()) else { return Vec::new() };
    let service = |value: &envoy_types::pb::google::protobuf::Value| match &value.kind {
        Some(Kind::StructValue(fields)) => {
            let part = |key| text(fields, key).unwrap_or_default().into();
            Some(ServiceRef { host: part("host"), name: part("name"), namespace: part("namespace") })
        }
        _ => None,
    };
    values.iter().filter_map(service).collect()
}
