//! From a JSON schema to the structural kind that CustomResourceDefinitions take: no references, one type for each
//! value, `nullable` instead of a null type.

use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::{Map, Value};

/// What structural schemas have no room for, or what says nothing to whoever reads `kubectl explain`.
const DROPPED: [&str; 5] = ["$schema", "$defs", "title", "default", "additionalProperties"];
/// Formats that the API server knows; Rust's own (`uint16`) are not among them.
const FORMATS: [&str; 5] = ["int32", "int64", "double", "date-time", "byte"];

/// The structural schema of `T`. Defaults are left out: which are the server's to fill in is said where they are.
pub(crate) fn structural<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft07().with(|settings| settings.inline_subschemas = true);
    let mut schema = settings.into_generator().into_root_schema_for::<T>().to_value();
    rewrite(&mut schema);
    schema
}

fn rewrite(schema: &mut Value) {
    let Value::Object(map) = schema else { return };
    let open = map.get("additionalProperties").filter(|value| value.is_object()).cloned();
    for key in DROPPED {
        map.shift_remove(key);
    }
    if let Some(mut values) = open {
        rewrite(&mut values);
        map.insert("additionalProperties".into(), values);
    }
    if map.get("x-kubernetes-int-or-string") == Some(&Value::Bool(true)) {
        map.shift_remove("type");
        return;
    }
    choices(map);
    nullable(map);
    if map.get("format").and_then(Value::as_str).is_some_and(|format| !FORMATS.contains(&format)) {
        map.shift_remove("format");
    }
    if let Some(Value::Object(properties)) = map.get_mut("properties") {
        properties.values_mut().for_each(rewrite);
    }
    if let Some(items) = map.get_mut("items") {
        rewrite(items);
    }
    if let Some(Value::String(text)) = map.get_mut("description") {
        *text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    }
}

/// `anyOf: [X, null]` is X that may be null; `oneOf` of documented words is an enumeration.
fn choices(map: &mut Map<String, Value>) {
    for word in ["anyOf", "oneOf", "allOf"] {
        let Some(Value::Array(mut list)) = map.shift_remove(word) else { continue };
        let before = list.len();
        list.retain(|choice| choice["type"] != "null");
        if list.len() < before {
            map.insert("nullable".into(), Value::Bool(true));
        }
        let words: Option<Vec<Value>> = list
            .iter()
            .map(|choice| match (&choice["const"], &choice["enum"]) {
                (Value::Null, Value::Array(words)) => Some(words.clone()),
                (Value::Null, _) => None,
                (word, _) => Some(vec![word.clone()]),
            })
            .collect::<Option<Vec<_>>>()
            .map(|words| words.concat());
        if let Some(words) = words {
            map.insert("type".into(), "string".into());
            map.insert("enum".into(), Value::Array(words));
        } else if list.len() == 1
            && let Some(Value::Object(only)) = list.pop()
        {
            // The field's own words are nearer than its type's.
            for (key, value) in only {
                if !(key == "description" && map.contains_key("description")) {
                    map.insert(key, value);
                }
            }
            choices(map);
        }
    }
}

fn nullable(map: &mut Map<String, Value>) {
    let mut null = false;
    if let Some(Value::Array(types)) = map.get("type") {
        null |= types.iter().any(|name| name == "null");
        let only = types.iter().find(|name| *name != "null").cloned();
        map.insert("type".into(), only.unwrap_or_else(|| "object".into()));
    }
    if let Some(Value::Array(words)) = map.get_mut("enum") {
        let before = words.len();
        words.retain(|word| !word.is_null());
        null |= words.len() < before;
    }
    if null {
        map.insert("nullable".into(), Value::Bool(true));
    }
}
