//! The services of a snapshot, by host and by namespace.

use std::{collections::BTreeMap, sync::Arc};

use weft_api::{Kind, Object, ObjectKey, Spec};
use weft_model::Hostname;

use super::{
    MeshSettings, Service,
    objects::Objects,
    service::{from_service, from_service_entry},
};
use crate::Settings;

/// What an object declared when it was last read.
#[derive(Debug)]
struct Made {
    object: Arc<Object>,
    services: Vec<Arc<Service>>,
}

/// Every service.
#[derive(Debug, Default)]
pub(crate) struct Services {
    pub(super) all: Vec<Arc<Service>>,
    pub(super) by_host: BTreeMap<Hostname, Vec<Arc<Service>>>,
    pub(super) by_namespace: BTreeMap<String, Vec<Arc<Service>>>,
    made: BTreeMap<ObjectKey, Arc<Made>>,
}

impl Services {
    /// Reads every service; what `before` made of the same objects under the same mesh settings is taken as it is.
    pub(super) fn build(objects: &Objects, settings: &Settings, mesh: &MeshSettings, before: Option<&Self>) -> Self {
        let mut built = Self::default();
        let entries = {
            // ServiceEntries of one host count in the order of their age.
            let mut entries: Vec<&Arc<Object>> = objects.of(Kind::ServiceEntry).collect();
            entries.sort_by_key(|o| (&o.meta.creation_timestamp, &o.meta.name, &o.meta.namespace));
            entries
        };
        for object in objects.of(Kind::Service).chain(entries) {
            let key = object.key();
            let kept = before.and_then(|b| b.made.get(&key)).filter(|made| Arc::ptr_eq(&made.object, object));
            let made = kept.cloned().unwrap_or_else(|| {
                let services = match &object.spec {
                    Spec::Service(spec) => vec![from_service(object, spec, settings, mesh)],
                    Spec::ServiceEntry(entry) => from_service_entry(object, entry, mesh),
                    _ => Vec::new(),
                };
                let services = services.into_iter().map(Arc::new).collect();
                Arc::new(Made { object: Arc::clone(object), services })
            });
            for service in &made.services {
                built.all.push(Arc::clone(service));
                built.by_host.entry(service.host.clone()).or_default().push(Arc::clone(service));
                built.by_namespace.entry(service.namespace.clone()).or_default().push(Arc::clone(service));
            }
            built.made.insert(key, made);
        }
        built
    }

    /// The services that an object declares.
    pub(super) fn declared(&self, key: &ObjectKey) -> &[Arc<Service>] {
        self.made.get(key).map_or(&[], |made| made.services.as_slice())
    }
}
