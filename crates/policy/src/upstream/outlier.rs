//! Outlier detection: a host that fails too often in a row is left out for a while.
//! Rules: <https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/upstream/outlier>.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};

use super::{Host, HostState, Upstream};
use crate::config::OutlierSettings;

/// How an attempt went, as outlier detection sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The host answered with this status (for gRPC the status that its code maps to).
    Response(u16),
    /// A connection was established.
    Connected,
    /// The host did not answer.
    Failed(LocalFailure),
}

/// How a host failed to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LocalFailure {
    /// No connection.
    Connect,
    /// The connection or stream broke.
    Reset,
    /// Nothing came in time.
    Timeout,
}

/// Why a host was ejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EjectionCause {
    /// 5xx in a row.
    Consecutive5xx,
    /// 502, 503 or 504 in a row.
    ConsecutiveGatewayFailure,
    /// Connection failures in a row.
    ConsecutiveLocalOriginFailure,
}

/// A host was taken out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ejection {
    /// Why.
    pub cause: EjectionCause,
    /// For how long at least; a sweep brings it back.
    pub duration: Duration,
}

impl EjectionCause {
    /// Envoy's name for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Consecutive5xx => "consecutive_5xx",
            Self::ConsecutiveGatewayFailure => "consecutive_gateway_failure",
            Self::ConsecutiveLocalOriginFailure => "consecutive_local_origin_failure",
        }
    }
}

/// The HTTP status that a gRPC status code counts as.
pub fn grpc_as_http(code: u32) -> u16 {
    match code {
        0 => 200,
        1 => 499,
        3 | 9 | 11 => 400,
        4 => 504,
        5 => 404,
        6 | 10 => 409,
        7 => 403,
        8 => 429,
        12 => 501,
        14 => 503,
        16 => 401,
        _ => 500,
    }
}

impl Upstream {
    /// Notes how an attempt went. `now` is the time since the process started, `random` is uniform. A returned
    /// ejection is in force.
    pub fn report(&self, host: &Host, outcome: Outcome, now: Duration, random: u64) -> Option<Ejection> {
        let settings = self.cluster.outlier.as_ref()?;
        let state = &host.state;
        let status = match outcome {
            Outcome::Response(status) => status,
            Outcome::Connected => {
                if settings.split_local_origin {
                    state.consecutive_local.store(0, Relaxed);
                }
                return None;
            }
            Outcome::Failed(_) if settings.split_local_origin => {
                let full = reached(&state.consecutive_local, settings.consecutive_local_origin_failure);
                return full.then(|| {
                    let cause = EjectionCause::ConsecutiveLocalOriginFailure;
                    self.eject(settings, host, cause, settings.enforcing_local_origin, now, random)
                })?;
            }
            Outcome::Failed(LocalFailure::Timeout) => 504,
            Outcome::Failed(LocalFailure::Connect | LocalFailure::Reset) => 503,
        };
        if status < 500 {
            // Read first: the line stays shared between threads while all is well.
            for counter in [&state.consecutive_5xx, &state.consecutive_gateway] {
                if counter.load(Relaxed) != 0 {
                    counter.store(0, Relaxed);
                }
            }
            return None;
        }
        let mut ejection = None;
        if matches!(status, 502..=504) {
            if reached(&state.consecutive_gateway, settings.consecutive_gateway_failure) {
                let cause = EjectionCause::ConsecutiveGatewayFailure;
                ejection = self.eject(settings, host, cause, settings.enforcing_gateway_failure, now, random);
            }
        } else {
            state.consecutive_gateway.store(0, Relaxed);
        }
        if reached(&state.consecutive_5xx, settings.consecutive_5xx) {
            let cause = EjectionCause::Consecutive5xx;
            ejection = ejection.or(self.eject(settings, host, cause, settings.enforcing_5xx, now, random));
        }
        ejection
    }

    fn eject(
        &self,
        settings: &OutlierSettings,
        host: &Host,
        cause: EjectionCause,
        enforcing: u32,
        now: Duration,
        random: u64,
    ) -> Option<Ejection> {
        // A host that has left the cluster meanwhile is nobody's to eject.
        let member = self.hosts.iter().any(|h| Arc::ptr_eq(&h.state, &host.state));
        if !member || host.state.is_ejected() || random % 100 >= u64::from(enforcing) {
            return None;
        }
        let ejected = self.count_ejected();
        let after = u64::from(ejected + 1) * 100;
        let allowed = after <= u64::from(settings.max_ejection_percent) * self.hosts.len() as u64
            || (ejected == 0 && settings.always_eject_one);
        if !allowed {
            return None;
        }
        let times = host.state.ejections.fetch_add(1, Relaxed).saturating_add(1);
        let longest = settings.max_ejection.max(settings.base_ejection);
        let duration = settings.base_ejection.saturating_mul(times).min(longest);
        host.state.ejected_until.store(millis(now.saturating_add(duration)).max(1), Relaxed);
        self.state.ejected.fetch_add(1, Relaxed);
        Some(Ejection { cause, duration })
    }

    /// Brings back hosts whose time is over, and lets the memory of old ejections fade, once per interval. Call it
    /// every second or so; the number of hosts that came back is returned.
    pub fn sweep(&self, now: Duration) -> usize {
        let Some(settings) = &self.cluster.outlier else { return 0 };
        let at = millis(now);
        let due = self.state.next_sweep.load(Relaxed);
        let next = at.saturating_add(millis(settings.interval).max(1));
        let first = due == 0;
        if at < due || self.state.next_sweep.compare_exchange(due, next, Relaxed, Relaxed).is_err() || first {
            return 0;
        }
        let mut back = 0;
        for host in &self.hosts {
            let state = &host.state;
            match state.ejected_until.load(Relaxed) {
                0 => {
                    let fade = |n: u32| n.checked_sub(1);
                    let _ = state.ejections.fetch_update(Relaxed, Relaxed, fade);
                }
                until if until <= at => {
                    state.restart();
                    back += 1;
                }
                _ => {}
            }
        }
        if back > 0 {
            self.count_ejected();
        }
        back
    }
}

impl HostState {
    fn restart(&self) {
        for counter in [&self.consecutive_5xx, &self.consecutive_gateway, &self.consecutive_local] {
            counter.store(0, Relaxed);
        }
        self.ejected_until.store(0, Relaxed);
    }
}

/// Counts one more failure; at the threshold the count starts again, whether an ejection follows or not.
fn reached(counter: &AtomicU32, threshold: u32) -> bool {
    if threshold == 0 {
        return false;
    }
    let full = counter.fetch_add(1, Relaxed).saturating_add(1) >= threshold;
    if full {
        counter.store(0, Relaxed);
    }
    full
}

fn millis(d: Duration) -> u64 {
    u64::try_from(d.as_millis()).unwrap_or(u64::MAX)
}
