//! Bounds, ejection and the protocol towards a cluster.

use envoy_types::pb::envoy::{
    config::{
        cluster::v3::{
            CircuitBreakers, Cluster, OutlierDetection, UpstreamConnectionOptions,
            circuit_breakers::{Thresholds, thresholds},
            cluster::CommonLbConfig,
        },
        core::v3::{self as core, Http2ProtocolOptions},
    },
    extensions::upstreams::http::v3::{
        HttpProtocolOptions,
        http_protocol_options::{
            ExplicitHttpConfig, UpstreamProtocolOptions, UseDownstreamHttpConfig, explicit_http_config::ProtocolConfig,
        },
    },
};
use weft_api::networking::{
    Protocol,
    traffic_policy::{self, ConnectionPool, H2UpgradePolicy, HttpPool, RetryBudget, TcpKeepalive, TcpPool},
};

use crate::{
    canonical::pack_plain,
    resolve::destination_rule::Policy,
    snapshot::MeshSettings,
    translate::proto::{duration, percent, uint32},
};

const HTTP_OPTIONS: &str = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

pub(super) fn apply(policy: &Policy<'_>, protocol: Option<Protocol>, mesh: &MeshSettings, cluster: &mut Cluster) {
    let tcp = policy.connection_pool.and_then(|p| p.tcp.as_ref());
    let http = policy.connection_pool.and_then(|p| p.http.as_ref());
    if let Some(timeout) = tcp.and_then(|t| t.connect_timeout) {
        cluster.connect_timeout = Some(duration(timeout.get()));
    }
    cluster.circuit_breakers = Some(limits(tcp, http, policy.retry_budget));
    if let Some(keepalive) = tcp.and_then(|t| t.tcp_keepalive.as_ref()).or(mesh.tcp_keepalive.as_ref()) {
        cluster.upstream_connection_options = Some(UpstreamConnectionOptions {
            tcp_keepalive: Some(probes(keepalive)),
            ..UpstreamConnectionOptions::default()
        });
    }
    http_options(policy.connection_pool, protocol, mesh, cluster);
    if let Some(outlier) = policy.outlier_detection {
        cluster.outlier_detection = Some(ejection(outlier));
        // Istio's default of 0: never fall back to ejected endpoints.
        let least = f64::from(outlier.min_health_percent.unwrap_or(0).clamp(0, 100));
        cluster.common_lb_config =
            Some(CommonLbConfig { healthy_panic_threshold: Some(percent(least)), ..CommonLbConfig::default() });
    }
}

/// No bounds, as Istio has it where nothing is said; Envoy's own would be 1024.
pub(super) fn unlimited() -> CircuitBreakers {
    limits(None, None, None)
}

fn limits(tcp: Option<&TcpPool>, http: Option<&HttpPool>, budget: Option<&RetryBudget>) -> CircuitBreakers {
    let bound =
        |value: Option<i32>| uint32(value.and_then(|v| u32::try_from(v).ok()).filter(|v| *v > 0).unwrap_or(u32::MAX));
    CircuitBreakers {
        thresholds: vec![Thresholds {
            max_connections: bound(tcp.and_then(|t| t.max_connections)),
            max_pending_requests: bound(http.and_then(|h| h.http1_max_pending_requests)),
            max_requests: bound(http.and_then(|h| h.http2_max_requests)),
            max_retries: bound(http.and_then(|h| h.max_retries)),
            retry_budget: budget.map(|b| thresholds::RetryBudget {
                budget_percent: Some(percent(b.percent.unwrap_or(20.0).clamp(0.0, 100.0))),
                min_retry_concurrency: uint32(b.min_retry_concurrency.unwrap_or(3)),
                ..thresholds::RetryBudget::default()
            }),
            track_remaining: true,
            ..Thresholds::default()
        }],
        ..CircuitBreakers::default()
    }
}

fn probes(keepalive: &TcpKeepalive) -> core::TcpKeepalive {
    let seconds =
        |d: Option<weft_api::Duration>| d.and_then(|d| uint32(u32::try_from(d.get().as_secs()).unwrap_or(u32::MAX)));
    core::TcpKeepalive {
        keepalive_probes: keepalive.probes.and_then(uint32),
        keepalive_time: seconds(keepalive.time),
        keepalive_interval: seconds(keepalive.interval),
    }
}

/// Whether HTTP/1.1 is sent on as HTTP/2.
pub(super) fn upgraded(http: Option<&HttpPool>, mesh: &MeshSettings) -> bool {
    match http.and_then(|h| h.h2_upgrade_policy).unwrap_or_default() {
        H2UpgradePolicy::Upgrade => true,
        H2UpgradePolicy::DoNotUpgrade => false,
        H2UpgradePolicy::Default => mesh.h2_upgrade,
    }
}

/// Ports that are declared as HTTP/2 are spoken to in it; undeclared ones in what the client speaks.
fn http_options(pool: Option<&ConnectionPool>, protocol: Option<Protocol>, mesh: &MeshSettings, cluster: &mut Cluster) {
    let http = pool.and_then(|p| p.http.as_ref());
    let upgrade = upgraded(http, mesh);
    let http2 = || Http2ProtocolOptions {
        max_concurrent_streams: http
            .and_then(|h| h.max_concurrent_streams)
            .and_then(|n| u32::try_from(n).ok())
            .filter(|n| *n > 0)
            .and_then(uint32),
        ..Http2ProtocolOptions::default()
    };
    let explicit =
        |config| UpstreamProtocolOptions::ExplicitHttpConfig(ExplicitHttpConfig { protocol_config: Some(config) });
    let kept = http.is_some_and(|h| h.use_client_protocol);
    let (options, said) = match protocol {
        Some(p) if !p.is_http() => return,
        None => (downstream(http2()), true),
        Some(_) if kept => (downstream(http2()), true),
        Some(p) if p.is_http2() => (explicit(ProtocolConfig::Http2ProtocolOptions(http2())), true),
        Some(_) if upgrade => (explicit(ProtocolConfig::Http2ProtocolOptions(http2())), true),
        Some(_) => (explicit(ProtocolConfig::HttpProtocolOptions(core::Http1ProtocolOptions::default())), false),
    };
    let max_requests = http
        .and_then(|h| h.max_requests_per_connection)
        .and_then(|n| u32::try_from(n).ok())
        .filter(|n| *n > 0)
        .and_then(uint32);
    let idle = http.and_then(|h| h.idle_timeout).map(|d| duration(d.get()));
    let age = pool.and_then(|p| p.tcp.as_ref()).and_then(|t| t.max_connection_duration).map(|d| duration(d.get()));
    let common = core::HttpProtocolOptions {
        idle_timeout: idle,
        max_connection_duration: age,
        max_requests_per_connection: max_requests,
        ..core::HttpProtocolOptions::default()
    };
    // Plain HTTP/1.1 without bounds is what a cluster is anyway.
    if said || common != core::HttpProtocolOptions::default() {
        set_options(common, options, cluster);
    }
}

/// The application gets what the peer speaks, and HTTP/2 where its port is declared so.
pub(super) fn inbound_protocol(protocol: Option<Protocol>, cluster: &mut Cluster) {
    let options = match protocol {
        Some(p) if p.is_http2() => UpstreamProtocolOptions::ExplicitHttpConfig(ExplicitHttpConfig {
            protocol_config: Some(ProtocolConfig::Http2ProtocolOptions(Http2ProtocolOptions::default())),
        }),
        None => downstream(Http2ProtocolOptions::default()),
        Some(_) => return,
    };
    set_options(core::HttpProtocolOptions::default(), options, cluster);
}

fn downstream(http2: Http2ProtocolOptions) -> UpstreamProtocolOptions {
    UpstreamProtocolOptions::UseDownstreamProtocolConfig(UseDownstreamHttpConfig {
        http_protocol_options: Some(core::Http1ProtocolOptions::default()),
        http2_protocol_options: Some(http2),
        ..UseDownstreamHttpConfig::default()
    })
}

fn set_options(common: core::HttpProtocolOptions, options: UpstreamProtocolOptions, cluster: &mut Cluster) {
    let common = (common != core::HttpProtocolOptions::default()).then_some(common);
    let message = HttpProtocolOptions {
        common_http_protocol_options: common,
        upstream_protocol_options: Some(options),
        ..HttpProtocolOptions::default()
    };
    cluster.typed_extension_protocol_options.insert(HTTP_OPTIONS.into(), pack_plain(&message));
}

fn ejection(outlier: &traffic_policy::OutlierDetection) -> OutlierDetection {
    let mut out = OutlierDetection {
        interval: outlier.interval.map(|d| duration(d.get())),
        base_ejection_time: outlier.base_ejection_time.map(|d| duration(d.get())),
        max_ejection_percent: outlier.max_ejection_percent.and_then(|p| uint32(u32::try_from(p).unwrap_or(0).min(100))),
        // Istio ejects by counts only.
        enforcing_success_rate: uint32(0),
        split_external_local_origin_errors: outlier.split_external_local_origin_errors,
        ..OutlierDetection::default()
    };
    if let Some(count) = outlier.consecutive_5xx_errors {
        out.consecutive_5xx = uint32(count);
        out.enforcing_consecutive_5xx = uint32(if count > 0 { 100 } else { 0 });
    }
    let deprecated = outlier.consecutive_errors.and_then(|n| u32::try_from(n).ok()).filter(|n| *n > 0);
    if let Some(count) = outlier.consecutive_gateway_errors.or(deprecated) {
        out.consecutive_gateway_failure = uint32(count);
        out.enforcing_consecutive_gateway_failure = uint32(if count > 0 { 100 } else { 0 });
    }
    if outlier.split_external_local_origin_errors {
        out.consecutive_local_origin_failure = outlier.consecutive_local_origin_failures.and_then(uint32);
        // Success rates of local origin failures are judged only when asked for, which Istio never does.
        out.enforcing_local_origin_success_rate = uint32(0);
    }
    out
}
