//! Opaque bytes: the TCP proxy filter.

use std::time::Duration;

use envoy_types::pb::envoy::{
    config::listener::v3::{Filter, filter},
    extensions::filters::network::tcp_proxy::v3::{
        TcpProxy,
        tcp_proxy::{ClusterSpecifier, WeightedCluster, weighted_cluster::ClusterWeight},
    },
};

use super::proto::duration;
use crate::canonical::pack_plain;

const TCP_PROXY: &str = "envoy.filters.network.tcp_proxy";

/// A TCP proxy to one cluster, or to several by weight. Destinations of weight 0 get nothing and are left out.
pub(super) fn tcp_proxy(stat_prefix: &str, destinations: &[(String, u32)], idle: Option<Duration>) -> Filter {
    let weighted: Vec<&(String, u32)> = destinations.iter().filter(|(_, weight)| *weight > 0).collect();
    let specifier = match (weighted.as_slice(), destinations) {
        ([], [(only, _), ..]) | ([(only, _)], _) => ClusterSpecifier::Cluster(only.clone()),
        ([], []) => ClusterSpecifier::Cluster(weft_model::xds::BLACK_HOLE_CLUSTER.into()),
        (several, _) => ClusterSpecifier::WeightedClusters(WeightedCluster {
            clusters: several
                .iter()
                .map(|(name, weight)| ClusterWeight { name: name.clone(), weight: *weight, metadata_match: None })
                .collect(),
        }),
    };
    let proxy = TcpProxy {
        stat_prefix: stat_prefix.to_owned(),
        idle_timeout: idle.map(duration),
        cluster_specifier: Some(specifier),
        ..TcpProxy::default()
    };
    Filter { name: TCP_PROXY.into(), config_type: Some(filter::ConfigType::TypedConfig(pack_plain(&proxy))) }
}
