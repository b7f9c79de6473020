//! The metadata that the trimmed kinds share.

use std::sync::Arc;

use serde::{
    Deserialize,
    de::{DeserializeOwned, IgnoredAny},
};
use weft_model::ObjectRef;

use super::LAST_APPLIED;
use crate::{Kind, Labels, Object, ObjectMeta, Scope, Spec, object::content};

/// An object as an API server sends it, read straight into what is kept of it; labels pass through a map on the way.
pub trait Manifest: DeserializeOwned {
    /// Its kind.
    const KIND: Kind;

    /// Its metadata.
    fn metadata(&self) -> &Metadata;

    /// The object. One that names no namespace is in `default_namespace`.
    fn into_object(self, default_namespace: &str) -> Object;
}

/// What is kept of an object's metadata.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Metadata {
    /// Name; empty while the API server is yet to give one.
    pub name: String,
    /// Namespace; empty for cluster-scoped kinds.
    pub namespace: String,
    /// Kubernetes' UID.
    pub uid: Option<String>,
    /// Kubernetes' resource version.
    pub resource_version: Option<String>,
    /// RFC 3339, UTC.
    pub creation_timestamp: Option<String>,
    /// Labels.
    pub labels: Option<Labels>,
    /// Annotations.
    pub annotations: Option<Labels>,
    deletion_timestamp: Option<IgnoredAny>,
    pub(super) owner_references: Option<Vec<OwnerReference>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct OwnerReference {
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) controller: Option<bool>,
}

impl Metadata {
    /// Whether the object is being deleted.
    pub fn terminating(&self) -> bool {
        self.deletion_timestamp.is_some()
    }

    pub(super) fn label(&self, key: &str) -> Option<&str> {
        self.labels.as_ref()?.get(key)
    }

    pub(super) fn annotation(&self, key: &str) -> Option<&str> {
        self.annotations.as_ref()?.get(key)
    }

    /// The object of `kind` with this metadata. Labels and annotations stay that the predicates name.
    pub(super) fn object(
        self,
        kind: Kind,
        default_namespace: &str,
        label: impl Fn(&str) -> bool,
        annotation: impl Fn(&str) -> bool,
        (spec, said): (Spec, String),
    ) -> Object {
        let namespace = match kind.scope() {
            Scope::Cluster => String::new(),
            Scope::Namespaced if self.namespace.is_empty() => default_namespace.to_owned(),
            Scope::Namespaced => self.namespace,
        };
        let reference = ObjectRef {
            api_version: kind.api_version(),
            kind: kind.name().to_owned(),
            namespace: namespace.clone(),
            name: self.name.clone(),
        };
        let meta = ObjectMeta {
            name: self.name,
            namespace,
            labels: self.labels.unwrap_or_default().filtered(|key, _| label(key)),
            annotations: self.annotations.unwrap_or_default().filtered(|key, _| key != LAST_APPLIED && annotation(key)),
            uid: self.uid,
            // A kubelet rewrites these objects all the time; nobody edits them from a version that was read here.
            resource_version: None,
            generation: None,
            creation_timestamp: self.creation_timestamp,
        };
        Object { reference, meta, spec, content: content::digest(&said) }
    }
}

/// What an object says, as the text that its content hash is of.
pub(super) fn said<T: serde::Serialize>(spec: &T) -> String {
    // Structs of strings, numbers and lists always have a JSON form.
    serde_json::to_string(spec).unwrap_or_default()
}

pub(super) fn shared(text: Option<&str>) -> Arc<str> {
    Arc::from(text.unwrap_or_default())
}
