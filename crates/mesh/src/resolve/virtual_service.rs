//! Which VirtualService routes a host, and which of its routes are for one proxy.

use weft_api::{
    StringMatch,
    networking::virtual_service::{HttpMatch, MESH_GATEWAY, VirtualService},
};
use weft_model::Hostname;

use super::{
    delegate::{self, OwnedRoute},
    destination_rule::patterns,
    scope::{Egress, Scope},
};
use crate::{Asked, snapshot::Typed};

/// Who asks for routes: a route applies only where its matches' port, gateways, source labels and source namespace fit,
/// and those are known when configuration is made.
#[derive(Clone, Copy, Debug)]
pub struct Caller<'a> {
    /// The proxy, as the outside sees it.
    pub client: &'a Asked<'a>,
    /// The port that was called.
    pub port: u16,
    /// `mesh`, or a Gateway's `namespace/name`.
    pub gateway: &'a str,
}

impl<'a> Caller<'a> {
    /// A sidecar on its own behalf.
    pub fn sidecar(client: &'a Asked<'a>, port: u16) -> Self {
        Self { client, port, gateway: MESH_GATEWAY }
    }

    /// Whether a match can hold for this caller at all. `owner` is the namespace of the VirtualService.
    pub fn fits(&self, wanted: &HttpMatch, owner: &str) -> bool {
        wanted.port.is_none_or(|p| p == u32::from(self.port))
            && (wanted.source_namespace.is_empty() || self.client.is_in(&wanted.source_namespace))
            && self.client.carries(&wanted.source_labels)
            && (wanted.gateways.is_empty() || wanted.gateways.iter().any(|g| names_gateway(g, owner, self.gateway)))
    }
}

/// Whether a gateway reference in an object of `namespace` means `gateway` (`mesh`, or `namespace/name`).
pub fn names_gateway(reference: &str, namespace: &str, gateway: &str) -> bool {
    if reference == MESH_GATEWAY || gateway == MESH_GATEWAY {
        return reference == gateway;
    }
    match reference.split_once('/') {
        Some((".", name)) => gateway.split_once('/') == Some((namespace, name)),
        Some(_) => reference == gateway,
        None => gateway.split_once('/') == Some((namespace, reference)),
    }
}

/// The VirtualService whose HTTP routes a sidecar applies to `host`: the oldest visible one for the host itself, else for
/// the longest wildcard that covers it. One that has no HTTP route for this caller does not count.
pub fn for_host<'a>(
    scope: &Scope<'a>,
    egress: &Egress,
    caller: &Caller<'_>,
    host: &Hostname,
) -> Option<(&'a Typed<VirtualService>, Vec<OwnedRoute<'a>>)> {
    patterns(host).iter().find_map(|pattern| {
        scope.view.virtual_services_of(pattern).find_map(|vs| {
            if !vs.in_mesh() || !scope.sees(vs) || !egress.knows(vs.namespace(), pattern) {
                return None;
            }
            let routes = http_routes(scope, vs, caller);
            (!routes.is_empty()).then_some((vs, routes))
        })
    })
}

/// The HTTP routes of a VirtualService that this caller can ever take, delegates in place, each with only the matches that
/// fit. Nothing follows a route that matches everything.
pub fn http_routes<'a>(
    scope: &Scope<'a>,
    virtual_service: &'a Typed<VirtualService>,
    caller: &Caller<'_>,
) -> Vec<OwnedRoute<'a>> {
    let mut routes = Vec::new();
    for mut owned in delegate::routes(scope.view, virtual_service) {
        let namespace = owned.root.unwrap_or(owned.owner).namespace();
        if !owned.route.matches.is_empty() {
            if !owned.route.matches.iter().any(|m| caller.fits(m, namespace)) {
                continue;
            }
            if !owned.route.matches.iter().all(|m| caller.fits(m, namespace)) {
                owned.route.to_mut().matches.retain(|m| caller.fits(m, namespace));
            }
        }
        let last = owned.route.matches.is_empty() || owned.route.matches.iter().any(matches_everything);
        routes.push(owned);
        if last {
            break;
        }
    }
    routes
}

/// Whether a match that fits its caller holds for every request.
pub fn matches_everything(wanted: &HttpMatch) -> bool {
    let any_path = match &wanted.uri {
        None | Some(StringMatch::Present) => true,
        Some(StringMatch::Prefix(prefix)) => prefix == "/",
        Some(_) => false,
    };
    any_path
        && wanted.scheme.is_none()
        && wanted.method.is_none()
        && wanted.authority.is_none()
        && wanted.headers.is_empty()
        && wanted.without_headers.is_empty()
        && wanted.query_params.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gateway_names_are_relative_to_their_object() {
        assert!(names_gateway("public", "shop", "shop/public"));
        assert!(!names_gateway("public", "shop", "edge/public"));
        assert!(names_gateway("edge/public", "shop", "edge/public"));
        assert!(names_gateway("./public", "shop", "shop/public"));
        assert!(names_gateway("mesh", "shop", "mesh"));
        assert!(!names_gateway("mesh", "shop", "shop/mesh"));
    }
}
