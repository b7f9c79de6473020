//! Probes of applications, asked through the proxy: the kubelet has no certificate, and a redirected probe would say
//! something of the proxy and not of the application.

use serde_json::{Map, Value, json};

use crate::proxy::{CONTAINER, INIT_CONTAINER};

const STATUS_PORT: u16 = 15020;
const PROBES: [(&str, &str); 3] =
    [("readinessProbe", "readyz"), ("livenessProbe", "livez"), ("startupProbe", "startupz")];
const HANDLERS: [(&str, &str); 2] = [("preStop", "prestopz"), ("postStart", "poststartz")];

/// Containers whose probes are the application's: native sidecars are init containers with probes.
fn containers(pod: &mut Value) -> impl Iterator<Item = &mut Value> {
    let spec = pod.get_mut("spec").and_then(Value::as_object_mut);
    let lists = spec
        .into_iter()
        .flat_map(|spec| spec.iter_mut().filter(|(key, _)| matches!(key.as_str(), "containers" | "initContainers")));
    lists
        .filter_map(|(_, list)| list.as_array_mut())
        .flatten()
        .filter(|container| container["name"] != CONTAINER && container["name"] != INIT_CONTAINER)
}

/// Points probes and HTTP lifecycle handlers to the proxy; what they did, by path, as Istio's `ISTIO_KUBE_APP_PROBERS`.
pub(super) fn rewrite(pod: &mut Value) -> Map<String, Value> {
    let mut moved = Map::new();
    for container in containers(pod) {
        let Some(name) = container["name"].as_str().map(str::to_owned) else { continue };
        let ports = container["ports"].clone();
        for (field, word) in PROBES {
            if let Some(probe) = container.get_mut(field).filter(|probe| probe.is_object()) {
                let path = format!("/app-health/{name}/{word}");
                let timeout = probe["timeoutSeconds"].as_u64();
                if let Some(mut action) = redirect(probe, &path, &ports) {
                    if let Some(timeout) = timeout {
                        action["timeoutSeconds"] = timeout.into();
                    }
                    moved.insert(path, action);
                }
            }
        }
        for (field, word) in HANDLERS {
            let handler = container.get_mut("lifecycle").and_then(|lifecycle| lifecycle.get_mut(field));
            if let Some(handler) = handler.filter(|handler| handler["httpGet"].is_object()) {
                let path = format!("/app-lifecycle/{name}/{word}");
                if let Some(action) = redirect(handler, &path, &ports) {
                    moved.insert(path, action);
                }
            }
        }
    }
    moved
}

/// Replaces the action of `probe` by a question to the proxy and gives the action, its port as a number.
fn redirect(probe: &mut Value, path: &str, ports: &Value) -> Option<Value> {
    let map = probe.as_object_mut()?;
    let kind =
        ["httpGet", "tcpSocket", "grpc"].into_iter().find(|kind| map.get(*kind).is_some_and(Value::is_object))?;
    let port = number(&map[kind]["port"], ports)?;
    let mut action = map.shift_remove(kind)?;
    action["port"] = port.into();
    map.insert("httpGet".into(), json!({"path": path, "port": STATUS_PORT}));
    Some(json!({kind: action}))
}

/// A port by number, or by the name that the container gives it.
fn number(port: &Value, ports: &Value) -> Option<u64> {
    match port {
        Value::Number(number) => number.as_u64(),
        Value::String(name) => name.parse().ok().or_else(|| {
            let found = ports.as_array()?.iter().find(|port| port["name"] == name.as_str())?;
            found["containerPort"].as_u64()
        }),
        _ => None,
    }
    .filter(|port| (1..=65535).contains(port))
}

/// Puts the actions of `moved` back.
pub(super) fn restore(pod: &mut Value, moved: &Map<String, Value>) {
    for container in containers(pod) {
        let Some(name) = container["name"].as_str().map(str::to_owned) else { continue };
        for (field, word) in PROBES {
            if let Some(probe) = container.get_mut(field) {
                put_back(probe, &format!("/app-health/{name}/{word}"), moved);
            }
        }
        for (field, word) in HANDLERS {
            if let Some(handler) = container.get_mut("lifecycle").and_then(|lifecycle| lifecycle.get_mut(field)) {
                put_back(handler, &format!("/app-lifecycle/{name}/{word}"), moved);
            }
        }
    }
}

fn put_back(probe: &mut Value, path: &str, moved: &Map<String, Value>) {
    let (Some(map), Some(Value::Object(action))) = (probe.as_object_mut(), moved.get(path)) else { return };
    if map.get("httpGet").is_some_and(|get| get["path"] == path) {
        map.shift_remove("httpGet");
        let action = action.iter().filter(|(key, _)| *key != "timeoutSeconds");
        map.extend(action.map(|(key, value)| (key.clone(), value.clone())));
    }
}
