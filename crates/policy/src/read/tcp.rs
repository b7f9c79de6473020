//! TCP proxy and network RBAC filters.

use std::{sync::Arc, time::Duration};

use envoy_types::pb::envoy::{
    extensions::filters::network::{
        rbac::v3::{Rbac as RbacMessage, rbac::EnforcementType},
        tcp_proxy::v3::{
            TcpProxy, UpstreamConnectMode,
            tcp_proxy::{ClusterSpecifier, weighted_cluster::ClusterWeight},
        },
    },
    r#type::v3::hash_policy::PolicySpecifier,
};

use super::{
    At, Result, each, fail,
    proto::{choice, timeout, uint32},
    rbac, unsupported,
};
use crate::{
    authz::Rbac,
    config::{HeaderOps, TcpChain, Weighted, WeightedCluster},
};

/// Envoy's idle timeout when none is given.
const IDLE: Duration = Duration::from_secs(3600);

pub(super) fn proxy(m: &TcpProxy, authz: Vec<Arc<Rbac>>) -> Result<TcpChain> {
    unsupported(m.on_demand.is_some(), "on_demand")?;
    unsupported(m.metadata_match.is_some(), "metadata_match")?;
    unsupported(m.tunneling_config.is_some(), "tunneling_config")?;
    unsupported(!m.proxy_protocol_tlvs.is_empty(), "proxy_protocol_tlvs")?;
    let mode: UpstreamConnectMode = choice("upstream_connect_mode", m.upstream_connect_mode)?;
    unsupported(mode != UpstreamConnectMode::default(), "upstream_connect_mode")?;
    let clusters = match &m.cluster_specifier {
        Some(ClusterSpecifier::Cluster(name)) if !name.is_empty() => Weighted::single(name.as_str().into()),
        Some(ClusterSpecifier::WeightedClusters(weighted)) => {
            let clusters = each("weighted_clusters.clusters", &weighted.clusters, weight)?;
            let weighted = Weighted::new(clusters).ok_or_else(|| fail("the weights add up to nothing"));
            weighted.at("weighted_clusters")?
        }
        _ => return Err(fail("a cluster is needed")).at("cluster"),
    };
    let mut hash_source_ip = false;
    for (i, policy) in m.hash_policy.iter().enumerate() {
        match policy.policy_specifier {
            Some(PolicySpecifier::SourceIp(_)) => hash_source_ip = true,
            _ => return Err(fail("only source_ip is supported")).at_index("hash_policy", i),
        }
    }
    Ok(TcpChain {
        stat_prefix: m.stat_prefix.as_str().into(),
        clusters,
        authz,
        idle_timeout: timeout("idle_timeout", &m.idle_timeout, Some(IDLE))?,
        max_connect_attempts: uint32(&m.max_connect_attempts).unwrap_or(1).max(1),
        max_duration: timeout("max_downstream_connection_duration", &m.max_downstream_connection_duration, None)?,
        hash_source_ip,
    })
}

fn weight(m: &ClusterWeight) -> Result<WeightedCluster> {
    unsupported(m.metadata_match.is_some(), "metadata_match")?;
    if m.name.is_empty() {
        return Err(fail("is empty")).at("name");
    }
    Ok(WeightedCluster {
        cluster: m.name.as_str().into(),
        weight: m.weight,
        request_headers: HeaderOps::default(),
        response_headers: HeaderOps::default(),
        authority: None,
    })
}

pub(super) fn authz(m: &RbacMessage) -> Result<Vec<Arc<Rbac>>> {
    unsupported(m.matcher.is_some(), "matcher")?;
    unsupported(m.shadow_matcher.is_some(), "shadow_matcher")?;
    unsupported(m.delay_deny.is_some(), "delay_deny")?;
    // An opaque connection is judged when it begins; nothing about it changes later.
    let _: EnforcementType = choice("enforcement_type", m.enforcement_type)?;
    rbac::filters(&m.rules, &m.shadow_rules)
}
