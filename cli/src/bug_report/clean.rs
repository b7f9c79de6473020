//! Objects without what is nobody's business and what only makes them long.

mod configuration;
mod dump;

use serde_json::{Map, Value, json};
use weft_install::names;

pub use dump::clean_dump;

/// Annotations that repeat the object or carry what tools put there.
const LONG: [&str; 1] = ["kubectl.kubernetes.io/last-applied-configuration"];

/// Containers of ours, as they are rendered and injected.
const OUR_CONTAINERS: [&str; 5] = ["istio-proxy", "istio-init", "operator", "control-plane", "console"];
/// The last parts of their images' names.
const OUR_IMAGES: [&str; 3] = ["operator", "proxy", "console"];
/// A variable of ours that repeats what the pod's author wrote: headers of probes.
const PROBES: &str = "WEFT_APP_PROBES";

/// What stands for what was there.
const LEFT_OUT: &str = "(left out)";

/// Cuts an object down. Values of a pod's environment are left out, and so are the headers of its probes and the command lines
/// of containers that are not ours, and values that configuration gives headers and plugins: people put passwords there.
pub fn clean(object: &mut Value) {
    if let Some(meta) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        meta.remove("managedFields");
        if let Some(annotations) = meta.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.retain(|name, _| !LONG.contains(&name.as_str()));
        }
    }
    hide_environment(object);
    hide_commands(object);
    configuration::hide(object);
    // Settings in ConfigMaps are JSON as well.
    for (_, value) in object.get_mut("data").and_then(Value::as_object_mut).into_iter().flatten() {
        let inner = value.as_str().and_then(|text| serde_json::from_str::<Value>(text).ok());
        if let Some(mut inner) = inner.filter(Value::is_object) {
            clean(&mut inner);
            *value = format!("{inner:#}\n").into();
        }
    }
}

/// Whether a container runs a program of ours: all that its command line holds was rendered by us.
fn is_ours(container: &Map<String, Value>) -> bool {
    let text = |key: &str| container.get(key).and_then(Value::as_str).unwrap_or_default();
    let name = text("image").split('@').next().unwrap_or_default().rsplit('/').next().unwrap_or_default();
    let program = name.split(':').next().unwrap_or_default();
    OUR_CONTAINERS.contains(&text("name")) && OUR_IMAGES.contains(&program)
}

/// Whether a ConfigMap was written for the mesh: any other of the namespace may hold what is nobody's business.
pub fn is_our_config_map(map: &Value) -> bool {
    let meta = &map["metadata"];
    let name = meta["name"].as_str().unwrap_or_default();
    let settings = name.strip_prefix(names::MESH_CONFIG_MAP);
    meta["labels"]["app.kubernetes.io/part-of"] == "weft"
        || meta["labels"][names::MESH_LABEL].is_string()
        || name == names::ROOT_CONFIG_MAP
        || settings.is_some_and(|revision| revision.is_empty() || revision.starts_with('-'))
}

fn hide_commands(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for list in ["containers", "initContainers", "ephemeralContainers"] {
                let containers = fields.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten();
                for container in containers.filter_map(Value::as_object_mut).filter(|container| !is_ours(container)) {
                    for line in ["command", "args"] {
                        if let Some(line) = container.get_mut(line) {
                            *line = json!([LEFT_OUT]);
                        }
                    }
                    // Probes and hooks may be command lines as well.
                    container.values_mut().for_each(hide_exec);
                }
            }
            for header in fields.get_mut("httpHeaders").and_then(Value::as_array_mut).into_iter().flatten() {
                if let Some(value) = header.get_mut("value") {
                    *value = LEFT_OUT.into();
                }
            }
            fields.values_mut().for_each(hide_commands);
        }
        Value::Array(values) => values.iter_mut().for_each(hide_commands),
        _ => {}
    }
}

fn hide_exec(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            if let Some(command) = fields.get_mut("exec").and_then(|exec| exec.get_mut("command")) {
                *command = json!([LEFT_OUT]);
            }
            fields.values_mut().for_each(hide_exec);
        }
        Value::Array(values) => values.iter_mut().for_each(hide_exec),
        _ => {}
    }
}

fn is_setting(name: &str) -> bool {
    name.starts_with("WEFT_") && name != PROBES
}

fn hide_environment(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            if let Some(Value::Array(variables)) = fields.get_mut("env") {
                for variable in variables.iter_mut().filter_map(Value::as_object_mut) {
                    let ours = variable.get("name").and_then(Value::as_str).is_some_and(is_setting);
                    if let Some(value) = variable.get_mut("value").filter(|_| !ours) {
                        *value = LEFT_OUT.into();
                    }
                }
            }
            // As a Mesh writes it: by name.
            if let Some(Value::Object(variables)) = fields.get_mut("env") {
                for (_, value) in variables.iter_mut().filter(|(name, _)| !is_setting(name)) {
                    *value = LEFT_OUT.into();
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
    use super::*;

    #[test]
    fn command_lines_and_headers_are_ours_or_left_out() {
        let get = json!({"httpGet": {"httpHeaders": [{"name": "Authorization", "value": "hunter2"}], "path": "/"}});
        let mut pod = json!({"spec": {
            "containers": [
                {"name": "db", "image": "db:1", "command": ["db", "--password=hunter2"], "args": ["hunter2"],
                    "livenessProbe": {"exec": {"command": ["ping", "hunter2"]}}, "readinessProbe": get,
                    "lifecycle": {"preStop": {"exec": {"command": ["hunter2"]}}}},
                {"name": "istio-proxy", "image": "registry:5000/weft/proxy:1@sha256:00", "args": ["--drain-time=5s"],
                    "env": [{"name": "WEFT_APP_PROBES", "value": "hunter2"}]},
                {"name": "proxy", "image": "acme/proxy:1", "args": ["hunter2"]},
            ],
            "initContainers": [{"name": "migrate", "image": "db:1", "command": ["hunter2"]}],
        }});
        clean(&mut pod);
        assert!(!pod.to_string().contains("hunter2"), "{pod}");
        assert_eq!(pod["spec"]["containers"][1]["args"], json!(["--drain-time=5s"]));
        assert_eq!(pod["spec"]["containers"][0]["command"], json!([LEFT_OUT]));
        assert!(pod.to_string().contains("Authorization"));
    }

    #[test]
    fn settings_of_others_are_not_ours() {
        let map = |name: &str, labels: Value| json!({"metadata": {"name": name, "labels": labels}});
        for ours in [
            map("weft-mesh", Value::Null),
            map("weft-mesh-v2", Value::Null),
            map("weft-ca-root-cert", Value::Null),
            map("any", json!({"app.kubernetes.io/part-of": "weft"})),
            map("any", json!({"weft.dev/mesh": "main"})),
        ] {
            assert!(is_our_config_map(&ours), "{ours}");
        }
        for other in ["kube-root-ca.crt", "passwords", "weft-meshes"] {
            assert!(!is_our_config_map(&map(other, json!({"app.kubernetes.io/part-of": "shop"}))), "{other}");
        }
    }

    #[test]
    fn settings_in_a_config_map_are_cleaned_too() {
        let mesh = json!({"env": {"PASSWORD": "hunter2"}, "extensionProviders": [{"x": {"headers": [{"name": "key", "value": "hunter2"}]}}]});
        let mut map = json!({"metadata": {"name": "weft-mesh"}, "data": {"mesh": mesh.to_string(), "root-cert.pem": "PEM", "n": "7"}});
        clean(&mut map);
        let text = map["data"]["mesh"].as_str().unwrap();
        assert!(!text.contains("hunter2") && text.contains("PASSWORD") && text.contains("key"), "{text}");
        assert_eq!((&map["data"]["root-cert.pem"], &map["data"]["n"]), (&json!("PEM"), &json!("7")));
    }

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
