//! VirtualService as a whole, and its TLS and TCP routes.

use std::collections::HashSet;

use weft_model::Hostname;

use super::{
    checks::{Checks, is_dns_label, is_host, shorten},
    http_route,
};
use crate::networking::{
    VirtualService,
    virtual_service::{Destination, MESH_GATEWAY, RouteDestination},
};

pub(super) fn check(spec: &VirtualService, checks: &mut Checks<'_>) {
    let delegate = spec.hosts.is_empty();
    if delegate {
        check_delegate(spec, checks);
    }
    let mut seen = HashSet::new();
    for (index, host) in spec.hosts.iter().enumerate() {
        let field = format!("spec.hosts[{index}]");
        let address = host.parse::<std::net::IpAddr>().is_ok();
        if host.is_empty() || (!address && !is_host(host)) {
            checks.error(&field, format!("{:?} is not a host name or address", shorten(host)));
        } else if host == "*" && spec.in_mesh() {
            checks.advise(
                &field,
                "the host \"*\" is only for gateways",
                "name gateways, without \"mesh\", in spec.gateways",
            );
        }
        if !seen.insert(host.to_ascii_lowercase()) {
            checks.error(&field, format!("the host {:?} is written twice", shorten(host)));
        }
    }
    gateways("spec", &spec.gateways, checks);
    if spec.http.is_empty() && spec.tls.is_empty() && spec.tcp.is_empty() {
        checks.error("spec", "one of http, tls and tcp must have a route");
    }
    for (index, route) in spec.http.iter().enumerate() {
        http_route::check(route, &format!("spec.http[{index}]"), delegate, checks);
    }
    check_tls(spec, checks);
    check_tcp(spec, checks);
    checks.export_to(&spec.export_to);
}

/// A VirtualService without hosts is there to be taken in by another one.
fn check_delegate(spec: &VirtualService, checks: &mut Checks<'_>) {
    if !spec.gateways.is_empty() {
        checks.error("spec.gateways", "a VirtualService without hosts is a delegate and is bound to no gateway");
    }
    if !spec.tls.is_empty() || !spec.tcp.is_empty() {
        checks.error("spec", "a VirtualService without hosts is a delegate and has http routes only");
    }
    if spec.gateways.is_empty() && spec.http.is_empty() {
        checks.error("spec.hosts", "the list of hosts is empty");
    }
}

fn check_tls(spec: &VirtualService, checks: &mut Checks<'_>) {
    for (index, route) in spec.tls.iter().enumerate() {
        let at = format!("spec.tls[{index}]");
        if route.matches.is_empty() {
            checks.error(&at, "a TLS route needs a match with sniHosts");
        }
        for (index, matching) in route.matches.iter().enumerate() {
            let at = format!("{at}.match[{index}]");
            if matching.sni_hosts.is_empty() {
                checks.error(&at, "sniHosts is empty");
            }
            for (index, sni) in matching.sni_hosts.iter().enumerate() {
                let name = Hostname::new(sni);
                if !is_host(sni) {
                    checks.error(format!("{at}.sniHosts[{index}]"), format!("{:?} is not a host name", shorten(sni)));
                } else if !spec.hosts.iter().any(|host| Hostname::new(host).covers(&name)) {
                    checks.error(
                        format!("{at}.sniHosts[{index}]"),
                        format!("{:?} is not covered by the VirtualService's hosts", shorten(sni)),
                    );
                }
            }
            for (index, subnet) in matching.destination_subnets.iter().enumerate() {
                checks.subnet(format!("{at}.destinationSubnets[{index}]"), subnet);
            }
            if let Some(port) = matching.port.filter(|port| *port != 0) {
                checks.port(format!("{at}.port"), port);
            }
            gateways(&at, &matching.gateways, checks);
        }
        check_destinations(&route.route, &at, checks);
    }
}

fn check_tcp(spec: &VirtualService, checks: &mut Checks<'_>) {
    for (index, route) in spec.tcp.iter().enumerate() {
        let at = format!("spec.tcp[{index}]");
        for (index, matching) in route.matches.iter().enumerate() {
            let at = format!("{at}.match[{index}]");
            for (index, subnet) in matching.destination_subnets.iter().enumerate() {
                checks.subnet(format!("{at}.destinationSubnets[{index}]"), subnet);
            }
            if let Some(port) = matching.port.filter(|port| *port != 0) {
                checks.port(format!("{at}.port"), port);
            }
            gateways(&at, &matching.gateways, checks);
        }
        check_destinations(&route.route, &at, checks);
    }
}

fn check_destinations(routes: &[RouteDestination], at: &str, checks: &mut Checks<'_>) {
    if routes.is_empty() {
        checks.error(at, "the route has no destination");
    }
    for (index, route) in routes.iter().enumerate() {
        destination(&route.destination, &format!("{at}.route[{index}].destination"), checks);
    }
    weights(routes.iter().map(|route| route.weight), &format!("{at}.route"), checks);
}

/// Not negative, and more than nothing in sum when there is a choice.
pub(super) fn weights(weights: impl ExactSizeIterator<Item = Option<i32>>, at: &str, checks: &mut Checks<'_>) {
    let count = weights.len();
    let mut total: i64 = 0;
    let mut negative = false;
    for (index, weight) in weights.enumerate() {
        let weight = weight.unwrap_or(0);
        if weight < 0 {
            checks.error(format!("{at}[{index}].weight"), format!("the weight {weight} is negative"));
            negative = true;
        }
        total += i64::from(weight);
    }
    if count > 1 && total == 0 && !negative {
        checks.advise(
            at,
            "the weights add up to 0, so no destination can be chosen",
            "give at least one destination a weight",
        );
    } else if total > i64::from(u32::MAX) {
        checks.error(at, format!("the weights add up to {total}, more than 4294967295"));
    }
}

pub(super) fn destination(destination: &Destination, at: &str, checks: &mut Checks<'_>) {
    if destination.host == "*" {
        checks.error(format!("{at}.host"), "\"*\" is not a destination");
    } else {
        let field = if destination.host.is_empty() { at.to_owned() } else { format!("{at}.host") };
        checks.host(field, &destination.host);
    }
    if !destination.subset.is_empty() {
        checks.label_name(format!("{at}.subset"), "the subset", &destination.subset);
    }
    if let Some(port) = &destination.port {
        checks.port(format!("{at}.port.number"), port.number);
    }
}

/// `name` or `namespace/name`.
pub(super) fn gateways(at: &str, gateways: &[String], checks: &mut Checks<'_>) {
    for (index, gateway) in gateways.iter().enumerate() {
        let field = format!("{at}.gateways[{index}]");
        match gateway.split_once('/') {
            _ if gateway == MESH_GATEWAY => {}
            Some((namespace, name)) if !is_dns_label(namespace) || !is_host(name) => {
                checks.error(field, format!("{:?} is not <namespace>/<name>", shorten(gateway)));
            }
            None if !is_host(gateway) || gateway.starts_with('*') => {
                checks.error(field, format!("{:?} is not a gateway's name", shorten(gateway)));
            }
            _ => {}
        }
    }
}
