//! One state of the whole mesh, immutable and indexed.

mod build;
mod mesh_config;
mod service;
mod table;
mod workload;

use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
    sync::{Arc, OnceLock},
};

use weft_api::{
    Object, ObjectKey,
    networking::{DestinationRule, Gateway, ServiceEntry, Sidecar, VirtualService},
    object::secret_value,
    security::{AuthorizationPolicy, PeerAuthentication, RequestAuthentication},
};
use weft_model::{Hostname, WorkloadRef};

use crate::{Resource, Settings, resolve::labels_match};

pub use mesh_config::{MeshSettings, PathNormalization};
pub use service::{InlineEndpoint, Service, ServicePort, TargetPort, Visibility};
pub use table::{Table, Typed};
pub use workload::Workload;

/// Everything that is desired, at one moment. Objects are shared with other snapshots.
#[derive(Debug)]
pub struct Snapshot {
    settings: Arc<Settings>,
    generation: u64,
    objects: Arc<BTreeMap<ObjectKey, Arc<Object>>>,
    mesh: MeshSettings,
    namespaces: BTreeMap<String, Arc<Object>>,
    services: Vec<Arc<Service>>,
    services_by_host: BTreeMap<Hostname, Vec<Arc<Service>>>,
    services_by_namespace: BTreeMap<String, Vec<Arc<Service>>>,
    workloads: BTreeMap<WorkloadRef, Arc<Workload>>,
    workloads_by_address: HashMap<IpAddr, WorkloadRef>,
    workloads_by_label: LabelIndex,
    virtual_services: Table<VirtualService>,
    virtual_services_by_host: BTreeMap<Hostname, Vec<usize>>,
    destination_rules: Table<DestinationRule>,
    destination_rules_by_host: BTreeMap<Hostname, Vec<usize>>,
    gateways: Table<Gateway>,
    service_entries: Table<ServiceEntry>,
    sidecars: Table<Sidecar>,
    peer_authentications: Table<PeerAuthentication>,
    authorization_policies: Table<AuthorizationPolicy>,
    request_authentications: Table<RequestAuthentication>,
    workload_table: OnceLock<Vec<Arc<Resource>>>,
}

/// Workloads by namespace, label key and label value, in the order of their names.
type LabelIndex = HashMap<String, HashMap<String, HashMap<String, Vec<Arc<Workload>>>>>;

impl Snapshot {
    /// What the operator was started with.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Counts the snapshots of one [`crate::Store`], from 0.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Mesh-wide settings, from the `Mesh` object or Istio's ConfigMap.
    pub fn mesh(&self) -> &MeshSettings {
        &self.mesh
    }

    /// Every object, by key.
    pub fn objects(&self) -> impl Iterator<Item = (&ObjectKey, &Arc<Object>)> {
        self.objects.iter()
    }

    /// One object.
    pub fn object(&self, key: &ObjectKey) -> Option<&Arc<Object>> {
        self.objects.get(key)
    }

    /// Namespaces that were declared as objects, by name.
    pub fn namespaces(&self) -> &BTreeMap<String, Arc<Object>> {
        &self.namespaces
    }

    /// Every service: Kubernetes' first, then ServiceEntry hosts, each by namespace and name.
    pub fn services(&self) -> &[Arc<Service>] {
        &self.services
    }

    /// The services that have exactly this host, Kubernetes' first. ServiceEntries of several namespaces may share one.
    pub fn services_of(&self, host: &Hostname) -> &[Arc<Service>] {
        self.services_by_host.get(host).map_or(&[], Vec::as_slice)
    }

    /// The services that a namespace declares.
    pub fn services_in(&self, namespace: &str) -> &[Arc<Service>] {
        self.services_by_namespace.get(namespace).map_or(&[], Vec::as_slice)
    }

    /// Every workload, by namespace and name.
    pub fn workloads(&self) -> &BTreeMap<WorkloadRef, Arc<Workload>> {
        &self.workloads
    }

    /// One workload.
    pub fn workload(&self, workload: &WorkloadRef) -> Option<&Arc<Workload>> {
        self.workloads.get(workload)
    }

    /// The workload that owns an address; the first by namespace and name when several claim it.
    pub fn workload_at(&self, address: IpAddr) -> Option<&Arc<Workload>> {
        self.workloads_by_address.get(&address).and_then(|w| self.workloads.get(w))
    }

    /// The workloads of a namespace that carry every label of `selector`, by name. An empty selector selects none.
    pub fn workloads_selected<'a>(
        &'a self,
        namespace: &str,
        selector: &'a BTreeMap<String, String>,
    ) -> impl Iterator<Item = &'a Arc<Workload>> {
        let labels = self.workloads_by_label.get(namespace);
        let lists = selector.iter().map(|(key, value)| {
            labels.and_then(|l| l.get(key)).and_then(|values| values.get(value)).map_or(&[][..], Vec::as_slice)
        });
        // The rarest label leaves the least to look through.
        let candidates = lists.min_by_key(|list| list.len()).unwrap_or_default();
        candidates.iter().filter(move |workload| labels_match(selector, &workload.labels))
    }

    /// VirtualServices, oldest first.
    pub fn virtual_services(&self) -> &Table<VirtualService> {
        &self.virtual_services
    }

    /// The VirtualServices that list exactly this host (which may be a wildcard), oldest first.
    pub fn virtual_services_of(&self, host: &Hostname) -> impl Iterator<Item = &Typed<VirtualService>> {
        let rows = self.virtual_services_by_host.get(host).map_or(&[][..], Vec::as_slice);
        rows.iter().filter_map(|&row| self.virtual_services.row(row))
    }

    /// DestinationRules, oldest first.
    pub fn destination_rules(&self) -> &Table<DestinationRule> {
        &self.destination_rules
    }

    /// The DestinationRules for exactly this host (which may be a wildcard), oldest first.
    pub fn destination_rules_of(&self, host: &Hostname) -> impl Iterator<Item = &Typed<DestinationRule>> {
        let rows = self.destination_rules_by_host.get(host).map_or(&[][..], Vec::as_slice);
        rows.iter().filter_map(|&row| self.destination_rules.row(row))
    }

    /// Gateways, oldest first.
    pub fn gateways(&self) -> &Table<Gateway> {
        &self.gateways
    }

    /// ServiceEntries, oldest first.
    pub fn service_entries(&self) -> &Table<ServiceEntry> {
        &self.service_entries
    }

    /// Sidecars, oldest first.
    pub fn sidecars(&self) -> &Table<Sidecar> {
        &self.sidecars
    }

    /// PeerAuthentications, oldest first.
    pub fn peer_authentications(&self) -> &Table<PeerAuthentication> {
        &self.peer_authentications
    }

    /// AuthorizationPolicies, oldest first.
    pub fn authorization_policies(&self) -> &Table<AuthorizationPolicy> {
        &self.authorization_policies
    }

    /// RequestAuthentications, oldest first.
    pub fn request_authentications(&self) -> &Table<RequestAuthentication> {
        &self.request_authentications
    }

    /// The bytes under one key of a Secret.
    pub fn secret_value(&self, namespace: &str, name: &str, key: &str) -> Option<&[u8]> {
        let key_of = ObjectKey::new(weft_api::Kind::Secret, namespace, name);
        match &self.objects.get(&key_of)?.spec {
            weft_api::Spec::Secret(secret) => secret_value(secret, key),
            _ => None,
        }
    }

    /// The host that a name in an object of `namespace` means.
    pub fn resolve_host(&self, name: &str, namespace: &str) -> Hostname {
        Hostname::resolve(name, namespace, &self.settings.domain)
    }

    /// The workload table, which is the same for every proxy and so made once.
    pub(crate) fn workload_table(&self, make: impl FnOnce(&Self) -> Vec<Arc<Resource>>) -> &[Arc<Resource>] {
        self.workload_table.get_or_init(|| make(self))
    }
}
