//! Services: Kubernetes Services and ServiceEntry hosts as one noun.

mod read;

use std::{collections::BTreeMap, net::IpAddr};

use weft_api::{
    Labels,
    networking::{
        Protocol,
        service_entry::{Location, Resolution},
    },
};
use weft_model::{Hostname, ObjectRef};

pub(super) use read::{from_service, from_service_entry, named_ports};

/// Something that can be called by host and port.
#[derive(Clone, Debug, PartialEq)]
pub struct Service {
    /// Fully qualified host; a wildcard for some ServiceEntries.
    pub host: Hostname,
    /// Short name for metrics: a Kubernetes Service's name, a ServiceEntry's host.
    pub name: String,
    /// Namespace of the object that declares it.
    pub namespace: String,
    /// The object that declares it.
    pub object: ObjectRef,
    /// Ports, as declared.
    pub ports: Vec<ServicePort>,
    /// Labels of the workloads behind it; empty selects none.
    pub selector: BTreeMap<String, String>,
    /// Endpoints written in a ServiceEntry.
    pub endpoints: Vec<InlineEndpoint>,
    /// Where endpoints come from.
    pub resolution: Resolution,
    /// Whether it is inside the mesh.
    pub location: Location,
    /// Cluster IPs and ServiceEntry addresses; empty for headless ones.
    pub addresses: Vec<IpAddr>,
    /// Whether it is a Kubernetes Service without a cluster IP (`clusterIP: None`): clients dial its pods.
    pub headless: bool,
    /// What a Kubernetes Service of type ExternalName is another name for.
    pub external_name: Option<Hostname>,
    /// Whether each client is to stay with one endpoint (`sessionAffinity: ClientIP`).
    pub client_affinity: bool,
    /// Which namespaces see it.
    pub visibility: Visibility,
    /// Names that its servers' certificates may carry beside the workloads' identities.
    pub subject_alt_names: Vec<String>,
}

impl Service {
    /// The port of this number.
    pub fn port(&self, number: u16) -> Option<&ServicePort> {
        self.ports.iter().find(|p| p.number == number)
    }

    /// Whether this is a Kubernetes Service.
    pub fn is_kubernetes(&self) -> bool {
        self.object.kind == "Service"
    }

    /// Whether it selects workloads with these labels.
    pub fn selects(&self, labels: &Labels) -> bool {
        !self.selector.is_empty() && labels.carry(&self.selector)
    }
}

/// One port of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServicePort {
    /// Number that clients call.
    pub number: u16,
    /// Name; may be empty.
    pub name: String,
    /// What it speaks; `None` when that has to be found out.
    pub protocol: Option<Protocol>,
    /// Where it leads at a workload.
    pub target: TargetPort,
}

/// A port at the workload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TargetPort {
    /// This one.
    Number(u16),
    /// The one that the workload gives this name; a workload without it has no endpoint for the port.
    Name(String),
}

/// An endpoint written in a ServiceEntry.
#[derive(Clone, Debug, PartialEq)]
pub struct InlineEndpoint {
    /// IP address, DNS name or `unix:///path`.
    pub address: String,
    /// Port numbers by the ServiceEntry's port names.
    pub ports: BTreeMap<String, u16>,
    /// Labels.
    pub labels: Labels,
    /// Share among endpoints; at least 1.
    pub weight: u32,
    /// `region/zone/sub-zone`; may be empty.
    pub locality: String,
    /// Service account; may be empty.
    pub service_account: String,
}

/// Which namespaces see an object (`exportTo`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Visibility {
    /// All (`*`).
    All,
    /// These.
    Namespaces(Vec<String>),
}

impl Visibility {
    /// Reads `exportTo` of an object in `namespace`; an empty list means `defaults`, and an empty default means all.
    pub fn read<S: AsRef<str>>(export_to: &[S], namespace: &str, defaults: &[String]) -> Self {
        let mut namespaces = Vec::new();
        let mut see = |entry: &str| match entry {
            "*" => true,
            "~" => false,
            "." => {
                namespaces.push(namespace.to_owned());
                false
            }
            other => {
                namespaces.push(other.to_owned());
                false
            }
        };
        let all = if export_to.is_empty() {
            defaults.is_empty() || defaults.iter().any(|d| see(d))
        } else {
            export_to.iter().any(|e| see(e.as_ref()))
        };
        if all { Self::All } else { Self::Namespaces(namespaces) }
    }

    /// Whether `namespace` is among them.
    pub fn includes(&self, namespace: &str) -> bool {
        match self {
            Self::All => true,
            Self::Namespaces(list) => list.iter().any(|n| n == namespace),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn export_to_follows_istio() {
        let read = |e: &[&str]| Visibility::read(e, "shop", &[]);
        assert_eq!(read(&[]), Visibility::All);
        assert_eq!(read(&["*"]), Visibility::All);
        assert!(read(&["."]).includes("shop"));
        assert!(!read(&["."]).includes("pay"));
        assert!(read(&["pay", "."]).includes("pay"));
        assert!(!read(&["~"]).includes("shop"));
        assert!(!Visibility::read::<&str>(&[], "shop", &[".".into()]).includes("pay"));
    }
}
