//! What configuration says about workloads, in the form that the graph and the canary cards need: derived once for each
//! snapshot, then shared.

mod badges;
mod health;

use std::collections::{BTreeMap, BTreeSet};

use weft_api::{Labels, ObjectKey};
use weft_mesh::Snapshot;
use weft_model::{Diagnostic, Hostname, ObjectRef, graph::Badge};

pub(crate) use self::health::CODE as THRESHOLDS;
pub use self::health::Tolerances;

use crate::graph::{tamed, tamed_host};

/// One configured workload.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Workload {
    /// Namespace.
    pub namespace: String,
    /// Name; the node's id is `namespace/name`.
    pub name: String,
    /// Canonical name. This and the names above and below are tamed, as those of metrics are.
    pub app: String,
    /// `version` label.
    pub version: String,
    /// All labels, as they are written: for selectors, never for the eye.
    pub labels: Labels,
    /// Whether it has a proxy that speaks mutual TLS.
    pub meshed: bool,
    /// Whether it is an ingress or egress gateway.
    pub gateway: bool,
    /// Whether it is part of the mesh's picture even without traffic. A cluster has many pods that the mesh leaves alone.
    pub listed: bool,
    /// Marks that follow from configuration.
    pub badges: Vec<Badge>,
}

/// Workloads, and which of them stand behind which host.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Estate {
    /// By `namespace/name`.
    pub workloads: BTreeMap<String, Workload>,
    /// Ids of the workloads behind each full host name; names are tamed here as well.
    pub hosts: BTreeMap<String, Vec<String>>,
    /// Namespaces in which anything is configured.
    pub namespaces: BTreeSet<String>,
    /// Namespace of each service, by full host name.
    pub service_namespaces: BTreeMap<String, String>,
    /// Hosts that ServiceEntries name, which may be wildcards, with `namespace/name` of the first that does.
    pub entries: Vec<(Hostname, String)>,
    /// Health thresholds.
    pub tolerances: Tolerances,
    /// Ids of the workloads that each object is about.
    pub concerned: BTreeMap<ObjectRef, BTreeSet<String>>,
}

/// Values of the label `istio` that gateway workloads carry by convention.
const GATEWAY_LABELS: [&str; 3] = ["ingressgateway", "egressgateway", "eastwestgateway"];

/// `namespace/name` of what the instance is an instance of, which is how metrics name it.
pub(crate) fn id(workload: &weft_mesh::snapshot::Workload) -> String {
    id_of(&workload.reference.namespace, &workload.name)
}

/// The id of a workload, as the series of its proxies give it.
pub(crate) fn id_of(namespace: &str, name: &str) -> String {
    format!("{}/{}", tamed(namespace), tamed(name))
}

/// Whether new pods of a namespace get proxies.
pub(crate) fn asks_for_proxies(snapshot: &Snapshot, namespace: &str) -> bool {
    let key = ObjectKey {
        group: String::new(),
        kind: "Namespace".to_owned(),
        namespace: String::new(),
        name: namespace.to_owned(),
    };
    let Some(found) = snapshot.object(&key) else { return false };
    let label = |name: &str| found.meta.labels.get(name);
    match label("istio-injection") {
        Some(value) => value == "enabled",
        None => label("istio.io/rev").is_some(),
    }
}

impl Estate {
    /// Reads a snapshot; `findings` become marks on the workloads that they concern.
    pub fn read(snapshot: &Snapshot, findings: &[Diagnostic]) -> Self {
        let mut estate = Self::default();
        for workload in snapshot.workloads().values() {
            let selected = |labels: &BTreeMap<String, String>| !labels.is_empty() && workload.labels.carry(labels);
            let gateway = GATEWAY_LABELS.contains(&workload.label("istio"))
                || snapshot.gateways().iter().any(|gateway| selected(&gateway.selector));
            let namespace = &workload.reference.namespace;
            let id = id(workload);
            // Pods of one Deployment are one node, as in metrics; one proxy among them makes it meshed.
            if let Some(known) = estate.workloads.get_mut(&id) {
                known.meshed |= workload.has_mutual_tls();
                known.listed |= known.meshed;
                continue;
            }
            let meshed = workload.has_mutual_tls() || gateway;
            let known = Workload {
                namespace: tamed(namespace).into_owned(),
                name: tamed(&workload.name).into_owned(),
                app: tamed(workload.canonical_name()).into_owned(),
                version: tamed(workload.label("version")).into_owned(),
                labels: workload.labels.clone(),
                meshed,
                gateway,
                listed: meshed || !workload.is_pod() || asks_for_proxies(snapshot, namespace),
                badges: Vec::new(),
            };
            estate.workloads.insert(id, known);
        }
        for service in snapshot.services() {
            let here = snapshot.workloads().values().filter(|w| w.reference.namespace == service.namespace);
            let ids = here.filter(|workload| service.selects(&workload.labels)).map(|workload| id(workload));
            let behind = estate.hosts.entry(tamed_host(service.host.as_str()).into_owned()).or_default();
            behind.extend(ids);
            behind.sort_unstable();
            behind.dedup();
        }
        for service in snapshot.services() {
            let host = tamed_host(service.host.as_str()).into_owned();
            // The first declared it: whoever names a host of another namespace does not come to see what is counted there.
            estate.service_namespaces.entry(host).or_insert_with(|| tamed(&service.namespace).into_owned());
        }
        for entry in snapshot.service_entries().iter() {
            let name = format!("{}/{}", entry.namespace(), entry.name());
            estate.entries.extend(entry.hosts.iter().map(|host| (Hostname::new(host), name.clone())));
        }
        estate.tolerances = Tolerances::read(snapshot);
        estate.namespaces =
            snapshot.objects().map(|(key, _)| tamed(&key.namespace).into_owned()).filter(|n| !n.is_empty()).collect();
        badges::mark(&mut estate, snapshot, findings);
        estate
    }

    /// `namespace/name` of the ServiceEntry that names `host`.
    pub fn external(&self, host: &str) -> Option<&str> {
        let host = Hostname::new(host);
        let named =
            |(name, _): &&(Hostname, String)| if name.is_wildcard() { name.covers(&host) } else { *name == host };
        self.entries.iter().find(named).map(|(_, entry)| entry.as_str())
    }

    /// The workloads behind `host` that carry all of `labels`, which is how a subset chooses.
    pub fn behind<'a>(&'a self, host: &str, labels: &'a BTreeMap<String, String>) -> impl Iterator<Item = &'a str> {
        let ids = self.hosts.get(host).map_or(&[][..], Vec::as_slice);
        ids.iter().map(String::as_str).filter(move |id| {
            let own = self.workloads.get(*id).map(|w| &w.labels);
            own.is_some_and(|own| own.carry(labels))
        })
    }
}
