//! Objects without what is nobody's business and what only makes them long.

use serde_json::Value;

/// Annotations that repeat the object or carry what tools put there.
const LONG: [&str; 1] = ["kubectl.kubernetes.io/last-applied-configuration"];

/// Cuts an object down. Values of a pod's environment are left out: people put passwords there.
pub fn clean(object: &mut Value) {
    if let Some(meta) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        meta.remove("managedFields");
        if let Some(annotations) = meta.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.retain(|name, _| !LONG.contains(&name.as_str()));
        }
    }
    hide_environment(object);
}

fn hide_environment(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            if let Some(Value::Array(variables)) = fields.get_mut("env") {
                for variable in variables.iter_mut().filter_map(Value::as_object_mut) {
                    let ours =
                        variable.get("name").and_then(Value::as_str).is_some_and(|name| name.starts_with("WEFT_"));
                    if let Some(value) = variable.get_mut("value").filter(|_| !ours) {
                        *value = Value::from("(left out)");
                    }
                }
            }
            // As a Mesh writes it: by name.
            if let Some(Value::Object(variables)) = fields.get_mut("env") {
                for (_, value) in variables.iter_mut().filter(|(name, _)| !name.starts_with("WEFT_")) {
                    *value = Value::from("(left out)");
                }
            }
            fields.values_mut().for_each(hide_environment);
        }
        Value::Array(values) => values.iter_mut().for_each(hide_environment),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn passwords_and_clutter_are_left_out() {
        let mut pod = json!({"metadata": {"name": "web", "managedFields": [{}], "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}", "a": "b"}},
            "spec": {"containers": [{"env": [{"name": "PASSWORD", "value": "hunter2"}, {"name": "WEFT_ROLE", "value": "sidecar"}, {"name": "X", "valueFrom": {}}]}]}});
        clean(&mut pod);
        assert!(!pod.to_string().contains("hunter2"));
        assert_eq!(pod["metadata"], json!({"name": "web", "annotations": {"a": "b"}}));
        assert_eq!(pod["spec"]["containers"][0]["env"][1]["value"], "sidecar");
        let mut mesh =
            json!({"spec": {"components": {"console": {"env": {"PASSWORD": "hunter2", "WEFT_LOG": "debug"}}}}});
        clean(&mut mesh);
        assert!(!mesh.to_string().contains("hunter2") && mesh.to_string().contains("debug"), "{mesh}");
    }
}
