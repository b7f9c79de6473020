//! Istio's `networking.istio.io` (<https://istio.io/latest/docs/reference/config/networking/>).

pub mod credential;
pub mod destination_rule;
pub mod gateway;
pub mod port;
pub mod service_entry;
pub mod sidecar;
pub mod traffic_policy;
pub mod virtual_service;
pub mod workload_entry;

pub use destination_rule::{DestinationRule, Subset};
pub use gateway::{Gateway, Server, ServerTls, ServerTlsMode};
pub use port::{Port, Protocol};
pub use service_entry::ServiceEntry;
pub use sidecar::Sidecar;
pub use traffic_policy::TrafficPolicy;
pub use virtual_service::VirtualService;
pub use workload_entry::WorkloadEntry;
