//! A proxy's configuration as tables. What an older or newer proxy does not say is left empty.

use serde_json::Value;
use weft_model::mesh::Table;

use crate::output::table;

/// Entries of a JSON object, by name.
fn entries(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    value.as_object().into_iter().flatten().map(|(name, value)| (name.as_str(), value))
}

fn list<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value.get(key).and_then(Value::as_array).into_iter().flatten()
}

fn text(value: &Value, key: &str) -> String {
    match value.get(key) {
        Some(Value::String(text)) => text.clone(),
        None | Some(Value::Null) => String::new(),
        Some(other) => other.to_string(),
    }
}

fn joined<'a>(values: impl Iterator<Item = &'a Value>) -> String {
    values.filter_map(Value::as_str).collect::<Vec<_>>().join(", ")
}

/// The table of a part, as the console shows it too.
pub fn printed(shown: &Table) -> String {
    let head: Vec<String> = shown.head.iter().map(|name| name.to_uppercase()).collect();
    table(&head.iter().map(String::as_str).collect::<Vec<_>>(), &shown.rows)
}

/// One line for each certificate.
pub fn secrets(value: &Value) -> String {
    let row = |certificate: &Value| {
        let left = certificate.get("seconds_until_expiration").and_then(Value::as_i64).unwrap_or_default();
        let span = humantime::format_duration(std::time::Duration::from_secs(left.max(0).unsigned_abs() / 60 * 60));
        let root =
            list(certificate, "root_sha256").filter_map(Value::as_str).map(|hash| hash.chars().take(16).collect());
        vec![
            text(certificate, "uri"),
            text(certificate, "serial_number"),
            if left > 0 { span.to_string() } else { "EXPIRED".into() },
            root.collect::<Vec<String>>().join(", "),
        ]
    };
    let rows: Vec<_> = value.as_array().into_iter().flatten().map(row).collect();
    table(&["IDENTITY", "SERIAL NUMBER", "HOLDS FOR", "ROOT (SHA-256)"], &rows)
}

/// One line for each workload.
pub fn workloads(value: &Value) -> String {
    let row = |(_, workload): (&str, &Value)| {
        vec![
            text(workload, "namespace"),
            text(workload, "workload"),
            text(workload, "service_account"),
            joined(list(workload, "addresses")),
        ]
    };
    table(&["NAMESPACE", "WORKLOAD", "SERVICE ACCOUNT", "ADDRESSES"], &entries(value).map(row).collect::<Vec<_>>())
}
