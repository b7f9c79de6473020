//! Policies of traffic towards a host: how endpoints are chosen, how many connections there may be, who is ejected.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::{Duration, one_of::words};

/// Policies of traffic towards a host.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct TrafficPolicy {
    /// How an endpoint is chosen.
    pub load_balancer: Option<LoadBalancer>,
    /// Bounds of connections and requests.
    pub connection_pool: Option<ConnectionPool>,
    /// When an endpoint is ejected.
    pub outlier_detection: Option<OutlierDetection>,
    /// TLS towards the host.
    pub tls: Option<ClientTls>,
    /// The same for single ports; such a policy replaces all of the above for its port.
    pub port_level_settings: Vec<PortPolicy>,
    /// Tunnels TCP through HTTP CONNECT.
    pub tunnel: Option<Tunnel>,
    /// PROXY protocol towards the host.
    pub proxy_protocol: Option<ProxyProtocol>,
    /// Bound of concurrent retries.
    pub retry_budget: Option<RetryBudget>,
}

/// Policy of one port.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct PortPolicy {
    /// The port.
    pub port: Option<super::virtual_service::PortSelector>,
    /// How an endpoint is chosen.
    pub load_balancer: Option<LoadBalancer>,
    /// Bounds of connections and requests.
    pub connection_pool: Option<ConnectionPool>,
    /// When an endpoint is ejected.
    pub outlier_detection: Option<OutlierDetection>,
    /// TLS towards the host.
    pub tls: Option<ClientTls>,
}

/// How an endpoint is chosen. At most one of `simple` and `consistentHash`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct LoadBalancer {
    /// A plain algorithm.
    pub simple: Option<SimpleLb>,
    /// Stickiness by a hash.
    pub consistent_hash: Option<ConsistentHash>,
    /// Preference by locality; overrides the mesh's.
    pub locality_lb_setting: Option<LocalityLb>,
    /// Warm-up time, deprecated form.
    pub warmup_duration_secs: Option<Duration>,
    /// How a new endpoint is given traffic little by little.
    pub warmup: Option<Warmup>,
}

words! {
    /// A plain load-balancing algorithm.
    SimpleLb {
        /// As LEAST_REQUEST.
        #[default]
        Unspecified = "UNSPECIFIED",
        /// The old name of LEAST_REQUEST.
        LeastConn = "LEAST_CONN",
        /// Any.
        Random = "RANDOM",
        /// The address that the client dialled.
        Passthrough = "PASSTHROUGH",
        /// One after the other.
        RoundRobin = "ROUND_ROBIN",
        /// The less busy one of two picked at random.
        LeastRequest = "LEAST_REQUEST",
    }
}

/// Stickiness: what is hashed (one of the first four), and how.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct ConsistentHash {
    /// A request header.
    pub http_header_name: Option<String>,
    /// A cookie, made when absent.
    pub http_cookie: Option<HashCookie>,
    /// The client's address.
    pub use_source_ip: Option<bool>,
    /// A query parameter.
    pub http_query_parameter_name: Option<String>,
    /// Ketama ring.
    pub ring_hash: Option<RingHash>,
    /// Maglev table.
    pub maglev: Option<Maglev>,
    /// Least size of the ring, deprecated form.
    pub minimum_ring_size: Option<u64>,
}

/// A cookie to hash.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct HashCookie {
    /// Name.
    pub name: String,
    /// Path.
    pub path: String,
    /// Lifetime; none does not make the cookie, zero makes a session cookie.
    pub ttl: Option<Duration>,
    /// Further attributes.
    pub attributes: Vec<CookieAttribute>,
}

/// An attribute such as `SameSite=Strict`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct CookieAttribute {
    /// Name.
    pub name: String,
    /// Value; empty for a bare word.
    pub value: String,
}

/// Settings of a Ketama ring.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct RingHash {
    /// Least number of entries; none is 1024.
    pub minimum_ring_size: Option<u64>,
}

/// Settings of a Maglev table.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Maglev {
    /// Entries, a prime; none is 65537.
    pub table_size: Option<u64>,
}

/// Preference by locality.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct LocalityLb {
    /// Shares by locality.
    pub distribute: Vec<Distribute>,
    /// Where to go when a region is down.
    pub failover: Vec<Failover>,
    /// Labels in order of preference.
    pub failover_priority: Vec<String>,
    /// Whether any of this is on.
    pub enabled: Option<bool>,
}

/// Shares of traffic from one locality.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Distribute {
    /// `region/zone/subzone`, `*` at the end.
    pub from: String,
    /// Percent by locality; sums to 100.
    pub to: BTreeMap<String, u32>,
}

/// Where traffic of one region goes when it is down.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Failover {
    /// Region.
    pub from: String,
    /// Region.
    pub to: String,
}

/// How a new endpoint is given traffic little by little.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Warmup {
    /// How long.
    pub duration: Option<Duration>,
    /// Share of its weight at the start, in percent; none is 10.
    pub minimum_percent: Option<f64>,
    /// Exponent of the curve, at least 1.
    pub aggression: Option<f64>,
}

/// Bounds of connections and requests.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct ConnectionPool {
    /// Of connections.
    pub tcp: Option<TcpPool>,
    /// Of requests.
    pub http: Option<HttpPool>,
}

/// Bounds of connections.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct TcpPool {
    /// Connections to a host; none is without bound.
    pub max_connections: Option<i32>,
    /// How long a connection may take to open; none is 10 s.
    pub connect_timeout: Option<Duration>,
    /// Probes of idle connections.
    pub tcp_keepalive: Option<TcpKeepalive>,
    /// How old a connection may become.
    pub max_connection_duration: Option<Duration>,
    /// How long a TCP connection may be idle.
    pub idle_timeout: Option<Duration>,
}

/// Probes of idle connections; what is left out is the system's default.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct TcpKeepalive {
    /// Unanswered probes until the connection is given up.
    pub probes: Option<u32>,
    /// Idle time before the first probe.
    pub time: Option<Duration>,
    /// Time between probes.
    pub interval: Option<Duration>,
}

/// Bounds of requests.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct HttpPool {
    /// Requests that wait for a connection.
    pub http1_max_pending_requests: Option<i32>,
    /// Requests under way at once.
    pub http2_max_requests: Option<i32>,
    /// Requests after which a connection is closed; 0 is without bound.
    pub max_requests_per_connection: Option<i32>,
    /// Retries under way at once.
    pub max_retries: Option<i32>,
    /// How long a connection may be idle; none is 1 h.
    pub idle_timeout: Option<Duration>,
    /// Whether HTTP/1.1 is sent on as HTTP/2.
    pub h2_upgrade_policy: Option<H2UpgradePolicy>,
    /// Whether the client's protocol is kept.
    pub use_client_protocol: bool,
    /// Streams on one HTTP/2 connection.
    pub max_concurrent_streams: Option<i32>,
}

words! {
    /// Whether HTTP/1.1 is sent on as HTTP/2.
    H2UpgradePolicy {
        /// As the mesh's settings say.
        #[default]
        Default = "DEFAULT",
        /// No.
        DoNotUpgrade = "DO_NOT_UPGRADE",
        /// Yes.
        Upgrade = "UPGRADE",
    }
}

/// When an endpoint is ejected.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct OutlierDetection {
    /// Errors in a row, deprecated form of `consecutiveGatewayErrors`.
    pub consecutive_errors: Option<i32>,
    /// Whether failures to connect are counted apart from answers.
    pub split_external_local_origin_errors: bool,
    /// Failures to connect in a row; none is 5.
    pub consecutive_local_origin_failures: Option<u32>,
    /// 502, 503, 504 in a row; 0 turns it off.
    pub consecutive_gateway_errors: Option<u32>,
    /// 5xx in a row; none is 5, 0 turns it off.
    #[serde(rename = "consecutive5xxErrors")]
    pub consecutive_5xx_errors: Option<u32>,
    /// Time between sweeps; none is 10 s.
    pub interval: Option<Duration>,
    /// How long an endpoint is out, times the number of ejections; none is 30 s.
    pub base_ejection_time: Option<Duration>,
    /// Share of endpoints that may be out at once, in percent; none is 10.
    pub max_ejection_percent: Option<i32>,
    /// Share of endpoints, in percent, that must be in for ejection to count; none is 0.
    pub min_health_percent: Option<i32>,
}

/// TLS towards a host.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct ClientTls {
    /// What kind.
    pub mode: ClientTlsMode,
    /// File of the client's chain, for MUTUAL.
    pub client_certificate: String,
    /// File of the client's key, for MUTUAL.
    pub private_key: String,
    /// File of the roots; empty is the system's.
    pub ca_certificates: String,
    /// Secret in place of the files.
    pub credential_name: String,
    /// Names of which the server's certificate must have one.
    pub subject_alt_names: Vec<String>,
    /// Server name to send.
    pub sni: String,
    /// Whether the server's certificate is not verified.
    pub insecure_skip_verify: Option<bool>,
    /// File of revoked certificates.
    pub ca_crl: String,
}

words! {
    /// What kind of TLS towards a host.
    ClientTlsMode {
        /// None.
        #[default]
        Disable = "DISABLE",
        /// The server proves who it is.
        Simple = "SIMPLE",
        /// Both do, with the certificates given.
        Mutual = "MUTUAL",
        /// Both do, with the mesh's certificates.
        IstioMutual = "ISTIO_MUTUAL",
    }
}

/// A tunnel through HTTP CONNECT.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Tunnel {
    /// `CONNECT` (the default) or `POST`.
    pub protocol: String,
    /// Host to ask the tunnel for.
    pub target_host: String,
    /// Port to ask the tunnel for.
    pub target_port: u32,
}

/// PROXY protocol.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct ProxyProtocol {
    /// Version.
    pub version: ProxyProtocolVersion,
}

words! {
    /// Version of the PROXY protocol.
    ProxyProtocolVersion {
        /// Text.
        #[default]
        V1 = "V1",
        /// Binary.
        V2 = "V2",
    }
}

/// Bound of concurrent retries.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct RetryBudget {
    /// Retries as a share of requests, in percent; none is 20.
    pub percent: Option<f64>,
    /// Retries that are always allowed; none is 3.
    pub min_retry_concurrency: Option<u32>,
}
