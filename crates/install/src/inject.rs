//! From a pod to its injected self, by Istio's rules.

mod annotations;
mod build;
mod capture;
mod config;
mod decide;
mod known;
mod labels;
pub mod manifest;
mod merge;
mod probes;
mod prometheus;
mod restore;
mod spans;
mod warn;

use serde_json::Value;

pub use config::InjectConfig;
pub use decide::Skip;
pub use warn::{mesh_warnings, warnings};

/// What became of a pod.
#[derive(Clone, Debug, PartialEq)]
pub enum Injection {
    /// It stays as it is.
    Skipped(Skip),
    /// The pod with a proxy. The same as what came in when it had been injected before.
    Patched(Box<Value>),
}

/// Why a pod that wants a proxy cannot have one: a wrong annotation, with its remedy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {message}")]
pub struct InjectError {
    /// Path in the pod, such as `metadata.annotations["sidecar.istio.io/proxyCPU"]`.
    pub field: String,
    /// One sentence with the remedy.
    pub message: String,
}

/// Injects `pod` (a Pod's JSON, or `{metadata, spec}` of a template), which is made in `namespace`. A pod that was injected before is first brought
/// back to what its author wrote, so that another version or revision can inject it anew.
///
/// # Errors
/// An annotation that cannot be obeyed.
pub fn inject(pod: &Value, namespace: &str, config: &InjectConfig) -> Result<Injection, InjectError> {
    if let Some(skip) = decide::decide(pod, namespace, config) {
        return Ok(Injection::Skipped(skip));
    }
    let mut injected = pod.clone();
    if !injected["metadata"].is_object() {
        injected["metadata"] = Value::Object(serde_json::Map::new());
    }
    restore::restore(&mut injected);
    build::build(&mut injected, config)?;
    Ok(Injection::Patched(Box::new(injected)))
}

/// The list at `pod.spec.<field>`, made when it is not there.
fn list<'v>(pod: &'v mut Value, field: &str) -> Option<&'v mut Vec<Value>> {
    let slot = pod.get_mut("spec")?.as_object_mut()?.entry(field).or_insert(Value::Null);
    if slot.is_null() {
        *slot = Value::Array(Vec::new());
    }
    slot.as_array_mut()
}

/// The map at `pod.metadata.<field>`, made when it is not there.
fn table<'v>(pod: &'v mut Value, field: &str) -> Option<&'v mut serde_json::Map<String, Value>> {
    let slot = pod.get_mut("metadata")?.as_object_mut()?.entry(field).or_insert(Value::Null);
    if slot.is_null() {
        *slot = Value::Object(serde_json::Map::new());
    }
    slot.as_object_mut()
}

#[cfg(test)]
mod tests;
