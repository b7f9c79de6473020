//! Retry policy of a route.

use std::time::Duration;

use super::HeaderMatch;

/// Conditions under which an attempt is repeated (`retry_on`), one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RetryOn(pub(crate) u32);

impl RetryOn {
    /// Nothing.
    pub const NONE: Self = Self(0);
    /// Any 5xx, or no response at all (`5xx`).
    pub const FIVE_XX: Self = Self(1);
    /// 502, 503 or 504 (`gateway-error`).
    pub const GATEWAY_ERROR: Self = Self(1 << 1);
    /// No response: disconnect, reset or read timeout (`reset`).
    pub const RESET: Self = Self(1 << 2);
    /// As `reset`, only if the request was not sent (`reset-before-request`).
    pub const RESET_BEFORE_REQUEST: Self = Self(1 << 3);
    /// The connection could not be established (`connect-failure`).
    pub const CONNECT_FAILURE: Self = Self(1 << 4);
    /// HTTP/2 REFUSED_STREAM (`refused-stream`).
    pub const REFUSED_STREAM: Self = Self(1 << 5);
    /// 409 (`retriable-4xx`).
    pub const RETRIABLE_4XX: Self = Self(1 << 6);
    /// A code of [`RetryPolicy::status_codes`] (`retriable-status-codes`).
    pub const STATUS_CODES: Self = Self(1 << 7);
    /// A header of [`RetryPolicy::response_headers`] (`retriable-headers`).
    pub const HEADERS: Self = Self(1 << 8);
    /// `x-envoy-ratelimited` on the response (`envoy-ratelimited`).
    pub const ENVOY_RATELIMITED: Self = Self(1 << 9);
    /// gRPC status 1 (`cancelled`).
    pub const CANCELLED: Self = Self(1 << 10);
    /// gRPC status 4 (`deadline-exceeded`).
    pub const DEADLINE_EXCEEDED: Self = Self(1 << 11);
    /// gRPC status 8 (`resource-exhausted`).
    pub const RESOURCE_EXHAUSTED: Self = Self(1 << 12);
    /// gRPC status 13 (`internal`).
    pub const INTERNAL: Self = Self(1 << 13);
    /// gRPC status 14 (`unavailable`).
    pub const UNAVAILABLE: Self = Self(1 << 14);

    /// Both sets together.
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether any bit of `other` is set.
    pub const fn any(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// When and how often a request is sent again. Use [`crate::retry`].
#[derive(Clone, Debug)]
pub struct RetryPolicy {
    /// Conditions.
    pub on: RetryOn,
    /// Status codes for `retriable-status-codes`, sorted.
    pub status_codes: Vec<u16>,
    /// Response headers for `retriable-headers`; one must match.
    pub response_headers: Vec<HeaderMatch>,
    /// Request headers of which one must match, or no attempt is repeated; empty allows all.
    pub request_headers: Vec<HeaderMatch>,
    /// Attempts after the first.
    pub retries: u32,
    /// Limit of each attempt; `None` leaves only the route's timeout.
    pub per_try_timeout: Option<Duration>,
    /// An attempt that sends no byte for so long is given up.
    pub per_try_idle_timeout: Option<Duration>,
    /// Interval before the first repetition; it doubles.
    pub base_interval: Duration,
    /// Cap of the interval.
    pub max_interval: Duration,
    /// Whether hosts tried before are avoided (`previous_hosts`).
    pub avoid_previous_hosts: bool,
    /// Whether priorities tried before are avoided (`previous_priorities`).
    pub avoid_previous_priorities: bool,
}
