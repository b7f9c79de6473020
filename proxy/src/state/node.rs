//! Who this proxy is.

use std::net::IpAddr;

use weft_model::{SpiffeId, metrics::UNKNOWN};

use crate::telemetry::Facts;

/// What the proxy stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Role {
    /// Beside one workload instance.
    Sidecar,
    /// An ingress or egress gateway.
    Gateway,
}

/// How connections come to the proxy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Capture {
    /// Applications dial it, and peers dial the addresses that it binds.
    #[default]
    None,
    /// The kernel redirects them; each connection's original destination says where it was going.
    Redirect,
}

impl Capture {
    /// As the control plane is told.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Redirect => "redirect",
        }
    }
}

/// The proxy's place in the mesh, from its flags; constant for the life of the process.
#[derive(Clone, Debug)]
pub struct NodeInfo {
    /// Name of the WorkloadEntry or pod.
    pub workload: String,
    /// Its namespace.
    pub namespace: String,
    /// Its service account.
    pub service_account: String,
    /// The address that this instance owns: listeners bind there, connections to other proxies are dialled from it.
    pub address: IpAddr,
    /// Sidecar or gateway.
    pub role: Role,
    /// The mesh's trust domain.
    pub trust_domain: String,
    /// DNS suffix of services.
    pub domain: String,
    /// Where mesh-wide objects and the operator live.
    pub root_namespace: String,
    /// Cluster id in metrics and in xDS.
    pub cluster: String,
    /// How connections come.
    pub capture: Capture,
    /// Whether it runs in a pod, where the instance's address is the whole pod's.
    pub in_pod: bool,
    /// Revision that injected it; empty for the default one.
    pub revision: String,
    /// The Kubernetes node.
    pub node_name: Option<String>,
}

impl NodeInfo {
    /// The identity that this proxy asks a certificate for.
    pub fn spiffe(&self) -> SpiffeId {
        SpiffeId::new(&self.trust_domain, &self.namespace, &self.service_account)
    }

    /// The identity that the operator must prove.
    pub fn operator_spiffe(&self) -> SpiffeId {
        SpiffeId::new(&self.trust_domain, &self.root_namespace, "weft-operator")
    }

    /// Istio's node id: `sidecar~<address>~<workload>.<namespace>~<namespace>.svc.<domain>`.
    pub fn id(&self) -> String {
        let role = match self.role {
            Role::Sidecar => "sidecar",
            Role::Gateway => "router",
        };
        let Self { address, workload, namespace, domain, .. } = self;
        format!("{role}~{address}~{workload}.{namespace}~{namespace}.svc.{domain}")
    }

    /// Labels known before the workload table has come.
    pub fn facts(&self) -> Facts {
        Facts {
            workload: self.workload.as_str().into(),
            namespace: self.namespace.as_str().into(),
            service_account: self.service_account.as_str().into(),
            canonical_service: self.workload.as_str().into(),
            canonical_revision: "latest".into(),
            app: UNKNOWN.into(),
            version: UNKNOWN.into(),
            cluster: self.cluster.as_str().into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn node_id_is_istios() {
        let node = NodeInfo {
            workload: "order-service-v1-1".into(),
            namespace: "default".into(),
            service_account: "order-service".into(),
            address: "127.31.64.7".parse().unwrap(),
            role: Role::Sidecar,
            trust_domain: "cluster.local".into(),
            domain: "cluster.local".into(),
            root_namespace: "istio-system".into(),
            cluster: "Kubernetes".into(),
            capture: Capture::None,
            in_pod: false,
            revision: String::new(),
            node_name: None,
        };
        assert_eq!(node.id(), "sidecar~127.31.64.7~order-service-v1-1.default~default.svc.cluster.local");
        assert_eq!(node.spiffe().to_string(), "spiffe://cluster.local/ns/default/sa/order-service");
        assert_eq!(node.operator_spiffe().to_string(), "spiffe://cluster.local/ns/istio-system/sa/weft-operator");
    }
}
