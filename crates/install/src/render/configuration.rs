//! What is no program: the priority class and the settings that the control plane reads.

use serde_json::{Value, json};

use super::frame::Frame;
use crate::{InjectConfig, names};

/// PriorityClass of the installation's pods, before the revision. What a class says of preemption cannot change, so
/// another choice there needs another name.
pub(super) const PRIORITY_CLASS: &str = "weft-priority";
const COMPONENT: &str = "configuration";

pub(super) fn objects(frame: &Frame<'_>) -> Vec<Value> {
    let mut mesh = frame.input.mesh_config_json.clone();
    for (key, value) in
        [("trustDomain", &frame.settings.trust_domain), ("rootNamespace", &frame.settings.root_namespace)]
    {
        mesh[key] = value.as_str().into();
    }
    let injection = json!(InjectConfig::new(frame.input));
    vec![
        priority_class(frame.cluster_meta(COMPONENT, &frame.name(PRIORITY_CLASS))),
        json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": frame.meta(COMPONENT, &frame.name(names::MESH_CONFIG_MAP)),
            "data": {names::MESH_KEY: text(&mesh), names::INJECTION_KEY: text(&injection)},
        }),
    ]
}

/// A PriorityClass for pods of ours.
pub(super) fn priority_class(meta: Value) -> Value {
    json!({
        "apiVersion": "scheduling.k8s.io/v1",
        "kind": "PriorityClass",
        "metadata": meta,
        // The highest that is not reserved: system-cluster-critical is for kube-system by quota on many clusters.
        "value": 1_000_000_000,
        "globalDefault": false,
        // First in the queue and last to be evicted; a second control plane on a full node waits and displaces nobody.
        "preemptionPolicy": "Never",
        "description": "Pods of Weft: applications need them to start and to be reached.",
    })
}

fn text(value: &Value) -> String {
    format!("{value:#}\n")
}
