//! Circuit breaker limits of a process towards a cluster.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering::Relaxed},
};

use super::{ClusterState, Upstream};

/// What is limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Open connections.
    Connections,
    /// Requests that wait for a connection.
    Pending,
    /// Requests in flight.
    Requests,
    /// Retries in flight.
    Retries,
}

/// A limit was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the cluster's limit of {max} {} is reached", self.limit.noun())]
pub struct Overflow {
    /// Which.
    pub limit: Limit,
    /// How many were allowed.
    pub max: u32,
}

impl Limit {
    const fn noun(self) -> &'static str {
        match self {
            Self::Connections => "connections",
            Self::Pending => "waiting requests",
            Self::Requests => "requests",
            Self::Retries => "retries",
        }
    }
}

/// A counted unit; it is given back when this is dropped, also after the cluster was replaced.
#[derive(Debug)]
pub struct Permit {
    state: Arc<ClusterState>,
    limit: Limit,
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.state.counter(self.limit).fetch_sub(1, Relaxed);
    }
}

impl ClusterState {
    fn counter(&self, limit: Limit) -> &AtomicU32 {
        match limit {
            Limit::Connections => &self.connections,
            Limit::Pending => &self.pending,
            Limit::Requests => &self.requests,
            Limit::Retries => &self.retries,
        }
    }

    /// How many are taken.
    pub fn in_use(&self, limit: Limit) -> u32 {
        self.counter(limit).load(Relaxed)
    }
}

impl Upstream {
    /// Counts one more of something, unless the cluster's limit is reached.
    pub fn acquire(&self, limit: Limit) -> Result<Permit, Overflow> {
        let max = self.maximum(limit);
        let more = |n: u32| (n < max).then(|| n.saturating_add(1));
        match self.state.counter(limit).fetch_update(Relaxed, Relaxed, more) {
            Ok(_) => Ok(Permit { state: self.state.clone(), limit }),
            Err(_) => Err(Overflow { limit, max }),
        }
    }

    /// The limit in force; that of retries follows the load when there is a budget.
    pub fn maximum(&self, limit: Limit) -> u32 {
        let limits = &self.cluster.limits;
        match (limit, limits.retry_budget) {
            (Limit::Connections, _) => limits.connections,
            (Limit::Pending, _) => limits.pending,
            (Limit::Requests, _) => limits.requests,
            (Limit::Retries, None) => limits.retries,
            (Limit::Retries, Some(budget)) => {
                let load = u64::from(self.state.in_use(Limit::Requests)) + u64::from(self.state.in_use(Limit::Pending));
                // A float to integer cast saturates.
                ((load as f64 * budget.percent / 100.0) as u32).max(budget.min_concurrency)
            }
        }
    }
}
