//! Documents as JSON: reading and setting single values, and first texts.

use serde_json::{Map, Value, json};

use super::scene::Scene;

/// Sets the value at a path of keys; null, empty text, an empty list and an empty mapping take it away, and with it
/// whatever is empty then.
pub(super) fn set(at: &mut Value, path: &[&str], value: Value) {
    let Some((key, rest)) = path.split_first() else {
        *at = value;
        return;
    };
    if !at.is_object() {
        *at = Value::Object(Map::new());
    }
    let Some(map) = at.as_object_mut() else { return };
    if rest.is_empty() && !is_nothing(&value) {
        map.insert((*key).to_owned(), value);
        return;
    }
    if let Some(inner) = map.get_mut(*key) {
        set(inner, rest, value);
    } else if !is_nothing(&value) {
        let mut inner = Value::Object(Map::new());
        set(&mut inner, rest, value);
        map.insert((*key).to_owned(), inner);
    }
    if map.get(*key).is_some_and(is_nothing) {
        map.remove(*key);
    }
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
        _ => false,
    }
}

/// The value at a path of keys; null where there is none.
pub(super) fn get<'a>(at: &'a Value, path: &[&str]) -> &'a Value {
    path.iter().fold(at, |at, key| &at[*key])
}

/// The text at a path of keys.
pub(super) fn text(at: &Value, path: &[&str]) -> String {
    get(at, path).as_str().unwrap_or_default().to_owned()
}

/// A list at a path of keys.
pub(super) fn list<'a>(at: &'a Value, path: &[&str]) -> &'a [Value] {
    get(at, path).as_array().map_or(&[], Vec::as_slice)
}

/// The strings of a list at a path of keys.
pub(super) fn strings(at: &Value, path: &[&str]) -> Vec<String> {
    list(at, path).iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Whether a mapping has no keys but these.
pub(super) fn only(at: &Value, keys: &[&str]) -> bool {
    at.as_object().is_none_or(|map| map.keys().all(|key| keys.contains(&key.as_str())))
}

/// A new document.
pub(super) fn new(kind: &str, namespace: &str, name: &str, spec: Value) -> Value {
    let group = if matches!(kind, "PeerAuthentication" | "AuthorizationPolicy") { "security" } else { "networking" };
    json!({
        "apiVersion": format!("{group}.istio.io/v1"),
        "kind": kind,
        "metadata": { "name": name, "namespace": namespace },
        "spec": spec,
    })
}

/// The VirtualService as it is, or a new one that sends everything to the service.
pub(super) fn routes(scene: &Scene) -> Value {
    scene.routes.as_ref().map_or_else(
        || {
            let spec =
                json!({ "hosts": [scene.short], "http": [{ "route": [{ "destination": { "host": scene.short } }] }] });
            new("VirtualService", &scene.namespace, &scene.name, spec)
        },
        |document| document.value.clone(),
    )
}

/// The DestinationRule as it is, or a new one that says nothing yet.
pub(super) fn rule(scene: &Scene) -> Value {
    scene.rule.as_ref().map_or_else(
        || new("DestinationRule", &scene.namespace, &scene.name, json!({ "host": scene.short })),
        |document| document.value.clone(),
    )
}

/// The DestinationRule with subsets for these versions added.
pub(super) fn with_subsets(scene: &Scene, versions: &[String]) -> Value {
    let mut rule = rule(scene);
    let mut subsets = list(&rule, &["spec", "subsets"]).to_vec();
    for version in versions {
        let known = subsets.iter().any(|subset| subset["name"] == version.as_str());
        if let Some(labels) = scene.versions.get(version).filter(|_| !known) {
            subsets.push(json!({ "name": version, "labels": labels }));
        }
    }
    set(&mut rule, &["spec", "subsets"], Value::Array(subsets));
    rule
}
