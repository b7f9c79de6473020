//! The proxy that a translation is for.

use std::{collections::BTreeMap, net::IpAddr};

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

/// One proxy, as far as its configuration depends on it.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// The workload's labels.
    pub labels: BTreeMap<String, String>,
    /// Which program it is.
    pub engine: Engine,
}

impl Proxy {
    /// The proxy of a workload; `None` when there is no such WorkloadEntry, or when its address is not an IP address.
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
            labels: found.labels.clone(),
            engine,
        })
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
