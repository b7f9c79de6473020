//! The API is what its OpenAPI document says, and lists come in pages.

use prometheus_http_query::reqwest::{Method, StatusCode, header};
use serde_json::Value;

use super::{Running, problem};

/// In what an answer is not of the shape that is told of it; what a shape does not name is not there either.
fn differs(document: &Value, shape: &Value, value: &Value, at: &str) -> Vec<String> {
    if let Some(place) = shape["$ref"].as_str() {
        return differs(document, document.pointer(place.trim_start_matches('#')).unwrap(), value, at);
    }
    if let Some(choices) = shape["anyOf"].as_array().or(shape["oneOf"].as_array()) {
        let fits = choices.iter().any(|choice| differs(document, choice, value, at).is_empty());
        return if fits { Vec::new() } else { vec![format!("{at}: {value} is none of {choices:?}")] };
    }
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let is = |told: &Value| told == kind || (told == "number" && kind == "integer");
    let told = &shape["type"];
    let mut wrong = Vec::new();
    if !told.is_null() && !is(told) && !told.as_array().is_some_and(|kinds| kinds.iter().any(is)) {
        wrong.push(format!("{at}: {value} is no {told}"));
    }
    if let Some(words) = shape["enum"].as_array()
        && !words.contains(value)
    {
        wrong.push(format!("{at}: {value} is none of {words:?}"));
    }
    if shape.get("const").is_some_and(|word| word != value) {
        wrong.push(format!("{at}: {value} is not {}", shape["const"]));
    }
    for name in shape["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if value.is_object() && value.get(name).is_none() {
            wrong.push(format!("{at}.{name} is missing"));
        }
    }
    for (name, field) in value.as_object().into_iter().flatten() {
        match shape["properties"].get(name) {
            Some(told) => wrong.extend(differs(document, told, field, &format!("{at}.{name}"))),
            None if shape["properties"].is_object() => wrong.push(format!("{at}.{name} is not told")),
            None => {}
        }
    }
    for item in value.as_array().into_iter().flatten().filter(|_| shape["items"].is_object()) {
        wrong.extend(differs(document, &shape["items"], item, &format!("{at}[]")));
    }
    wrong
}

const OBJECT: &str = "apiVersion=networking.istio.io/v1&kind=VirtualService&namespace=shop&name=order-service";

#[tokio::test]
async fn answers_have_the_shapes_that_are_told() {
    let console = Running::start(&[]).await;
    let document = console.json("/api/v1/openapi.json").await;
    assert_eq!(document["openapi"], "3.1.0");
    let place = |path: &str| -> Option<String> {
        let path = path.replace("{namespace}", "shop").replace("/traces/{id}", "/traces/none");
        let path = if path.starts_with("/api/v1/proxies") || path.starts_with("/api/v1/workloads") {
            path.replace("{name}", "order-service-v1")
        } else if path.starts_with("/api/v1/namespaces") {
            path.replace("{name}", "shop")
        } else {
            path.replace("{name}", "order-service")
        };
        match path.as_str() {
            // It does not end.
            "/api/v1/events" => None,
            "/api/v1/config/object" | "/api/v1/canaries/history" => Some(format!("{path}?{OBJECT}")),
            "/api/v1/canaries/course" => Some(format!("{path}?{OBJECT}&routeIndex=1")),
            "/api/v1/config/schema" => Some(format!("{path}?kind=VirtualService")),
            "/api/v1/graph/series" => Some(format!("{path}?node=shop/order-service-v1")),
            "/api/v1/wizards/{kind}" => Some("/api/v1/wizards/faults?namespace=shop&name=order-service".to_owned()),
            _ => Some(path),
        }
    };
    let mut answered = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        let Some(operation) = methods.get("get").filter(|_| path.starts_with("/api/v1/")) else { continue };
        let Some(place) = place(path) else { continue };
        let answer = console.get(&place).await;
        let (status, tagged) = (answer.status(), answer.headers().contains_key(header::ETAG));
        let media = answer.headers()[header::CONTENT_TYPE].to_str().unwrap().to_owned();
        let value: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        let (told, shape) = if status == StatusCode::OK {
            answered += 1;
            let told = operation.pointer("/responses/200").unwrap();
            assert_eq!(told.pointer("/headers/ETag").is_some(), tagged, "{place}");
            ("application/json", told.pointer("/content/application~1json/schema").unwrap())
        } else {
            ("application/problem+json", document.pointer("/components/schemas/Problem").unwrap())
        };
        assert_eq!(media, told, "{place}");
        let wrong = differs(&document, shape, &value, place.as_str());
        assert!(wrong.is_empty(), "{status}: {}", wrong.join("\n"));
    }
    assert!(answered > 20, "only {answered} addresses were answered");
    let posts = document["paths"].as_object().unwrap().iter().filter(|(path, _)| path.starts_with("/api/v1/"));
    for (path, _) in posts.filter(|(_, methods)| methods.get("post").is_some()) {
        let bare = console.request(Method::POST, path).send().await.unwrap();
        assert_eq!(bare.status(), StatusCode::FORBIDDEN, "{path} takes a write that another site could have made");
    }
    console.stop().await;
}

#[tokio::test]
async fn lists_come_in_pages() {
    let console = Running::start(&[]).await;
    let all = console.json("/api/v1/config").await["rows"].clone();
    let (mut rows, mut path) = (Vec::new(), Some("/api/v1/config?limit=2".to_owned()));
    while let Some(place) = path.take() {
        let answer = console.get(&place).await;
        let link = answer.headers().get(header::LINK).map(|link| link.to_str().unwrap().to_owned());
        let page: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        assert_eq!(link.is_some(), page["next"].is_string(), "{page}");
        path = link.map(|link| link.trim_start_matches('<').split_once('>').unwrap().0.to_owned());
        rows.extend(page["rows"].as_array().unwrap().clone());
    }
    assert_eq!(Value::from(rows), all);
    for wrong in ["limit=0", "limit=5001", "limit=x", "cursor=nonsense"] {
        for list in ["config", "canaries", "workloads", "services", "apps", "namespaces"] {
            assert_eq!(console.get(&format!("/api/v1/{list}?{wrong}")).await.status(), 400, "{list} {wrong}");
        }
    }
    assert_eq!(console.json("/api/v1/canaries?limit=1").await["canaries"].as_array().unwrap().len(), 1);
    console.stop().await;
}

/// A list that ignores what it does not know gives everything to whoever mistyped what they wanted.
#[tokio::test]
async fn what_no_address_takes_is_refused_by_name() {
    let console = Running::start(&[]).await;
    let document = console.json("/api/v1/openapi.json").await;
    let mut asked = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        if !path.starts_with("/api/v1/") || path == "/api/v1/session" || methods.get("get").is_none() {
            continue;
        }
        let place = path.replace(['{', '}'], "");
        let (status, told) = problem(console.get(&format!("{place}?naemspace=shop")).await).await;
        assert_eq!(status, 400, "{path}: {told}");
        assert_eq!(told["title"], "There is no parameter “naemspace” here.", "{path}");
        asked += 1;
    }
    assert!(asked > 25, "only {asked} addresses were asked");
    for (path, detail) in [
        ("/api/v1/config?lmit=2", "Did you mean limit? It takes limit, cursor."),
        ("/api/v1/workloads?window=60&limit=2&curser=x", "Did you mean cursor? It takes window, limit, cursor."),
        ("/api/v1/mesh?window=60", "It takes no parameters."),
    ] {
        assert_eq!(problem(console.get(path).await).await.1["detail"], detail, "{path}");
    }
    for known in
        ["traces?service=shop/cart&before=", "config?", "config?&limit=2", "workloads?window=60&limit=2&cursor="]
    {
        assert_eq!(console.get(&format!("/api/v1/{known}")).await.status(), 200, "{known}");
    }
    console.stop().await;
}
