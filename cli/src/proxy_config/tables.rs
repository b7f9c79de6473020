//! A proxy's configuration as tables. What an older or newer proxy does not say is left empty.

use serde_json::Value;

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

/// One line for each chain of each listener.
pub fn listeners(value: &Value) -> String {
    let mut rows = Vec::new();
    for (name, listener) in entries(value) {
        let mut address = text(listener, "address");
        if let Some(error) = listener.get("bind_error").and_then(Value::as_str) {
            address = format!("{address} (NOT BOUND: {error})");
        }
        let direction = text(listener, "direction").to_lowercase();
        let default = listener.get("default_filter_chain").filter(|chain| !chain.is_null());
        for chain in list(listener, "filter_chains").chain(default) {
            let tls = if chain.get("tls").is_some_and(|tls| !tls.is_null()) { "TLS" } else { "" };
            rows.push(vec![
                name.to_owned(),
                address.clone(),
                direction.clone(),
                text(chain, "name"),
                tls.to_owned(),
                leads_to(chain),
            ]);
        }
    }
    table(&["LISTENER", "ADDRESS", "DIRECTION", "CHAIN", "TLS", "LEADS TO"], &rows)
}

/// Where a chain's connections go.
fn leads_to(chain: &Value) -> String {
    if let Some(http) = chain.get("http") {
        return match http.pointer("/routes/rds").and_then(Value::as_str) {
            Some(routes) => format!("routes {routes}"),
            None => "routes of its own".to_owned(),
        };
    }
    chain.get("tcp").map(|tcp| format!("TCP {}", weighted(tcp))).unwrap_or_default()
}

/// One line for each route of each virtual host.
pub fn routes(value: &Value) -> String {
    let mut rows = Vec::new();
    for (name, configuration) in entries(value) {
        for host in list(configuration, "virtual_hosts") {
            let domains: Vec<&str> = list(host, "domains").filter_map(Value::as_str).collect();
            // The first is the full name; the others are shorter forms of it.
            let domain =
                domains.iter().find(|domain| !domain.contains(':')).or(domains.first()).copied().unwrap_or_default();
            for route in list(host, "routes") {
                rows.push(vec![
                    name.to_owned(),
                    domain.to_owned(),
                    text(route, "name"),
                    text(route, "virtual_service"),
                    action(route),
                ]);
            }
        }
    }
    table(&["ROUTES", "HOST", "ROUTE", "VIRTUAL SERVICE", "LEADS TO"], &rows)
}

/// What a route does with its requests.
fn action(route: &Value) -> String {
    if let Some(forward) = route.get("route") {
        return weighted(forward);
    }
    if let Some(redirect) = route.get("redirect") {
        return format!("redirect {}", text(redirect, "status"));
    }
    route.get("direct_response").map(|answer| format!("answer {}", text(answer, "status"))).unwrap_or_default()
}

/// The clusters that something goes to, with their weights where there are several.
fn weighted(value: &Value) -> String {
    let one = |cluster: &Value, alone: bool| match (text(cluster, "cluster"), text(cluster, "weight")) {
        (name, weight) if alone || weight.is_empty() => name,
        (name, weight) => format!("{name} ({weight})"),
    };
    let alone = list(value, "clusters").count() == 1;
    list(value, "clusters").map(|cluster| one(cluster, alone)).collect::<Vec<_>>().join(", ")
}

/// One line for each cluster.
pub fn clusters(value: &Value) -> String {
    let row = |(name, cluster): (&str, &Value)| {
        vec![
            name.to_owned(),
            services(cluster),
            text(cluster, "subset"),
            text(cluster, "protocol").to_lowercase(),
            balance(cluster),
            list(cluster, "endpoints").count().to_string(),
        ]
    };
    table(
        &["CLUSTER", "SERVICES", "SUBSET", "PROTOCOL", "BALANCE", "ENDPOINTS"],
        &entries(value).map(row).collect::<Vec<_>>(),
    )
}

fn services(cluster: &Value) -> String {
    list(cluster, "services").map(|service| text(service, "host")).collect::<Vec<_>>().join(", ")
}

/// The policy's name, however much it says beside it.
fn balance(cluster: &Value) -> String {
    match cluster.get("lb_policy") {
        Some(policy @ Value::Object(_)) => text(policy, "name"),
        _ => String::new(),
    }
}

/// One line for each address of each cluster.
pub fn endpoints(value: &Value) -> String {
    let mut rows = Vec::new();
    for (name, cluster) in entries(value) {
        for endpoint in list(cluster, "endpoints") {
            let tls = endpoint.get("tls").and_then(Value::as_bool).unwrap_or(false);
            rows.push(vec![
                text(endpoint, "address"),
                text(endpoint, "weight"),
                health(endpoint),
                if tls { "mutual TLS".into() } else { "plaintext".into() },
                name.to_owned(),
            ]);
        }
    }
    table(&["ENDPOINT", "WEIGHT", "HEALTH", "SECURITY", "CLUSTER"], &rows)
}

fn health(endpoint: &Value) -> String {
    if endpoint.get("ejected") == Some(&Value::Bool(true)) {
        return "ejected".to_owned();
    }
    text(endpoint, "health").to_lowercase()
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
