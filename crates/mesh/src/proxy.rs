//! The proxy that a translation is for.

use std::net::IpAddr;

use weft_api::Labels;
use weft_model::{SpiffeId, WorkloadRef};

use crate::Snapshot;

/// Where a proxy stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProxyKind {
    /// Beside one workload instance.
    Sidecar,
    /// At the edge of the mesh.
    Gateway,
}

impl ProxyKind {
    /// How node ids begin: `sidecar` or `router`, as Istio has it.
    pub fn node_type(self) -> &'static str {
        match self {
            Self::Sidecar => "sidecar",
            Self::Gateway => "router",
        }
    }
}

/// Which program the proxy is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Engine {
    /// Ours: virtual hosts are sent one by one.
    Weft,
    /// Envoy: virtual hosts are assembled inside route configurations.
    Envoy,
}

/// How connections get to a proxy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Capture {
    /// They are dialled: only what a Sidecar object or Gateway names is bound.
    #[default]
    None,
    /// The kernel redirects every connection of the pod to ports 15001 and 15006.
    Redirect,
}

impl Capture {
    /// Reads `CAPTURE` of a node's metadata; what is not known counts as none.
    pub fn read(text: &str) -> Self {
        if text.eq_ignore_ascii_case("redirect") { Self::Redirect } else { Self::None }
    }
}

/// One proxy, as far as its configuration depends on it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Proxy {
    /// The xDS node id, `sidecar~<address>~<workload>.<namespace>~<namespace>.svc.<domain>`.
    pub node: String,
    /// Where it stands.
    pub kind: ProxyKind,
    /// The workload that it serves.
    pub workload: WorkloadRef,
    /// The workload's service account.
    pub service_account: String,
    /// The address that it binds and dials from.
    pub address: IpAddr,
    /// Every address of the workload, that one first.
    pub addresses: Vec<IpAddr>,
    /// The workload's labels.
    pub labels: Labels,
    /// Where the workload stands, `region/zone/sub-zone`; may be empty.
    pub locality: String,
    /// Whether it runs in a pod.
    pub in_pod: bool,
    /// Which program it is.
    pub engine: Engine,
    /// How connections get to it.
    pub capture: Capture,
}

impl Proxy {
    /// The proxy of a workload, without capture; `None` when there is neither a WorkloadEntry nor a pod of this name, or
    /// when it has no IP address of its own.
    pub fn for_workload(snapshot: &Snapshot, workload: &WorkloadRef, kind: ProxyKind, engine: Engine) -> Option<Self> {
        let found = snapshot.workload(workload)?;
        let address = found.ip?;
        let node = format!(
            "{}~{address}~{}.{}~{}.svc.{}",
            kind.node_type(),
            workload.name,
            workload.namespace,
            workload.namespace,
            snapshot.settings().domain
        );
        Some(Self {
            node,
            kind,
            workload: workload.clone(),
            service_account: found.service_account.clone(),
            address,
            addresses: found.addresses.clone(),
            labels: found.labels.clone(),
            locality: found.locality.clone(),
            in_pod: found.is_pod(),
            engine,
            capture: Capture::None,
        })
    }

    /// The same proxy with connections getting to it in this way.
    #[must_use]
    pub fn with_capture(mut self, capture: Capture) -> Self {
        self.capture = capture;
        self
    }

    /// Whether connections are redirected to it.
    pub fn is_captured(&self) -> bool {
        self.capture == Capture::Redirect && self.kind == ProxyKind::Sidecar
    }

    /// The namespace whose rules apply to it.
    pub fn namespace(&self) -> &str {
        &self.workload.namespace
    }

    /// The identity that its certificate must prove.
    pub fn identity(&self, trust_domain: &str) -> SpiffeId {
        SpiffeId::new(trust_domain, &self.workload.namespace, &self.service_account)
    }
}
