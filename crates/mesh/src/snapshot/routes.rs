//! VirtualServices with what is asked of them without reading their routes.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use weft_api::{
    Kind, Object, Spec,
    networking::{DestinationRule, Sidecar, VirtualService, virtual_service::MESH_GATEWAY},
};
use weft_model::Hostname;

use super::{Table, Typed, objects::Objects};

/// Label keys and values.
pub(crate) type Labels = BTreeSet<(String, String)>;

/// What a VirtualService is for and where it leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RouteHead {
    pub(crate) namespace: String,
    /// Resolved.
    pub(crate) hosts: Vec<Hostname>,
    /// As written; [`super::Visibility`] reads it.
    pub(crate) export_to: Vec<String>,
    /// Whether sidecars apply it.
    pub(crate) in_mesh: bool,
    /// Whether it has HTTP routes.
    pub(crate) http: bool,
    /// Hosts that its own routes send to, copies included, resolved.
    pub(crate) destinations: BTreeSet<Hostname>,
    /// Namespace and name of the VirtualServices that it delegates to.
    pub(crate) delegates: BTreeSet<(String, String)>,
    /// Labels that its matches ask of a caller.
    labels: Labels,
    /// Whether it is bound to a gateway.
    pub(crate) at_gateways: bool,
    /// Whether it has TLS routes.
    pub(crate) tls: bool,
}

impl RouteHead {
    pub(super) fn read(object: &Object, spec: &VirtualService, domain: &str) -> Self {
        let namespace = object.meta.namespace.clone();
        let resolve = |name: &String| Hostname::resolve(name, &namespace, domain);
        let mut destinations = BTreeSet::new();
        let mut delegates = BTreeSet::new();
        let mut labels = Labels::new();
        let mut ask = |wanted: &BTreeMap<String, String>| {
            labels.extend(wanted.iter().map(|(key, value)| (key.clone(), value.clone())));
        };
        for route in &spec.http {
            let copies = route.mirror.iter().chain(route.mirrors.iter().map(|m| &m.destination));
            destinations.extend(route.route.iter().map(|r| &r.destination).chain(copies).map(|d| resolve(&d.host)));
            if let Some(delegate) = &route.delegate {
                let to = if delegate.namespace.is_empty() { &namespace } else { &delegate.namespace };
                delegates.insert((to.clone(), delegate.name.clone()));
            }
            route.matches.iter().for_each(|m| ask(&m.source_labels));
        }
        for route in &spec.tcp {
            destinations.extend(route.route.iter().map(|r| resolve(&r.destination.host)));
            route.matches.iter().for_each(|m| ask(&m.source_labels));
        }
        for route in &spec.tls {
            destinations.extend(route.route.iter().map(|r| resolve(&r.destination.host)));
            route.matches.iter().for_each(|m| ask(&m.source_labels));
        }
        Self {
            hosts: spec.hosts.iter().map(resolve).collect(),
            export_to: spec.export_to.clone(),
            in_mesh: spec.in_mesh(),
            http: !spec.http.is_empty(),
            destinations,
            delegates,
            labels,
            at_gateways: spec.gateways.iter().any(|g| g != MESH_GATEWAY),
            tls: !spec.tls.is_empty(),
            namespace,
        }
    }
}

/// Every VirtualService.
#[derive(Debug)]
pub(crate) struct Routes {
    pub(super) table: Table<VirtualService>,
    pub(super) by_host: BTreeMap<Hostname, Vec<usize>>,
    /// Beside the table's rows.
    pub(super) heads: Vec<Arc<RouteHead>>,
    /// Labels that matches ask of callers.
    pub(super) labels: Labels,
}

impl Routes {
    /// Reads every VirtualService; heads of objects that `before` has are taken from it.
    pub(super) fn build(objects: &Objects, domain: &str, before: Option<&Self>) -> Self {
        let table = Table::new(typed(objects, Kind::VirtualService, |spec| match spec {
            Spec::VirtualService(spec) => Some(spec),
            _ => None,
        }));
        let known: HashMap<*const Object, &Arc<RouteHead>> =
            before.into_iter().flat_map(|b| b.table.iter().map(|row| Arc::as_ptr(&row.object)).zip(&b.heads)).collect();
        let head = |row: &Typed<VirtualService>| match known.get(&Arc::as_ptr(&row.object)) {
            Some(head) => Arc::clone(head),
            None => Arc::new(RouteHead::read(&row.object, &row.spec, domain)),
        };
        let heads: Vec<Arc<RouteHead>> = table.iter().map(head).collect();
        let by_host = by_host(heads.iter().map(|head| head.hosts.iter().cloned()));
        let labels = heads.iter().flat_map(|head| head.labels.iter().cloned()).collect();
        Self { table, by_host, heads, labels }
    }
}

/// Every DestinationRule.
#[derive(Debug)]
pub(crate) struct Rules {
    pub(super) table: Table<DestinationRule>,
    pub(super) by_host: BTreeMap<Hostname, Vec<usize>>,
    /// Labels by which rules select clients.
    pub(super) labels: Labels,
    /// Whether any has outlier detection, without which localities do not matter.
    pub(super) ejects: bool,
}

impl Rules {
    pub(super) fn build(objects: &Objects, domain: &str) -> Self {
        let table = Table::new(typed(objects, Kind::DestinationRule, |spec| match spec {
            Spec::DestinationRule(spec) => Some(spec),
            _ => None,
        }));
        let host = |rule: &Typed<DestinationRule>| Hostname::resolve(&rule.host, rule.namespace(), domain);
        let by_host = by_host(table.iter().map(|rule| std::iter::once(host(rule))));
        let selectors = table.iter().filter_map(|rule| rule.workload_selector.as_ref());
        let labels = selectors.flat_map(|s| s.match_labels.iter().map(|(k, v)| (k.clone(), v.clone()))).collect();
        let ejects = table.iter().any(|rule| {
            let subsets = rule.subsets.iter().filter_map(|s| s.traffic_policy.as_ref());
            let policies = rule.traffic_policy.iter().chain(subsets);
            policies.into_iter().any(|p| {
                let ports = p.port_level_settings.iter().any(|s| s.outlier_detection.is_some());
                p.outlier_detection.is_some() || ports
            })
        });
        Self { table, by_host, labels, ejects }
    }
}

/// Every Sidecar.
#[derive(Debug)]
pub(crate) struct Sidecars {
    pub(super) table: Table<Sidecar>,
    /// Labels by which they select workloads.
    pub(super) labels: Labels,
}

impl Sidecars {
    pub(super) fn build(objects: &Objects) -> Self {
        let table = Table::new(typed(objects, Kind::Sidecar, |spec| match spec {
            Spec::Sidecar(spec) => Some(spec),
            _ => None,
        }));
        let selectors = table.iter().filter_map(|s| s.workload_selector.as_ref());
        let labels = selectors.flat_map(|s| s.labels.iter().map(|(k, v)| (k.clone(), v.clone()))).collect();
        Self { table, labels }
    }
}

/// The objects of one kind with their specs.
pub(super) fn typed<T>(objects: &Objects, kind: Kind, spec: impl Fn(&Spec) -> Option<&Arc<T>>) -> Vec<Typed<T>> {
    let row = |object: &Arc<Object>| Some(Typed { spec: Arc::clone(spec(&object.spec)?), object: Arc::clone(object) });
    objects.of(kind).filter_map(row).collect()
}

fn by_host<H: Iterator<Item = Hostname>>(rows: impl Iterator<Item = H>) -> BTreeMap<Hostname, Vec<usize>> {
    let mut index: BTreeMap<Hostname, Vec<usize>> = BTreeMap::new();
    for (row, hosts) in rows.enumerate() {
        for host in hosts {
            let rows = index.entry(host).or_default();
            if rows.last() != Some(&row) {
                rows.push(row);
            }
        }
    }
    index
}
