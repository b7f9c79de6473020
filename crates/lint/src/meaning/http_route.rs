//! HTTPRoute of the Gateway API, read from its JSON: it is kept as written.

use serde_json::Value;

use super::{list, percent};

pub(super) fn sentences(object: &Value) -> Vec<String> {
    let spec = &object["spec"];
    let text = |value: &Value, field: &str| value[field].as_str().unwrap_or_default().to_owned();
    let parents: Vec<String> = items(&spec["parentRefs"])
        .map(|parent| format!("{} {}", parent["kind"].as_str().unwrap_or("Gateway"), text(parent, "name")))
        .collect();
    let hosts: Vec<String> = items(&spec["hostnames"]).filter_map(Value::as_str).map(str::to_owned).collect();
    let hosts = if hosts.is_empty() { "any host".to_owned() } else { list(&hosts, "and") };
    let parents = if parents.is_empty() { "nothing yet".to_owned() } else { list(&parents, "and") };
    let mut out = vec![format!("It applies to traffic for {hosts} at {parents}.")];
    for rule in items(&spec["rules"]) {
        let cases: Vec<String> = items(&rule["matches"]).map(case).filter(|case| !case.is_empty()).collect();
        let who =
            if cases.is_empty() { "All requests".to_owned() } else { format!("Requests {}", cases.join(", or ")) };
        let arms: Vec<(&Value, f64)> =
            items(&rule["backendRefs"]).map(|to| (to, to["weight"].as_f64().unwrap_or(1.0))).collect();
        let sum: f64 = arms.iter().map(|(_, weight)| weight).sum();
        let name = |to: &Value| {
            let port = to["port"].as_u64().map(|port| format!(" (port {port})")).unwrap_or_default();
            format!("{}{port}", text(to, "name"))
        };
        let outcome = match arms.as_slice() {
            [] if items(&rule["filters"]).any(|filter| filter["type"] == "RequestRedirect") => {
                "are redirected".to_owned()
            }
            [] => "have no backend, so they are answered with 500".to_owned(),
            [(only, _)] => format!("go to {}", name(only)),
            arms if sum > 0.0 => {
                let words: Vec<String> = arms
                    .iter()
                    .map(|(to, weight)| format!("{} to {}", percent(weight / sum * 100.0), name(to)))
                    .collect();
                format!("go {}", list(&words, "and"))
            }
            _ => "go nowhere: every weight is 0".to_owned(),
        };
        out.push(format!("{who} {outcome}."));
    }
    out
}

fn case(case: &Value) -> String {
    let mut words = Vec::new();
    if let Some(path) = case["path"]["value"].as_str() {
        words.push(match case["path"]["type"].as_str() {
            Some("Exact") => format!("for the path {path}"),
            Some("RegularExpression") => format!("for paths like the pattern {path}"),
            _ => format!("for paths that begin with {path}"),
        });
    }
    words.extend(case["method"].as_str().map(|method| format!("with method {method}")));
    for header in items(&case["headers"]) {
        let part = |field: &str| header[field].as_str().unwrap_or_default();
        words.push(format!("with {}: {}", part("name"), part("value")));
    }
    list(&words, "and")
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}
