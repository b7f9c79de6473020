//! Picking within a set of hosts of one priority and health.

use std::{
    collections::HashMap,
    sync::{Arc, atomic::Ordering::Relaxed},
};

use super::{PickRequest, consistent::Consistent, mix};
use crate::{
    config::{Balance, Cluster, Endpoint, Locality},
    upstream::{Host, Upstream},
};

/// Longest schedule of weighted round robin; weights are scaled down to fit.
const LONGEST_SCHEDULE: u64 = 4096;

/// Hosts that can stand in for each other.
#[derive(Debug, Default)]
pub(super) struct Set {
    /// Positions in the cluster's hosts.
    members: Box<[u32]>,
    /// Running sums of the members' weights; empty when all weigh the same.
    sums: Box<[u64]>,
    /// Order of weighted round robin, as positions in `members`; empty when all weigh the same.
    schedule: Box<[u32]>,
    consistent: Option<Box<Consistent>>,
}

impl Set {
    pub(super) fn new(cluster: &Cluster, hosts: &[Arc<Host>], members: Vec<u32>, overprovisioning: u32) -> Self {
        let weights = weights(cluster, hosts, &members, overprovisioning);
        let (members, weights): (Vec<u32>, Vec<u64>) = members.into_iter().zip(weights).filter(|(_, w)| *w > 0).unzip();
        let mut set = Self { members: members.into(), ..Self::default() };
        if weights.windows(2).any(|w| w[0] != w[1]) {
            let mut sum = 0;
            set.sums = weights
                .iter()
                .map(|w| {
                    sum += w;
                    sum
                })
                .collect();
            if cluster.balance == Balance::RoundRobin {
                set.schedule = schedule(&weights);
            }
        }
        set.consistent = Consistent::new(cluster.balance, set.members(hosts), &weights).map(Box::new);
        set
    }

    pub(super) fn len(&self) -> usize {
        self.members.len()
    }

    pub(super) fn members<'h>(&self, hosts: &'h [Arc<Host>]) -> impl ExactSizeIterator<Item = &'h Arc<Host>> {
        self.members.iter().map(|at| &hosts[*at as usize])
    }

    /// A host by the cluster's policy among those that `wanted` lets through; `None` when there is none.
    pub(super) fn pick<'u>(
        &self,
        policy: Balance,
        upstream: &'u Upstream,
        request: &PickRequest<'_>,
        wanted: impl Fn(&Host) -> bool,
    ) -> Option<&'u Arc<Host>> {
        if self.members.is_empty() {
            return None;
        }
        let host = |member: usize| &upstream.hosts[self.members[member] as usize];
        if self.members.len() == 1 {
            return Some(host(0)).filter(|h| wanted(h));
        }
        let picked = match policy {
            Balance::RoundRobin | Balance::ClusterProvided => {
                let turn = upstream.state.cursor.fetch_add(1, Relaxed);
                let member = self.turn(turn);
                return if wanted(host(member)) { Some(host(member)) } else { self.any(turn, upstream, &wanted) };
            }
            Balance::LeastRequest { choices } => {
                let mut best: Option<usize> = None;
                let mut random = mix(request.random);
                for _ in 0..choices.clamp(2, 16) {
                    let member = self.draw(random);
                    random = mix(random);
                    if wanted(host(member)) && best.is_none_or(|b| self.less_busy(member, b, upstream)) {
                        best = Some(member);
                    }
                }
                best
            }
            Balance::Random => Some(self.draw(mix(request.random))).filter(|m| wanted(host(*m))),
            Balance::RingHash { .. } | Balance::Maglev { .. } => {
                let hash = request.hash.unwrap_or_else(|| mix(request.random));
                self.consistent.as_ref().and_then(|c| c.find(hash, |member| wanted(host(member))))
            }
        };
        match picked {
            Some(member) => Some(host(member)),
            None => self.any(mix(request.random), upstream, &wanted),
        }
    }

    /// Whose turn it is in round robin.
    fn turn(&self, turn: u64) -> usize {
        match self.schedule.len() as u64 {
            0 => (turn % self.members.len() as u64) as usize,
            len => self.schedule[(turn % len) as usize] as usize,
        }
    }

    /// A member by weight.
    fn draw(&self, random: u64) -> usize {
        match self.sums.last() {
            None => (random % self.members.len() as u64) as usize,
            Some(total) => {
                let at = random % total;
                self.sums.partition_point(|sum| *sum <= at)
            }
        }
    }

    fn weight(&self, member: usize) -> u64 {
        match self.sums.get(member) {
            None => 1,
            Some(sum) => sum - member.checked_sub(1).map_or(0, |before| self.sums[before]),
        }
    }

    /// Whether a member has fewer requests in flight for its weight than another.
    fn less_busy(&self, member: usize, other: usize, upstream: &Upstream) -> bool {
        let active = |m: usize| upstream.hosts[self.members[m] as usize].state.active();
        if self.sums.is_empty() {
            return active(member) < active(other);
        }
        // (a + 1) / weight, multiplied out.
        let load = |m, weighed_by| (u128::from(active(m)) + 1) * u128::from(self.weight(weighed_by));
        load(member, other) < load(other, member)
    }

    /// By weight among the wanted ones, in one pass to sum them up and one to find it.
    fn any<'u>(&self, random: u64, upstream: &'u Upstream, wanted: impl Fn(&Host) -> bool) -> Option<&'u Arc<Host>> {
        let wanted = |m: &usize| wanted(&upstream.hosts[self.members[*m] as usize]);
        let total: u64 = (0..self.members.len()).filter(wanted).map(|m| self.weight(m)).sum();
        let mut at = random.checked_rem(total)?;
        for member in (0..self.members.len()).filter(wanted) {
            match at.checked_sub(self.weight(member)) {
                Some(rest) => at = rest,
                None => return upstream.hosts.get(self.members[member] as usize),
            }
        }
        // Ejections may change between the two passes.
        (0..self.members.len()).find(wanted).and_then(|m| upstream.hosts.get(self.members[m] as usize))
    }
}

/// Effective weights: those of the endpoints, within those of their localities when these are weighted (0 where the
/// locality has none).
fn weights(cluster: &Cluster, hosts: &[Arc<Host>], members: &[u32], overprovisioning: u32) -> Vec<u64> {
    let endpoint = |at: u32| &hosts[at as usize].endpoint;
    let own = |e: &Endpoint| u64::from(e.weight.max(1));
    if !cluster.locality_weighted {
        return members.iter().map(|at| own(endpoint(*at))).collect();
    }
    // Of each locality: usable members, the sum of their weights, and everyone.
    let mut localities: HashMap<&Locality, (usize, u64, u32)> = HashMap::new();
    for member in members.iter().map(|at| endpoint(*at)) {
        let (usable, sum, _) = localities.entry(&member.locality).or_default();
        *usable += 1;
        *sum += own(member);
    }
    let priority = members.first().map_or(0, |at| endpoint(*at).priority);
    for host in hosts.iter().filter(|h| h.endpoint.priority == priority) {
        if let Some((_, _, everyone)) = localities.get_mut(&*host.endpoint.locality) {
            *everyone += 1;
        }
    }
    let weight = |at: &u32| {
        let me = endpoint(*at);
        let (usable, sum, everyone) = localities.get(&*me.locality).copied().unwrap_or_default();
        let locality = u128::from(me.locality_weight.unwrap_or(0));
        let health = u128::from(super::priority::share(usable, everyone, overprovisioning));
        // In units of 2^-16 of a locality's weight, so that small shares stay apart.
        (locality * health * u128::from(own(me)) * 65_536 / (100 * u128::from(sum.max(1)))) as u64
    };
    members.iter().map(weight).collect()
}

/// Smooth weighted round robin (nginx's): each round everybody gains its weight, the richest goes and pays the total.
fn schedule(weights: &[u64]) -> Box<[u32]> {
    let divisor = weights.iter().copied().fold(0, gcd).max(1);
    let total: u64 = weights.iter().map(|w| w / divisor).sum();
    let limit = LONGEST_SCHEDULE.max(weights.len() as u64);
    let scaled: Vec<i128> = if total <= limit {
        weights.iter().map(|w| i128::from(w / divisor)).collect()
    } else {
        weights
            .iter()
            .map(|w| i128::from(*w / divisor) * i128::from(limit) / i128::from(total))
            .map(|w| w.max(1))
            .collect()
    };
    let sum: i128 = scaled.iter().sum();
    let mut credit = vec![0i128; scaled.len()];
    let mut order = Vec::with_capacity(sum as usize);
    for _ in 0..sum {
        let mut richest = 0;
        for (at, weight) in scaled.iter().enumerate() {
            credit[at] += weight;
            if credit[at] > credit[richest] {
                richest = at;
            }
        }
        credit[richest] -= sum;
        order.push(richest as u32);
    }
    order.into()
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}
