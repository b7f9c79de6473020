//! Clusters: how to reach a group of endpoints.

use std::{net::IpAddr, sync::Arc, time::Duration};

use super::{Endpoints, UpstreamTls};

/// A cluster as the control plane describes it. Its endpoints and live state are in `Upstream`.
#[derive(Debug)]
pub struct Cluster {
    /// xDS resource name (`outbound|8080|v1|host`).
    pub name: Arc<str>,
    /// Where endpoints come from.
    pub discovery: Discovery,
    /// How one is picked.
    pub balance: Balance,
    /// Time for TCP and TLS handshakes.
    pub connect_timeout: Duration,
    /// Limits; `u32::MAX` is none.
    pub limits: LimitSettings,
    /// Passive health; `None` ejects nothing.
    pub outlier: Option<OutlierSettings>,
    /// What is spoken to it.
    pub protocol: UpstreamProtocol,
    /// Requests after which a connection is closed; `None` is unlimited.
    pub max_requests_per_connection: Option<u32>,
    /// Streams that one HTTP/2 connection may have open; `None` leaves it to the server.
    pub max_concurrent_streams: Option<u32>,
    /// An unused connection is closed after.
    pub idle_timeout: Option<Duration>,
    /// A connection is closed after this age.
    pub max_connection_duration: Option<Duration>,
    /// TLS by endpoint metadata: the first entry whose `tls_mode` fits, see [`Cluster::tls_for`].
    pub tls: Vec<TlsChoice>,
    /// TCP keep-alive: idle time, interval, probes.
    pub keepalive: Option<Keepalive>,
    /// Share of usable endpoints, in percent, below which all are used; 0 never does.
    pub panic_threshold: f64,
    /// Whether localities are weighted against each other (`locality_weighted_lb_config`).
    pub locality_weighted: bool,
    /// Services that it stands for, for metrics.
    pub services: Vec<ServiceRef>,
    /// Subset of a DestinationRule.
    pub subset: Option<Arc<str>>,
    /// Local addresses to dial from, at most one of each family (`upstream_bind_config`).
    pub bind: Vec<IpAddr>,
}

impl Cluster {
    /// The local address to dial `destination` from, where one is demanded.
    pub fn bind_for(&self, destination: IpAddr) -> Option<IpAddr> {
        self.bind.iter().find(|own| own.is_ipv4() == destination.is_ipv4()).copied()
    }

    /// TLS for an endpoint with this `tlsMode`; `None` means plaintext.
    pub fn tls_for(&self, tls_mode: Option<&str>) -> Option<&Arc<UpstreamTls>> {
        self.tls.iter().find(|c| c.tls_mode.is_none() || c.tls_mode.as_deref() == tls_mode).and_then(|c| c.tls.as_ref())
    }
}

/// TLS choice by endpoint.
#[derive(Debug)]
pub struct TlsChoice {
    /// The endpoint's `tlsMode`; `None` fits every endpoint.
    pub tls_mode: Option<Arc<str>>,
    /// TLS, or plaintext.
    pub tls: Option<Arc<UpstreamTls>>,
}

/// Where a cluster's endpoints come from.
#[derive(Debug)]
pub enum Discovery {
    /// From the ClusterLoadAssignment of this name.
    Eds(Arc<str>),
    /// Written in the cluster.
    Static(Arc<Endpoints>),
    /// The connection's own original destination.
    OriginalDestination,
}

/// Load-balancing policies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Balance {
    /// Smooth weighted round robin.
    RoundRobin,
    /// The less busy of some random picks.
    LeastRequest {
        /// How many are compared; at least 2.
        choices: u32,
    },
    /// Weighted random.
    Random,
    /// Consistent hash on a ring.
    RingHash {
        /// Least entries on the ring.
        minimum: u32,
        /// Most entries on the ring.
        maximum: u32,
    },
    /// Consistent hash by Maglev's table.
    Maglev {
        /// Entries, a prime.
        table: u32,
    },
    /// Policy of ORIGINAL_DST clusters.
    ClusterProvided,
}

/// Circuit breaker thresholds of a process towards one cluster.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LimitSettings {
    /// Open connections.
    pub connections: u32,
    /// Requests waiting for a connection.
    pub pending: u32,
    /// Requests in flight.
    pub requests: u32,
    /// Retries in flight, when there is no budget.
    pub retries: u32,
    /// Retries as a share of requests in flight.
    pub retry_budget: Option<RetryBudget>,
}

impl Default for LimitSettings {
    /// Envoy's defaults: 1024 each, 3 retries.
    fn default() -> Self {
        Self { connections: 1024, pending: 1024, requests: 1024, retries: 3, retry_budget: None }
    }
}

/// Retries allowed in proportion to what is in flight.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RetryBudget {
    /// Percent of active and pending requests.
    pub percent: f64,
    /// Retries that are always allowed.
    pub min_concurrency: u32,
}

/// Outlier detection (`OutlierDetection`); a count of 0 switches that check off.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OutlierSettings {
    /// 5xx in a row.
    pub consecutive_5xx: u32,
    /// 502, 503, 504 in a row.
    pub consecutive_gateway_failure: u32,
    /// Connection failures in a row, when split.
    pub consecutive_local_origin_failure: u32,
    /// Whether connection failures have a count of their own instead of counting as 5xx.
    pub split_local_origin: bool,
    /// Time between sweeps.
    pub interval: Duration,
    /// First ejection's length; the n-th is n times as long.
    pub base_ejection: Duration,
    /// Longest ejection.
    pub max_ejection: Duration,
    /// Share of hosts that may be out at once.
    pub max_ejection_percent: u32,
    /// Whether one host may be out whatever the share says (`always_eject_one_host`).
    pub always_eject_one: bool,
    /// Chance in percent that a host is ejected when 5xx are found.
    pub enforcing_5xx: u32,
    /// The same for gateway failures.
    pub enforcing_gateway_failure: u32,
    /// The same for local failures.
    pub enforcing_local_origin: u32,
}

/// What is spoken to an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpstreamProtocol {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2 with prior knowledge (or by ALPN under TLS).
    Http2,
    /// What the downstream speaks.
    Downstream,
    /// HTTP/2 if ALPN says so, else HTTP/1.1.
    Alpn,
}

/// TCP keep-alive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keepalive {
    /// Unanswered probes before giving up.
    pub probes: Option<u32>,
    /// Quiet time before the first probe.
    pub time: Option<Duration>,
    /// Time between probes.
    pub interval: Option<Duration>,
}

/// A service behind a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceRef {
    /// Full host name.
    pub host: Arc<str>,
    /// Kubernetes name, or the host for others.
    pub name: Arc<str>,
    /// Namespace.
    pub namespace: Arc<str>,
}
