//! A container `istio-proxy` that the pod's author wrote: its fields go before ours, as in Istio.

use serde_json::{Value, json};

use crate::proxy::CONTAINER;

/// Lays `over` on `base`: objects field by field, lists of named things by name, anything else as a whole.
pub(super) fn merge(base: &mut Value, over: Value) {
    match (base, over) {
        (Value::Object(base), Value::Object(over)) => {
            for (key, value) in over {
                match base.get_mut(&key) {
                    Some(present) => merge(present, value),
                    None => {
                        base.insert(key, value);
                    }
                }
            }
        }
        (Value::Array(base), Value::Array(over)) if over.iter().all(|item| id(item).is_some()) => {
            for item in over {
                match base.iter_mut().find(|present| id(present) == id(&item)) {
                    // An environment variable has a value or a source, never a bit of each.
                    Some(present) => *present = item,
                    None => base.push(item),
                }
            }
        }
        (base, over) => *base = over,
    }
}

/// What tells an item of a list from the others.
fn id(item: &Value) -> Option<&Value> {
    ["mountPath", "containerPort", "name"].iter().find_map(|key| item.get(*key))
}

/// Takes the author's `istio-proxy` out of `pod` and lays it on `container`; what was written, to be brought back.
pub(super) fn take_over(pod: &mut Value, container: &mut Value) -> Option<Value> {
    let mut originals = json!({});
    for field in ["containers", "initContainers"] {
        let Some(list) = pod["spec"][field].as_array_mut() else { continue };
        let (own, rest) = std::mem::take(list).into_iter().partition(|container| container["name"] == CONTAINER);
        *list = rest;
        let own: Vec<Value> = own;
        for written in &own {
            let mut over = written.clone();
            // `auto` stands for our image where the API server demands one. To an image without a tag it has added a policy
            // of its own by then.
            if over["image"] == "auto"
                && let Some(map) = over.as_object_mut()
            {
                map.shift_remove("image");
                if map.get("imagePullPolicy").is_some_and(|policy| policy == "Always") {
                    map.shift_remove("imagePullPolicy");
                }
            }
            merge(container, over);
        }
        if !own.is_empty() {
            originals[field] = own.into();
        }
    }
    originals.as_object().is_some_and(|map| !map.is_empty()).then_some(originals)
}
