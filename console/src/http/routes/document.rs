//! The OpenAPI 3.1 document.

use axum::http::StatusCode;
use serde_json::{Map, Value, json};
use weft_model::config::Problem;

use super::{Operation, Routes, Stated, operation::Shapes};
use crate::{auth::SESSION_COOKIE, http::guard::WRITE_HEADER};

const ABOUT: &str = "What the console's page is made of, for scripts. Times are milliseconds since the Unix epoch \
    (`…Ms`) or microseconds (`…Us`), lengths seconds (`…S`, `window`), shares 0 to 1, rates per second. Errors are \
    problems of RFC 9457. Lists come in pages: `next` of an answer is `cursor` of the next request, and stands in the \
    header Link (RFC 8288) as well. What a caller may not see is left out.";

/// The document of lists of routes, each with the path that it is nested at.
pub(in crate::http) fn document(lists: &[(&str, &Routes)]) -> Value {
    let mut shapes = Shapes::new();
    let mut paths: Map<String, Value> = Map::new();
    for (root, routes) in lists {
        for stated in &routes.stated {
            let path = format!("{root}{}", stated.path);
            let operation = operation(stated, &path, &mut shapes);
            paths.entry(path).or_insert_with(|| json!({}))[stated.method] = operation;
        }
    }
    paths.sort_keys();
    let problem = shapes.answer::<Problem>();
    json!({
        "openapi": "3.1.0",
        "info": {"title": "Weft console", "version": "v1", "description": ABOUT, "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"}},
        "servers": [{"url": "/"}],
        "security": [{"session": []}, {"bearer": []}, {}],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "session": {"type": "apiKey", "in": "cookie", "name": SESSION_COOKIE, "description": "After signing in at /auth/login."},
                "bearer": {"type": "http", "scheme": "bearer", "description": "A token of the cluster, such as kubectl create token NAME prints; or one that the sign-in provider issued."},
            },
            "parameters": {
                "write": {"name": WRITE_HEADER, "in": "header", "required": true, "description": "Every write carries it, because a page of another site cannot.", "schema": {"const": "1"}},
                "known": {"name": "If-None-Match", "in": "header", "required": false, "description": "The ETag of an earlier answer; 304 when it would be the same again.", "schema": {"type": "string"}},
            },
            "headers": {
                "tag": {"description": "Names this state of the answer (weak).", "schema": {"type": "string"}},
            },
            "responses": {
                "problem": {"description": "What went wrong, and what to do.", "content": {"application/problem+json": {"schema": problem}}},
                "known": {"description": "The same as what If-None-Match names.", "headers": {"ETag": {"$ref": "#/components/headers/tag"}}},
            },
            "schemas": shapes.take(),
        },
    })
}

fn operation(stated: &Stated, path: &str, shapes: &mut Shapes) -> Value {
    let mut operation = Operation::new(shapes);
    operation.parameters.extend(placeholders(path).map(|name| {
        json!({"name": name, "in": "path", "required": true, "description": words(name), "schema": {"type": "string"}})
    }));
    (stated.describe)(&mut operation);
    if let Some((status, media, words)) = stated.answers {
        operation.done(StatusCode::from_u16(status).unwrap_or(StatusCode::OK), media, words);
    }
    let Operation { mut parameters, body, mut answers, .. } = operation;
    if stated.tagged {
        parameters.push(json!({"$ref": "#/components/parameters/known"}));
        for answer in answers.values_mut() {
            answer["headers"] = json!({"ETag": {"$ref": "#/components/headers/tag"}});
        }
        answers.insert("304".to_owned(), json!({"$ref": "#/components/responses/known"}));
    }
    if stated.guarded && stated.method != "get" {
        parameters.push(json!({"$ref": "#/components/parameters/write"}));
    }
    answers.insert("default".to_owned(), json!({"$ref": "#/components/responses/problem"}));
    let mut said = json!({"operationId": id(stated.method, path), "tags": [tag(path)], "summary": stated.summary});
    if !stated.guarded {
        said["security"] = json!([]);
    }
    if !parameters.is_empty() {
        said["parameters"] = parameters.into();
    }
    if let Some(body) = body {
        said["requestBody"] = body;
    }
    said["responses"] = answers.into();
    said
}

fn placeholders(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
}

fn words(placeholder: &str) -> &'static str {
    match placeholder {
        "namespace" => "Namespace.",
        "name" => "Name within it, or the namespace's own.",
        "kind" => "One of the names that a wrong one is answered with.",
        _ => "As an answer gave it.",
    }
}

/// The first word below the root.
fn tag(path: &str) -> &str {
    path.trim_start_matches("/api/v1").split('/').find(|part| !part.is_empty()).unwrap_or("console")
}

/// `get_config_object`: the method and what is fixed or named in the path.
fn id(method: &str, path: &str) -> String {
    let parts = path.trim_start_matches("/api/v1").split(['/', '-', '.']).filter(|part| !part.is_empty());
    parts.map(|part| part.trim_matches(['{', '}'])).fold(method.to_owned(), |id, part| format!("{id}_{part}"))
}
