//! From one [`Snapshot`] to the next: only what depends on the kinds that were edited is made anew.

use std::sync::Arc;

use weft_api::{Kind, Object, ObjectKey, Spec, mesh::MeshConfig};
use weft_model::Hostname;

use super::{
    MeshSettings, Snapshot, Table,
    history::{Changed, Key},
    objects::Objects,
    routes::{RouteHead, Routes, Rules, Sidecars, typed},
    services::Services,
};
use crate::{Settings, store::Edit};

/// The kinds of which a snapshot has a plain table.
macro_rules! table {
    ($objects:expr, $kind:ident) => {
        Arc::new(Table::new(typed($objects, Kind::$kind, |spec| match spec {
            Spec::$kind(spec) => Some(spec),
            _ => None,
        })))
    };
}

impl Snapshot {
    /// No objects at all.
    pub(crate) fn empty(settings: Arc<Settings>) -> Self {
        let objects = Objects::default();
        let mesh = Arc::new(MeshSettings::new(&settings, Arc::default()));
        Self {
            generation: 0,
            history: Arc::default(),
            mesh,
            namespaces: Arc::default(),
            services: Arc::default(),
            workloads: Arc::default(),
            slices: Arc::default(),
            routes: Arc::new(Routes::build(&objects, &settings.domain, None)),
            rules: Arc::new(Rules::build(&objects, &settings.domain)),
            sidecars: Arc::new(Sidecars::build(&objects)),
            gateways: table!(&objects, Gateway),
            service_entries: table!(&objects, ServiceEntry),
            peer_authentications: table!(&objects, PeerAuthentication),
            authorization_policies: table!(&objects, AuthorizationPolicy),
            request_authentications: table!(&objects, RequestAuthentication),
            telemetries: table!(&objects, Telemetry),
            objects,
            settings,
        }
    }

    /// The snapshot after `edits`, which led to `objects`. Objects whose content makes no sense for their kind are left
    /// out of the indexes; they stay in [`Snapshot::objects`].
    pub(crate) fn advance(&self, objects: Objects, edits: &[Edit]) -> Self {
        let of = |kinds: &[Kind]| -> Vec<&Edit> {
            edits.iter().filter(|e| kinds.iter().any(|k| e.key.kind == k.name() && e.key.group == k.group())).collect()
        };
        let touched = |kind: Kind| !of(&[kind]).is_empty();
        let domain = &self.settings.domain;
        let mut next = self.clone();
        next.generation += 1;
        let mut changed = Changed::default();

        let new_mesh = edits.iter().flat_map(Edit::both).any(|o| matches!(o.spec, Spec::Mesh(_) | Spec::MeshConfig(_)));
        if new_mesh {
            let config = mesh_config(&self.settings, &objects);
            if *config != *self.mesh.config {
                next.mesh = Arc::new(MeshSettings::new(&self.settings, config));
                changed.touch_everything();
            }
        }
        let new_mesh = !Arc::ptr_eq(&next.mesh, &self.mesh);
        for edit in of(&[Kind::Namespace]) {
            let namespaces = Arc::make_mut(&mut next.namespaces);
            match &edit.new {
                Some(object) => namespaces.insert(edit.key.name.clone(), Arc::clone(object)),
                None => namespaces.remove(&edit.key.name),
            };
        }
        let edited = of(&[Kind::Service, Kind::ServiceEntry]);
        if new_mesh || !edited.is_empty() {
            let before = (!new_mesh).then_some(&*self.services);
            next.services = Arc::new(Services::build(&objects, &self.settings, &next.mesh, before));
            touch_services(&edited, &self.services, &next.services, &mut changed);
        }
        let edited = of(&[Kind::Pod, Kind::WorkloadEntry, Kind::Node]);
        if !edited.is_empty() {
            for reference in Arc::make_mut(&mut next.workloads).advance(&objects, &edited) {
                changed.touch(Key::Workload(&reference.namespace, &reference.name));
                changed.touch(Key::WorkloadsIn(&reference.namespace));
                let either = |s: &Self| s.workloads.all.get(&reference).is_some_and(|w| !w.is_pod());
                if either(self) || either(&next) {
                    changed.touch(Key::EntriesIn(&reference.namespace));
                }
            }
        }
        let edited = of(&[Kind::EndpointSlice]);
        if !edited.is_empty() {
            for service in Arc::make_mut(&mut next.slices).advance(&edited) {
                changed.touch(Key::Slices(&service.namespace, &service.name));
            }
        }
        let edited = of(&[Kind::VirtualService]);
        if !edited.is_empty() {
            next.routes = Arc::new(Routes::build(&objects, domain, Some(&self.routes)));
            edited.iter().for_each(|edit| touch_routes(edit, domain, &mut changed));
        }
        let edited = of(&[Kind::DestinationRule]);
        if !edited.is_empty() {
            next.rules = Arc::new(Rules::build(&objects, domain));
            for object in edited.iter().flat_map(|e| e.both()) {
                if let Spec::DestinationRule(rule) = &object.spec {
                    changed.touch(Key::RulesOf(Hostname::resolve(&rule.host, &object.meta.namespace, domain).as_str()));
                }
            }
        }
        if touched(Kind::Sidecar) {
            next.sidecars = Arc::new(Sidecars::build(&objects));
        }
        if touched(Kind::Gateway) {
            next.gateways = table!(&objects, Gateway);
            changed.touch(Key::Gateways);
        }
        if touched(Kind::ServiceEntry) {
            next.service_entries = table!(&objects, ServiceEntry);
        }
        if touched(Kind::PeerAuthentication) {
            next.peer_authentications = table!(&objects, PeerAuthentication);
        }
        if touched(Kind::AuthorizationPolicy) {
            next.authorization_policies = table!(&objects, AuthorizationPolicy);
        }
        if touched(Kind::RequestAuthentication) {
            next.request_authentications = table!(&objects, RequestAuthentication);
        }
        if touched(Kind::Telemetry) {
            next.telemetries = table!(&objects, Telemetry);
        }
        for edit in edits {
            let (namespace, name) = (edit.key.namespace.as_str(), edit.key.name.as_str());
            for object in edit.both() {
                match &object.spec {
                    Spec::Sidecar(_) => changed.touch(Key::SidecarsIn(namespace)),
                    Spec::PeerAuthentication(_) => changed.touch(Key::PeerAuthenticationsIn(namespace)),
                    Spec::AuthorizationPolicy(_) => changed.touch(Key::AuthorizationIn(namespace)),
                    Spec::Telemetry(_) => changed.touch(Key::TelemetriesIn(namespace)),
                    Spec::Secret(_) => changed.touch(Key::Secret(namespace, name)),
                    _ => {}
                }
            }
        }
        next.objects = objects;
        next.history = Arc::new(self.history.then(changed));
        next
    }
}

fn touch_services(edited: &[&Edit], before: &Services, after: &Services, changed: &mut Changed) {
    for edit in edited {
        let (old, new) = (before.declared(&edit.key), after.declared(&edit.key));
        // Age decides between ServiceEntries of one host.
        let age = |o: &Option<Arc<Object>>| o.as_ref().and_then(|o| o.meta.creation_timestamp.clone());
        if old == new && age(&edit.old) == age(&edit.new) {
            continue;
        }
        changed.touch(Key::Services);
        for service in old.iter().chain(new) {
            changed.touch(Key::ServiceHost(service.host.as_str()));
            changed.touch(Key::ServicesIn(&service.namespace));
        }
    }
}

fn touch_routes(edit: &Edit, domain: &str, changed: &mut Changed) {
    changed.touch(Key::VirtualService(&edit.key.namespace, &edit.key.name));
    let head = |object: &Option<Arc<Object>>| match object.as_ref().map(|o| (o, &o.spec)) {
        Some((object, Spec::VirtualService(spec))) => Some(RouteHead::read(object, spec, domain)),
        _ => None,
    };
    let (old, new) = (head(&edit.old), head(&edit.new));
    if old != new {
        changed.touch(Key::RouteHeads);
    }
    for head in old.iter().chain(&new) {
        for host in &head.hosts {
            changed.touch(Key::RoutesOf(host.as_str()));
        }
        if head.at_gateways {
            changed.touch(Key::GatewayRoutes);
        }
        if head.tls {
            changed.touch(Key::TlsRoutes);
        }
    }
}

/// A `Mesh` object wins over Istio's ConfigMap `istio` in the root namespace; of several, the first by name.
fn mesh_config(settings: &Settings, objects: &Objects) -> Arc<MeshConfig> {
    let mesh = objects.of(Kind::Mesh).find_map(|object| match &object.spec {
        Spec::Mesh(mesh) => Some(Arc::new(mesh.mesh_config.clone())),
        _ => None,
    });
    let map = || {
        let key = ObjectKey::new(Kind::ConfigMap, &settings.root_namespace, "istio");
        match &objects.get(&key)?.spec {
            Spec::MeshConfig(config) => Some(Arc::clone(config)),
            _ => None,
        }
    };
    mesh.or_else(map).unwrap_or_default()
}
