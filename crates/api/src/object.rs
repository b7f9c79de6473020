//! One configuration object, read.

pub(crate) mod content;
mod parse;

use std::{fmt, sync::Arc};

use k8s_openapi::api::core::v1;
use weft_model::ObjectRef;

pub use parse::{parse, parse_noting};

use crate::{
    core::{EndpointSlice, Node, Pod},
    error::{ObjectError, UnknownField},
    kind::{Kind, Scope},
    labels::Labels,
    mesh::{MeshConfig, MeshSpec},
    networking::{DestinationRule, Gateway, ServiceEntry, Sidecar, VirtualService, WorkloadEntry},
    security::{AuthorizationPolicy, PeerAuthentication, RequestAuthentication},
    telemetry::Telemetry,
    validate,
};

/// One configuration object.
#[derive(Clone, Debug)]
pub struct Object {
    /// What it is, in the version that the user wrote.
    pub reference: ObjectRef,
    /// Its metadata.
    pub meta: ObjectMeta,
    /// What it says.
    pub spec: Spec,
    /// SHA-256 of its canonical JSON (keys sorted, metadata and status left out), in hex: the same for equal content
    /// however it is written.
    pub content: String,
}

/// An object's metadata, as far as the mesh reads it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ObjectMeta {
    /// Name.
    pub name: String,
    /// Namespace; empty for cluster-scoped kinds.
    pub namespace: String,
    /// Labels.
    pub labels: Labels,
    /// Annotations.
    pub annotations: Labels,
    /// Kubernetes' UID, when the object came from an API server.
    pub uid: Option<String>,
    /// Kubernetes' resource version, when the object came from an API server.
    pub resource_version: Option<String>,
    /// Kubernetes' generation.
    pub generation: Option<i64>,
    /// RFC 3339, UTC; sorts by time.
    pub creation_timestamp: Option<String>,
}

/// What an object says, by kind. Clones are cheap.
#[derive(Clone)]
pub enum Spec {
    /// Routes by host.
    VirtualService(Arc<VirtualService>),
    /// Policies and subsets of a host.
    DestinationRule(Arc<DestinationRule>),
    /// Ports and hosts of a gateway workload.
    Gateway(Arc<Gateway>),
    /// A host that is not a Kubernetes Service.
    ServiceEntry(Arc<ServiceEntry>),
    /// What one workload's proxy listens on and sees.
    Sidecar(Arc<Sidecar>),
    /// One workload instance that is not a pod.
    WorkloadEntry(Arc<WorkloadEntry>),
    /// Whether mutual TLS is demanded.
    PeerAuthentication(Arc<PeerAuthentication>),
    /// Who may call what.
    AuthorizationPolicy(Arc<AuthorizationPolicy>),
    /// Which JWTs are accepted.
    RequestAuthentication(Arc<RequestAuthentication>),
    /// What is traced.
    Telemetry(Arc<Telemetry>),
    /// An installation and its mesh-wide settings.
    Mesh(Arc<MeshSpec>),
    /// Istio's mesh-wide settings: a ConfigMap named `istio` whose key `mesh` was read.
    MeshConfig(Arc<MeshConfig>),
    /// A Kubernetes Service.
    Service(Arc<v1::ServiceSpec>),
    /// A part of a Kubernetes Service's endpoints.
    EndpointSlice(Arc<EndpointSlice>),
    /// A Kubernetes Pod.
    Pod(Arc<Pod>),
    /// A Kubernetes Node.
    Node(Arc<Node>),
    /// A Kubernetes Namespace; all that matters of it is in its metadata.
    Namespace,
    /// A Kubernetes ConfigMap.
    ConfigMap(Arc<v1::ConfigMap>),
    /// A Kubernetes Secret.
    Secret(Arc<v1::Secret>),
    /// A kind whose content is kept as written: EnvoyFilter and whatever else stands in a manifest.
    Other(Arc<serde_json::Value>),
}

/// A Secret's content stays out of logs.
impl fmt::Debug for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::VirtualService(spec) => spec.fmt(f),
            Self::DestinationRule(spec) => spec.fmt(f),
            Self::Gateway(spec) => spec.fmt(f),
            Self::ServiceEntry(spec) => spec.fmt(f),
            Self::Sidecar(spec) => spec.fmt(f),
            Self::WorkloadEntry(spec) => spec.fmt(f),
            Self::PeerAuthentication(spec) => spec.fmt(f),
            Self::AuthorizationPolicy(spec) => spec.fmt(f),
            Self::RequestAuthentication(spec) => spec.fmt(f),
            Self::Telemetry(spec) => spec.fmt(f),
            Self::Mesh(spec) => spec.fmt(f),
            Self::MeshConfig(spec) => spec.fmt(f),
            Self::Service(spec) => spec.fmt(f),
            Self::EndpointSlice(slice) => slice.fmt(f),
            Self::Pod(pod) => pod.fmt(f),
            Self::Node(node) => node.fmt(f),
            Self::Namespace => f.write_str("Namespace"),
            Self::ConfigMap(map) => map.fmt(f),
            Self::Secret(_) => f.write_str("Secret { .. }"),
            Self::Other(_) => f.write_str("Other { .. }"),
        }
    }
}

/// Names an object whatever version it is written in.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct ObjectKey {
    /// API group; empty for the core group.
    pub group: String,
    /// Kind.
    pub kind: String,
    /// Namespace; empty for cluster-scoped kinds.
    pub namespace: String,
    /// Name.
    pub name: String,
}

impl ObjectKey {
    /// The key of an object of a known kind.
    pub fn new(kind: Kind, namespace: impl Into<String>, name: impl Into<String>) -> Self {
        let namespace = if kind.scope() == Scope::Cluster { String::new() } else { namespace.into() };
        Self { group: kind.group().to_owned(), kind: kind.name().to_owned(), namespace, name: name.into() }
    }
}

impl From<&ObjectRef> for ObjectKey {
    fn from(reference: &ObjectRef) -> Self {
        Self {
            group: reference.group().to_owned(),
            kind: reference.kind.clone(),
            namespace: reference.namespace.clone(),
            name: reference.name.clone(),
        }
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.namespace.is_empty() {
            true => write!(f, "{} {}", self.kind, self.name),
            false => write!(f, "{} {}/{}", self.kind, self.namespace, self.name),
        }
    }
}

/// One change of desired state.
#[derive(Clone, Debug)]
pub enum Change {
    /// The object exists and says this.
    Put(Arc<Object>),
    /// The object is gone.
    Delete(ObjectKey),
}

/// An object and what it holds that its kind does not have.
#[derive(Clone, Debug)]
pub struct Parsed {
    /// The object.
    pub object: Object,
    /// Fields without effect.
    pub unknown_fields: Vec<UnknownField>,
}

impl Object {
    /// The version-independent name.
    pub fn key(&self) -> ObjectKey {
        ObjectKey::from(&self.reference)
    }

    /// The kind, if the mesh knows it.
    pub fn kind(&self) -> Option<Kind> {
        Kind::of(self.reference.group(), &self.reference.kind)
    }

    /// The checks that need this object alone. Field paths begin with `spec`.
    pub fn validate(&self) -> Vec<ObjectError> {
        validate::object(self)
    }

    /// Takes the texts of a ConfigMap named `istio`, each read as YAML, as the object's meaning. Paths of errors and
    /// unknown fields begin with `data.mesh` or `data.meshNetworks`.
    pub fn attach_mesh_config(
        &mut self,
        mesh: &serde_json::Value,
        networks: &serde_json::Value,
    ) -> Result<Vec<UnknownField>, Box<ObjectError>> {
        let (config, unknown) = parse::mesh_config(&self.reference, mesh, networks)?;
        self.spec = Spec::MeshConfig(Arc::new(config));
        Ok(unknown)
    }

    /// The texts that [`Self::attach_mesh_config`] wants, if this is Istio's ConfigMap: keys `mesh` and `meshNetworks`,
    /// empty where there is none.
    pub fn mesh_config_texts(&self) -> Option<[(&'static str, &str); 2]> {
        match &self.spec {
            Spec::ConfigMap(map) if self.meta.name == "istio" => {
                let text = |key| (key, map.data.as_ref().and_then(|data| data.get(key)).map_or("", String::as_str));
                let texts = [text("mesh"), text("meshNetworks")];
                texts.iter().any(|(_, text)| !text.is_empty()).then_some(texts)
            }
            _ => None,
        }
    }
}

/// The bytes under `key` of a Secret, whether written as base64 `data` or as `stringData` (which wins, as on a cluster).
pub fn secret_value<'s>(secret: &'s v1::Secret, key: &str) -> Option<&'s [u8]> {
    if let Some(text) = secret.string_data.as_ref().and_then(|data| data.get(key)) {
        return Some(text.as_bytes());
    }
    secret.data.as_ref().and_then(|data| data.get(key)).map(|bytes| bytes.0.as_slice())
}

#[cfg(test)]
mod tests;
