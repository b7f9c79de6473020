//! TCP and TLS routes of VirtualServices.

use weft_api::networking::{
    VirtualService,
    virtual_service::{L4Match, RouteDestination, TlsMatch},
};

use crate::{
    resolve::{
        scope::Scope,
        virtual_service::{Caller, names_gateway},
    },
    snapshot::Typed,
    translate::routes::cluster_name,
};

/// Clusters by weight.
pub(super) type Destinations = Vec<(String, u32)>;

/// Where a VirtualService sends opaque connections of this caller: its first TCP route that fits.
pub(super) fn tcp(scope: &Scope<'_>, caller: &Caller<'_>, vs: &Typed<VirtualService>) -> Option<Destinations> {
    let route = vs
        .tcp
        .iter()
        .find(|r| r.matches.is_empty() || r.matches.iter().any(|m| fits_tcp(m, caller, vs.namespace())))?;
    Some(destinations(scope, caller, vs, &route.route))
}

/// Where a VirtualService sends TLS of this caller, by server name, in order.
pub(super) fn tls(
    scope: &Scope<'_>,
    caller: &Caller<'_>,
    vs: &Typed<VirtualService>,
) -> Vec<(Vec<String>, Destinations)> {
    let mut chains = Vec::new();
    for route in &vs.tls {
        let names: Vec<String> = route
            .matches
            .iter()
            .filter(|m| fits_tls(m, caller, vs.namespace()))
            .flat_map(|m| m.sni_hosts.iter().map(|h| h.to_ascii_lowercase()))
            .collect();
        if !names.is_empty() {
            chains.push((names, destinations(scope, caller, vs, &route.route)));
        }
    }
    chains
}

fn fits_tcp(wanted: &L4Match, caller: &Caller<'_>, owner: &str) -> bool {
    wanted.port.is_none_or(|p| p == u32::from(caller.port))
        && (wanted.source_namespace.is_empty() || caller.client.is_in(&wanted.source_namespace))
        && caller.client.carries(&wanted.source_labels)
        && (wanted.gateways.is_empty() || wanted.gateways.iter().any(|g| names_gateway(g, owner, caller.gateway)))
}

fn fits_tls(wanted: &TlsMatch, caller: &Caller<'_>, owner: &str) -> bool {
    wanted.port.is_none_or(|p| p == u32::from(caller.port))
        && (wanted.source_namespace.is_empty() || caller.client.is_in(&wanted.source_namespace))
        && caller.client.carries(&wanted.source_labels)
        && (wanted.gateways.is_empty() || wanted.gateways.iter().any(|g| names_gateway(g, owner, caller.gateway)))
}

/// All alike when none has a weight.
fn destinations(
    scope: &Scope<'_>,
    caller: &Caller<'_>,
    vs: &Typed<VirtualService>,
    routes: &[RouteDestination],
) -> Destinations {
    let weight = |r: &RouteDestination| r.weight.and_then(|w| u32::try_from(w).ok()).unwrap_or(0);
    let unweighted = routes.iter().all(|r| weight(r) == 0);
    routes
        .iter()
        .map(|r| {
            let name = cluster_name(scope, &r.destination, vs.namespace(), caller.port);
            (name, if unweighted { 1 } else { weight(r) })
        })
        .collect()
}
