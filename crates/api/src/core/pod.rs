//! Pods.

use std::{net::IpAddr, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{
    INJECTED_ANNOTATION, Protocol, REVISION_LABEL, TLS_MODE_LABEL,
    manifest::{Manifest, Metadata, said, shared},
};
use crate::{Kind, Object, Spec};

/// Annotations of pods that the mesh reads. The injection's own record is read once and not kept.
const ANNOTATIONS: [&str; 7] = [
    "sidecar.istio.io/",
    "traffic.sidecar.istio.io/",
    "inject.istio.io/",
    "proxy.istio.io/",
    "istio.io/",
    "networking.istio.io/",
    "weft.dev/",
];

/// A pod, as far as the mesh reads it. Name, namespace, labels and UID are in the object's metadata.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Pod {
    /// Its addresses, the primary one first; empty until it has any. In the host's network they are the node's.
    pub ips: Vec<IpAddr>,
    /// The node that it runs on; empty until it is scheduled.
    pub node_name: Arc<str>,
    /// Its service account.
    pub service_account: Arc<str>,
    /// How far it is.
    pub phase: Phase,
    /// Whether its `Ready` condition is true.
    pub ready: bool,
    /// Whether it is being deleted.
    pub terminating: bool,
    /// Whether it shares its node's network, so that its addresses are not its own.
    pub host_network: bool,
    /// Its name as a host, when it has one of its own (StatefulSets do).
    pub hostname: Arc<str>,
    /// What controls it, such as the ReplicaSet `cart-5d9c7b`.
    pub owner: Option<Owner>,
    /// Ports that its containers declare, application's and sidecars'.
    pub ports: Vec<ContainerPort>,
    /// Whether it has a proxy: it was injected, or says that it speaks mutual TLS.
    pub injected: bool,
    /// Whether its connections are captured: it has the init container that does that.
    pub captured: bool,
    /// The control plane that injected it; empty is the default one.
    pub revision: Arc<str>,
}

/// What controls a pod.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Owner {
    /// Kind, such as `ReplicaSet`.
    pub kind: Arc<str>,
    /// Name.
    pub name: Arc<str>,
}

/// A port that a container declares.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ContainerPort {
    /// Name; empty when it has none.
    pub name: Arc<str>,
    /// Number.
    pub port: u16,
    /// Protocol.
    pub protocol: Protocol,
}

/// How far a pod is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize, Serialize)]
pub enum Phase {
    /// Accepted; not every container has started.
    #[default]
    Pending,
    /// On a node, with every container started.
    Running,
    /// Every container ended well. Its addresses may be another pod's by now.
    Succeeded,
    /// Every container ended, one at least badly. Its addresses may be another pod's by now.
    Failed,
    /// The node cannot be asked.
    #[serde(other)]
    Unknown,
}

impl Pod {
    /// Whether the pod still owns its addresses.
    pub fn is_live(&self) -> bool {
        !matches!(self.phase, Phase::Succeeded | Phase::Failed)
    }

    /// The number of a declared port by its name.
    pub fn port_named(&self, name: &str, protocol: Protocol) -> Option<u16> {
        self.ports.iter().find(|port| &*port.name == name && port.protocol == protocol).map(|port| port.port)
    }
}

/// A pod as an API server sends it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct PodManifest {
    metadata: Metadata,
    spec: PodSpec,
    status: PodStatus,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct PodSpec {
    node_name: Option<String>,
    service_account_name: Option<String>,
    host_network: Option<bool>,
    hostname: Option<String>,
    containers: Option<Vec<Container>>,
    init_containers: Option<Vec<Container>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Container {
    name: String,
    restart_policy: Option<String>,
    ports: Option<Vec<RawPort>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct RawPort {
    name: Option<String>,
    container_port: u16,
    protocol: Protocol,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct PodStatus {
    phase: Phase,
    #[serde(rename = "podIP")]
    pod_ip: Option<String>,
    #[serde(rename = "podIPs")]
    pod_ips: Option<Vec<PodIp>>,
    conditions: Option<Vec<Condition>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct PodIp {
    ip: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Condition {
    r#type: String,
    status: String,
}

/// The injection's record: JSON of which only the revision matters.
#[derive(Default, Deserialize)]
#[serde(default)]
struct InjectionRecord {
    revision: Option<String>,
}

impl Manifest for PodManifest {
    const KIND: Kind = Kind::Pod;

    fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    fn into_object(self, default_namespace: &str) -> Object {
        let Self { metadata, spec, status } = self;
        let record = metadata.annotation(INJECTED_ANNOTATION);
        let revision = record
            .and_then(|record| serde_json::from_str::<InjectionRecord>(record).ok()?.revision)
            .or_else(|| metadata.label(REVISION_LABEL).map(str::to_owned))
            .filter(|revision| revision != "default");
        let containers = spec.containers.unwrap_or_default();
        let init = spec.init_containers.unwrap_or_default();
        let sidecars = init.iter().filter(|container| container.restart_policy.as_deref() == Some("Always"));
        let ports = containers.iter().chain(sidecars).flat_map(|container| container.ports.iter().flatten());
        let owners = metadata.owner_references.as_deref().unwrap_or_default();
        let owner = owners.iter().find(|owner| owner.controller == Some(true));
        let conditions = status.conditions.unwrap_or_default();
        let ips = match status.pod_ips {
            Some(ips) if !ips.is_empty() => ips.iter().filter_map(|ip| ip.ip.parse().ok()).collect(),
            _ => status.pod_ip.iter().filter_map(|ip| ip.parse().ok()).collect(),
        };
        let service_account = spec.service_account_name.filter(|account| !account.is_empty());
        let pod = Pod {
            ips,
            node_name: shared(spec.node_name.as_deref()),
            service_account: shared(Some(service_account.as_deref().unwrap_or("default"))),
            phase: status.phase,
            ready: conditions.iter().any(|condition| condition.r#type == "Ready" && condition.status == "True"),
            terminating: metadata.terminating(),
            host_network: spec.host_network == Some(true),
            hostname: shared(spec.hostname.as_deref()),
            owner: owner.map(|owner| Owner { kind: Arc::from(&*owner.kind), name: Arc::from(&*owner.name) }),
            ports: ports
                .map(|port| ContainerPort {
                    name: shared(port.name.as_deref()),
                    port: port.container_port,
                    protocol: port.protocol,
                })
                .collect(),
            injected: record.is_some() || metadata.label(TLS_MODE_LABEL) == Some("istio"),
            captured: init.iter().any(|container| container.name == "istio-init"),
            revision: shared(revision.as_deref()),
        };
        let said = said(&pod);
        let keep = |key: &str| key != INJECTED_ANNOTATION && ANNOTATIONS.iter().any(|prefix| key.starts_with(prefix));
        metadata.object(Self::KIND, default_namespace, |_| true, keep, (Spec::Pod(Arc::new(pod)), said))
    }
}
