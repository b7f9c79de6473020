//! Objects as they come off the wire, cut down before anything is kept.

use std::{fmt, sync::Arc};

use kube::{
    Resource,
    api::{ApiResource, ObjectMeta},
    core::DynamicResourceScope,
};
use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_json::Value;
use weft_api::{Kind, Object, core::Manifest};
use weft_model::Diagnostic;

use super::{ledger::Name, watched::Watched};
use crate::{
    DEFAULT_NAMESPACE,
    reading::{self, Finding, Reading},
};

/// Findings kept of one object.
const MAX_FINDINGS: usize = 16;
/// Keys of a Secret that a gateway can use; no other bytes of it are kept.
const SECRET_KEYS: [&str; 7] = ["tls.crt", "tls.key", "ca.crt", "ca.crl", "cert", "key", "cacert"];
/// Keys of Istio's ConfigMap that are read.
const MESH_KEYS: [&str; 2] = ["mesh", "meshNetworks"];

/// What one feed reads.
pub(super) trait Body: DeserializeOwned + Send + Sync + 'static {
    /// Name, namespace and resource version.
    fn identity(&self) -> (&str, &str, Option<&str>);

    /// What it means.
    fn read(self, watched: &Watched) -> Read;
}

/// What an object means.
pub(super) enum Read {
    /// It is to be in force. The findings do no harm.
    Object(Arc<Object>, Vec<Diagnostic>),
    /// It cannot be taken.
    Rejected(Vec<Diagnostic>),
    /// It defines a kind, served in this version; `None` when in none that is read.
    Serves(Kind, Option<&'static str>),
    /// It is none of the mesh's business.
    Nothing,
}

/// An object for kube's list and watch calls, which want to be able to clone what they read and to see its metadata.
pub(super) struct Wire<B> {
    meta: ObjectMeta,
    body: Arc<B>,
}

impl<B: Body> Wire<B> {
    pub(super) fn name(&self) -> Name {
        let (name, namespace, _) = self.body.identity();
        Name::new(namespace, name)
    }

    pub(super) fn version(&self) -> Option<&str> {
        self.meta.resource_version.as_deref()
    }

    pub(super) fn read(self, watched: &Watched) -> Read {
        // Nothing clones it in between.
        Arc::into_inner(self.body).map_or(Read::Nothing, |body| body.read(watched))
    }
}

impl<B> Clone for Wire<B> {
    fn clone(&self) -> Self {
        Self { meta: self.meta.clone(), body: Arc::clone(&self.body) }
    }
}

/// What an object says (it may be a Secret) stays out of logs.
impl<B> fmt::Debug for Wire<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}/{:?}", self.meta.namespace, self.meta.name)
    }
}

impl<'de, B: Body> Deserialize<'de> for Wire<B> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let body = B::deserialize(deserializer)?;
        let (name, namespace, version) = body.identity();
        let meta = ObjectMeta {
            name: Some(name.to_owned()),
            namespace: (!namespace.is_empty()).then(|| namespace.to_owned()),
            resource_version: version.map(str::to_owned),
            ..ObjectMeta::default()
        };
        Ok(Self { meta, body: Arc::new(body) })
    }
}

impl<B> Resource for Wire<B> {
    type DynamicType = ApiResource;
    type Scope = DynamicResourceScope;

    fn kind(resource: &ApiResource) -> std::borrow::Cow<'_, str> {
        resource.kind.as_str().into()
    }

    fn group(resource: &ApiResource) -> std::borrow::Cow<'_, str> {
        resource.group.as_str().into()
    }

    fn version(resource: &ApiResource) -> std::borrow::Cow<'_, str> {
        resource.version.as_str().into()
    }

    fn plural(resource: &ApiResource) -> std::borrow::Cow<'_, str> {
        resource.plural.as_str().into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.meta
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.meta
    }
}

/// Pods, nodes and endpoint slices: by far the most objects, read without a detour.
impl<M: Manifest + Send + Sync + 'static> Body for M {
    fn identity(&self) -> (&str, &str, Option<&str>) {
        let metadata = self.metadata();
        (&metadata.name, &metadata.namespace, metadata.resource_version.as_deref())
    }

    fn read(self, _: &Watched) -> Read {
        Read::Object(Arc::new(self.into_object(DEFAULT_NAMESPACE)), Vec::new())
    }
}

/// Any other kind, as JSON.
#[derive(Deserialize)]
#[serde(transparent)]
pub(super) struct Json(Value);

impl Body for Json {
    fn identity(&self) -> (&str, &str, Option<&str>) {
        let text = |field: &str| self.0.get("metadata").and_then(|meta| meta.get(field)).and_then(Value::as_str);
        (text("name").unwrap_or_default(), text("namespace").unwrap_or_default(), text("resourceVersion"))
    }

    fn read(self, watched: &Watched) -> Read {
        let Some(kind) = watched.kind() else { return Read::Nothing };
        let mut value = self.0;
        trim(&mut value, kind, watched);
        // What an API server has checked itself is sound, and its newer fields are none of the user's mistakes.
        let own = Kind::owns_group(kind.group()) || kind == Kind::ConfigMap;
        let Reading { object, errors, notes } = reading::read(&value, own);
        let findings = |findings: Vec<Finding>| -> Vec<Diagnostic> {
            findings.into_iter().take(MAX_FINDINGS).map(|(error, code)| error.diagnostic(code)).collect()
        };
        match object {
            Some(object) if errors.is_empty() => {
                Read::Object(Arc::new(object), if own { findings(notes) } else { Vec::new() })
            }
            _ => Read::Rejected(findings(errors)),
        }
    }
}

/// Takes out what is not kept, and puts in the type, which lists leave out.
fn trim(value: &mut Value, kind: Kind, watched: &Watched) {
    let Value::Object(map) = value else { return };
    map.insert("apiVersion".to_owned(), watched.resource().api_version.into());
    map.insert("kind".to_owned(), kind.name().into());
    map.shift_remove("status");
    if let Some(Value::Object(metadata)) = map.get_mut("metadata") {
        metadata.shift_remove("managedFields");
    }
    let keys: &[&str] = match kind {
        Kind::Secret => &SECRET_KEYS,
        Kind::ConfigMap => &MESH_KEYS,
        _ => return,
    };
    map.shift_remove("binaryData");
    if let Some(Value::Object(data)) = map.get_mut("data") {
        data.retain(|key, _| keys.contains(&key.as_str()));
    }
}
