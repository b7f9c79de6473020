//! Time limits of a request.

use std::{
    rc::Rc,
    time::{Duration, Instant},
};

use http::HeaderMap;
use weft_policy::config::{Forward, HttpChain};

use crate::{
    error::Kind,
    http::{Exchange, Source, grpc},
};

/// They run from the end of the request, as Envoy's do.
pub(super) struct Timeouts {
    /// For the client to send its request.
    arrival: Option<Duration>,
    /// For the whole answer.
    pub whole: Option<Duration>,
    /// For the head of one attempt's answer.
    each: Option<Duration>,
    /// For anything to move.
    idle: Option<Duration>,
    body: Option<Rc<Source>>,
}

impl Timeouts {
    pub(super) fn of(
        chain: &HttpChain,
        forward: &Forward,
        headers: &HeaderMap,
        exchange: &Exchange,
        body: Option<Rc<Source>>,
    ) -> Self {
        Self {
            arrival: chain.request_timeout,
            whole: whole_timeout(forward, headers),
            each: retry_timeout(forward),
            idle: exchange.idle,
            body,
        }
    }

    /// When `limit` is over for something that began at `from`. While the client still sends, it has not begun.
    pub(super) fn due(&self, from: Instant, limit: Duration) -> Instant {
        let begun = match &self.body {
            None => from,
            Some(body) => body.ended_at().map_or_else(Instant::now, |ended| ended.max(from)),
        };
        begun + limit
    }

    /// The limit that comes first, and what it means.
    pub(super) fn next(&self, started: Instant, attempt: Instant) -> Option<(Instant, Kind)> {
        let whole = self.whole.map(|limit| (self.due(started, limit), Kind::RequestTimeout));
        let each = self.each.map(|limit| (self.due(attempt, limit), Kind::PerTryTimeout));
        let arriving = self.body.as_ref().is_some_and(|body| !body.ended());
        let arrival = self.arrival.filter(|_| arriving).map(|limit| (started + limit, Kind::HeadTimeout));
        let idle = self.idle.map(|limit| (self.due(attempt, limit), Kind::StreamIdle));
        [whole, each, arrival, idle].into_iter().flatten().min_by_key(|(due, _)| *due)
    }
}

/// The route's timeout, shortened by the caller's `grpc-timeout` where the route heeds it.
fn whole_timeout(forward: &Forward, headers: &HeaderMap) -> Option<Duration> {
    let longest = forward.max_stream_duration.filter(|longest| !longest.is_zero());
    let route = forward.timeout.filter(|timeout| !timeout.is_zero());
    let route = route.into_iter().chain(longest).min();
    let Some(most) = forward.max_grpc_timeout else { return route };
    match grpc::timeout_of(headers) {
        Some(wanted) if most.is_zero() => Some(wanted),
        Some(wanted) => Some(wanted.min(most)),
        None => route,
    }
}

fn retry_timeout(forward: &Forward) -> Option<Duration> {
    let policy = forward.retry.as_ref()?;
    policy.per_try_timeout.into_iter().chain(policy.per_try_idle_timeout).filter(|timeout| !timeout.is_zero()).min()
}
