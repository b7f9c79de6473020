//! Injected faults.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};

use crate::{
    config::{AbortStatus, Fault},
    facts::RequestFacts,
};

/// What is to be done to a request: wait, then perhaps fail.
#[derive(Debug, Default)]
pub struct FaultDecision {
    /// Wait so long first.
    pub delay: Option<Duration>,
    /// Then answer with this instead of sending it on.
    pub abort: Option<AbortStatus>,
    /// To be kept until the request ended.
    pub permit: Option<FaultPermit>,
}

/// One fault in force.
#[derive(Debug)]
pub struct FaultPermit(Arc<AtomicU32>);

impl Drop for FaultPermit {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

impl Fault {
    /// Rolls the dice for a request; the random numbers are uniform and independent, delay and abort too (so that
    /// 100 % delay and 10 % abort delay all and fail a tenth).
    pub fn decide(&self, request: &RequestFacts<'_>, for_delay: u64, for_abort: u64) -> FaultDecision {
        if !self.headers.iter().all(|h| h.matches(request)) {
            return FaultDecision::default();
        }
        let delay = self.delay.filter(|d| d.share.hits(for_delay)).map(|d| d.duration);
        let abort = self.abort.filter(|a| a.share.hits(for_abort)).map(|a| a.status);
        if delay.is_none() && abort.is_none() {
            return FaultDecision::default();
        }
        let max = self.max_active.unwrap_or(u32::MAX);
        if self.active.fetch_update(Relaxed, Relaxed, |n| (n < max).then(|| n + 1)).is_err() {
            return FaultDecision::default();
        }
        FaultDecision { delay, abort, permit: Some(FaultPermit(self.active.clone())) }
    }
}

#[cfg(test)]
mod tests;
