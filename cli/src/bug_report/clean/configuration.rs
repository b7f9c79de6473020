//! What people write into configuration that may be secret: values of headers, of query parameters and of plugins. Names stay.

use serde_json::{Map, Value, json};

use super::{LEFT_OUT, is_setting};

/// How a value is compared.
const TESTS: [&str; 3] = ["exact", "prefix", "regex"];

/// Leaves such values out, wherever they stand.
pub(super) fn hide(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields.iter_mut() {
                hide_field(name, value);
            }
            hide_condition(fields);
            fields.values_mut().for_each(hide);
        }
        Value::Array(values) => values.iter_mut().for_each(hide),
        _ => {}
    }
}

fn hide_field(name: &str, value: &mut Value) {
    match name {
        // Of an HTTP route or destination what is changed, of a match what is asked for, of a provider what is sent along.
        "headers" | "withoutHeaders" | "queryParams" | "initialMetadata" => hide_headers(value),
        "includeAdditionalHeadersInCheck" => all(value, |_| true),
        "proxyMetadata" | "environmentVariables" => all(value, |name| !is_setting(name)),
        "pluginConfig" | "jwks" | "accessToken" => *value = LEFT_OUT.into(),
        "directResponse" => replace(value, "body"),
        "configPatches" => {
            for patch in value.as_array_mut().into_iter().flatten().filter_map(|one| one.get_mut("patch")) {
                replace(patch, "value");
            }
        }
        "customTags" => {
            for literal in value.as_object_mut().into_iter().flatten().filter_map(|(_, tag)| tag.get_mut("literal")) {
                replace(literal, "value");
            }
        }
        _ => {}
    }
}

/// Headers in each of their forms: a list of names and values, changes of a request or a response, and tests by name.
fn hide_headers(value: &mut Value) {
    for one in value.as_array_mut().into_iter().flatten() {
        replace(one, "value");
    }
    for (name, one) in value.as_object_mut().into_iter().flatten() {
        for change in ["set", "add"] {
            if let Some(headers) = one.get_mut(change) {
                all(headers, |_| true);
            }
        }
        // Method, path and authority are no secrets.
        for test in TESTS.into_iter().filter(|_| !name.starts_with(':')) {
            replace(one, test);
        }
    }
}

/// A condition of an AuthorizationPolicy on a header.
fn hide_condition(fields: &mut Map<String, Value>) {
    let of_header = |key: &Value| key.as_str().is_some_and(|key| key.starts_with("request.headers["));
    if fields.get("key").is_some_and(of_header) {
        for list in ["values", "notValues"] {
            if let Some(values) = fields.get_mut(list) {
                *values = json!([LEFT_OUT]);
            }
        }
    }
}

/// Leaves a field out, where it is there.
fn replace(object: &mut Value, field: &str) {
    if let Some(value) = object.get_mut(field).filter(|value| !value.is_null()) {
        *value = LEFT_OUT.into();
    }
}

/// Leaves the values of these names out.
fn all(map: &mut Value, hidden: impl Fn(&str) -> bool) {
    for (_, value) in map.as_object_mut().into_iter().flatten().filter(|(name, _)| hidden(name)) {
        *value = LEFT_OUT.into();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_headers_and_plugins_are_left_out_and_names_stay() {
        let mut routes = json!({"spec": {"http": [{
            "match": [{"headers": {"x-key": {"exact": "hunter2"}, ":authority": {"prefix": "shop."}},
                "withoutHeaders": {"cookie": {"regex": ".*hunter2.*"}}, "queryParams": {"token": {"exact": "hunter2"}},
                "uri": {"prefix": "/cart"}}],
            "headers": {"request": {"set": {"authorization": "Bearer hunter2"}, "remove": ["x-old"]},
                "response": {"add": {"x-token": "hunter2"}}},
            "route": [{"destination": {"host": "cart"}, "weight": 90, "headers": {"request": {"add": {"x-a": "hunter2"}}}}],
            "directResponse": {"status": 503, "body": {"string": "hunter2"}},
        }]}});
        hide(&mut routes);
        let text = routes.to_string();
        assert!(!text.contains("hunter2"), "{text}");
        for kept in ["authorization", "x-token", "x-key", "x-old", "shop.", "/cart", "cart", "90", "503"] {
            assert!(text.contains(kept), "{kept}: {text}");
        }
        for mut object in [
            json!({"spec": {"pluginConfig": {"key": "hunter2"}, "url": "oci://plugin"}}),
            json!({"spec": {"configPatches": [{"applyTo": "HTTP_FILTER", "patch": {"operation": "MERGE", "value": {"a": ["hunter2"]}}}]}}),
            json!({"spec": {"jwtRules": [{"issuer": "i", "jwks": "{\"keys\": [\"hunter2\"]}"}]}}),
            json!({"spec": {"rules": [{"when": [{"key": "request.headers[x-key]", "values": ["hunter2"], "notValues": ["hunter2"]}]}]}}),
            json!({"spec": {"tracing": [{"customTags": {"key": {"literal": {"value": "hunter2"}}}}]}}),
            json!({"spec": {"environmentVariables": {"PASSWORD": "hunter2"}}}),
            json!({"spec": {"meshConfig": {"defaultConfig": {"proxyMetadata": {"PASSWORD": "hunter2"}}, "extensionProviders": [
                {"name": "tracing", "opentelemetry": {"http": {"headers": [{"name": "api-key", "value": "hunter2"}]}}},
                {"name": "authz", "envoyExtAuthzHttp": {"includeAdditionalHeadersInCheck": {"x-key": "hunter2"}}},
            ]}}}),
        ] {
            hide(&mut object);
            assert!(!object.to_string().contains("hunter2") && object.to_string().contains(LEFT_OUT), "{object}");
        }
    }

    #[test]
    fn what_is_no_header_stays() {
        let policy = json!({"spec": {"rules": [{"when": [{"key": "source.namespace", "values": ["shop"]}]}],
            "headers": null, "directResponse": {"status": 404}, "configPatches": [{"patch": {"operation": "REMOVE"}}]}});
        let mut hidden = policy.clone();
        hide(&mut hidden);
        assert_eq!(hidden, policy);
    }
}
