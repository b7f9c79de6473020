//! A hash of what an object says.

use std::fmt::Write;

use serde_json::Value;
use sha2::{Digest, Sha256};

/// SHA-256, in hex, of the object without `apiVersion`, `kind`, `metadata` and `status`, in canonical form.
pub(super) fn hash(object: &Value) -> String {
    let mut canonical = String::new();
    if let Value::Object(map) = object {
        let mut rest: Vec<_> = map
            .iter()
            .filter(|(key, _)| !matches!(key.as_str(), "apiVersion" | "kind" | "metadata" | "status"))
            .collect();
        // A spec alone is by far the usual case, and "the spec's hash" is what people will want to recompute.
        match rest.as_slice() {
            [(key, spec)] if *key == "spec" => write(spec, &mut canonical),
            _ => {
                rest.sort_by_key(|(key, _)| key.as_str());
                write_entries(&rest, &mut canonical);
            }
        }
    }
    digest(&canonical)
}

/// SHA-256 of a text, in hex.
pub(crate) fn digest(text: &str) -> String {
    let mut hex = String::with_capacity(64);
    for byte in Sha256::digest(text.as_bytes()) {
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}

/// Compact JSON with sorted keys.
fn write(value: &Value, out: &mut String) {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by_key(|(key, _)| key.as_str());
            write_entries(&entries, out);
        }
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write(item, out);
            }
            out.push(']');
        }
        scalar => {
            let _ = write!(out, "{scalar}");
        }
    }
}

fn write_entries(entries: &[(&String, &Value)], out: &mut String) {
    out.push('{');
    for (index, (key, value)) in entries.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        let _ = write!(out, "{}:", Value::from(key.as_str()));
        write(value, out);
    }
    out.push('}');
}
