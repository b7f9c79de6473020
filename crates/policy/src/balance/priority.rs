//! Which priority takes a request, by how healthy each is.

use std::sync::Arc;

use super::Set;
use crate::upstream::Host;

/// Hosts of one priority.
#[derive(Debug)]
pub(super) struct Priority {
    /// All of them, whatever their health.
    pub total: u32,
    pub healthy: Set,
    pub degraded: Set,
    /// For panic; empty when panic is switched off.
    pub all: Set,
    /// Whether it takes every request as long as nothing is ejected.
    pub takes_all: bool,
}

/// Where to pick.
pub(super) struct Chosen<'a> {
    pub set: &'a Set,
    /// Whether health and ejections are to be ignored.
    pub panic: bool,
}

/// Health of a priority in percent, with overprovisioning; at most 100.
pub(super) fn share(usable: usize, total: u32, overprovisioning: u32) -> u64 {
    if total == 0 {
        return 0;
    }
    (usable as u64 * u64::from(overprovisioning) / u64::from(total)).min(100)
}

impl Priority {
    fn usable(&self, hosts: &[Arc<Host>]) -> (usize, usize) {
        let count = |set: &Set| set.members(hosts).filter(|h| !h.state.is_ejected()).count();
        (count(&self.healthy), count(&self.degraded))
    }

    fn shares(&self, hosts: &[Arc<Host>], overprovisioning: u32) -> (u64, u64) {
        let (healthy, degraded) = self.usable(hosts);
        (share(healthy, self.total, overprovisioning), share(degraded, self.total, overprovisioning))
    }

    fn panics(&self, hosts: &[Arc<Host>], threshold: f64) -> bool {
        let (healthy, degraded) = self.usable(hosts);
        100.0 * ((healthy + degraded) as f64) < threshold * f64::from(self.total.max(1))
    }
}

/// Envoy's distribution over priorities: healthy hosts of each in turn until 100 % are given away, then degraded ones;
/// panic only where the cluster as a whole falls short.
pub(super) fn choose<'a>(
    priorities: &'a [Priority],
    hosts: &[Arc<Host>],
    overprovisioning: u32,
    threshold: f64,
    random: u64,
) -> Option<Chosen<'a>> {
    let available: u64 = priorities
        .iter()
        .map(|p| {
            let (healthy, degraded) = p.shares(hosts, overprovisioning);
            healthy + degraded
        })
        .sum();
    let short = available < 100;
    let in_panic = |p: &Priority| short && threshold > 0.0 && p.panics(hosts, threshold);
    if priorities.iter().all(in_panic) {
        return total_panic(priorities, random);
    }
    let available = available.min(100);
    if available == 0 {
        return None;
    }
    let roll = random % 100;
    let mut given = 0;
    let mut last = None;
    for degraded in [false, true] {
        for priority in priorities {
            let shares = priority.shares(hosts, overprovisioning);
            let own = if degraded { shares.1 } else { shares.0 };
            let load = (own * 100 / available).min(100 - given);
            if load == 0 {
                continue;
            }
            let panic = in_panic(priority);
            let health = if degraded { &priority.degraded } else { &priority.healthy };
            let chosen = Chosen { set: if panic { &priority.all } else { health }, panic };
            given += load;
            if roll < given {
                return Some(chosen);
            }
            last = Some(chosen);
        }
    }
    // Rounding may leave a few percent over.
    last
}

/// Every priority is in panic: by number of hosts, whatever their health.
fn total_panic(priorities: &[Priority], random: u64) -> Option<Chosen<'_>> {
    let total: u64 = priorities.iter().map(|p| p.all.len() as u64).sum();
    let mut at = random.checked_rem(total)?;
    for priority in priorities {
        let own = priority.all.len() as u64;
        if at < own {
            return Some(Chosen { set: &priority.all, panic: true });
        }
        at -= own;
    }
    None
}
