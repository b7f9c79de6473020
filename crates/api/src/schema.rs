//! The fields that each kind has, with their documentation: what an editor needs to help.

use serde_json::Value;

use crate::{
    Kind,
    crd::structural,
    mesh::MeshSpec,
    networking::{DestinationRule, Gateway, ServiceEntry, Sidecar, VirtualService, WorkloadEntry},
    security::{AuthorizationPolicy, PeerAuthentication, RequestAuthentication},
    telemetry::Telemetry,
};

/// A field of a kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Path such as `spec.http[].match[].headers.*.exact`: `[]` is any item of a list, `*` any key of a mapping.
    pub path: String,
    /// `string`, `integer`, `number`, `boolean`, `object` or `array`.
    pub shape: String,
    /// Documentation; may be empty.
    pub doc: String,
    /// The words that it may be, when they are few.
    pub words: Vec<String>,
}

/// Every field of a kind's `spec`, parents first; nothing for kinds that are kept as written.
pub fn fields(kind: Kind) -> Vec<Field> {
    let schema = match kind {
        Kind::VirtualService => structural::<VirtualService>(),
        Kind::DestinationRule => structural::<DestinationRule>(),
        Kind::Gateway => structural::<Gateway>(),
        Kind::ServiceEntry => structural::<ServiceEntry>(),
        Kind::Sidecar => structural::<Sidecar>(),
        Kind::WorkloadEntry => structural::<WorkloadEntry>(),
        Kind::PeerAuthentication => structural::<PeerAuthentication>(),
        Kind::AuthorizationPolicy => structural::<AuthorizationPolicy>(),
        Kind::RequestAuthentication => structural::<RequestAuthentication>(),
        Kind::Telemetry => structural::<Telemetry>(),
        Kind::Mesh => structural::<MeshSpec>(),
        _ => return Vec::new(),
    };
    let mut out = Vec::new();
    walk(&schema, "spec", &mut out);
    out
}

fn walk(schema: &Value, path: &str, out: &mut Vec<Field>) {
    let text = |field: &str| schema[field].as_str().unwrap_or_default().to_owned();
    let words = schema["enum"].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
    out.push(Field { path: path.to_owned(), shape: text("type"), doc: text("description"), words });
    for (name, inner) in schema["properties"].as_object().into_iter().flatten() {
        walk(inner, &format!("{path}.{name}"), out);
    }
    if schema["items"].is_object() {
        walk(&schema["items"], &format!("{path}[]"), out);
    }
    let values = schema["patternProperties"].as_object().into_iter().flat_map(|patterns| patterns.values());
    for inner in values.chain([&schema["additionalProperties"]]).filter(|inner| inner.is_object()).take(1) {
        walk(inner, &format!("{path}.*"), out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_have_their_paths_words_and_documentation() {
        let fields = fields(Kind::VirtualService);
        let field = |path: &str| fields.iter().find(|field| field.path == path).unwrap_or_else(|| panic!("{path}"));
        assert!(field("spec.http[].timeout").doc.contains("may take"), "{:?}", field("spec.http[].timeout"));
        assert_eq!(field("spec.http[].match[].headers.*.exact").shape, "string");
        assert_eq!(field("spec.http[].route[].weight").shape, "integer");
        assert!(field("spec.http[].redirect.derivePort").words.contains(&"FROM_REQUEST_PORT".to_owned()));
        let modes = super::fields(Kind::PeerAuthentication);
        let mode = modes.iter().find(|field| field.path == "spec.mtls.mode").unwrap();
        assert_eq!(mode.words, ["UNSET", "DISABLE", "PERMISSIVE", "STRICT"]);
        assert!(modes.iter().any(|field| field.path == "spec.portLevelMtls.*.mode"), "{modes:?}");
        for kind in Kind::ALL {
            assert!(super::fields(*kind).len() < 2_000, "{kind}");
        }
    }
}
