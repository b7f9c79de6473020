//! A snapshot and a proxy into xDS resources. Each resource is made by a small function of what it is about, so that what
//! is equal between two snapshots or two proxies comes out equal to the byte.

mod authz;
mod clusters;
mod endpoints;
mod hcm;
mod listeners;
mod proto;
mod routes;
mod secrets;
mod tcp;
mod tls;
mod workloads;

use crate::{Proxy, ProxyKind, Resources, Snapshot, resolve::scope::Scope};

/// Everything that `proxy` should have. Depends on nothing but its arguments.
pub fn translate(snapshot: &Snapshot, proxy: &Proxy) -> Resources {
    let scope = Scope::new(snapshot, proxy);
    let mut out = Resources::default();
    match proxy.kind {
        ProxyKind::Sidecar => {
            let egress = scope.egress();
            clusters::outbound(&scope, &scope.reachable(&egress), &mut out);
            listeners::inbound::add(&scope, &mut out);
            listeners::outbound::add(&scope, &egress, &mut out);
        }
        ProxyKind::Gateway => {
            let servers = crate::resolve::gateway::servers(snapshot, proxy);
            clusters::outbound(&scope, &crate::resolve::gateway::reachable(&scope, &servers), &mut out);
            listeners::gateway::add(&scope, &servers, &mut out);
        }
    }
    out.insert(clusters::black_hole());
    for resource in snapshot.workload_table(workloads::resources) {
        out.insert_shared(resource);
    }
    out
}
