//! What rendering is made of.

use std::sync::Arc;

use serde_json::Value;
use weft_api::{ObjectError, Spec, mesh::MeshSpec};

use crate::RenderError;

/// What a cluster can do, as far as rendering asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// Kubernetes' minor version: 35 of 1.35.
    pub kubernetes_minor: u32,
    /// Whether `podmonitors.monitoring.coreos.com` is served.
    pub pod_monitor: bool,
}

impl Capabilities {
    /// Whether init containers may keep running (`restartPolicy: Always`, on by default since 1.29).
    pub fn native_sidecars(&self) -> bool {
        self.kubernetes_minor >= 29
    }
}

impl Default for Capabilities {
    /// A cluster of today without the Prometheus operator: what is rendered when none is asked.
    fn default() -> Self {
        Self { kubernetes_minor: 35, pod_monitor: false }
    }
}

/// A Mesh and what the rest depends on.
#[derive(Clone, Debug)]
pub struct MeshInput {
    /// What is wanted.
    pub mesh: Arc<MeshSpec>,
    /// `spec.meshConfig` as written: an object.
    pub mesh_config_json: Value,
    /// Name of the Mesh object.
    pub name: String,
    /// Its UID, which owner references need; without it none are rendered.
    pub uid: Option<String>,
    /// Namespace of the installation.
    pub namespace: String,
    /// What the cluster can do.
    pub capabilities: Capabilities,
    /// Roots that the API server trusts the webhooks by, PEM. Without them no webhook is rendered, because calls to it
    /// could only fail.
    pub ca_bundle: Option<String>,
    /// Whether a replica of the control plane is ready, so that validation may refuse what it cannot ask about.
    pub ready: bool,
}

impl MeshInput {
    /// Reads a Mesh as an API server or a file has it.
    ///
    /// # Errors
    /// Everything that cannot be rendered, unknown fields included: an override that is silently dropped would be
    /// missed only in production.
    pub fn from_json(mesh: &Value, namespace: &str, capabilities: Capabilities) -> Result<Self, RenderError> {
        let parsed = weft_api::parse(mesh, "").map_err(|error| RenderError::from(*error))?;
        let Spec::Mesh(spec) = &parsed.object.spec else {
            return Err(RenderError::from(ObjectError {
                object: Some(parsed.object.reference.clone()),
                field: "kind".into(),
                message: "is no Mesh".into(),
                suggestion: Some("write apiVersion: weft.dev/v1alpha1 and kind: Mesh".into()),
            }));
        };
        let mut problems = parsed.object.validate();
        let unknown = parsed.unknown_fields.into_iter().filter(|found| found.field.starts_with("spec"));
        problems.extend(unknown.map(|found| ObjectError {
            object: Some(parsed.object.reference.clone()),
            field: found.field,
            message: "a Mesh has no such field".into(),
            suggestion: found.suggestion,
        }));
        if !problems.is_empty() {
            return Err(RenderError { problems });
        }
        Ok(Self {
            mesh: Arc::clone(spec),
            mesh_config_json: match &mesh["spec"]["meshConfig"] {
                written @ Value::Object(_) => written.clone(),
                _ => Value::Object(serde_json::Map::new()),
            },
            name: parsed.object.meta.name.clone(),
            uid: parsed.object.meta.uid.clone(),
            namespace: namespace.to_owned(),
            capabilities,
            ca_bundle: None,
            ready: false,
        })
    }
}
