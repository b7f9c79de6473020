use serde_json::{Value, json};

use super::*;

/// Everything that a structural schema may not have, with its path.
fn flaws(schema: &Value, at: &str, found: &mut Vec<String>) {
    let Some(map) = schema.as_object() else {
        found.push(format!("{at}: no schema"));
        return;
    };
    for word in ["$ref", "$defs", "$schema", "oneOf", "allOf", "title", "const"] {
        if map.contains_key(word) {
            found.push(format!("{at}: {word}"));
        }
    }
    let open = map.contains_key("x-kubernetes-int-or-string");
    if !open && !map.get("type").is_some_and(Value::is_string) {
        found.push(format!("{at}: no single type"));
    }
    if !open && map.contains_key("anyOf") {
        found.push(format!("{at}: anyOf"));
    }
    for (name, property) in map.get("properties").and_then(Value::as_object).into_iter().flatten() {
        flaws(property, &format!("{at}.{name}"), found);
    }
    for inner in ["items", "additionalProperties"] {
        if let Some(inner_schema) = map.get(inner) {
            flaws(inner_schema, &format!("{at}.{inner}"), found);
        }
    }
}

#[test]
fn schemas_are_structural() {
    for crd in all() {
        for version in crd.definition["spec"]["versions"].as_array().unwrap() {
            let mut found = Vec::new();
            flaws(&version["schema"]["openAPIV3Schema"], &crd.name, &mut found);
            assert!(found.is_empty(), "{found:#?}");
        }
    }
}

#[test]
fn every_kind_of_ours_and_istios_has_one() {
    let names: Vec<_> = all().into_iter().map(|crd| (crd.name, crd.foreign)).collect();
    assert_eq!(names[0], ("meshes.weft.dev".into(), false));
    let expected =
        Kind::ALL.iter().filter(|kind| kind.group() == "weft.dev" || kind.group().ends_with(".istio.io")).count();
    assert_eq!(names.len(), expected);
    assert!(names[1..].iter().all(|(name, foreign)| *foreign && name.ends_with(".istio.io")));
}

#[test]
fn one_version_is_stored() {
    for crd in all() {
        let versions = crd.definition["spec"]["versions"].as_array().unwrap();
        assert_eq!(versions.iter().filter(|version| version["storage"] == true).count(), 1, "{}", crd.name);
    }
}

#[test]
fn the_mesh_is_typed_to_its_leaves() {
    let schema = crate::mesh::schema();
    let spec = &schema["properties"]["spec"]["properties"];
    assert_eq!(spec["profile"]["enum"], json!(["minimal", "default", "demo", "remote"]));
    assert_eq!(spec["profile"]["type"], "string");
    let gateway = &spec["components"]["properties"]["ingressGateway"]["properties"];
    assert_eq!(gateway["replicas"]["type"], "integer");
    assert_eq!(gateway["serviceType"]["enum"], json!(["ClusterIP", "NodePort", "LoadBalancer"]));
    assert_eq!(
        gateway["resources"]["properties"]["limits"]["additionalProperties"]["x-kubernetes-int-or-string"],
        true
    );
    assert_eq!(gateway["tolerations"]["items"]["properties"]["tolerationSeconds"]["format"], "int64");
    assert_eq!(spec["meshConfig"]["x-kubernetes-preserve-unknown-fields"], true);
    let rules = spec["components"]["properties"]["console"]["x-kubernetes-validations"].to_string();
    assert!(rules.contains("self.replicas > 1") && rules.contains("has(self.sessionKey)"), "{rules}");
    let conditions = &schema["properties"]["status"]["properties"]["conditions"];
    assert_eq!(conditions["x-kubernetes-list-map-keys"], json!(["type"]));
}
