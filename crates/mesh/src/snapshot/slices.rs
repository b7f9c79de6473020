//! Endpoint slices by the Service that they belong to.

use std::{collections::BTreeMap, sync::Arc};

use weft_api::{Object, Spec, core::EndpointSlice};
use weft_model::WorkloadRef;

use crate::store::Edit;

/// The slices of one Service, by name.
pub(crate) type OfService = Arc<BTreeMap<String, Arc<EndpointSlice>>>;

/// Slices by namespace and name of their Service.
#[derive(Clone, Debug, Default)]
pub(crate) struct Slices(BTreeMap<WorkloadRef, OfService>);

impl Slices {
    /// Takes up edits of EndpointSlices; tells whose.
    pub(super) fn advance(&mut self, edits: &[&Edit]) -> Vec<WorkloadRef> {
        let mut touched = Vec::new();
        for edit in edits {
            if let Some((service, _)) = edit.old.as_ref().and_then(read)
                && let Some(slices) = self.0.get_mut(&service)
            {
                Arc::make_mut(slices).remove(&edit.key.name);
                if slices.is_empty() {
                    self.0.remove(&service);
                }
                touched.push(service);
            }
            if let Some((service, slice)) = edit.new.as_ref().and_then(read) {
                let slices = self.0.entry(service.clone()).or_default();
                Arc::make_mut(slices).insert(edit.key.name.clone(), slice);
                touched.push(service);
            }
        }
        touched
    }

    /// The slices of a Service.
    pub(super) fn of(&self, namespace: &str, service: &str) -> Option<&OfService> {
        self.0.get(&WorkloadRef::new(namespace, service))
    }
}

/// The Service that a slice belongs to, if it belongs to any.
fn read(object: &Arc<Object>) -> Option<(WorkloadRef, Arc<EndpointSlice>)> {
    match &object.spec {
        Spec::EndpointSlice(slice) if !slice.service.is_empty() => {
            Some((WorkloadRef::new(&object.meta.namespace, &*slice.service), Arc::clone(slice)))
        }
        _ => None,
    }
}
