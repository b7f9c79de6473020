//! An injected pod, brought back to what its author wrote. What was done is told by the pod itself, so that a pod which
//! another version injected comes out right as well.

use serde_json::{Map, Value};

use super::{probes, prometheus, table};
use crate::proxy::CONTAINER;

/// Marks an injected pod and says what was added.
pub(super) const STATUS: &str = "sidecar.istio.io/status";
/// The containers that the author wrote and injection merged.
pub(super) const OVERRIDES: &str = "proxy.istio.io/overrides";

pub(super) fn restore(pod: &mut Value) {
    let Some(status) = annotation(pod, STATUS) else { return };
    let mut moved = Map::new();
    for field in ["containers", "initContainers"] {
        for container in pod["spec"][field].as_array().into_iter().flatten().filter(|c| c["name"] == CONTAINER) {
            let variable =
                container["env"].as_array().into_iter().flatten().find(|env| env["name"] == "WEFT_APP_PROBES");
            let text = variable.and_then(|variable| variable["value"].as_str()).unwrap_or_default();
            if let Ok(Value::Object(map)) = serde_json::from_str(text) {
                moved = map;
            }
        }
    }
    probes::restore(pod, &moved);
    for field in ["containers", "initContainers", "volumes", "imagePullSecrets"] {
        remove(pod, field, &status[field]);
    }
    if let Some(overrides) = annotation(pod, OVERRIDES) {
        for field in ["containers", "initContainers"] {
            if let (Some(own), Some(list)) = (overrides[field].as_array(), super::list(pod, field)) {
                list.extend(own.clone());
            }
        }
    }
    if let Value::Object(written) = &status["prometheus"] {
        prometheus::restore(pod, written);
    }
    if let Some(annotations) = table(pod, "annotations") {
        annotations.shift_remove(STATUS);
        annotations.shift_remove(OVERRIDES);
    }
}

fn annotation(pod: &Value, key: &str) -> Option<Value> {
    let text = pod["metadata"]["annotations"][key].as_str()?;
    Some(serde_json::from_str(text).unwrap_or(Value::Null))
}

/// Removes the items of these names; a list that becomes empty was not there before.
fn remove(pod: &mut Value, field: &str, names: &Value) {
    let Some(names) = names.as_array().filter(|names| !names.is_empty()) else { return };
    let Some(spec) = pod.get_mut("spec").and_then(Value::as_object_mut) else { return };
    if let Some(Value::Array(list)) = spec.get_mut(field) {
        list.retain(|item| !names.contains(&item["name"]));
        if list.is_empty() && field != "containers" {
            spec.shift_remove(field);
        }
    }
}
