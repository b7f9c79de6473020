//! What a proxy of ours starts with of Istio's ProxyConfig
//! (<https://istio.io/latest/docs/reference/config/istio.mesh.v1alpha1/#ProxyConfig>), in a Mesh or in an annotation of a pod.

use serde_json::{Map, Value};

use crate::Duration;

/// Each field with a value that no proxy could start with, by its path below the ProxyConfig, and why.
pub fn proxy_config_faults(config: &Map<String, Value>) -> Vec<(String, String)> {
    let metadata = config.get("proxyMetadata").and_then(Value::as_object);
    let variable = |name: &str| metadata.and_then(|all| all.get(name));
    let checks = [
        ("concurrency", config.get("concurrency").and_then(threads)),
        ("holdApplicationUntilProxyStarts", config.get("holdApplicationUntilProxyStarts").and_then(flag)),
        ("terminationDrainDuration", config.get("terminationDrainDuration").and_then(duration)),
        ("proxyMetadata.MINIMUM_DRAIN_DURATION", variable("MINIMUM_DRAIN_DURATION").and_then(duration)),
        ("proxyMetadata.EXIT_ON_ZERO_ACTIVE_CONNECTIONS", variable("EXIT_ON_ZERO_ACTIVE_CONNECTIONS").and_then(word)),
    ];
    checks.into_iter().filter_map(|(field, fault)| Some((field.to_owned(), fault?))).collect()
}

/// A duration of ProxyConfig; nothing where it is none.
pub fn proxy_config_duration(value: &Value) -> Option<std::time::Duration> {
    value.as_str()?.parse::<Duration>().ok().map(Duration::get)
}

fn threads(value: &Value) -> Option<String> {
    let number = value.as_str().map_or_else(|| value.as_u64(), |text| text.parse().ok());
    (!value.is_null() && number.is_none()).then(|| {
        format!("{} is no number of threads: write a whole one, or 0 for as many as the CPU limit allows", shown(value))
    })
}

fn duration(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => text.parse::<Duration>().err().map(|error| error.to_string()),
        other => Some(format!("{} is not a duration: write one such as \"5s\"", shown(other))),
    }
}

fn flag(value: &Value) -> Option<String> {
    (!value.is_null() && !value.is_boolean()).then(|| format!("{} is neither true nor false", shown(value)))
}

/// Variables are texts; YAML makes a boolean of what is not quoted.
fn word(value: &Value) -> Option<String> {
    if matches!(value.as_str(), Some("true" | "false")) { None } else { flag(value) }
}

fn shown(value: &Value) -> String {
    value.to_string().chars().take(64).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn faults(config: Value) -> Vec<(String, String)> {
        proxy_config_faults(config.as_object().unwrap())
    }

    #[test]
    fn what_proxies_start_with_passes() {
        assert_eq!(
            faults(json!({"concurrency": 2, "holdApplicationUntilProxyStarts": false, "drainDuration": "x"})),
            []
        );
        let metadata = json!({"MINIMUM_DRAIN_DURATION": "1.5s", "EXIT_ON_ZERO_ACTIVE_CONNECTIONS": "true", "A": 1});
        let config = json!({"concurrency": "0", "terminationDrainDuration": "1m30s", "proxyMetadata": metadata});
        assert_eq!(faults(config), []);
        assert_eq!(faults(json!({"concurrency": null, "terminationDrainDuration": null, "proxyMetadata": null})), []);
    }

    #[test]
    fn what_would_keep_each_proxy_from_starting_is_told() {
        let metadata = json!({"MINIMUM_DRAIN_DURATION": "soon", "EXIT_ON_ZERO_ACTIVE_CONNECTIONS": "maybe"});
        let found = faults(json!({
            "concurrency": -1, "holdApplicationUntilProxyStarts": "maybe", "terminationDrainDuration": "abc",
            "proxyMetadata": metadata,
        }));
        let fields: Vec<&str> = found.iter().map(|(field, _)| field.as_str()).collect();
        assert_eq!(
            fields,
            [
                "concurrency",
                "holdApplicationUntilProxyStarts",
                "terminationDrainDuration",
                "proxyMetadata.MINIMUM_DRAIN_DURATION",
                "proxyMetadata.EXIT_ON_ZERO_ACTIVE_CONNECTIONS",
            ]
        );
        assert!(found[0].1.starts_with("-1 is no number of threads"), "{found:?}");
        assert!(found[2].1.starts_with("\"abc\" is not a duration: write a number and a unit"), "{found:?}");
        assert_eq!(faults(json!({"terminationDrainDuration": 5})).len(), 1);
    }
}
