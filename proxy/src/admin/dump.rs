//! What the admin pages show. Keys are never shown.

mod clusters;
mod listeners;
mod matchers;
mod routes;

use std::{
    fmt::Write,
    time::{SystemTime, UNIX_EPOCH},
};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use weft_policy::{
    config::{Health, Secret, SecretContent},
    upstream::Limit,
};

use self::{clusters::cluster, listeners::listener, routes::table};
use crate::state::Shared;

/// The configuration in force, by resource type, each list ordered by name.
pub fn config(shared: &Shared) -> Value {
    let config = shared.config.load();
    let failures = shared.sockets.failures();
    json!({
        "node": shared.node.id(),
        "generation": shared.generation(),
        "control_plane_connected": shared.stats.xds_connected(),
        "listeners": ordered(config.listeners.values().map(|l| {
            (l.name.to_string(), listener(l, failures.get(&l.name)))
        })),
        "clusters": ordered(config.upstreams.values().map(|u| (u.cluster.name.to_string(), cluster(u)))),
        "route_configurations": ordered(config.route_tables().map(|t| (t.name.to_string(), table(t)))),
        "secrets": ordered(config.secrets.values().map(|s| (s.name.to_string(), secret(s)))),
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

/// A secret without what is secret in it.
fn secret(secret: &Secret) -> Value {
    let sha256 =
        |bytes: &[u8]| Sha256::digest(bytes).iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
    match &secret.content {
        SecretContent::Certificate { chain, .. } => json!({ "kind": "certificate", "chain_sha256": sha256(chain) }),
        SecretContent::Roots(pem) => json!({ "kind": "roots", "sha256": sha256(pem) }),
    }
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
