//! What the admin pages show. Keys are never shown.

use std::{
    fmt::Write,
    time::{SystemTime, UNIX_EPOCH},
};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use weft_policy::{
    config::{Action, ChainKind, FilterChain, Health, Listener, RouteSource},
    route::RouteTable,
    upstream::{Limit, Upstream},
};

use crate::state::Shared;

/// The configuration in force, by resource type, each list ordered by name.
pub fn config(shared: &Shared) -> Value {
    let config = shared.config.load();
    json!({
        "node": shared.node.id(),
        "generation": shared.generation(),
        "control_plane_connected": shared.stats.xds_connected(),
        "listeners": ordered(config.listeners.values().map(|l| (l.name.to_string(), listener(l)))),
        "clusters": ordered(config.upstreams.values().map(|u| (u.cluster.name.to_string(), cluster(u)))),
        "route_configurations": ordered(config.route_tables().map(|t| (t.name.to_string(), routes(t)))),
        "secrets": ordered(config.secrets.values().map(|s| (s.name.to_string(), json!(format!("{:?}", s.content))))),
        "workloads": ordered(config.workloads.values().map(|w| (w.uid.to_string(), json!({
            "namespace": &*w.namespace,
            "workload": &*w.workload,
            "service_account": &*w.service_account,
            "addresses": w.addresses.iter().map(ToString::to_string).collect::<Vec<_>>(),
        })))),
    })
}

fn ordered(entries: impl Iterator<Item = (String, Value)>) -> Value {
    let mut entries: Vec<_> = entries.collect();
    entries.sort_by(|(a, _), (b, _)| a.cmp(b));
    Value::Object(entries.into_iter().collect())
}

fn listener(listener: &Listener) -> Value {
    let chains = listener.chains.iter().chain(&listener.default_chain);
    json!({
        "address": listener.address.to_string(),
        "direction": format!("{:?}", listener.direction),
        "peeks": listener.peek(),
        "filter_chains": chains.map(chain).collect::<Vec<_>>(),
    })
}

fn chain(chain: &FilterChain) -> Value {
    let kind = match &chain.kind {
        ChainKind::Http(http) => json!({
            "http": match &http.routes {
                RouteSource::Rds(name) => json!({ "rds": &**name }),
                RouteSource::Inline(table) => routes(table),
            },
            "authorization_filters": http.authz.len(),
        }),
        ChainKind::Tcp(tcp) => json!({
            "tcp": format!("{:?}", tcp.clusters),
            "authorization_filters": tcp.authz.len(),
        }),
    };
    json!({
        "name": &*chain.name,
        "match": format!("{:?}", chain.criteria),
        "tls": chain.tls.as_ref().map(|tls| json!({
            "certificate": &*tls.certificate,
            "roots": tls.roots.as_deref(),
            "client_certificate_required": tls.require_client_certificate,
            "alpn": tls.alpn.iter().map(|alpn| &**alpn).collect::<Vec<_>>(),
        })),
        "filters": kind,
    })
}

fn routes(table: &RouteTable) -> Value {
    Value::Array(
        table
            .hosts()
            .map(|host| {
                json!({
                    "name": &*host.name,
                    "domains": host.domains.iter().map(|domain| &**domain).collect::<Vec<_>>(),
                    "routes": host.routes.iter().map(|route| json!({
                        "name": &*route.name,
                        "virtual_service": route.virtual_service.as_deref(),
                        "route": route.route_id.as_deref(),
                        "match": format!("{:?}", route.matcher),
                        "fault": route.fault.as_ref().map(|fault| format!("{fault:?}")),
                        "action": match &route.action {
                            Action::Forward(forward) => format!("{forward:?}"),
                            other => format!("{other:?}"),
                        },
                    })).collect::<Vec<_>>(),
                })
            })
            .collect(),
    )
}

fn cluster(upstream: &Upstream) -> Value {
    let cluster = &upstream.cluster;
    json!({
        "balance": format!("{:?}", cluster.balance),
        "connect_timeout_ms": cluster.connect_timeout.as_millis() as u64,
        "limits": format!("{:?}", cluster.limits),
        "outlier_detection": cluster.outlier.as_ref().map(|outlier| format!("{outlier:?}")),
        "protocol": format!("{:?}", cluster.protocol),
        "max_requests_per_connection": cluster.max_requests_per_connection,
        "subset": cluster.subset.as_deref(),
        "services": cluster.services.iter().map(|service| &*service.host).collect::<Vec<_>>(),
        "endpoints": upstream.hosts.iter().map(|host| json!({
            "address": host.address().to_string(),
            "tls": host.tls.is_some(),
            "weight": host.endpoint.weight,
        })).collect::<Vec<_>>(),
    })
}

/// One line per fact, `<cluster>::<endpoint>::<fact>`, in the manner of Envoy's page of this name.
pub fn clusters(shared: &Shared) -> String {
    let config = shared.config.load();
    let mut upstreams: Vec<_> = config.upstreams.values().collect();
    upstreams.sort_by(|a, b| a.cluster.name.cmp(&b.cluster.name));
    let mut text = String::new();
    for upstream in upstreams {
        let name = &upstream.cluster.name;
        let used = |limit| upstream.state.in_use(limit);
        // Writing to a String does not fail.
        let _ = writeln!(text, "{name}::cx_active::{}", used(Limit::Connections));
        let _ = writeln!(text, "{name}::rq_pending_active::{}", used(Limit::Pending));
        let _ = writeln!(text, "{name}::rq_active::{}", used(Limit::Requests));
        let _ = writeln!(text, "{name}::rq_retry_active::{}", used(Limit::Retries));
        for host in &upstream.hosts {
            let health = match (host.state.is_ejected(), host.endpoint.health) {
                (true, _) => "/failed_outlier_check",
                (false, Health::Healthy) => "healthy",
                (false, Health::Degraded) => "/degraded_eds_health",
                (false, Health::Unhealthy) => "/failed_eds_health",
                (false, Health::Draining) => "/draining",
            };
            let address = host.address();
            let _ = writeln!(text, "{name}::{address}::health_flags::{health}");
            let _ = writeln!(text, "{name}::{address}::rq_active::{}", host.state.active());
            let _ = writeln!(text, "{name}::{address}::weight::{}", host.endpoint.weight);
        }
    }
    text
}

/// The certificate in force, without its key.
pub fn certificates(shared: &Shared) -> Value {
    let identity = shared.identity.load();
    let Some(identity) = identity.as_deref() else { return json!({ "certificates": [] }) };
    let now = SystemTime::now();
    let unix = |at: SystemTime| at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let roots = identity
        .root_certificates
        .iter()
        .map(|root| Sha256::digest(root).iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}")));
    json!({ "certificates": [{
        "uri": identity.spiffe.to_string(),
        "serial_number": identity.serial,
        "valid_from_unix": unix(identity.not_before),
        "expiration_unix": unix(identity.not_after),
        "seconds_until_expiration": identity.not_after.duration_since(now).unwrap_or_default().as_secs(),
        "root_sha256": roots.collect::<Vec<_>>(),
    }]})
}
