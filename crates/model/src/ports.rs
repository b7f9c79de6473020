//! The mesh's well-known ports, which are Istio's.

/// Proxy admin; bound to loopback or the instance's own loopback address.
pub const PROXY_ADMIN: u16 = 15000;
/// Where captured outbound connections land.
pub const PROXY_OUTBOUND: u16 = 15001;
/// Where captured inbound connections land.
pub const PROXY_INBOUND: u16 = 15006;
/// ADS and the certificate authority, TLS.
pub const CONTROL_PLANE: u16 = 15012;
/// The control plane's metrics and debug pages.
pub const CONTROL_PLANE_ADMIN: u16 = 15014;
/// Admission webhooks.
pub const WEBHOOKS: u16 = 15017;
/// Merged metrics and health probes of a workload.
pub const PROXY_MERGED_METRICS: u16 = 15020;
/// Proxy readiness (`/healthz/ready`).
pub const PROXY_READINESS: u16 = 15021;
/// The proxy's own metrics (`/stats/prometheus`).
pub const PROXY_METRICS: u16 = 15090;
/// Spans, by OTLP over HTTP: OpenTelemetry's own.
pub const OTLP: u16 = 4318;
/// Spans, by Zipkin's API v2: Zipkin's own.
pub const ZIPKIN: u16 = 9411;
/// The console.
pub const CONSOLE: u16 = 20001;
