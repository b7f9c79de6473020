//! Hosts that no Service and no ServiceEntry has.

use weft_api::error::nearest;
use weft_mesh::{Snapshot, resolve::destination_rule::patterns};
use weft_model::{Diagnostic, Hostname};

use super::destinations::destinations;
use crate::{
    Options,
    code::{HOST_NOT_FOUND, RULE_HOST_NOT_FOUND},
    finding::finding,
};

pub(super) fn check(snapshot: &Snapshot, options: &Options, findings: &mut Vec<Diagnostic>) {
    // What is not here may be elsewhere.
    if options.assume_partial {
        return;
    }
    for vs in snapshot.virtual_services() {
        for (field, destination) in destinations(&vs.spec) {
            let host = snapshot.resolve_host(&destination.host, vs.namespace());
            if known(snapshot, &host) {
                continue;
            }
            let message = format!("no Service and no ServiceEntry has the host {}", written(&destination.host, &host));
            let mut found = finding(HOST_NOT_FOUND, vs.reference(), format!("{field}.host"), message);
            found.suggestion = suggest(snapshot, &destination.host, &host, vs.namespace());
            findings.push(found);
        }
    }
    for rule in snapshot.destination_rules() {
        let host = snapshot.resolve_host(&rule.host, rule.namespace());
        if rule.host.is_empty() || host.is_wildcard() || known(snapshot, &host) {
            continue;
        }
        let message = format!("no Service and no ServiceEntry has the host {}", written(&rule.host, &host));
        let mut found = finding(RULE_HOST_NOT_FOUND, rule.reference(), "spec.host", message);
        found.suggestion = suggest(snapshot, &rule.host, &host, rule.namespace());
        findings.push(found);
    }
}

/// Whether a host, or a wildcard that covers it, is in the registry.
pub(super) fn known(snapshot: &Snapshot, host: &Hostname) -> bool {
    patterns(host).iter().any(|pattern| !snapshot.services_of(pattern).is_empty())
}

/// The host as the user wrote it, and what it means when that is something longer.
fn written(name: &str, host: &Hostname) -> String {
    if name.eq_ignore_ascii_case(host.as_str()) { format!("{name:?}") } else { format!("{name:?} ({host})") }
}

fn suggest(snapshot: &Snapshot, name: &str, host: &Hostname, namespace: &str) -> Option<String> {
    let domain = &snapshot.settings().domain;
    // `orders.shop` is no short name in Istio; only the bare name is completed.
    for completed in [format!("{name}.svc.{domain}"), format!("{name}.{domain}")] {
        if name.contains('.') && known(snapshot, &Hostname::new(&completed)) {
            return Some(format!("write {completed:?}"));
        }
    }
    if !name.contains('.') {
        let here = snapshot.services_in(namespace).iter().filter(|s| s.is_kubernetes()).map(|s| s.name.as_str());
        if let Some(close) = nearest(name, here) {
            return Some(format!("did you mean {close:?}?"));
        }
        // The same name in another namespace.
        let there = snapshot.services().iter().find(|s| s.is_kubernetes() && s.name == name);
        if let Some(service) = there {
            return Some(format!("did you mean {:?}, in namespace {}?", service.host.as_str(), service.namespace));
        }
    }
    let hosts = snapshot.services().iter().map(|service| service.host.as_str());
    nearest(host.as_str(), hosts).map(|close| format!("did you mean {close:?}?"))
}
