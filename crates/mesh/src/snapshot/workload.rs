//! Workload instances: WorkloadEntries and pods as one noun.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{Arc, OnceLock},
};

use weft_api::{
    Labels, Object,
    core::{Pod, Protocol},
    networking::WorkloadEntry,
};
use weft_model::{ObjectRef, WorkloadRef, xds};

use crate::Resource;

/// What declares an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorkloadKind {
    /// A WorkloadEntry: a machine or a process that is not a pod.
    Entry,
    /// A pod.
    Pod,
}

/// One instance.
#[derive(Clone, Debug, PartialEq)]
pub struct Workload {
    /// Namespace and name of the instance: the WorkloadEntry's or the pod's.
    pub reference: WorkloadRef,
    /// What declares it.
    pub kind: WorkloadKind,
    /// Name of what it is an instance of: the Deployment, StatefulSet, … that controls the pod, else its own.
    pub name: String,
    /// The object that declares it.
    pub object: ObjectRef,
    /// Address as written: an IP address, a DNS name or `unix:///path`; a pod's primary address, empty while it has none.
    pub address: String,
    /// The address, if it is an IP address.
    pub ip: Option<IpAddr>,
    /// Every address that is its own, the primary one first. A pod in its node's network has none.
    pub addresses: Vec<IpAddr>,
    /// Labels; a WorkloadEntry's spec wins over its metadata.
    pub labels: Labels,
    /// Service account; `default` when none is given.
    pub service_account: String,
    /// Port numbers by name: by the Service port's name for a WorkloadEntry, by the container's for a pod.
    pub ports: BTreeMap<String, u16>,
    /// Share among endpoints; at least 1.
    pub weight: u32,
    /// `region/zone/sub-zone`; may be empty. A pod stands where its node does.
    pub locality: String,
    /// Whether it has a proxy that speaks mutual TLS.
    pub injected: bool,
    /// Whether it takes requests. WorkloadEntries always do.
    pub ready: bool,
    /// Whether it is being deleted.
    pub terminating: bool,
    pub(super) row: Encoded,
}

/// The workload's row of the workload table, made once. It follows from the workload, so it makes no two unequal.
#[derive(Clone, Debug, Default)]
pub(super) struct Encoded(OnceLock<Arc<Resource>>);

impl PartialEq for Encoded {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Workload {
    pub(super) fn of_entry(object: &Object, spec: &WorkloadEntry) -> Self {
        let own = spec.labels.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        let labels: Labels = object.meta.labels.iter().chain(own).collect();
        let ip: Option<IpAddr> = spec.address.parse().ok();
        let account = spec.service_account.as_str();
        Self {
            reference: WorkloadRef::new(&object.meta.namespace, &object.meta.name),
            kind: WorkloadKind::Entry,
            name: object.meta.name.clone(),
            object: object.reference.clone(),
            address: spec.address.clone(),
            ip,
            addresses: ip.into_iter().collect(),
            injected: labels.get(xds::TLS_MODE_LABEL).is_some_and(|mode| mode == xds::TLS_MODE_ISTIO),
            labels,
            service_account: if account.is_empty() { "default" } else { account }.to_owned(),
            ports: super::service::named_ports(&spec.ports),
            weight: spec.weight.unwrap_or(1).max(1),
            locality: spec.locality.clone(),
            ready: true,
            terminating: false,
            row: Encoded::default(),
        }
    }

    /// `None` for a pod that no longer owns its addresses.
    pub(super) fn of_pod(object: &Object, pod: &Pod, locality: &str) -> Option<Self> {
        if !pod.is_live() {
            return None;
        }
        let own: &[IpAddr] = if pod.host_network { &[] } else { &pod.ips };
        let ports = pod.ports.iter().filter(|p| p.protocol == Protocol::Tcp && !p.name.is_empty());
        Some(Self {
            reference: WorkloadRef::new(&object.meta.namespace, &object.meta.name),
            kind: WorkloadKind::Pod,
            name: controller(object, pod),
            object: object.reference.clone(),
            address: pod.ips.first().map(ToString::to_string).unwrap_or_default(),
            ip: own.first().copied(),
            addresses: own.to_vec(),
            labels: object.meta.labels.clone(),
            service_account: pod.service_account.to_string(),
            ports: ports.map(|p| (p.name.to_string(), p.port)).collect(),
            weight: 1,
            locality: locality.to_owned(),
            injected: pod.injected,
            ready: pod.ready,
            terminating: pod.terminating,
            row: Encoded::default(),
        })
    }

    /// Whether its proxy speaks mutual TLS.
    pub fn has_mutual_tls(&self) -> bool {
        self.injected
    }

    /// Whether it is a pod.
    pub fn is_pod(&self) -> bool {
        self.kind == WorkloadKind::Pod
    }

    /// Canonical service: `service.istio.io/canonical-name`, `app.kubernetes.io/name`, `app`, else the name of what it is
    /// an instance of.
    pub fn canonical_name(&self) -> &str {
        self.first_label(&["service.istio.io/canonical-name", "app.kubernetes.io/name", "app"]).unwrap_or(&self.name)
    }

    /// Canonical revision: `service.istio.io/canonical-revision`, `app.kubernetes.io/version`, `version`, else
    /// `latest`.
    pub fn canonical_revision(&self) -> &str {
        self.first_label(&["service.istio.io/canonical-revision", "app.kubernetes.io/version", "version"])
            .unwrap_or("latest")
    }

    /// A label's value, or nothing.
    pub fn label(&self, key: &str) -> &str {
        self.labels.get(key).unwrap_or_default()
    }

    fn first_label(&self, keys: &[&str]) -> Option<&str> {
        keys.iter().find_map(|key| self.labels.get(key)).filter(|v| !v.is_empty())
    }

    /// The row of the workload table, from `make` the first time.
    pub(crate) fn row(&self, make: impl FnOnce() -> Resource) -> &Arc<Resource> {
        self.row.0.get_or_init(|| Arc::new(make()))
    }
}

/// What controls the pod, as people know it: a ReplicaSet's Deployment, a Job's CronJob.
fn controller(object: &Object, pod: &Pod) -> String {
    let Some(owner) = &pod.owner else { return object.meta.name.clone() };
    let shorter = match &*owner.kind {
        "ReplicaSet" => {
            let hash = object.meta.labels.get("pod-template-hash");
            hash.and_then(|hash| owner.name.strip_suffix(hash)).and_then(|name| name.strip_suffix('-'))
        }
        // A CronJob's Jobs end with the minute that they are for.
        "Job" => owner.name.rsplit_once('-').and_then(|(name, minute)| {
            (matches!(minute.len(), 8..=10) && minute.bytes().all(|b| b.is_ascii_digit())).then_some(name)
        }),
        _ => None,
    };
    shorter.filter(|name| !name.is_empty()).unwrap_or(&owner.name).to_owned()
}
