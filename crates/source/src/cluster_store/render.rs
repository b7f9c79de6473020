//! Objects as people would write them.

use serde_json::Value;
use weft_api::core::LAST_APPLIED;

/// Metadata that the API server writes.
pub(super) const SERVER_METADATA: [&str; 8] = [
    "managedFields",
    "resourceVersion",
    "generation",
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "selfLink",
];

/// The object as YAML, without what the API server put in and without the values of a Secret.
pub(super) fn yaml(object: &Value) -> String {
    let mut object = object.clone();
    if let Value::Object(map) = &mut object {
        map.shift_remove("status");
        if map.get("kind").and_then(Value::as_str) == Some("Secret") {
            for part in ["data", "stringData"] {
                if let Some(Value::Object(data)) = map.get_mut(part) {
                    data.values_mut().for_each(|value| *value = "(not shown)".into());
                }
            }
        }
        if let Some(Value::Object(metadata)) = map.get_mut("metadata") {
            metadata.retain(|key, _| !SERVER_METADATA.contains(&key.as_str()));
            let empty = match metadata.get_mut("annotations") {
                Some(Value::Object(annotations)) => {
                    annotations.shift_remove(LAST_APPLIED);
                    annotations.is_empty()
                }
                _ => false,
            };
            if empty {
                metadata.shift_remove("annotations");
            }
        }
        // The order that everybody writes.
        let rank = |key: &str| ["apiVersion", "kind", "metadata"].iter().position(|k| *k == key).unwrap_or(3);
        let mut entries: Vec<_> = std::mem::take(map).into_iter().collect();
        entries.sort_by_key(|(key, _)| rank(key));
        map.extend(entries);
    }
    crate::draft::to_yaml(&object)
}
