//! Kubernetes' own objects that say where workloads run: pods, nodes and endpoint slices, cut down to what the mesh
//! reads. A cluster has thousands of them, so nothing else of them is kept.

mod endpoint_slice;
mod manifest;
mod node;
mod pod;

use std::sync::Arc;

use k8s_openapi::api::core::v1;

pub use endpoint_slice::{AddressType, Endpoint, EndpointPort, EndpointSlice, EndpointSliceManifest, Target};
pub use manifest::{Manifest, Metadata};
pub use node::{Node, NodeManifest};
pub use pod::{ContainerPort, Owner, Phase, Pod, PodManifest};

/// The annotation in which `kubectl apply` keeps a whole copy of the object. Never kept.
pub const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
/// Marks an injected pod; the value tells what was injected.
pub const INJECTED_ANNOTATION: &str = "sidecar.istio.io/status";
/// `istio` on a workload that speaks mutual TLS.
pub const TLS_MODE_LABEL: &str = "security.istio.io/tlsMode";
/// Names the control plane that a namespace or pod belongs to, or that reads an object of configuration.
pub const REVISION_LABEL: &str = "istio.io/rev";
/// Ties an EndpointSlice to its Service.
pub const SERVICE_NAME_LABEL: &str = "kubernetes.io/service-name";
/// A node's region.
pub const REGION_LABEL: &str = "topology.kubernetes.io/region";
/// A node's zone.
pub const ZONE_LABEL: &str = "topology.kubernetes.io/zone";
/// A node's place within its zone.
pub const SUBZONE_LABEL: &str = "topology.istio.io/subzone";

/// What carries bytes on a port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Deserialize, serde::Serialize)]
pub enum Protocol {
    /// TCP.
    #[default]
    #[serde(rename = "TCP")]
    Tcp,
    /// UDP.
    #[serde(rename = "UDP")]
    Udp,
    /// Anything else; the mesh leaves it alone.
    #[serde(other)]
    Other,
}

/// Empties the metadata of a Secret or ConfigMap: the object's own [`crate::ObjectMeta`] has what matters of it.
pub(crate) trait WithoutMetadata {
    fn without_metadata(self: Arc<Self>) -> Arc<Self>;
}

macro_rules! without_metadata {
    ($($type:ty),+) => {
        $( impl WithoutMetadata for $type {
            fn without_metadata(mut self: Arc<Self>) -> Arc<Self> {
                Arc::make_mut(&mut self).metadata = Default::default();
                self
            }
        } )+
    };
}

without_metadata!(v1::Secret, v1::ConfigMap);

#[cfg(test)]
mod tests;
