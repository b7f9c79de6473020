//! Marks that follow from configuration: which objects concern which workload, and what they do to it.

use std::collections::{BTreeMap, BTreeSet};

use weft_api::{
    Spec,
    networking::{DestinationRule, TrafficPolicy, virtual_service::VirtualService},
    security::Selector,
};
use weft_mesh::{Snapshot, Typed};
use weft_model::{Diagnostic, Hostname, ObjectRef, graph::Badge};

use super::Estate;
use crate::graph::tamed;

/// Puts every mark on the workloads of `estate`.
pub(super) fn mark(estate: &mut Estate, snapshot: &Snapshot, findings: &[Diagnostic]) {
    let mut marks: Vec<(BTreeSet<String>, Badge)> = Vec::new();
    let mut concerned: BTreeMap<ObjectRef, BTreeSet<String>> = BTreeMap::new();
    for vs in snapshot.virtual_services() {
        marks.extend(canaries(estate, snapshot, vs));
        marks.extend(faults(estate, snapshot, vs));
        concerned.insert(vs.reference().clone(), of_virtual_service(estate, snapshot, vs));
    }
    for rule in snapshot.destination_rules() {
        marks.extend(breakers(estate, snapshot, rule));
        let host = snapshot.resolve_host(&rule.host, rule.namespace());
        concerned.insert(rule.reference().clone(), covered(estate, &host));
    }
    for (_, object) in snapshot.objects() {
        if let Some(ids) = of_other(estate, snapshot, &object.reference, &object.spec) {
            concerned.insert(object.reference.clone(), ids);
        }
    }
    marks.extend(lint(findings, &concerned));
    for (ids, badge) in marks {
        for id in ids {
            if let Some(workload) = estate.workloads.get_mut(&id) {
                workload.badges.push(badge.clone());
            }
        }
    }
    estate.concerned = concerned;
}

/// Workloads behind a host, which may be a wildcard.
fn covered(estate: &Estate, host: &Hostname) -> BTreeSet<String> {
    if !host.is_wildcard() {
        return estate.hosts.get(host.as_str()).into_iter().flatten().cloned().collect();
    }
    let under = estate.hosts.iter().filter(|(name, _)| host.covers(&Hostname::new(name)));
    under.flat_map(|(_, ids)| ids.iter().cloned()).collect()
}

fn destinations(vs: &VirtualService) -> impl Iterator<Item = &str> {
    let http = vs.http.iter().flat_map(|route| &route.route).map(|to| to.destination.host.as_str());
    let tls = vs.tls.iter().flat_map(|route| &route.route).map(|to| to.destination.host.as_str());
    let tcp = vs.tcp.iter().flat_map(|route| &route.route).map(|to| to.destination.host.as_str());
    http.chain(tls).chain(tcp)
}

fn of_virtual_service(estate: &Estate, snapshot: &Snapshot, vs: &Typed<VirtualService>) -> BTreeSet<String> {
    let hosts = vs.hosts.iter().map(String::as_str).chain(destinations(vs));
    hosts.flat_map(|host| covered(estate, &snapshot.resolve_host(host, vs.namespace()))).collect()
}

fn canaries(estate: &Estate, snapshot: &Snapshot, vs: &Typed<VirtualService>) -> Vec<(BTreeSet<String>, Badge)> {
    let weighted = vs.http.iter().filter(|route| route.route.len() >= 2);
    let badge = |route: &weft_api::networking::virtual_service::HttpRoute| {
        let split: Vec<String> = route
            .route
            .iter()
            .map(|to| {
                let name = if to.destination.subset.is_empty() { &to.destination.host } else { &to.destination.subset };
                format!("{name} {}", to.weight.unwrap_or(0))
            })
            .collect();
        let hosts = route.route.iter().map(|to| snapshot.resolve_host(&to.destination.host, vs.namespace()));
        let text = format!("{} splits requests by weight: {}", vs.reference(), split.join(", "));
        (hosts.flat_map(|host| covered(estate, &host)).collect(), plain("canary", vs.namespace(), text))
    };
    weighted.map(badge).collect()
}

fn faults(estate: &Estate, snapshot: &Snapshot, vs: &Typed<VirtualService>) -> Option<(BTreeSet<String>, Badge)> {
    let faulty: Vec<_> = vs.http.iter().filter(|route| route.fault.is_some()).collect();
    let mut what = Vec::new();
    for fault in faulty.iter().filter_map(|route| route.fault.as_ref()) {
        what.extend(fault.delay.as_ref().map(|_| "delays"));
        what.extend(fault.abort.as_ref().map(|_| "errors"));
    }
    what.sort_unstable();
    what.dedup();
    if what.is_empty() {
        return None;
    }
    let hosts = faulty.iter().flat_map(|route| &route.route).map(|to| to.destination.host.as_str());
    let ids = hosts.flat_map(|host| covered(estate, &snapshot.resolve_host(host, vs.namespace()))).collect();
    let text = format!("{} injects {} on purpose", vs.reference(), what.join(" and "));
    Some((ids, plain("fault", vs.namespace(), text)))
}

fn breakers(estate: &Estate, snapshot: &Snapshot, rule: &Typed<DestinationRule>) -> Vec<(BTreeSet<String>, Badge)> {
    let host = snapshot.resolve_host(&rule.host, rule.namespace());
    let all = covered(estate, &host);
    let breaks = |policy: &TrafficPolicy| policy.connection_pool.is_some() || policy.outlier_detection.is_some();
    let text = |part: &str| format!("{} limits connections or ejects failing endpoints{part}", rule.reference());
    if rule.traffic_policy.as_ref().is_some_and(breaks) {
        return vec![(all, plain("circuit-breaker", rule.namespace(), text("")))];
    }
    let subsets = rule.subsets.iter().filter(|subset| subset.traffic_policy.as_ref().is_some_and(breaks));
    let badge = |subset: &weft_api::networking::destination_rule::Subset| {
        let labels = |id: &&String| estate.workloads.get(*id).is_some_and(|w| w.labels.carry(&subset.labels));
        let ids = all.iter().filter(labels).cloned().collect();
        (ids, plain("circuit-breaker", rule.namespace(), text(&format!(" of subset {}", subset.name))))
    };
    subsets.map(badge).collect()
}

/// Workloads that an object of another kind is about; `None` for kinds that are about no workload.
fn of_other(estate: &Estate, snapshot: &Snapshot, reference: &ObjectRef, spec: &Spec) -> Option<BTreeSet<String>> {
    let selected = |labels: Option<&BTreeMap<String, String>>, everywhere: bool| {
        let here = |w: &&super::Workload| everywhere || w.namespace == reference.namespace;
        let chosen = |w: &&super::Workload| labels.is_none_or(|labels| w.labels.carry(labels));
        estate.workloads.values().filter(here).filter(chosen).map(|w| format!("{}/{}", w.namespace, w.name)).collect()
    };
    let by = |selector: Option<&Selector>| {
        selected(selector.map(|s| &s.match_labels), reference.namespace == snapshot.settings().root_namespace)
    };
    match spec {
        Spec::PeerAuthentication(policy) => Some(by(policy.selector.as_ref())),
        Spec::AuthorizationPolicy(policy) => Some(by(policy.selector.as_ref())),
        Spec::RequestAuthentication(policy) => Some(by(policy.selector.as_ref())),
        Spec::Telemetry(telemetry) if telemetry.is_attached() => None,
        Spec::Telemetry(telemetry) => Some(by(telemetry.selector.as_ref())),
        Spec::Gateway(gateway) => Some(selected(Some(&gateway.selector).filter(|labels| !labels.is_empty()), true)),
        Spec::WorkloadEntry(_) => Some([super::id_of(&reference.namespace, &reference.name)].into()),
        Spec::Service(_) => Some(covered(estate, &snapshot.resolve_host(&reference.name, &reference.namespace))),
        Spec::Sidecar(sidecar) => {
            Some(selected(sidecar.workload_selector.as_ref().map(|selector| &selector.labels), false))
        }
        _ => None,
    }
}

/// One mark for each workload and namespace that findings about it stand in: whoever may not read one of these namespaces
/// is not shown its mark.
fn lint(findings: &[Diagnostic], concerned: &BTreeMap<ObjectRef, BTreeSet<String>>) -> Vec<(BTreeSet<String>, Badge)> {
    let mut by_workload: BTreeMap<(&str, &str), Vec<&Diagnostic>> = BTreeMap::new();
    for finding in findings {
        let Some(object) = &finding.object else { continue };
        for id in concerned.get(object).into_iter().flatten() {
            by_workload.entry((id, &object.namespace)).or_default().push(finding);
        }
    }
    let badge = |((id, namespace), found): ((&str, &str), Vec<&Diagnostic>)| {
        let worst = found.iter().max_by_key(|finding| finding.severity)?;
        let object = worst.object.as_ref().map(|object| format!("{object}: ")).unwrap_or_default();
        let more = match found.len() - 1 {
            0 => String::new(),
            more => format!(" (and {more} more)"),
        };
        let text = format!("{object}{}{more}", worst.message);
        let badge = Badge { severity: Some(worst.severity), ..plain("lint", namespace, text) };
        Some(([id.to_owned()].into(), badge))
    };
    by_workload.into_iter().filter_map(badge).collect()
}

fn plain(kind: &str, namespace: &str, text: String) -> Badge {
    Badge { kind: kind.into(), severity: None, text, namespace: tamed(namespace).into_owned() }
}
