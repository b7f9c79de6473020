//! What a proxy has in force, without the values of headers and of query parameters.

use serde_json::Value;

use super::LEFT_OUT;

/// A proxy's `/config_dump` as it may be handed on.
///
/// # Errors
/// When it is no JSON: what cannot be read cannot be cleaned.
pub fn clean_dump(content: &[u8]) -> serde_json::Result<Vec<u8>> {
    let mut dump: Value = serde_json::from_slice(content)?;
    hide(&mut dump);
    serde_json::to_vec_pretty(&dump)
}

fn hide(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for changes in ["request_headers", "response_headers"] {
                let set = fields.get_mut(changes).and_then(|changes| changes.get_mut("set"));
                for value in
                    set.and_then(Value::as_array_mut).into_iter().flatten().filter_map(|one| one.get_mut("value"))
                {
                    *value = LEFT_OUT.into();
                }
            }
            // Method, path and authority are no secrets.
            let pseudo = fields.get("name").and_then(Value::as_str).is_some_and(|name| name.starts_with(':'));
            if let Some(tests) = fields.get_mut("string_match").and_then(Value::as_object_mut).filter(|_| !pseudo) {
                for (_, value) in tests.iter_mut().filter(|(_, value)| value.is_string()) {
                    *value = LEFT_OUT.into();
                }
            }
            fields.values_mut().for_each(hide);
        }
        Value::Array(values) => values.iter_mut().for_each(hide),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn header_values_in_force_are_left_out() {
        let test =
            |name: &str, value: &str| json!({"name": name, "string_match": {"exact": value, "ignore_case": true}});
        let set =
            json!({"remove": ["x-old"], "set": [{"name": "authorization", "value": "hunter2", "action": "OVERWRITE"}]});
        let dump = json!({"route_configurations": {"80": {"request_headers": null, "virtual_hosts": [{
            "response_headers": set,
            "routes": [{
                "match": {"prefix": "/cart", "headers": [test("x-key", "hunter2"), test(":method", "GET")],
                    "query_parameters": [test("token", "hunter2"), {"name": "any", "string_match": null}]},
                "request_headers": set,
                "route": {"clusters": [{"cluster": "outbound|80||cart", "request_headers": set}]},
            }],
        }]}}});
        let cleaned = clean_dump(dump.to_string().as_bytes()).unwrap();
        let text = String::from_utf8(cleaned).unwrap();
        assert!(!text.contains("hunter2"), "{text}");
        for kept in ["authorization", "x-key", "token", "GET", "/cart", "outbound|80||cart", "x-old"] {
            assert!(text.contains(kept), "{kept}: {text}");
        }
        assert!(clean_dump(b"not JSON: hunter2").is_err());
    }
}
