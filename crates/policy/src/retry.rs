//! Whether an attempt is repeated, and when
//! (<https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/router_filter#x-envoy-retry-on>).

use std::time::Duration;

use http::{HeaderMap, StatusCode};

use crate::{
    config::{RetryOn, RetryPolicy},
    facts::RequestFacts,
    upstream::{Limit, Permit, Upstream},
};

/// How an attempt ended.
#[derive(Clone, Copy, Debug)]
pub enum Attempt<'a> {
    /// With a header section; for a gRPC response without body its status is in there.
    Response(StatusCode, &'a HeaderMap),
    /// Without one.
    Failed(AttemptFailure),
}

/// Why an attempt gave no response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttemptFailure {
    /// No connection: refused, timed out, TLS failed. The request was not sent.
    Connect,
    /// The proxy at the other end says that its application never saw the request, or may see it twice: the pod is
    /// about to end.
    HandedBack,
    /// The server refused the stream (HTTP/2 REFUSED_STREAM, or GOAWAY before it): it did not process it.
    RefusedStream,
    /// The connection or stream broke.
    Reset {
        /// Whether any of the request was sent.
        sent: bool,
    },
    /// The attempt's own time was over.
    PerTryTimeout,
    /// A limit of the cluster was reached; never repeated.
    Overflow,
}

/// What follows an attempt.
#[derive(Debug)]
pub enum Next {
    /// Its outcome stands.
    Stop,
    /// Its outcome stands, though it would be repeated if attempts were left (`URX`).
    Exhausted,
    /// Its outcome stands, though it would be repeated if the cluster's retry limit or budget allowed (`UO`).
    OverBudget,
    /// Again after a pause; the permit is to be kept until the attempt ended.
    Again(Duration, Permit),
}

/// Retries of one request.
#[derive(Debug)]
pub struct Retries<'p> {
    policy: Option<&'p RetryPolicy>,
    made: u32,
    handed_back: u32,
}

/// Attempts that were handed back do not use up the policy's number, up to this many: where most of a service's pods end
/// at once, several may be met before one that stays.
const HANDED_BACK: u32 = 8;

impl<'p> Retries<'p> {
    /// Begins before the first attempt. A policy without conditions, or one whose request headers do not match, is
    /// none.
    pub fn new(policy: Option<&'p RetryPolicy>, request: &RequestFacts<'_>) -> Self {
        let policy = policy.filter(|p| {
            !p.on.is_empty() && (p.request_headers.is_empty() || p.request_headers.iter().any(|h| h.matches(request)))
        });
        Self { policy, made: 0, handed_back: 0 }
    }

    /// The policy in force.
    pub fn policy(&self) -> Option<&'p RetryPolicy> {
        self.policy
    }

    /// Whether another attempt could follow; if not, the request need not be kept.
    pub fn any_left(&self) -> bool {
        self.policy.is_some_and(|p| p.retries > 0 && (self.made < p.retries || self.handed_back < HANDED_BACK))
    }

    /// Retries made so far.
    pub fn made(&self) -> u32 {
        self.made
    }

    /// Decides after an attempt; `random` is uniform.
    pub fn next(&mut self, upstream: &Upstream, attempt: Attempt<'_>, random: u64) -> Next {
        let Some(policy) = self.policy.filter(|p| p.wants(attempt)) else { return Next::Stop };
        let free = matches!(attempt, Attempt::Failed(AttemptFailure::HandedBack))
            && policy.retries > 0
            && self.handed_back < HANDED_BACK;
        if !free && self.made >= policy.retries {
            return Next::Exhausted;
        }
        match upstream.acquire(Limit::Retries) {
            Ok(permit) => {
                let pause = policy.backoff(self.made, random);
                match free {
                    true => self.handed_back += 1,
                    false => self.made += 1,
                }
                Next::Again(pause, permit)
            }
            Err(_) => Next::OverBudget,
        }
    }
}

impl RetryPolicy {
    /// Whether an attempt that ended like this is worth repeating.
    pub fn wants(&self, attempt: Attempt<'_>) -> bool {
        match attempt {
            Attempt::Response(status, headers) => self.wants_response(status, headers),
            Attempt::Failed(failure) => self.on.any(retried_on(failure)),
        }
    }

    fn wants_response(&self, status: StatusCode, headers: &HeaderMap) -> bool {
        if headers.contains_key("x-envoy-ratelimited") {
            return self.on.any(RetryOn::ENVOY_RATELIMITED);
        }
        let code = status.as_u16();
        (self.on.any(RetryOn::FIVE_XX) && (500..600).contains(&code))
            || (self.on.any(RetryOn::GATEWAY_ERROR) && matches!(code, 502..=504))
            || (self.on.any(RetryOn::RETRIABLE_4XX) && code == 409)
            || (self.on.any(RetryOn::STATUS_CODES) && self.status_codes.binary_search(&code).is_ok())
            || (self.on.any(RetryOn::HEADERS) && self.response_headers.iter().any(|h| h.matches_response(headers)))
            || self.on.any(grpc_condition(headers))
    }

    /// Pause before retry number `made` (from 0): anything below an interval that doubles up to its cap.
    pub fn backoff(&self, made: u32, random: u64) -> Duration {
        let base = u64::try_from(self.base_interval.as_micros()).unwrap_or(u64::MAX).max(1);
        let cap = u64::try_from(self.max_interval.as_micros()).unwrap_or(u64::MAX).max(1);
        let interval = base.saturating_mul(1u64.checked_shl(made).unwrap_or(u64::MAX)).min(cap);
        Duration::from_micros(random % interval)
    }
}

/// The conditions that cover a failure.
const fn retried_on(failure: AttemptFailure) -> RetryOn {
    // 5xx and gateway-error cover every way of not getting a response.
    let none = RetryOn::FIVE_XX.with(RetryOn::GATEWAY_ERROR).with(RetryOn::RESET);
    match failure {
        AttemptFailure::Connect | AttemptFailure::HandedBack => {
            none.with(RetryOn::CONNECT_FAILURE).with(RetryOn::RESET_BEFORE_REQUEST)
        }
        AttemptFailure::RefusedStream => none.with(RetryOn::REFUSED_STREAM),
        AttemptFailure::Reset { sent: false } => none.with(RetryOn::RESET_BEFORE_REQUEST),
        AttemptFailure::Reset { sent: true } | AttemptFailure::PerTryTimeout => none,
        AttemptFailure::Overflow => RetryOn::NONE,
    }
}

fn grpc_condition(headers: &HeaderMap) -> RetryOn {
    match headers.get("grpc-status").map(|v| v.as_bytes()) {
        Some(b"1") => RetryOn::CANCELLED,
        Some(b"4") => RetryOn::DEADLINE_EXCEEDED,
        Some(b"8") => RetryOn::RESOURCE_EXHAUSTED,
        Some(b"13") => RetryOn::INTERNAL,
        Some(b"14") => RetryOn::UNAVAILABLE,
        _ => RetryOn::NONE,
    }
}

#[cfg(test)]
mod tests;
