//! Injection into manifests, offline: pods and whatever holds a template of them.

use serde_json::{Value, json};

use super::{InjectConfig, InjectError, Injection, inject};

/// What the author of an injected object should know, by [`warnings`](super::warnings); of a List, of each in it.
pub fn object_warnings(object: &Value) -> Vec<String> {
    let kind = object["kind"].as_str().unwrap_or_default();
    if kind == "List" {
        return object["items"].as_array().into_iter().flatten().flat_map(object_warnings).collect();
    }
    let pod = template(kind).and_then(|pointer| object.pointer(pointer));
    let named = |words: String| format!("{kind} {}: {words}", object["metadata"]["name"].as_str().unwrap_or_default());
    pod.map(super::warnings).unwrap_or_default().into_iter().map(named).collect()
}

/// Why an object gets no proxy although its author may expect it: it is no whole Kubernetes object, or makes a pod and does not
/// say which. Of a List, of each in it.
pub fn incomplete(object: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (kind, name) = (text(&object["kind"]), text(&object["metadata"]["name"]));
    if kind == "List" {
        return object["items"].as_array().into_iter().flatten().flat_map(incomplete).collect();
    }
    let what = [kind.as_str(), name.as_str()].into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    let what = if what.is_empty() { "an object" } else { &what };
    let mut told = Vec::new();
    for field in ["apiVersion", "kind"] {
        if text(&object[field]).is_empty() {
            told.push(format!("{what} has no {field}: no API server takes it so"));
        }
    }
    if let Some(pointer) = template(&kind)
        && !object.pointer(pointer).is_some_and(|pod| pod["spec"].is_object())
    {
        let path = format!("{pointer}/spec").trim_start_matches('/').replace('/', ".");
        told.push(format!("{what} has no {path}, so that it gets no proxy"));
    }
    told
}

/// The path to the pod or the template in an object of this kind; nothing for kinds that have none.
fn template(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "Pod" => "",
        "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet" | "ReplicationController" | "Job" | "Rollout" => {
            "/spec/template"
        }
        "CronJob" => "/spec/jobTemplate/spec/template",
        _ => return None,
    })
}

/// Injects the pod that `object` is or makes, in `namespace` where it names none; of a `List`, those of each item. Nothing when there is none, or when it
/// gets no proxy.
///
/// # Errors
/// An annotation that cannot be obeyed; the field's path begins at `object`.
pub fn inject_object(object: &Value, namespace: &str, config: &InjectConfig) -> Result<Option<Value>, InjectError> {
    let kind = object["kind"].as_str().unwrap_or_default();
    if kind == "List" {
        return inject_list(object, namespace, config);
    }
    let Some(pointer) = template(kind) else { return Ok(None) };
    let Some(pod) = object.pointer(pointer).filter(|pod| pod["spec"].is_object()) else { return Ok(None) };
    let mut pod = pod.clone();
    let named = kind == "Pod";
    if !named {
        // A template has no name, and the pods' canonical name may come from what makes them.
        pod["metadata"]["generateName"] = object["metadata"]["name"].clone();
    }
    let namespace = object["metadata"]["namespace"].as_str().unwrap_or(namespace);
    let injected = inject(&pod, namespace, config).map_err(|error| InjectError {
        field: format!(
            "{}{}",
            pointer.trim_start_matches('/').replace('/', ".") + if named { "" } else { "." },
            error.field
        ),
        ..error
    })?;
    let Injection::Patched(mut injected) = injected else { return Ok(None) };
    if !named && let Some(metadata) = injected["metadata"].as_object_mut() {
        metadata.shift_remove("generateName");
    }
    let mut result = object.clone();
    match result.pointer_mut(pointer) {
        Some(slot) => *slot = *injected,
        None => return Ok(None),
    }
    Ok(Some(result))
}

fn inject_list(object: &Value, namespace: &str, config: &InjectConfig) -> Result<Option<Value>, InjectError> {
    let mut changed = false;
    let mut items = Vec::new();
    for (index, item) in object["items"].as_array().into_iter().flatten().enumerate() {
        let injected = inject_object(item, namespace, config)
            .map_err(|error| InjectError { field: format!("items[{index}].{}", error.field), ..error })?;
        changed |= injected.is_some();
        items.push(injected.unwrap_or_else(|| item.clone()));
    }
    let mut list = object.clone();
    list["items"] = json!(items);
    Ok(changed.then_some(list))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_whole_is_told() {
        let spec = json!({"containers": [{"name": "a"}]});
        let told = |object: Value| incomplete(&object);
        assert!(told(json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": spec})).is_empty());
        assert!(told(json!({"apiVersion": "v1", "kind": "Service"})).is_empty());
        let one = told(json!({"kind": "Pod", "metadata": {"name": "a"}, "spec": spec}));
        assert_eq!(one, ["Pod a has no apiVersion: no API server takes it so"]);
        let two = told(json!({"kind": "List", "items": [{"apiVersion": "apps/v1", "kind": "Deployment"}, {}]}));
        assert_eq!(two.len(), 3, "{two:?}");
        assert_eq!(two[0], "Deployment has no spec.template.spec, so that it gets no proxy");
        assert!(two[1].starts_with("an object has no apiVersion"), "{two:?}");
    }
}
