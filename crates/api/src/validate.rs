//! Checks that need one object alone. They are Istio's own, so that what passes here is accepted by a cluster, and what
//! a cluster accepts passes here.

mod authorization;
mod checks;
mod destination_rule;
mod gateway;
mod http_route;
mod kubernetes;
mod service_entry;
mod sidecar;
mod telemetry;
mod virtual_service;

use checks::Checks;
pub use checks::is_dns_label;

use crate::{Object, ObjectError, Spec};

pub(crate) fn object(object: &Object) -> Vec<ObjectError> {
    let mut checks = Checks::new(&object.reference);
    match &object.spec {
        Spec::VirtualService(spec) => virtual_service::check(spec, &mut checks),
        Spec::DestinationRule(spec) => destination_rule::check(spec, &mut checks),
        Spec::Gateway(spec) => gateway::check(spec, &mut checks),
        Spec::ServiceEntry(spec) => service_entry::check(spec, &mut checks),
        Spec::WorkloadEntry(spec) => service_entry::check_workload(spec, "spec", &mut checks),
        Spec::Sidecar(spec) => sidecar::check(spec, &mut checks),
        Spec::PeerAuthentication(spec) => authorization::check_peer(spec, &mut checks),
        Spec::AuthorizationPolicy(spec) => authorization::check(spec, &mut checks),
        Spec::RequestAuthentication(spec) => authorization::check_request(spec, &mut checks),
        Spec::Telemetry(spec) => telemetry::check(spec, &mut checks),
        Spec::Service(spec) => kubernetes::check_service(spec, &mut checks),
        Spec::Mesh(spec) => {
            kubernetes::check_mesh(&spec.mesh_config, "spec.meshConfig", &mut checks);
            checks.extend(crate::mesh::check(spec));
        }
        Spec::MeshConfig(config) => kubernetes::check_mesh(config, "data.mesh", &mut checks),
        // The API server has checked these.
        Spec::EndpointSlice(_) | Spec::Pod(_) | Spec::Node(_) => {}
        Spec::Namespace | Spec::ConfigMap(_) | Spec::Secret(_) | Spec::Other(_) => {}
    }
    checks.finish()
}

#[cfg(test)]
mod tests;
