//! Field paths such as `spec.http[0].route[1].weight`. A key that is not plain is quoted:
//! `metadata.labels["app.kubernetes.io/name"]`.

/// Appends a map key to `path`.
pub fn push_key(path: &mut String, key: &str) {
    let plain = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if plain {
        if !path.is_empty() {
            path.push('.');
        }
        path.push_str(key);
    } else {
        path.push('[');
        path.push_str(&serde_json::Value::from(key).to_string());
        path.push(']');
    }
}

/// Appends an array index to `path`.
pub fn push_index(path: &mut String, index: usize) {
    use std::fmt::Write;
    // Writing to a String cannot fail.
    let _ = write!(path, "[{index}]");
}

/// Joins two paths, either of which may be empty.
pub fn join(path: &str, rest: &str) -> String {
    match (path.is_empty(), rest.is_empty()) {
        (true, _) => rest.to_owned(),
        (_, true) => path.to_owned(),
        _ if rest.starts_with('[') => format!("{path}{rest}"),
        _ => format!("{path}.{rest}"),
    }
}

/// The path one step up: `spec.http[0].timeout` → `spec.http[0]` → `spec.http` → `spec` → nothing.
pub fn parent(path: &str) -> Option<&str> {
    if path.is_empty() {
        return None;
    }
    if path.ends_with("\"]") {
        // Keys are JSON strings, so the opening quote is the last `["` that is not itself escaped inside the key.
        return path.rfind("[\"").map(|start| &path[..start]);
    }
    let cut = path.rfind(['.', '[']).unwrap_or(0);
    Some(&path[..cut])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn builds_and_climbs() {
        let mut path = String::from("metadata.labels");
        push_key(&mut path, "app.kubernetes.io/name");
        assert_eq!(path, "metadata.labels[\"app.kubernetes.io/name\"]");
        assert_eq!(parent(&path), Some("metadata.labels"));
        let mut path = String::new();
        push_key(&mut path, "http");
        push_index(&mut path, 0);
        push_key(&mut path, "timeout");
        assert_eq!(path, "http[0].timeout");
        assert_eq!(parent(&path), Some("http[0]"));
        assert_eq!(parent("http[0]"), Some("http"));
        assert_eq!(parent("http"), Some(""));
        assert_eq!(parent(""), None);
        assert_eq!(join("spec", "http[0]"), "spec.http[0]");
        assert_eq!(join("spec.a", "[0]"), "spec.a[0]");
    }
}
