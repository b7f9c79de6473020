//! Endpoint slices.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{
    Protocol, SERVICE_NAME_LABEL,
    manifest::{Manifest, Metadata, said, shared},
};
use crate::{Kind, Object, Spec};

/// A part of a Service's endpoints, as far as the mesh reads it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EndpointSlice {
    /// The Service, in the same namespace; empty for a slice that belongs to none.
    pub service: Arc<str>,
    /// What the addresses are.
    pub address_type: AddressType,
    /// The endpoints.
    pub endpoints: Vec<Endpoint>,
    /// The ports that each of them serves.
    pub ports: Vec<EndpointPort>,
}

/// What a slice's addresses are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize, Serialize)]
pub enum AddressType {
    /// IPv4 addresses.
    #[default]
    IPv4,
    /// IPv6 addresses.
    IPv6,
    /// Host names.
    #[serde(other, rename = "FQDN")]
    Fqdn,
}

/// One endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Endpoint {
    /// Its addresses. Kubernetes writes one; all of them mean the same endpoint.
    pub addresses: Vec<Arc<str>>,
    /// Whether it takes new connections (what is not said counts as yes).
    pub ready: bool,
    /// Whether it would, were it not being deleted.
    pub serving: bool,
    /// Whether it is being deleted.
    pub terminating: bool,
    /// What it is; mostly a pod of the slice's namespace.
    pub target: Option<Target>,
    /// Its name as a host, in a headless Service of a StatefulSet.
    pub hostname: Arc<str>,
    /// The node that it runs on; empty when it is not known.
    pub node_name: Arc<str>,
    /// Its zone; empty when it is not known.
    pub zone: Arc<str>,
}

/// What an endpoint is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Target {
    /// Kind, such as `Pod`.
    pub kind: Arc<str>,
    /// Name, in the slice's namespace.
    pub name: Arc<str>,
}

/// A port of each endpoint of a slice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EndpointPort {
    /// The Service port's name; empty when it has none.
    pub name: Arc<str>,
    /// Number; `None` means every port.
    pub port: Option<u16>,
    /// Protocol.
    pub protocol: Protocol,
    /// The application's protocol, such as `kubernetes.io/h2c`.
    pub app_protocol: Option<Arc<str>>,
}

/// An endpoint slice as an API server sends it.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct EndpointSliceManifest {
    metadata: Metadata,
    address_type: AddressType,
    endpoints: Option<Vec<RawEndpoint>>,
    ports: Option<Vec<RawPort>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct RawEndpoint {
    addresses: Vec<Arc<str>>,
    conditions: Option<Conditions>,
    target_ref: Option<TargetRef>,
    hostname: Option<String>,
    node_name: Option<String>,
    zone: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Conditions {
    ready: Option<bool>,
    serving: Option<bool>,
    terminating: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct TargetRef {
    kind: String,
    name: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct RawPort {
    name: Option<String>,
    port: Option<u16>,
    protocol: Option<Protocol>,
    app_protocol: Option<Arc<str>>,
}

impl From<RawEndpoint> for Endpoint {
    fn from(raw: RawEndpoint) -> Self {
        let conditions = raw.conditions.unwrap_or_default();
        let ready = conditions.ready.unwrap_or(true);
        Self {
            addresses: raw.addresses,
            ready,
            serving: conditions.serving.unwrap_or(ready),
            terminating: conditions.terminating.unwrap_or(false),
            target: raw.target_ref.map(|to| Target { kind: Arc::from(to.kind), name: Arc::from(to.name) }),
            hostname: shared(raw.hostname.as_deref()),
            node_name: shared(raw.node_name.as_deref()),
            zone: shared(raw.zone.as_deref()),
        }
    }
}

impl Manifest for EndpointSliceManifest {
    const KIND: Kind = Kind::EndpointSlice;

    fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    fn into_object(self, default_namespace: &str) -> Object {
        let slice = EndpointSlice {
            service: shared(self.metadata.label(SERVICE_NAME_LABEL)),
            address_type: self.address_type,
            endpoints: self.endpoints.unwrap_or_default().into_iter().map(Endpoint::from).collect(),
            ports: self
                .ports
                .unwrap_or_default()
                .into_iter()
                .map(|port| EndpointPort {
                    name: shared(port.name.as_deref()),
                    port: port.port,
                    protocol: port.protocol.unwrap_or_default(),
                    app_protocol: port.app_protocol,
                })
                .collect(),
        };
        let said = said(&slice);
        let spec = Spec::EndpointSlice(Arc::new(slice));
        self.metadata.object(Self::KIND, default_namespace, |key| key == SERVICE_NAME_LABEL, |_| false, (spec, said))
    }
}
