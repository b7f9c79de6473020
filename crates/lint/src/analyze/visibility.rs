//! Hosts and subsets that are there, and that whoever names them does not see (`exportTo`).

use std::collections::BTreeSet;

use weft_api::networking::{VirtualService, virtual_service::MESH_GATEWAY};
use weft_mesh::{
    Snapshot, Typed,
    resolve::destination_rule::patterns,
    snapshot::{Service, Visibility},
};
use weft_model::{Diagnostic, Hostname, ObjectRef};

use super::{destinations::destinations, gateway};
use crate::{
    code::{Code, HOST_NOT_VISIBLE, RULE_HOST_NOT_VISIBLE, SUBSET_NOT_VISIBLE},
    finding::finding,
};

pub(super) fn check(snapshot: &Snapshot, findings: &mut Vec<Diagnostic>) {
    for vs in snapshot.virtual_services() {
        for (field, destination) in destinations(&vs.spec) {
            let host = snapshot.resolve_host(&destination.host, vs.namespace());
            let services = services(snapshot, &host);
            if let Some(blind) = blind(snapshot, vs, &services) {
                findings.push(found(HOST_NOT_VISIBLE, vs.reference(), format!("{field}.host"), &blind, &host, None));
            }
            if destination.subset.is_empty() {
                continue;
            }
            let rules = rules(snapshot, &host, &destination.subset);
            if let Some(blind) = blind(snapshot, vs, &rules) {
                let (field, subset) = (format!("{field}.subset"), Some(destination.subset.as_str()));
                findings.push(found(SUBSET_NOT_VISIBLE, vs.reference(), field, &blind, &host, subset));
            }
        }
    }
    for rule in snapshot.destination_rules() {
        let host = snapshot.resolve_host(&rule.host, rule.namespace());
        if rule.host.is_empty() || host.is_wildcard() {
            continue;
        }
        // A rule that other namespaces see is for clients there as well.
        let defaults = &snapshot.mesh().config.default_destination_rule_export_to;
        let users = match Visibility::read(&rule.export_to, rule.namespace(), defaults) {
            Visibility::All => BTreeSet::from([rule.namespace().to_owned()]),
            Visibility::Namespaces(some) => some.into_iter().collect(),
        };
        let services = services(snapshot, &host);
        if let Some(hidden) = hidden(&services, &users) {
            let blind = Blind { users, hidden };
            findings.push(found(RULE_HOST_NOT_VISIBLE, rule.reference(), "spec.host".to_owned(), &blind, &host, None));
        }
    }
}

/// Something that is exported.
struct Exported<'s> {
    object: &'s ObjectRef,
    visibility: Visibility,
    /// Where the object says to whom, and what stands there.
    field: &'static str,
}

/// Namespaces whose proxies do not see something that they are told to use.
struct Blind<'e, 's> {
    users: BTreeSet<String>,
    hidden: &'e Exported<'s>,
}

fn services<'s>(snapshot: &'s Snapshot, host: &Hostname) -> Vec<Exported<'s>> {
    let services = patterns(host).into_iter().flat_map(|pattern| snapshot.services_of(&pattern));
    let exported = |service: &'s std::sync::Arc<Service>| Exported {
        object: &service.object,
        visibility: service.visibility.clone(),
        field: if service.is_kubernetes() { "the annotation networking.istio.io/exportTo" } else { "spec.exportTo" },
    };
    services.map(exported).collect()
}

/// The DestinationRules that define a subset of a host.
fn rules<'s>(snapshot: &'s Snapshot, host: &Hostname, subset: &str) -> Vec<Exported<'s>> {
    let defaults = &snapshot.mesh().config.default_destination_rule_export_to;
    let mut exported = Vec::new();
    for pattern in patterns(host) {
        for rule in snapshot.destination_rules_of(&pattern) {
            if rule.subsets.iter().any(|defined| defined.name == subset) {
                let visibility = Visibility::read(&rule.export_to, rule.namespace(), defaults);
                exported.push(Exported { object: rule.reference(), visibility, field: "spec.exportTo" });
            }
        }
    }
    exported
}

/// The proxies that apply a VirtualService and see none of `exported`: the sidecars, or those of its gateways. `None` when
/// some see it, and when there is nothing to see, which is another finding.
fn blind<'e, 's>(
    snapshot: &Snapshot,
    vs: &Typed<VirtualService>,
    exported: &'e [Exported<'s>],
) -> Option<Blind<'e, 's>> {
    if exported.iter().any(|one| one.visibility == Visibility::All) {
        return None;
    }
    let sees = |users: BTreeSet<String>| hidden(exported, &users).map(|hidden| Blind { users, hidden });
    sees(sidecars(snapshot, vs)).or_else(|| sees(gateways(snapshot, vs)))
}

/// The first of `exported` when none of it is seen from any of these namespaces.
fn hidden<'e, 's>(exported: &'e [Exported<'s>], users: &BTreeSet<String>) -> Option<&'e Exported<'s>> {
    let seen = |one: &Exported<'_>| users.iter().any(|namespace| one.visibility.includes(namespace));
    if users.is_empty() || exported.iter().any(seen) { None } else { exported.first() }
}

/// Namespaces whose sidecars apply a VirtualService; of one that all apply, its own stands for them.
fn sidecars(snapshot: &Snapshot, vs: &Typed<VirtualService>) -> BTreeSet<String> {
    if !vs.spec.in_mesh() {
        return BTreeSet::new();
    }
    let defaults = &snapshot.mesh().config.default_virtual_service_export_to;
    match Visibility::read(&vs.export_to, vs.namespace(), defaults) {
        Visibility::All => BTreeSet::from([vs.namespace().to_owned()]),
        Visibility::Namespaces(some) => some.into_iter().collect(),
    }
}

/// Namespaces of the proxies behind a VirtualService's gateways; where none is known, those of the Gateways.
fn gateways(snapshot: &Snapshot, vs: &Typed<VirtualService>) -> BTreeSet<String> {
    let mut namespaces = BTreeSet::new();
    for written in vs.gateways.iter().filter(|written| *written != MESH_GATEWAY) {
        let (namespace, name) = gateway::parts(written, vs.namespace());
        let Some(gateway) = snapshot.gateways().get(namespace, name) else { continue };
        let before = namespaces.len();
        for (at, workload) in snapshot.workloads() {
            if workload.labels.carry(&gateway.selector) {
                namespaces.insert(at.namespace.clone());
            }
        }
        if namespaces.len() == before {
            namespaces.insert(namespace.to_owned());
        }
    }
    namespaces
}

fn found(
    code: Code,
    object: &ObjectRef,
    field: String,
    blind: &Blind<'_, '_>,
    host: &Hostname,
    subset: Option<&str>,
) -> Diagnostic {
    let Blind { users, hidden } = blind;
    let from = plain(users.iter().map(String::as_str));
    let name = format!("{} {}/{}", hidden.object.kind, hidden.object.namespace, hidden.object.name);
    let to = match &hidden.visibility {
        Visibility::All => "every namespace".to_owned(),
        Visibility::Namespaces(none) if none.is_empty() => "no namespace".to_owned(),
        Visibility::Namespaces(some) => format!("{} alone", plain(some.iter().map(String::as_str))),
    };
    let what = match subset {
        Some(subset) => format!("the subset {subset:?} of {:?}", host.as_str()),
        None => format!("the host {:?}", host.as_str()),
    };
    let message = format!("proxies in {from} do not see {what}: {name} is exported to {to}");
    let mut found = finding(code, object, field, message);
    let missing: Vec<String> = users.iter().map(|namespace| format!("{namespace:?}")).collect();
    found.suggestion = Some(format!("let {} of {name} include {}", hidden.field, missing.join(" or ")));
    found
}

/// Names in a row: `a, b and c`.
fn plain<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.collect();
    match names.as_slice() {
        [first @ .., last] if !first.is_empty() => format!("{} and {last}", first.join(", ")),
        names => names.concat(),
    }
}
