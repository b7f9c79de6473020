//! Gateways that are not there.

use weft_api::{error::nearest, networking::virtual_service::MESH_GATEWAY};
use weft_mesh::Snapshot;
use weft_model::Diagnostic;

use crate::{Options, code::GATEWAY_NOT_FOUND, finding::finding};

pub(super) fn check(snapshot: &Snapshot, options: &Options, findings: &mut Vec<Diagnostic>) {
    if options.assume_partial {
        return;
    }
    for vs in snapshot.virtual_services() {
        let own = vs.gateways.iter().enumerate().map(|(index, name)| (format!("spec.gateways[{index}]"), name));
        let matches = vs.spec.http.iter().enumerate().flat_map(|(route, http)| {
            http.matches.iter().enumerate().flat_map(move |(index, matching)| {
                let at = format!("spec.http[{route}].match[{index}]");
                matching.gateways.iter().enumerate().map(move |(index, name)| (format!("{at}.gateways[{index}]"), name))
            })
        });
        for (field, written) in own.chain(matches) {
            if written == MESH_GATEWAY {
                continue;
            }
            let (namespace, name) = parts(written, vs.namespace());
            if snapshot.gateways().get(namespace, name).is_some() {
                continue;
            }
            let message = format!("there is no Gateway {name:?} in namespace {namespace}");
            let mut found = finding(GATEWAY_NOT_FOUND, vs.reference(), field, message);
            found.suggestion = suggest(snapshot, namespace, name);
            findings.push(found);
        }
    }
}

/// `name`, `namespace/name`, `./name`, or the old form `name.namespace.svc.cluster.local`.
pub(super) fn parts<'a>(written: &'a str, own: &'a str) -> (&'a str, &'a str) {
    match written.split_once('/') {
        Some((".", name)) => (own, name),
        Some((namespace, name)) => (namespace, name),
        None => match written.split_once('.') {
            Some((name, rest)) => (rest.split('.').next().unwrap_or(own), name),
            None => (own, written),
        },
    }
}

fn suggest(snapshot: &Snapshot, namespace: &str, name: &str) -> Option<String> {
    if let Some(elsewhere) = snapshot.gateways().iter().find(|gateway| gateway.name() == name) {
        return Some(format!("write \"{}/{name}\"", elsewhere.namespace()));
    }
    let here = snapshot.gateways().in_namespace(namespace).map(|gateway| gateway.name());
    nearest(name, here).map(|close| format!("did you mean {close:?}?"))
}
