//! Every place in a VirtualService that names a destination.

use weft_api::networking::{VirtualService, virtual_service::Destination};

/// Destinations with the paths of their fields, in the order they are written.
pub(super) fn destinations(spec: &VirtualService) -> Vec<(String, &Destination)> {
    let mut found = Vec::new();
    for (index, route) in spec.http.iter().enumerate() {
        let at = format!("spec.http[{index}]");
        for (index, to) in route.route.iter().enumerate() {
            found.push((format!("{at}.route[{index}].destination"), &to.destination));
        }
        if let Some(mirror) = &route.mirror {
            found.push((format!("{at}.mirror"), mirror));
        }
        for (index, mirror) in route.mirrors.iter().enumerate() {
            found.push((format!("{at}.mirrors[{index}].destination"), &mirror.destination));
        }
    }
    for (index, route) in spec.tls.iter().enumerate() {
        for (to, destination) in route.route.iter().enumerate() {
            found.push((format!("spec.tls[{index}].route[{to}].destination"), &destination.destination));
        }
    }
    for (index, route) in spec.tcp.iter().enumerate() {
        for (to, destination) in route.route.iter().enumerate() {
            found.push((format!("spec.tcp[{index}].route[{to}].destination"), &destination.destination));
        }
    }
    // An empty host is an error of the object itself.
    found.retain(|(_, destination)| !destination.host.is_empty());
    found
}
