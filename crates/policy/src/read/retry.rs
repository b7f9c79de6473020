//! Retry policies.

use std::time::Duration;

use envoy_types::pb::envoy::config::route::v3::RetryPolicy as Message;

use super::{
    At, Result, each, fail, headers,
    proto::{duration_or, timeout, uint32},
    unsupported,
};
use crate::config::{RetryOn, RetryPolicy};

/// Envoy's base interval when none is given.
const BASE_INTERVAL: Duration = Duration::from_millis(25);

pub(super) fn read(m: &Message) -> Result<RetryPolicy> {
    unsupported(m.rate_limited_retry_back_off.is_some(), "rate_limited_retry_back_off")?;
    unsupported(!m.retry_options_predicates.is_empty(), "retry_options_predicates")?;
    let mut status_codes = each("retriable_status_codes", &m.retriable_status_codes, |code| {
        u16::try_from(*code).ok().filter(|c| (100..600).contains(c)).ok_or_else(|| fail("is not a status code"))
    })?;
    status_codes.sort_unstable();
    status_codes.dedup();
    let mut avoid_previous_hosts = false;
    for (i, predicate) in m.retry_host_predicate.iter().enumerate() {
        match predicate.name.as_str() {
            "envoy.retry_host_predicates.previous_hosts" => avoid_previous_hosts = true,
            other => return Err(fail(format!("{other:?} is not supported"))).at_index("retry_host_predicate", i),
        }
    }
    let avoid_previous_priorities = match m.retry_priority.as_ref().map(|p| p.name.as_str()) {
        None => false,
        Some("envoy.retry_priorities.previous_priorities") => true,
        Some(other) => return Err(fail(format!("{other:?} is not supported"))).at("retry_priority"),
    };
    let (base_interval, max_interval) = match &m.retry_back_off {
        Some(back_off) => {
            let base = duration_or("retry_back_off.base_interval", &back_off.base_interval, BASE_INTERVAL)?;
            let base = base.max(Duration::from_millis(1));
            let cap = duration_or("retry_back_off.max_interval", &back_off.max_interval, base.saturating_mul(10))?;
            (base, cap.max(base))
        }
        None => (BASE_INTERVAL, BASE_INTERVAL * 10),
    };
    Ok(RetryPolicy {
        on: conditions(&m.retry_on).at("retry_on")?,
        status_codes,
        response_headers: headers::header_matches("retriable_headers", &m.retriable_headers)?,
        request_headers: headers::header_matches("retriable_request_headers", &m.retriable_request_headers)?,
        retries: uint32(&m.num_retries).unwrap_or(1),
        per_try_timeout: timeout("per_try_timeout", &m.per_try_timeout, None)?,
        per_try_idle_timeout: timeout("per_try_idle_timeout", &m.per_try_idle_timeout, None)?,
        base_interval,
        max_interval,
        avoid_previous_hosts,
        avoid_previous_priorities,
    })
}

fn conditions(text: &str) -> Result<RetryOn> {
    let mut on = RetryOn::NONE;
    for name in text.split(',').map(str::trim).filter(|n| !n.is_empty()) {
        on = on.with(match name {
            "5xx" => RetryOn::FIVE_XX,
            "gateway-error" => RetryOn::GATEWAY_ERROR,
            "reset" => RetryOn::RESET,
            "reset-before-request" => RetryOn::RESET_BEFORE_REQUEST,
            "connect-failure" => RetryOn::CONNECT_FAILURE,
            "refused-stream" => RetryOn::REFUSED_STREAM,
            "retriable-4xx" => RetryOn::RETRIABLE_4XX,
            "retriable-status-codes" => RetryOn::STATUS_CODES,
            "retriable-headers" => RetryOn::HEADERS,
            "envoy-ratelimited" => RetryOn::ENVOY_RATELIMITED,
            "cancelled" => RetryOn::CANCELLED,
            "deadline-exceeded" => RetryOn::DEADLINE_EXCEEDED,
            "resource-exhausted" => RetryOn::RESOURCE_EXHAUSTED,
            "internal" => RetryOn::INTERNAL,
            "unavailable" => RetryOn::UNAVAILABLE,
            // HTTP/3 is never spoken, so this can never come up.
            "http3-post-connect-failure" => RetryOn::NONE,
            other => return Err(fail(format!("{other:?} is not a known condition"))),
        });
    }
    Ok(on)
}
