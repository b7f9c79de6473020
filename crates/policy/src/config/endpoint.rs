//! Endpoints of a cluster.

use std::{fmt, net::SocketAddr, path::Path, sync::Arc};

/// Where an endpoint listens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum EndpointAddress {
    /// TCP.
    Socket(SocketAddr),
    /// A Unix socket.
    Pipe(Arc<Path>),
}

impl fmt::Display for EndpointAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(a) => a.fmt(f),
            Self::Pipe(p) => write!(f, "unix://{}", p.display()),
        }
    }
}

/// Endpoints of one cluster (`ClusterLoadAssignment`).
#[derive(Debug, Default)]
pub struct Endpoints {
    /// Cluster name.
    pub cluster: Arc<str>,
    /// All of them, in the order given.
    pub endpoints: Vec<Endpoint>,
    /// Factor in percent by which a priority's health counts before the next is used; 140 by default.
    pub overprovisioning: u32,
}

/// One endpoint.
#[derive(Clone, Debug, PartialEq)]
pub struct Endpoint {
    /// Where.
    pub address: EndpointAddress,
    /// Host name for `AuthorityRewrite::Auto`; may be empty.
    pub hostname: Arc<str>,
    /// Weight within its locality; at least 1.
    pub weight: u32,
    /// Health as the control plane sees it.
    pub health: Health,
    /// Locality.
    pub locality: Arc<Locality>,
    /// Weight of its locality, if localities are weighted.
    pub locality_weight: Option<u32>,
    /// 0 is used first.
    pub priority: u32,
    /// `tlsMode` metadata.
    pub tls_mode: Option<Arc<str>>,
    /// Which workload it is, from `istio` metadata.
    pub workload: Option<Arc<EndpointWorkload>>,
}

/// A place, from large to small.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Locality {
    /// Region.
    pub region: String,
    /// Zone.
    pub zone: String,
    /// Sub-zone.
    pub sub_zone: String,
}

/// Health of an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// Usable (also when unknown).
    Healthy,
    /// Used when no healthy one is left.
    Degraded,
    /// Not used, but in panic.
    Unhealthy,
    /// On its way out: never used for new requests, not even in panic.
    Draining,
}

/// The workload behind an endpoint, as destination labels show it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EndpointWorkload {
    /// Workload name.
    pub name: Arc<str>,
    /// Namespace.
    pub namespace: Arc<str>,
    /// Canonical service.
    pub canonical_service: Arc<str>,
    /// Canonical revision.
    pub canonical_revision: Arc<str>,
    /// Cluster of the mesh.
    pub cluster: Arc<str>,
}
