//! From a Mesh to every object that it installs.

pub mod bootstrap;
mod configuration;
mod console;
mod control_plane;
mod frame;
mod gateway;
pub mod leave;
mod monitoring;
mod pod;
pub mod rbac;
mod reader;
pub mod webhooks;

use serde_json::Value;

use crate::{MeshInput, RenderError, names, profile};
use frame::Frame;
pub(crate) use pod::{env, env_field, restricted};

/// Every object of `input`, in the order of installation: what others need comes first, webhooks come last. Each has
/// `apiVersion`, `kind`, `metadata` with the labels that pruning goes by. CRDs and the namespace are not among them.
///
/// # Errors
/// A Mesh that cannot be installed, with each reason.
pub fn render(input: &MeshInput) -> Result<Vec<Value>, RenderError> {
    let problems = weft_api::mesh::check(&input.mesh);
    if !problems.is_empty() {
        return Err(RenderError { problems });
    }
    let frame = Frame::new(input);
    let mesh = &input.mesh;
    let on = |component, name| profile::enabled(component, mesh.profile(), name);
    let components = &mesh.components;
    let mut objects = Vec::new();
    objects.extend(configuration::objects(&frame));
    if on(&components.control_plane, names::CONTROL_PLANE) {
        objects.extend(control_plane::objects(&frame));
    }
    if on(&components.ingress_gateway, names::INGRESS_GATEWAY) {
        objects.extend(gateway::objects(&frame));
    }
    if on(&components.console, names::CONSOLE) {
        objects.extend(console::objects(&frame));
    }
    objects.extend(monitoring::objects(&frame));
    objects.extend(webhooks::objects(&frame));
    objects.retain(|object| !object.is_null());
    // Stable: within a rank, components stay in the order above.
    objects.sort_by_key(rank);
    Ok(objects)
}

/// When an object is installed; removal goes the other way round.
pub fn rank(object: &Value) -> usize {
    const ORDER: [&str; 16] = [
        "Namespace",
        "CustomResourceDefinition",
        "PriorityClass",
        "ServiceAccount",
        "ClusterRole",
        "Role",
        "ClusterRoleBinding",
        "RoleBinding",
        "ConfigMap",
        "Service",
        "Deployment",
        "PodDisruptionBudget",
        "HorizontalPodAutoscaler",
        "PodMonitor",
        "MutatingWebhookConfiguration",
        "ValidatingWebhookConfiguration",
    ];
    let kind = object["kind"].as_str().unwrap_or_default();
    ORDER.iter().position(|known| *known == kind).unwrap_or(ORDER.len())
}

#[cfg(test)]
mod tests;
