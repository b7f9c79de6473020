use std::{collections::BTreeSet, fs, path::Path};

use serde_json::Value;

use crate::http::openapi;

fn document() -> Value {
    serde_json::from_str(openapi()).unwrap()
}

#[test]
fn the_document_is_what_the_handlers_say() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/openapi.json");
    if std::env::var_os("WEFT_BLESS").is_some() {
        fs::write(&file, openapi()).unwrap();
    }
    let written = fs::read_to_string(&file).unwrap_or_default();
    assert!(
        written == openapi(),
        "docs/openapi.json is out of date: run `weft-console openapi > docs/openapi.json`, or this test with WEFT_BLESS=1"
    );
}

/// A route that is added to a bare router would not be in the document.
#[test]
fn the_api_has_no_route_beside_the_list() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http");
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(&root).unwrap().display().to_string();
            if !name.starts_with("routes") {
                let text = fs::read_to_string(&path).unwrap();
                // Tests have routers of their own.
                let served = text.split("#[cfg(test)]").next().unwrap_or_default();
                assert!(!served.contains(".route("), "{name} adds a route by hand");
            }
        }
    }
}

/// Links of the sources lead nowhere in the document.
#[test]
fn the_document_has_no_links_of_the_sources() {
    let links: Vec<&str> = openapi().lines().filter(|line| line.contains("[`")).collect();
    assert!(links.is_empty(), "{links:#?}");
}

/// Every parameter has words, every reference leads somewhere, no two operations have one name.
#[test]
fn the_document_is_whole() {
    let document = document();
    let mut ids = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let id = operation["operationId"].as_str().unwrap();
            assert!(ids.insert(id.to_owned()), "{id} twice");
            assert!(operation["summary"].as_str().unwrap().ends_with('.'), "{method} {path}");
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                let told = parameter.get("$ref").is_some()
                    || parameter["description"].as_str().is_some_and(|text| !text.is_empty());
                assert!(told, "{method} {path}: {parameter}");
            }
            let answers = operation["responses"].as_object().unwrap();
            assert!(answers.len() > 1 && answers.contains_key("default"), "{method} {path} answers nothing");
        }
    }
    let mut all = vec![&document];
    while let Some(value) = all.pop() {
        match value {
            Value::Object(fields) => {
                if let Some(Value::String(place)) = fields.get("$ref") {
                    let pointer = place.strip_prefix('#').unwrap();
                    assert!(document.pointer(pointer).is_some(), "{place} leads nowhere");
                }
                all.extend(fields.values());
            }
            Value::Array(items) => all.extend(items),
            _ => {}
        }
    }
}
