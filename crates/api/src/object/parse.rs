//! From a JSON value to an object.

use std::sync::Arc;

use k8s_openapi::api::core::v1;
use serde::{Deserialize, de::IgnoredAny};
use serde_json::Value;
use weft_model::ObjectRef;

use super::{Object, ObjectMeta, Parsed, Spec, content};
use crate::{
    core::{EndpointSliceManifest, LAST_APPLIED, Manifest, NodeManifest, PodManifest, WithoutMetadata},
    error::{ObjectError, UnknownField, did_you_mean},
    kind::{Kind, Scope},
    labels::Labels,
    mesh::MeshConfig,
    read::{Failure, Rules, read},
};

/// Metadata as Kubernetes defines it; what the mesh does not read is still known.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Metadata {
    name: Option<String>,
    generate_name: Option<String>,
    namespace: Option<String>,
    labels: Labels,
    annotations: Labels,
    uid: Option<String>,
    resource_version: Option<String>,
    generation: Option<i64>,
    creation_timestamp: Option<String>,
    deletion_timestamp: Option<IgnoredAny>,
    deletion_grace_period_seconds: Option<IgnoredAny>,
    finalizers: Option<IgnoredAny>,
    managed_fields: Option<IgnoredAny>,
    owner_references: Option<IgnoredAny>,
    self_link: Option<IgnoredAny>,
}

/// Reads one object. A namespaced one that names no namespace is in `default_namespace`.
pub fn parse(value: &Value, default_namespace: &str) -> Result<Parsed, Box<ObjectError>> {
    let mut unknown_fields = Vec::new();
    let object = parse_noting(value, default_namespace, &mut unknown_fields)?;
    Ok(Parsed { object, unknown_fields })
}

/// The same, with the fields without effect also of an object that cannot be taken: those that were met until it was
/// known that it cannot.
pub fn parse_noting(
    value: &Value,
    default_namespace: &str,
    unknown_fields: &mut Vec<UnknownField>,
) -> Result<Object, Box<ObjectError>> {
    let unnamed = |field: &str, message: String, suggestion: Option<String>| {
        Box::new(ObjectError { object: None, field: field.to_owned(), message, suggestion })
    };
    let Value::Object(map) = value else {
        return Err(unnamed("", "expected an object with apiVersion, kind and metadata".to_owned(), None));
    };
    let text = |field: &str| match map.get(field) {
        Some(Value::String(text)) if !text.is_empty() => Ok(text.clone()),
        Some(Value::String(_)) | Some(Value::Null) | None => {
            Err(unnamed("", format!("{field} is missing"), map.keys().find_map(|key| did_you_mean(key, [field]))))
        }
        Some(_) => Err(unnamed(field, format!("{field} must be a string"), None)),
    };
    let api_version = text("apiVersion")?;
    let kind_name = text("kind")?;

    let mut reference = ObjectRef { api_version, kind: kind_name, namespace: String::new(), name: String::new() };
    let metadata: Metadata =
        read(map.get("metadata").unwrap_or(&Value::Null), Rules::Protobuf, "metadata", unknown_fields)
            .map_err(|failure| error(None, failure))?;
    // An object that is yet to be named by the API server is still worth checking.
    let name = match (metadata.name, metadata.generate_name) {
        (Some(name), _) if !name.is_empty() => name,
        (_, Some(prefix)) if !prefix.is_empty() => prefix,
        _ => return Err(unnamed("metadata.name", format!("{} has no metadata.name", reference.kind), None)),
    };
    reference.name = name;
    reference.namespace = match Kind::scope_of(reference.group(), &reference.kind) {
        Scope::Cluster => String::new(),
        Scope::Namespaced => {
            metadata.namespace.filter(|n| !n.is_empty()).unwrap_or_else(|| default_namespace.to_owned())
        }
    };
    let kind = known_kind(&reference)?;
    if kind.is_some() {
        check_names(&reference)?;
    }

    match kind {
        Some(Kind::Pod) => return trimmed::<PodManifest>(&reference, value, default_namespace, unknown_fields),
        Some(Kind::Node) => return trimmed::<NodeManifest>(&reference, value, default_namespace, unknown_fields),
        Some(Kind::EndpointSlice) => {
            return trimmed::<EndpointSliceManifest>(&reference, value, default_namespace, unknown_fields);
        }
        _ => {}
    }

    let spec = spec(kind, &reference, value, unknown_fields)?;
    let meta = ObjectMeta {
        name: reference.name.clone(),
        namespace: reference.namespace.clone(),
        labels: metadata.labels,
        annotations: metadata.annotations.filtered(|key, _| key != LAST_APPLIED),
        uid: metadata.uid,
        resource_version: metadata.resource_version,
        generation: metadata.generation,
        creation_timestamp: metadata.creation_timestamp,
    };
    Ok(Object { reference, meta, spec, content: content::hash(value) })
}

/// Reads an object of which only a part is kept. What is left out is none of the mesh's business, so nothing of it counts
/// as unknown.
fn trimmed<M: Manifest>(
    reference: &ObjectRef,
    value: &Value,
    default_namespace: &str,
    unknown_fields: &mut Vec<UnknownField>,
) -> Result<Object, Box<ObjectError>> {
    unknown_fields.clear();
    let manifest: M =
        read(value, Rules::Plain, "", &mut Vec::new()).map_err(|failure| error(Some(reference), failure))?;
    let mut object = manifest.into_object(default_namespace);
    // One that is yet to be named goes by its prefix.
    object.meta.name.clone_from(&reference.name);
    object.reference.name.clone_from(&reference.name);
    Ok(object)
}

/// Reads mesh-wide settings, for [`Object::attach_mesh_config`].
pub(super) fn mesh_config(
    reference: &ObjectRef,
    mesh: &Value,
    networks: &Value,
) -> Result<(MeshConfig, Vec<UnknownField>), Box<ObjectError>> {
    let mut unknown = Vec::new();
    let fail = |failure| error(Some(reference), failure);
    let mut config: MeshConfig = read(mesh, Rules::Protobuf, "data.mesh", &mut unknown).map_err(fail)?;
    config.networks = read(networks, Rules::Protobuf, "data.meshNetworks", &mut unknown).map_err(fail)?;
    Ok((config, unknown))
}

fn error(object: Option<&ObjectRef>, failure: Failure) -> Box<ObjectError> {
    Box::new(ObjectError {
        object: object.cloned(),
        field: failure.path,
        message: failure.message,
        suggestion: failure.suggestion,
    })
}

/// The kind, when the mesh reads it. In a group that is wholly known, an unknown kind or version is a mistake.
fn known_kind(reference: &ObjectRef) -> Result<Option<Kind>, Box<ObjectError>> {
    let group = reference.group();
    let wrong = |field: &str, message: String, suggestion: Option<String>| {
        Box::new(ObjectError { object: Some(reference.clone()), field: field.to_owned(), message, suggestion })
    };
    let Some(kind) = Kind::of(group, &reference.kind) else {
        if !Kind::owns_group(group) {
            return Ok(None);
        }
        let kinds = || Kind::ALL.iter().filter(|kind| kind.group() == group).map(|kind| kind.name());
        // The right kind under another Istio group is the commoner mistake.
        let elsewhere = Kind::ALL.iter().find(|kind| kind.name() == reference.kind && Kind::owns_group(kind.group()));
        let suggestion = match elsewhere {
            Some(kind) => Some(format!("write apiVersion: {}", kind.api_version())),
            None => did_you_mean(&reference.kind, kinds()),
        };
        return Err(wrong("kind", format!("{group} has no kind {:?}", reference.kind), suggestion));
    };
    let version = reference.api_version.rsplit('/').next().unwrap_or_default();
    if kind.versions().contains(&version) {
        Ok(Some(kind))
    } else {
        let known = kind.versions().join(", ");
        let message = format!("{kind} has no version {version:?}; known are {known}");
        Err(wrong("apiVersion", message, Some(format!("write apiVersion: {}", kind.api_version()))))
    }
}

/// Kubernetes' rule for names (RFC 1123): what breaks it would be refused by a cluster, and could not be told apart in
/// `namespace/name`.
fn check_names(reference: &ObjectRef) -> Result<(), Box<ObjectError>> {
    let valid = |name: &str, longest: usize| {
        name.len() <= longest
            && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.')
            && name.starts_with(|c: char| c.is_ascii_alphanumeric())
    };
    let (field, written) = if !valid(&reference.name, 253) {
        ("metadata.name", &reference.name)
    } else if !reference.namespace.is_empty() && (!valid(&reference.namespace, 63) || reference.namespace.contains('.'))
    {
        ("metadata.namespace", &reference.namespace)
    } else {
        return Ok(());
    };
    let shown: String = written.chars().take(80).collect();
    Err(Box::new(ObjectError {
        object: Some(reference.clone()),
        field: field.to_owned(),
        message: format!("{shown:?} is not a name: use lower-case letters, digits and '-'"),
        suggestion: None,
    }))
}

/// A Service's own fields; the rest of the object is metadata and status.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Envelope<T> {
    spec: T,
}

fn spec(
    kind: Option<Kind>,
    reference: &ObjectRef,
    value: &Value,
    unknown: &mut Vec<UnknownField>,
) -> Result<Spec, Box<ObjectError>> {
    /// Reads `spec` of one of the mesh's kinds and notes what stands beside it.
    fn typed<T: for<'v> Deserialize<'v>>(
        reference: &ObjectRef,
        value: &Value,
        unknown: &mut Vec<UnknownField>,
    ) -> Result<Arc<T>, Box<ObjectError>> {
        beside(value, &["spec"], unknown);
        read(value.get("spec").unwrap_or(&Value::Null), Rules::Protobuf, "spec", unknown)
            .map(Arc::new)
            .map_err(|failure| error(Some(reference), failure))
    }
    fn whole<T: for<'v> Deserialize<'v>>(
        reference: &ObjectRef,
        value: &Value,
        unknown: &mut Vec<UnknownField>,
    ) -> Result<Arc<T>, Box<ObjectError>> {
        let before = unknown.len();
        let object = read(value, Rules::Plain, "", unknown);
        // Metadata has been looked at already.
        let mut index = 0;
        unknown.retain(|found| {
            index += 1;
            index <= before || !found.field.starts_with("metadata")
        });
        object.map(Arc::new).map_err(|failure| error(Some(reference), failure))
    }
    Ok(match kind {
        Some(Kind::VirtualService) => Spec::VirtualService(typed(reference, value, unknown)?),
        Some(Kind::DestinationRule) => Spec::DestinationRule(typed(reference, value, unknown)?),
        Some(Kind::Gateway) => Spec::Gateway(typed(reference, value, unknown)?),
        Some(Kind::ServiceEntry) => Spec::ServiceEntry(typed(reference, value, unknown)?),
        Some(Kind::Sidecar) => Spec::Sidecar(typed(reference, value, unknown)?),
        Some(Kind::WorkloadEntry) => Spec::WorkloadEntry(typed(reference, value, unknown)?),
        Some(Kind::PeerAuthentication) => Spec::PeerAuthentication(typed(reference, value, unknown)?),
        Some(Kind::AuthorizationPolicy) => Spec::AuthorizationPolicy(typed(reference, value, unknown)?),
        Some(Kind::RequestAuthentication) => Spec::RequestAuthentication(typed(reference, value, unknown)?),
        Some(Kind::Telemetry) => Spec::Telemetry(typed(reference, value, unknown)?),
        Some(Kind::Mesh) => Spec::Mesh(typed(reference, value, unknown)?),
        Some(Kind::Service) => {
            beside(value, &["spec"], unknown);
            let mut envelope = Vec::new();
            let read: Result<Envelope<v1::ServiceSpec>, _> = read(value, Rules::Plain, "", &mut envelope);
            unknown.extend(envelope.into_iter().filter(|found| found.field.starts_with("spec.")));
            Spec::Service(Arc::new(read.map_err(|failure| error(Some(reference), failure))?.spec))
        }
        Some(Kind::Namespace) => Spec::Namespace,
        Some(Kind::ConfigMap) => Spec::ConfigMap(whole::<v1::ConfigMap>(reference, value, unknown)?.without_metadata()),
        Some(Kind::Secret) => Spec::Secret(whole::<v1::Secret>(reference, value, unknown)?.without_metadata()),
        // Read before.
        Some(Kind::Pod | Kind::Node | Kind::EndpointSlice)
        | Some(Kind::WorkloadGroup | Kind::EnvoyFilter | Kind::ProxyConfig | Kind::WasmPlugin)
        | None => Spec::Other(Arc::new(value.clone())),
    })
}

/// Notes top-level fields that belong to no object of this kind, such as a `spec` that was indented wrongly.
fn beside(value: &Value, own: &[&str], unknown: &mut Vec<UnknownField>) {
    const COMMON: [&str; 4] = ["apiVersion", "kind", "metadata", "status"];
    let Value::Object(map) = value else { return };
    for key in map.keys() {
        if !COMMON.contains(&key.as_str()) && !own.contains(&key.as_str()) {
            let mut field = String::new();
            crate::field::push_key(&mut field, key);
            let suggestion = did_you_mean(key, own.iter().copied().chain(COMMON));
            unknown.push(UnknownField { field, suggestion });
        }
    }
}
