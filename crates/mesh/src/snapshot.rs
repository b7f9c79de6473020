//! One state of the whole mesh, immutable and indexed.

mod build;
mod history;
mod mesh_config;
mod objects;
mod routes;
mod service;
mod services;
mod slices;
mod table;
mod workload;
mod workloads;

use std::{collections::BTreeMap, net::IpAddr, sync::Arc};

use weft_api::{
    Labels, Object, ObjectKey,
    networking::{DestinationRule, Gateway, ServiceEntry, Sidecar, VirtualService},
    object::secret_value,
    security::{AuthorizationPolicy, PeerAuthentication, RequestAuthentication},
    telemetry::Telemetry,
};
use weft_model::{Hostname, WorkloadRef};

use self::{
    objects::Objects,
    routes::{Routes, Rules, Sidecars},
    services::Services,
    slices::Slices,
    workloads::Workloads,
};
use crate::{Named, Resource, Settings};

pub(crate) use history::{History, Key, Mark, Since};
pub use mesh_config::{MeshSettings, PathNormalization};
pub(crate) use routes::RouteHead;
pub use service::{InlineEndpoint, Service, ServicePort, TargetPort, Visibility};
pub(crate) use slices::OfService;
pub use table::{Table, Typed};
pub use workload::{Workload, WorkloadKind};

/// Everything that is desired, at one moment. What two snapshots have in common they share.
#[derive(Clone, Debug)]
pub struct Snapshot {
    settings: Arc<Settings>,
    generation: u64,
    history: Arc<History>,
    objects: Objects,
    mesh: Arc<MeshSettings>,
    namespaces: Arc<BTreeMap<String, Arc<Object>>>,
    services: Arc<Services>,
    workloads: Arc<Workloads>,
    slices: Arc<Slices>,
    routes: Arc<Routes>,
    rules: Arc<Rules>,
    sidecars: Arc<Sidecars>,
    gateways: Arc<Table<Gateway>>,
    service_entries: Arc<Table<ServiceEntry>>,
    peer_authentications: Arc<Table<PeerAuthentication>>,
    authorization_policies: Arc<Table<AuthorizationPolicy>>,
    request_authentications: Arc<Table<RequestAuthentication>>,
    telemetries: Arc<Table<Telemetry>>,
}

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
        &self.services.all
    }

    /// The services that have exactly this host, Kubernetes' first. ServiceEntries of several namespaces may share one.
    pub fn services_of(&self, host: &Hostname) -> &[Arc<Service>] {
        self.services.by_host.get(host).map_or(&[], Vec::as_slice)
    }

    /// The services that a namespace declares.
    pub fn services_in(&self, namespace: &str) -> &[Arc<Service>] {
        self.services.by_namespace.get(namespace).map_or(&[], Vec::as_slice)
    }

    /// Every workload, by namespace and name.
    pub fn workloads(&self) -> &BTreeMap<WorkloadRef, Arc<Workload>> {
        &self.workloads.all
    }

    /// One workload.
    pub fn workload(&self, workload: &WorkloadRef) -> Option<&Arc<Workload>> {
        self.workloads.all.get(workload)
    }

    /// The workload that owns an address; the first by namespace and name when several claim it.
    pub fn workload_at(&self, address: IpAddr) -> Option<&Arc<Workload>> {
        self.workloads.at(address)
    }

    /// The workloads of a namespace that carry every label of `selector`, by name. An empty selector selects none.
    pub fn workloads_selected<'a>(
        &'a self,
        namespace: &'a str,
        selector: &'a BTreeMap<String, String>,
    ) -> impl Iterator<Item = &'a Arc<Workload>> {
        self.workloads.selected(namespace, selector, false)
    }

    /// The same of WorkloadEntries alone.
    pub fn entries_selected<'a>(
        &'a self,
        namespace: &'a str,
        selector: &'a BTreeMap<String, String>,
    ) -> impl Iterator<Item = &'a Arc<Workload>> {
        self.workloads.selected(namespace, selector, true)
    }

    /// The endpoint slices of a Kubernetes Service by their names; `None` when there is none.
    pub(crate) fn slices_of(&self, namespace: &str, service: &str) -> Option<&OfService> {
        self.slices.of(namespace, service)
    }

    /// VirtualServices, oldest first.
    pub fn virtual_services(&self) -> &Table<VirtualService> {
        &self.routes.table
    }

    /// The VirtualServices that list exactly this host (which may be a wildcard), oldest first.
    pub fn virtual_services_of(&self, host: &Hostname) -> impl Iterator<Item = &Typed<VirtualService>> {
        let rows = self.routes.by_host.get(host).map_or(&[][..], Vec::as_slice);
        rows.iter().filter_map(|&row| self.routes.table.row(row))
    }

    /// DestinationRules, oldest first.
    pub fn destination_rules(&self) -> &Table<DestinationRule> {
        &self.rules.table
    }

    /// The DestinationRules for exactly this host (which may be a wildcard), oldest first.
    pub fn destination_rules_of(&self, host: &Hostname) -> impl Iterator<Item = &Typed<DestinationRule>> {
        let rows = self.rules.by_host.get(host).map_or(&[][..], Vec::as_slice);
        rows.iter().filter_map(|&row| self.rules.table.row(row))
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
        &self.sidecars.table
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

    /// Telemetries, oldest first.
    pub fn telemetries(&self) -> &Table<Telemetry> {
        &self.telemetries
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

    /// The workload table, which is the same for every proxy.
    pub(crate) fn workload_rows(&self, make: impl Fn(&Workload) -> Resource) -> &Named {
        self.workloads.rows(make)
    }

    /// What VirtualServices are for, oldest first.
    pub(crate) fn route_heads(&self) -> impl Iterator<Item = &RouteHead> {
        self.routes.heads.iter().map(AsRef::as_ref)
    }

    /// The VirtualServices whose heads are wanted, oldest first.
    pub(crate) fn virtual_services_with(
        &self,
        wanted: impl Fn(&RouteHead) -> bool,
    ) -> impl Iterator<Item = &Typed<VirtualService>> {
        self.routes.table.iter().zip(&self.routes.heads).filter(move |(_, head)| wanted(head)).map(|(row, _)| row)
    }

    /// Of a client's labels those that any selector in the mesh asks for; the others decide nothing.
    pub(crate) fn selecting_labels(&self, labels: &Labels) -> Labels {
        let asked = [&self.routes.labels, &self.rules.labels, &self.sidecars.labels];
        labels.filtered(|key, value| {
            let pair = (key.to_owned(), value.to_owned());
            asked.iter().any(|set| set.contains(&pair))
        })
    }

    /// Whether any DestinationRule has outlier detection.
    pub(crate) fn ejects(&self) -> bool {
        self.rules.ejects
    }

    /// How this snapshot came to be.
    pub(crate) fn history(&self) -> &Arc<History> {
        &self.history
    }

    /// Every object, for the next snapshot to begin with.
    pub(crate) fn object_index(&self) -> &Objects {
        &self.objects
    }
}
