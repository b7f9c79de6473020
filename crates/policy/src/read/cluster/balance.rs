//! Load-balancing settings of a cluster.

use envoy_types::pb::envoy::config::cluster::v3::{
    Cluster as Message,
    cluster::{
        CommonLbConfig, LbConfig, LbPolicy, common_lb_config::LocalityConfigSpecifier,
        ring_hash_lb_config::HashFunction,
    },
};

use super::super::{
    At, Result, fail,
    proto::{choice, uint32},
    unsupported,
};
use crate::config::Balance;

/// Most entries of a ring: 16 MiB of them. Envoy's limit is eight times that.
const LARGEST_RING: u32 = 1 << 20;
/// Envoy's and Maglev's own default, and Envoy's limit.
const TABLE: u32 = 65_537;
const LARGEST_TABLE: u64 = 5_000_011;

pub(super) fn policy(m: &Message) -> Result<Balance> {
    match &m.lb_config {
        Some(LbConfig::RoundRobinLbConfig(c)) => {
            unsupported(c.slow_start_config.is_some(), "round_robin_lb_config.slow_start_config")?;
        }
        Some(LbConfig::LeastRequestLbConfig(c)) => {
            unsupported(c.slow_start_config.is_some(), "least_request_lb_config.slow_start_config")?;
        }
        _ => {}
    }
    Ok(match choice("lb_policy", m.lb_policy)? {
        LbPolicy::RoundRobin => Balance::RoundRobin,
        LbPolicy::Random => Balance::Random,
        LbPolicy::ClusterProvided => Balance::ClusterProvided,
        LbPolicy::LeastRequest => {
            let choices = match &m.lb_config {
                Some(LbConfig::LeastRequestLbConfig(c)) => uint32(&c.choice_count),
                _ => None,
            };
            Balance::LeastRequest { choices: choices.unwrap_or(2).max(2) }
        }
        LbPolicy::RingHash => ring(m).at("ring_hash_lb_config")?,
        LbPolicy::Maglev => {
            let size = match &m.lb_config {
                Some(LbConfig::MaglevLbConfig(c)) => c.table_size.as_ref().map_or(TABLE.into(), |n| n.value),
                _ => TABLE.into(),
            };
            if size > LARGEST_TABLE || !is_prime(size) {
                return Err(fail(format!("{size} is not a prime up to {LARGEST_TABLE}")))
                    .at("maglev_lb_config.table_size");
            }
            Balance::Maglev { table: size as u32 }
        }
        LbPolicy::LoadBalancingPolicyConfig => return Err(fail("is not supported")).at("lb_policy"),
    })
}

fn ring(m: &Message) -> Result<Balance> {
    let Some(LbConfig::RingHashLbConfig(c)) = &m.lb_config else {
        return Ok(Balance::RingHash { minimum: 1024, maximum: LARGEST_RING });
    };
    unsupported(choice::<HashFunction>("hash_function", c.hash_function)? != HashFunction::XxHash, "hash_function")?;
    let minimum = c.minimum_ring_size.as_ref().map_or(1024, |n| n.value);
    let maximum = c.maximum_ring_size.as_ref().map_or(LARGEST_RING.into(), |n| n.value);
    if minimum > maximum {
        return Err(fail("is above maximum_ring_size")).at("minimum_ring_size");
    }
    let entries = |n: u64| u32::try_from(n).unwrap_or(LARGEST_RING).clamp(1, LARGEST_RING);
    Ok(Balance::RingHash { minimum: entries(minimum), maximum: entries(maximum) })
}

fn is_prime(n: u64) -> bool {
    n > 1 && (2..).take_while(|d| d * d <= n).all(|d| !n.is_multiple_of(d))
}

pub(super) struct Common {
    pub panic_threshold: f64,
    pub locality_weighted: bool,
}

pub(super) fn common(m: &Option<CommonLbConfig>) -> Result<Common> {
    // Envoy's default is 50 %; meshes send 0.
    let Some(m) = m else { return Ok(Common { panic_threshold: 50.0, locality_weighted: false }) };
    let panic_threshold = m.healthy_panic_threshold.as_ref().map_or(50.0, |p| p.value);
    if !(0.0..=100.0).contains(&panic_threshold) {
        return Err(fail(format!("{panic_threshold} is not a percentage"))).at("healthy_panic_threshold");
    }
    if let Some(hashing) = &m.consistent_hashing_lb_config {
        unsupported(hashing.use_hostname_for_hashing, "consistent_hashing_lb_config.use_hostname_for_hashing")?;
        unsupported(hashing.hash_balance_factor.is_some(), "consistent_hashing_lb_config.hash_balance_factor")?;
    }
    let locality_weighted = match &m.locality_config_specifier {
        None => false,
        Some(LocalityConfigSpecifier::LocalityWeightedLbConfig(_)) => true,
        Some(LocalityConfigSpecifier::ZoneAwareLbConfig(_)) => {
            return Err(fail("is not supported")).at("zone_aware_lb_config");
        }
    };
    Ok(Common { panic_threshold, locality_weighted })
}
