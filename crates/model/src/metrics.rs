//! Metric and label names. The `istio_*` ones are Istio's, to the letter
//! (<https://istio.io/latest/docs/reference/config/metrics/>), so that existing dashboards work unchanged.

/// Requests, counter, by [`STANDARD_LABELS`].
pub const REQUESTS_TOTAL: &str = "istio_requests_total";
/// Request duration in milliseconds, histogram.
pub const REQUEST_DURATION: &str = "istio_request_duration_milliseconds";
/// Request body sizes in bytes, histogram.
pub const REQUEST_BYTES: &str = "istio_request_bytes";
/// Response body sizes in bytes, histogram.
pub const RESPONSE_BYTES: &str = "istio_response_bytes";
/// gRPC messages sent by clients, counter.
pub const REQUEST_MESSAGES_TOTAL: &str = "istio_request_messages_total";
/// gRPC messages sent by servers, counter.
pub const RESPONSE_MESSAGES_TOTAL: &str = "istio_response_messages_total";
/// Opaque TCP bytes sent by the server, counter.
pub const TCP_SENT_BYTES_TOTAL: &str = "istio_tcp_sent_bytes_total";
/// Opaque TCP bytes received by the server, counter.
pub const TCP_RECEIVED_BYTES_TOTAL: &str = "istio_tcp_received_bytes_total";
/// Opaque TCP connections opened, counter.
pub const TCP_CONNECTIONS_OPENED_TOTAL: &str = "istio_tcp_connections_opened_total";
/// Opaque TCP connections closed, counter.
pub const TCP_CONNECTIONS_CLOSED_TOTAL: &str = "istio_tcp_connections_closed_total";
/// First attempts per weighted destination, counted where the pick is made, by [`ROUTE_LABELS`]. Mirrors and retries
/// are not counted. Istio has no such metric; the canary verdict rests on it.
pub const ROUTE_REQUESTS_TOTAL: &str = "weft_route_requests_total";

/// Labels of [`ROUTE_REQUESTS_TOTAL`]: `virtual_service` is `namespace/name`, `route` is the index in `spec.http` or the
/// route's `name`, as [`crate::xds::route_id`] writes it; `subset` is empty for a destination without one;
/// `host` is the destination's full host name; `source_workload`, `source_workload_namespace` name the counting side.
pub const ROUTE_LABELS: [&str; 6] =
    ["virtual_service", "route", "subset", "host", "source_workload", "source_workload_namespace"];

/// Labels of every `istio_*` metric, in exposition order. `request_protocol` is `http`, `grpc` or `tcp`; TCP metrics
/// leave out `response_code`.
pub const STANDARD_LABELS: [&str; 24] = [
    "reporter",
    "source_workload",
    "source_canonical_service",
    "source_canonical_revision",
    "source_workload_namespace",
    "source_principal",
    "source_app",
    "source_version",
    "source_cluster",
    "destination_workload",
    "destination_workload_namespace",
    "destination_principal",
    "destination_app",
    "destination_version",
    "destination_service",
    "destination_canonical_service",
    "destination_canonical_revision",
    "destination_service_name",
    "destination_service_namespace",
    "destination_cluster",
    "request_protocol",
    "response_code",
    "response_flags",
    "connection_security_policy",
];

/// Value of a label that is not known.
pub const UNKNOWN: &str = "unknown";
/// `reporter` at the client's side.
pub const REPORTER_SOURCE: &str = "source";
/// `reporter` at the server's side.
pub const REPORTER_DESTINATION: &str = "destination";
/// `connection_security_policy` of a mutually authenticated connection, at the destination.
pub const MUTUAL_TLS: &str = "mutual_tls";
/// `connection_security_policy` of a plaintext connection, at the destination.
pub const NO_TLS: &str = "none";

/// Istio's histogram bounds for durations, in milliseconds.
pub const DURATION_BUCKETS: [f64; 19] = [
    0.5,
    1.0,
    5.0,
    10.0,
    25.0,
    50.0,
    100.0,
    250.0,
    500.0,
    1000.0,
    2500.0,
    5000.0,
    10_000.0,
    30_000.0,
    60_000.0,
    300_000.0,
    600_000.0,
    1_800_000.0,
    3_600_000.0,
];
/// Istio's histogram bounds for sizes, in bytes.
pub const SIZE_BUCKETS: [f64; 19] = DURATION_BUCKETS;
