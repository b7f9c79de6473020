//! VirtualService.

use weft_api::networking::virtual_service::{
    Destination, HttpRoute, L4Match, MESH_GATEWAY, RouteDestination, TlsMatch, VirtualService,
};

use super::{http, labels, list};

pub(super) fn sentences(spec: &VirtualService) -> Vec<String> {
    let mut out = Vec::new();
    if spec.hosts.is_empty() {
        out.push("It is a part that other VirtualServices take in; on its own it does nothing.".to_owned());
    } else {
        let gateways: Vec<&str> = spec.gateways().filter(|gateway| *gateway != MESH_GATEWAY).collect();
        let gateways = match gateways.len() {
            0 => String::new(),
            1 => format!("gateway {}", gateways[0]),
            _ => format!("gateways {}", list(&gateways, "and")),
        };
        let place = match (spec.in_mesh(), gateways.is_empty()) {
            (true, true) => "in the mesh".to_owned(),
            (true, false) => format!("in the mesh and at {gateways}"),
            (false, _) => format!("that comes in through {gateways}, and not to calls inside of the mesh"),
        };
        out.push(format!("It applies to traffic for {} {place}.", list(&spec.hosts, "and")));
    }
    for (index, route) in spec.http.iter().enumerate() {
        out.extend(http_route(route, index > 0));
    }
    if !spec.http.is_empty() && spec.http.iter().all(|route| !route.matches.is_empty()) {
        out.push("Requests that none of these fits are answered with 404.".to_owned());
    }
    for route in &spec.tls {
        let cases: Vec<String> = route.matches.iter().map(tls_case).collect();
        out.push(format!("TLS connections {} go to {}.", list(&cases, "or"), l4_split(&route.route)));
    }
    for route in &spec.tcp {
        let cases: Vec<String> = route.matches.iter().map(l4_case).collect();
        let which = if cases.is_empty() {
            "All TCP connections".to_owned()
        } else {
            format!("TCP connections {}", list(&cases, "or"))
        };
        out.push(format!("{which} go to {}.", l4_split(&route.route)));
    }
    out
}

/// One route; `others` whether any was tried before it.
fn http_route(route: &HttpRoute, others: bool) -> Vec<String> {
    let mut out = vec![format!("{} {}.", requests(route, others), http::outcome(route))];
    let extras = http::extras(route);
    if !extras.is_empty() {
        out.push(format!("For these: {}.", extras.join("; ")));
    }
    out
}

/// The requests that a route takes; `others` whether any was tried before it.
pub(super) fn requests(route: &HttpRoute, others: bool) -> String {
    let cases: Vec<String> = route.matches.iter().map(http::case).collect();
    match (cases.iter().any(String::is_empty) || cases.is_empty(), others) {
        (true, true) => "All other requests".to_owned(),
        (true, false) => "All requests".to_owned(),
        (false, _) => format!("Requests {}", cases.join(", or ")),
    }
}

/// `subset v1 of orders`.
pub(super) fn destination(to: &Destination) -> String {
    let port = to.port.as_ref().map(|port| format!(" (port {})", port.number)).unwrap_or_default();
    if to.subset.is_empty() {
        format!("{}{port}", to.host)
    } else {
        format!("subset {} of {}{port}", to.subset, to.host)
    }
}

/// Where traffic goes and in which shares.
pub(super) fn split<'a>(arms: impl Iterator<Item = (&'a Destination, Option<i32>)>) -> String {
    let arms: Vec<_> = arms.collect();
    if let [(only, _)] = arms.as_slice() {
        return destination(only);
    }
    let sum: f64 = arms.iter().map(|(_, weight)| f64::from(weight.unwrap_or(0))).sum();
    let share = |weight: &Option<i32>| match sum > 0.0 {
        true => super::percent(f64::from(weight.unwrap_or(0)) / sum * 100.0),
        false => "0 %".to_owned(),
    };
    let words: Vec<String> =
        arms.iter().map(|(to, weight)| format!("{} to {}", share(weight), destination(to))).collect();
    list(&words, "and")
}

fn l4_split(route: &[RouteDestination]) -> String {
    split(route.iter().map(|arm| (&arm.destination, arm.weight)))
}

fn tls_case(case: &TlsMatch) -> String {
    let mut words = vec![format!("for {}", list(&case.sni_hosts, "or"))];
    words.extend(case.port.map(|port| format!("to port {port}")));
    words.extend(
        (!case.source_labels.is_empty()).then(|| format!("from workloads with {}", labels(&case.source_labels))),
    );
    words.join(" ")
}

fn l4_case(case: &L4Match) -> String {
    let mut words = Vec::new();
    words.extend(case.port.map(|port| format!("to port {port}")));
    words.extend(
        (!case.destination_subnets.is_empty()).then(|| format!("to {}", list(&case.destination_subnets, "or"))),
    );
    words.extend(
        (!case.source_labels.is_empty()).then(|| format!("from workloads with {}", labels(&case.source_labels))),
    );
    words.extend((!case.source_namespace.is_empty()).then(|| format!("from namespace {}", case.source_namespace)));
    words.join(" ")
}
