//! Hosts for which several objects claim to speak.

use std::collections::BTreeMap;

use weft_api::networking::{DestinationRule, VirtualService, virtual_service::MESH_GATEWAY};
use weft_mesh::{Snapshot, Typed, snapshot::Visibility};
use weft_model::{Diagnostic, Hostname};

use crate::{
    code::{DUPLICATE_GATEWAY_HOST, DUPLICATE_HOST, DUPLICATE_RULE},
    finding::finding,
};

pub(super) fn check(snapshot: &Snapshot, findings: &mut Vec<Diagnostic>) {
    virtual_services(snapshot, findings);
    destination_rules(snapshot, findings);
}

/// One host of a VirtualService.
struct Claim<'s> {
    vs: &'s Typed<VirtualService>,
    /// Index in `spec.hosts`.
    host: usize,
    visibility: Visibility,
}

fn virtual_services(snapshot: &Snapshot, findings: &mut Vec<Diagnostic>) {
    let defaults = &snapshot.mesh().config.default_virtual_service_export_to;
    // In the order of age, so that the first claim of each list is the one that is applied.
    let mut claims: BTreeMap<(String, Hostname), Vec<Claim<'_>>> = BTreeMap::new();
    for vs in snapshot.virtual_services() {
        for gateway in vs.spec.gateways() {
            let gateway = qualified(gateway, vs.namespace());
            for (index, host) in vs.spec.hosts.iter().enumerate() {
                let key = (gateway.clone(), snapshot.resolve_host(host, vs.namespace()));
                let claims = claims.entry(key).or_default();
                // A host or gateway written twice in one object is that object's own matter.
                if claims.iter().all(|claim| claim.vs.reference() != vs.reference()) {
                    let visibility = Visibility::read(&vs.export_to, vs.namespace(), defaults);
                    claims.push(Claim { vs, host: index, visibility });
                }
            }
        }
    }
    for ((gateway, host), claims) in &claims {
        for (index, claim) in claims.iter().enumerate() {
            let others = claims.iter().enumerate().filter(|(other, _)| *other != index);
            let rival = others.map(|(_, other)| other).find(|other| meet(&claim.visibility, &other.visibility));
            let Some(rival) = rival else { continue };
            findings.push(conflict(gateway, host, claim, rival, index == 0));
        }
    }
}

fn conflict(gateway: &str, host: &Hostname, claim: &Claim<'_>, rival: &Claim<'_>, oldest: bool) -> Diagnostic {
    let other = format!("{}/{}", rival.vs.namespace(), rival.vs.name());
    let (code, message) = if gateway == MESH_GATEWAY {
        let fate = if oldest { "that one is not applied" } else { "this one is not applied" };
        (DUPLICATE_HOST, format!("VirtualService {other} is for the host {host} too; {fate}"))
    } else {
        (
            DUPLICATE_GATEWAY_HOST,
            format!(
                "VirtualService {other} is for the host {host} of Gateway {gateway} too; the order of their routes is by age"
            ),
        )
    };
    let mut found = finding(code, claim.vs.reference(), format!("spec.hosts[{}]", claim.host), message);
    found.suggestion = Some("put all routes of a host into one VirtualService".to_owned());
    found
}

/// `mesh`, or `namespace/name`.
fn qualified(gateway: &str, namespace: &str) -> String {
    match gateway.split_once('/') {
        Some((".", name)) => format!("{namespace}/{name}"),
        Some(_) => gateway.to_owned(),
        None if gateway == MESH_GATEWAY => gateway.to_owned(),
        None => format!("{namespace}/{gateway}"),
    }
}

/// Whether some namespace sees both.
fn meet(a: &Visibility, b: &Visibility) -> bool {
    match (a, b) {
        (Visibility::All, Visibility::All) => true,
        (Visibility::All, Visibility::Namespaces(some)) | (Visibility::Namespaces(some), Visibility::All) => {
            !some.is_empty()
        }
        (Visibility::Namespaces(a), Visibility::Namespaces(b)) => a.iter().any(|namespace| b.contains(namespace)),
    }
}

fn destination_rules(snapshot: &Snapshot, findings: &mut Vec<Diagnostic>) {
    // Rules that select their clients by different labels do not meet.
    let mut rules: BTreeMap<_, Vec<&Typed<DestinationRule>>> = BTreeMap::new();
    for rule in snapshot.destination_rules() {
        let clients = rule.workload_selector.as_ref().map(|selector| selector.match_labels.clone());
        let host = snapshot.resolve_host(&rule.host, rule.namespace());
        rules.entry((rule.namespace(), host, clients)).or_default().push(rule);
    }
    for ((_, host, _), rules) in rules {
        for (index, rule) in rules.iter().enumerate() {
            let Some(other) = rules.iter().enumerate().find(|(other, _)| *other != index).map(|(_, other)| other)
            else {
                continue;
            };
            let message = format!(
                "DestinationRule {}/{} is for the host {host} too; subsets of both count, and the trafficPolicy of {}",
                other.namespace(),
                other.name(),
                if index == 0 { "this one" } else { "the oldest" },
            );
            let mut found = finding(DUPLICATE_RULE, rule.reference(), "spec.host", message);
            found.suggestion = Some("put everything about a host into one DestinationRule".to_owned());
            findings.push(found);
        }
    }
}
