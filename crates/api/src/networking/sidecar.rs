//! Sidecar (<https://istio.io/latest/docs/reference/config/networking/sidecar/>).

use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    Port, ServerTls, service_entry::WorkloadSelector, traffic_policy::ConnectionPool, virtual_service::Destination,
};
use crate::one_of::words;

/// What one workload's proxy listens on and sees.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Sidecar {
    /// Which workloads of the namespace; none is all of them.
    pub workload_selector: Option<WorkloadSelector>,
    /// Inbound listeners; none is one per port of the services that select the workload.
    pub ingress: Vec<IngressListener>,
    /// Outbound listeners and the hosts that they know.
    pub egress: Vec<EgressListener>,
    /// Bounds of inbound connections and requests.
    pub inbound_connection_pool: Option<ConnectionPool>,
    /// What happens to hosts that are not known.
    pub outbound_traffic_policy: Option<OutboundTrafficPolicy>,
}

/// An inbound listener.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct IngressListener {
    /// Port.
    pub port: Port,
    /// Address to bind; empty is the instance's own.
    pub bind: String,
    /// How traffic gets here.
    pub capture_mode: CaptureMode,
    /// Where it goes on to: `127.0.0.1:PORT`, `0.0.0.0:PORT` (the instance's own address) or `unix:///path`.
    pub default_endpoint: String,
    /// TLS that is ended here, for callers outside the mesh.
    pub tls: Option<ServerTls>,
    /// Bounds of connections and requests.
    pub connection_pool: Option<ConnectionPool>,
}

/// An outbound listener.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct EgressListener {
    /// Port; none takes every service's own port.
    pub port: Option<Port>,
    /// Address to bind.
    pub bind: String,
    /// How traffic gets here.
    pub capture_mode: CaptureMode,
    /// Hosts that are known here, `namespace/host`; `*`, `.` and `~` stand for any, the own and no namespace.
    pub hosts: Vec<String>,
}

words! {
    /// How traffic gets to a listener.
    CaptureMode {
        /// As the mesh does it.
        #[default]
        Default = "DEFAULT",
        /// Redirected by the kernel.
        Iptables = "IPTABLES",
        /// Not at all: the application dials the listener.
        None = "NONE",
    }
}

/// What happens to hosts that are not known.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct OutboundTrafficPolicy {
    /// What.
    pub mode: OutboundMode,
    /// Where such traffic goes instead.
    pub egress_proxy: Option<Destination>,
}

words! {
    /// What happens to hosts that are not known.
    OutboundMode {
        /// Refused.
        #[default]
        RegistryOnly = "REGISTRY_ONLY",
        /// Passed on to the address that was dialled.
        AllowAny = "ALLOW_ANY",
    }
}
