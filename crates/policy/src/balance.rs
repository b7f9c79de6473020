//! Load balancing: which host of a cluster takes a request. Priorities, panic and policies are Envoy's
//! (<https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/upstream/load_balancing/load_balancing>).

mod consistent;
mod hash;
mod priority;
mod set;

use std::sync::Arc;

pub use hash::xxh64;

use self::{
    priority::{Chosen, Priority},
    set::Set,
};
use crate::{
    config::{Balance, Cluster, EndpointAddress, Health},
    upstream::{Host, Upstream},
};

/// What a pick depends on.
#[derive(Clone, Copy, Debug, Default)]
pub struct PickRequest<'a> {
    /// Hash of the request, for consistent hashing; without one those policies pick at random.
    pub hash: Option<u64>,
    /// Uniform random bits.
    pub random: u64,
    /// Hosts to leave out while there are others (those that earlier attempts tried).
    pub avoid: &'a [Arc<Host>],
    /// Whether their whole priorities are left out while there are others.
    pub avoid_priorities: bool,
}

/// No host can be picked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoHost {
    /// The cluster has no endpoints.
    #[error("the cluster has no endpoints")]
    Empty,
    /// There are endpoints, all of them unhealthy, draining or ejected.
    #[error("none of the cluster's endpoints is usable")]
    Unhealthy,
}

/// Prepared for picking: hosts by priority and health, with what the policy needs to be quick.
#[derive(Debug)]
pub(crate) struct Balancer {
    policy: Balance,
    overprovisioning: u32,
    panic_threshold: f64,
    /// By priority; those without hosts are kept, so that positions are priorities.
    priorities: Vec<Priority>,
}

impl Balancer {
    pub(crate) fn new(cluster: &Cluster, hosts: &[Arc<Host>], overprovisioning: u32) -> Self {
        let mut numbers: Vec<u32> = hosts.iter().map(|h| h.endpoint.priority).collect();
        numbers.sort_unstable();
        numbers.dedup();
        let priorities = numbers.iter().map(|p| Priority::new(cluster, hosts, *p, overprovisioning)).collect();
        Self { policy: cluster.balance, overprovisioning, panic_threshold: cluster.panic_threshold, priorities }
    }

    pub(crate) fn pick<'u>(&self, upstream: &'u Upstream, request: &PickRequest<'_>) -> Result<&'u Arc<Host>, NoHost> {
        let hosts = &upstream.hosts;
        if hosts.is_empty() {
            return Err(NoHost::Empty);
        }
        if request.avoid_priorities && !request.avoid.is_empty() {
            let tried = |p: u32| request.avoid.iter().any(|h| h.endpoint.priority == p);
            let elsewhere = self.elsewhere(upstream, request, |h| !tried(h.endpoint.priority));
            if let Some(host) = elsewhere {
                return Ok(host);
            }
        }
        let chosen = self.choose(upstream, request.random).ok_or(NoHost::Unhealthy)?;
        let wanted = |h: &Host| chosen.panic || !h.state.is_ejected();
        let picked = if request.avoid.is_empty() {
            chosen.set.pick(self.policy, upstream, request, wanted)
        } else {
            let fresh = |h: &Host| wanted(h) && !avoided(h.address(), request.avoid);
            chosen.set.pick(self.policy, upstream, request, fresh).or_else(|| {
                // Another priority's host that was not tried is better than one that was.
                self.elsewhere(upstream, request, |_| true)
                    .or_else(|| chosen.set.pick(self.policy, upstream, request, wanted))
            })
        };
        picked.ok_or(NoHost::Unhealthy)
    }

    /// An available host of any priority that was not tried.
    fn elsewhere<'u>(
        &self,
        upstream: &'u Upstream,
        request: &PickRequest<'_>,
        wanted: impl Fn(&Host) -> bool,
    ) -> Option<&'u Arc<Host>> {
        let fresh = |h: &Host| h.is_available() && !avoided(h.address(), request.avoid) && wanted(h);
        let sets = self.priorities.iter().flat_map(|p| [&p.healthy, &p.degraded]);
        sets.into_iter().find_map(|set| set.pick(self.policy, upstream, request, fresh))
    }

    /// The set of hosts that takes this request.
    fn choose<'b>(&'b self, upstream: &Upstream, random: u64) -> Option<Chosen<'b>> {
        // By far the most frequent case: everything is well.
        if upstream.state.ejected() == 0
            && let Some(first) = self.priorities.first()
            && first.takes_all
        {
            return Some(Chosen { set: &first.healthy, panic: false });
        }
        priority::choose(&self.priorities, &upstream.hosts, self.overprovisioning, self.panic_threshold, random)
    }
}

fn avoided(address: &EndpointAddress, avoid: &[Arc<Host>]) -> bool {
    avoid.iter().any(|h| h.address() == address)
}

impl Priority {
    fn new(cluster: &Cluster, hosts: &[Arc<Host>], number: u32, overprovisioning: u32) -> Self {
        let members = |health: fn(Health) -> bool| {
            let of =
                hosts.iter().enumerate().filter(|(_, h)| h.endpoint.priority == number && health(h.endpoint.health));
            of.map(|(at, _)| at as u32).collect::<Vec<_>>()
        };
        let total = members(|_| true).len() as u32;
        let set = |members| Set::new(cluster, hosts, members, overprovisioning);
        let healthy = set(members(|h| h == Health::Healthy));
        let degraded = set(members(|h| h == Health::Degraded));
        let panic = cluster.panic_threshold > 0.0;
        let all = if panic { set(members(|h| h != Health::Draining)) } else { Set::default() };
        let takes_all = priority::share(healthy.len(), total, overprovisioning) >= 100;
        Self { total, healthy, degraded, all, takes_all }
    }
}

/// Turns random bits into other random bits (splitmix64).
pub(crate) fn mix(n: u64) -> u64 {
    let mut z = n.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests;
