//! How an endpoint is chosen.

use std::time::Duration;

use envoy_types::pb::envoy::config::{
    cluster::v3::{
        Cluster,
        cluster::{
            LbConfig, LbPolicy, LeastRequestLbConfig, MaglevLbConfig, RingHashLbConfig, RoundRobinLbConfig,
            SlowStartConfig,
        },
    },
    core::v3::RuntimeDouble,
};
use weft_api::networking::traffic_policy::{LoadBalancer, SimpleLb};

use crate::translate::proto::{duration, percent, uint64};

/// LEAST_REQUEST unless the policy says otherwise; a consistent hash wins over a plain algorithm.
/// Without either, a Service's own `sessionAffinity: ClientIP` is a hash of the client's address.
pub(super) fn apply(policy: Option<&LoadBalancer>, client_affinity: bool, cluster: &mut Cluster) {
    if policy.is_none() && client_affinity {
        cluster.lb_policy = LbPolicy::RingHash as i32;
        cluster.lb_config = Some(LbConfig::RingHashLbConfig(RingHashLbConfig {
            minimum_ring_size: uint64(1024),
            ..RingHashLbConfig::default()
        }));
        return;
    }
    let warmup = policy.and_then(slow_start);
    let hash = policy.and_then(|p| p.consistent_hash.as_ref());
    if let Some(hash) = hash {
        if let Some(maglev) = &hash.maglev {
            cluster.lb_policy = LbPolicy::Maglev as i32;
            cluster.lb_config =
                maglev.table_size.map(|size| LbConfig::MaglevLbConfig(MaglevLbConfig { table_size: uint64(size) }));
        } else {
            let least = hash.ring_hash.as_ref().and_then(|r| r.minimum_ring_size).or(hash.minimum_ring_size);
            cluster.lb_policy = LbPolicy::RingHash as i32;
            cluster.lb_config = Some(LbConfig::RingHashLbConfig(RingHashLbConfig {
                minimum_ring_size: uint64(least.unwrap_or(1024)),
                ..RingHashLbConfig::default()
            }));
        }
        return;
    }
    match policy.and_then(|p| p.simple).unwrap_or_default() {
        SimpleLb::RoundRobin => {
            cluster.lb_policy = LbPolicy::RoundRobin as i32;
            cluster.lb_config =
                warmup.map(|w| LbConfig::RoundRobinLbConfig(RoundRobinLbConfig { slow_start_config: Some(w) }));
        }
        SimpleLb::Random => cluster.lb_policy = LbPolicy::Random as i32,
        // PASSTHROUGH means the address that was dialled, which only a captured connection knows.
        SimpleLb::Unspecified | SimpleLb::LeastConn | SimpleLb::LeastRequest | SimpleLb::Passthrough => {
            cluster.lb_policy = LbPolicy::LeastRequest as i32;
            cluster.lb_config = warmup.map(|w| {
                LbConfig::LeastRequestLbConfig(LeastRequestLbConfig {
                    slow_start_config: Some(w),
                    ..LeastRequestLbConfig::default()
                })
            });
        }
    }
}

fn slow_start(policy: &LoadBalancer) -> Option<SlowStartConfig> {
    let (window, warmup): (Duration, _) = match (&policy.warmup, policy.warmup_duration_secs) {
        (Some(warmup), _) => (warmup.duration?.get(), Some(warmup)),
        (None, Some(window)) => (window.get(), None),
        (None, None) => return None,
    };
    Some(SlowStartConfig {
        slow_start_window: Some(duration(window)),
        aggression: warmup
            .and_then(|w| w.aggression)
            .map(|value| RuntimeDouble { default_value: value.max(1.0), runtime_key: String::new() }),
        min_weight_percent: Some(percent(warmup.and_then(|w| w.minimum_percent).unwrap_or(10.0).clamp(0.0, 100.0))),
    })
}
