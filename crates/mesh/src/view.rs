//! A snapshot that writes down what is read of it. Resolution and translation see nothing else, so what they made holds
//! for as long as nothing of it changes.

use std::{cell::RefCell, collections::BTreeMap, sync::Arc};

use weft_api::networking::{DestinationRule, Gateway, Sidecar, VirtualService};
use weft_api::security::{AuthorizationPolicy, PeerAuthentication};
use weft_api::telemetry::Telemetry;
use weft_model::{Hostname, WorkloadRef};

use crate::{
    Settings, Snapshot,
    snapshot::{Key, Mark, MeshSettings, OfService, RouteHead, Service, Typed, Workload},
};

/// A snapshot and what was read of it. Settings and mesh-wide configuration are not written down: when they change,
/// everything does.
#[derive(Debug)]
pub struct View<'s> {
    snapshot: &'s Snapshot,
    reads: RefCell<Vec<Mark>>,
}

impl<'s> View<'s> {
    /// A view that has read nothing yet.
    pub fn new(snapshot: &'s Snapshot) -> Self {
        Self { snapshot, reads: RefCell::default() }
    }

    /// What was read, without repetition.
    pub(crate) fn into_reads(self) -> Box<[Mark]> {
        let mut reads = self.reads.into_inner();
        reads.sort_unstable();
        reads.dedup();
        reads.into()
    }

    fn read(&self, key: Key<'_>) {
        self.reads.borrow_mut().push(key.mark());
    }

    /// What the operator was started with.
    pub fn settings(&self) -> &'s Settings {
        self.snapshot.settings()
    }

    /// Mesh-wide settings.
    pub fn mesh(&self) -> &'s MeshSettings {
        self.snapshot.mesh()
    }

    /// The host that a name in an object of `namespace` means.
    pub fn resolve_host(&self, name: &str, namespace: &str) -> Hostname {
        self.snapshot.resolve_host(name, namespace)
    }

    pub(crate) fn services(&self) -> &'s [Arc<Service>] {
        self.read(Key::Services);
        self.snapshot.services()
    }

    pub(crate) fn services_of(&self, host: &Hostname) -> &'s [Arc<Service>] {
        self.read(Key::ServiceHost(host.as_str()));
        self.snapshot.services_of(host)
    }

    pub(crate) fn services_in(&self, namespace: &str) -> &'s [Arc<Service>] {
        self.read(Key::ServicesIn(namespace));
        self.snapshot.services_in(namespace)
    }

    pub(crate) fn workload(&self, workload: &WorkloadRef) -> Option<&'s Arc<Workload>> {
        self.read(Key::Workload(&workload.namespace, &workload.name));
        self.snapshot.workload(workload)
    }

    pub(crate) fn workloads_selected<'a>(
        &self,
        namespace: &'a str,
        selector: &'a BTreeMap<String, String>,
    ) -> impl Iterator<Item = &'a Arc<Workload>>
    where
        's: 'a,
    {
        if !selector.is_empty() {
            self.read(Key::WorkloadsIn(namespace));
        }
        self.snapshot.workloads_selected(namespace, selector)
    }

    pub(crate) fn entries_selected<'a>(
        &self,
        namespace: &'a str,
        selector: &'a BTreeMap<String, String>,
    ) -> impl Iterator<Item = &'a Arc<Workload>>
    where
        's: 'a,
    {
        if !selector.is_empty() {
            self.read(Key::EntriesIn(namespace));
        }
        self.snapshot.entries_selected(namespace, selector)
    }

    pub(crate) fn slices_of(&self, namespace: &str, service: &str) -> Option<&'s OfService> {
        self.read(Key::Slices(namespace, service));
        self.snapshot.slices_of(namespace, service)
    }

    pub(crate) fn virtual_service(&self, namespace: &str, name: &str) -> Option<&'s Typed<VirtualService>> {
        self.read(Key::VirtualService(namespace, name));
        self.snapshot.virtual_services().get(namespace, name)
    }

    pub(crate) fn virtual_services_of(&self, host: &Hostname) -> impl Iterator<Item = &'s Typed<VirtualService>> {
        self.read(Key::RoutesOf(host.as_str()));
        self.snapshot.virtual_services_of(host)
    }

    pub(crate) fn tls_virtual_services(&self) -> impl Iterator<Item = &'s Typed<VirtualService>> {
        self.read(Key::TlsRoutes);
        self.snapshot.virtual_services_with(|head| head.tls)
    }

    pub(crate) fn gateway_virtual_services(&self) -> impl Iterator<Item = &'s Typed<VirtualService>> {
        self.read(Key::GatewayRoutes);
        self.snapshot.virtual_services_with(|head| head.at_gateways)
    }

    /// What VirtualServices are for, oldest first.
    pub(crate) fn route_heads(&self) -> impl Iterator<Item = &'s RouteHead> {
        self.read(Key::RouteHeads);
        self.snapshot.route_heads()
    }

    pub(crate) fn destination_rules_of(&self, host: &Hostname) -> impl Iterator<Item = &'s Typed<DestinationRule>> {
        self.read(Key::RulesOf(host.as_str()));
        self.snapshot.destination_rules_of(host)
    }

    pub(crate) fn gateways(&self) -> impl Iterator<Item = &'s Typed<Gateway>> {
        self.read(Key::Gateways);
        self.snapshot.gateways().iter()
    }

    pub(crate) fn sidecars_in(&self, namespace: &str) -> impl Iterator<Item = &'s Typed<Sidecar>> {
        self.read(Key::SidecarsIn(namespace));
        self.snapshot.sidecars().in_namespace(namespace)
    }

    pub(crate) fn peer_authentications_in(
        &self,
        namespace: &str,
    ) -> impl Iterator<Item = &'s Typed<PeerAuthentication>> {
        self.read(Key::PeerAuthenticationsIn(namespace));
        self.snapshot.peer_authentications().in_namespace(namespace)
    }

    pub(crate) fn authorization_policies_in(
        &self,
        namespace: &str,
    ) -> impl Iterator<Item = &'s Typed<AuthorizationPolicy>> {
        self.read(Key::AuthorizationIn(namespace));
        self.snapshot.authorization_policies().in_namespace(namespace)
    }

    pub(crate) fn telemetries_in(&self, namespace: &str) -> impl Iterator<Item = &'s Typed<Telemetry>> {
        self.read(Key::TelemetriesIn(namespace));
        self.snapshot.telemetries().in_namespace(namespace)
    }

    pub(crate) fn secret_value(&self, namespace: &str, name: &str, key: &str) -> Option<&'s [u8]> {
        self.read(Key::Secret(namespace, name));
        self.snapshot.secret_value(namespace, name, key)
    }
}
