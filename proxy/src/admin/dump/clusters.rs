//! Clusters with their endpoints as JSON, in Envoy's words.

use serde_json::{Value, json};
use weft_policy::{
    config::{Balance, Discovery, Health, LimitSettings, OutlierSettings, UpstreamProtocol, UpstreamTls},
    upstream::{Host, Upstream},
};

use super::matchers::{duration, string};

pub fn cluster(upstream: &Upstream) -> Value {
    let cluster = &upstream.cluster;
    json!({
        "discovery": match &cluster.discovery {
            Discovery::Eds(name) => json!({ "type": "EDS", "service_name": &**name }),
            Discovery::Static(_) => json!({ "type": "STATIC" }),
            Discovery::OriginalDestination => json!({ "type": "ORIGINAL_DST" }),
        },
        "lb_policy": balance(cluster.balance),
        "connect_timeout": duration(cluster.connect_timeout),
        "idle_timeout": cluster.idle_timeout.map(duration),
        "max_connection_duration": cluster.max_connection_duration.map(duration),
        "circuit_breakers": limits(&cluster.limits),
        "outlier_detection": cluster.outlier.as_ref().map(outlier),
        "protocol": match cluster.protocol {
            UpstreamProtocol::Http1 => "HTTP1",
            UpstreamProtocol::Http2 => "HTTP2",
            UpstreamProtocol::Downstream => "DOWNSTREAM",
            UpstreamProtocol::Alpn => "ALPN",
        },
        "max_requests_per_connection": cluster.max_requests_per_connection,
        "max_concurrent_streams": cluster.max_concurrent_streams,
        "tls": cluster.tls.iter().map(|choice| json!({
            "tls_mode": choice.tls_mode.as_deref(),
            "settings": choice.tls.as_deref().map(tls),
        })).collect::<Vec<_>>(),
        "source_addresses": cluster.bind.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "locality_weighted": cluster.locality_weighted,
        "panic_threshold_percent": cluster.panic_threshold,
        "subset": cluster.subset.as_deref(),
        "services": cluster.services.iter().map(|service| json!({
            "host": &*service.host,
            "name": &*service.name,
            "namespace": &*service.namespace,
        })).collect::<Vec<_>>(),
        "endpoints": upstream.hosts.iter().map(|host| endpoint(host)).collect::<Vec<_>>(),
    })
}

fn endpoint(host: &Host) -> Value {
    let endpoint = &host.endpoint;
    let locality = &endpoint.locality;
    json!({
        "address": host.address().to_string(),
        "weight": endpoint.weight,
        "priority": endpoint.priority,
        "health": match endpoint.health {
            Health::Healthy => "HEALTHY",
            Health::Degraded => "DEGRADED",
            Health::Unhealthy => "UNHEALTHY",
            Health::Draining => "DRAINING",
        },
        "ejected": host.state.is_ejected(),
        "locality": { "region": locality.region, "zone": locality.zone },
        "tls": host.tls.is_some(),
        "tls_mode": endpoint.tls_mode.as_deref(),
        "workload": endpoint.workload.as_ref().map(|workload| format!("{}/{}", workload.namespace, workload.name)),
    })
}

fn balance(balance: Balance) -> Value {
    match balance {
        Balance::RoundRobin => json!({ "name": "ROUND_ROBIN" }),
        Balance::LeastRequest { choices } => json!({ "name": "LEAST_REQUEST", "choice_count": choices }),
        Balance::Random => json!({ "name": "RANDOM" }),
        Balance::RingHash { minimum, maximum } => {
            json!({ "name": "RING_HASH", "minimum_ring_size": minimum, "maximum_ring_size": maximum })
        }
        Balance::Maglev { table } => json!({ "name": "MAGLEV", "table_size": table }),
        Balance::ClusterProvided => json!({ "name": "CLUSTER_PROVIDED" }),
    }
}

/// `null` where there is no limit.
fn limits(limits: &LimitSettings) -> Value {
    let limit = |limit: u32| (limit < u32::MAX).then_some(limit);
    json!({
        "max_connections": limit(limits.connections),
        "max_pending_requests": limit(limits.pending),
        "max_requests": limit(limits.requests),
        "max_retries": limit(limits.retries),
        "retry_budget": limits.retry_budget.map(|budget| json!({
            "budget_percent": budget.percent,
            "min_retry_concurrency": budget.min_concurrency,
        })),
    })
}

fn outlier(outlier: &OutlierSettings) -> Value {
    json!({
        "consecutive_5xx": outlier.consecutive_5xx,
        "consecutive_gateway_failure": outlier.consecutive_gateway_failure,
        "consecutive_local_origin_failure": outlier.consecutive_local_origin_failure,
        "split_external_local_origin_errors": outlier.split_local_origin,
        "interval": duration(outlier.interval),
        "base_ejection_time": duration(outlier.base_ejection),
        "max_ejection_time": duration(outlier.max_ejection),
        "max_ejection_percent": outlier.max_ejection_percent,
        "always_eject_one_host": outlier.always_eject_one,
        "enforcing_consecutive_5xx": outlier.enforcing_5xx,
        "enforcing_consecutive_gateway_failure": outlier.enforcing_gateway_failure,
        "enforcing_consecutive_local_origin_failure": outlier.enforcing_local_origin,
    })
}

fn tls(tls: &UpstreamTls) -> Value {
    json!({
        "certificate": tls.certificate.as_deref(),
        "roots": tls.roots.as_deref(),
        "server_san": tls.server_san.iter().map(string).collect::<Vec<_>>(),
        "sni": &*tls.sni,
        "alpn": tls.alpn.iter().map(|alpn| &**alpn).collect::<Vec<_>>(),
    })
}
