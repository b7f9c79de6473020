//! What is in force in a proxy (parts of its `GET /config_dump`), as tables for people: `weft proxy-config` prints them,
//! the console shows them. What an older or newer proxy does not say is left empty.

use serde_json::Value;
use weft_model::mesh::Table;

/// Entries of a part, by name.
fn entries(part: &Value) -> impl Iterator<Item = (&String, &Value)> {
    part.as_object().into_iter().flatten()
}

/// What is in the list `key` of `value`; nothing where there is none.
pub fn list<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value.get(key).and_then(Value::as_array).into_iter().flatten()
}

/// What `key` of `value` says, as people read it.
pub fn text(value: &Value, key: &str) -> String {
    match value.get(key) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

fn table(key: &str, head: &[&str], rows: Vec<Vec<String>>) -> Table {
    Table { key: key.to_owned(), head: head.iter().map(|name| (*name).to_owned()).collect(), rows, more: 0 }
}

/// Of `listeners`: a row for each chain of each.
pub fn listeners(part: &Value) -> Table {
    let mut rows = Vec::new();
    for (name, listener) in entries(part) {
        let problem = text(listener, "bind_error");
        let bound = if problem.is_empty() { String::new() } else { format!(" (not bound: {problem})") };
        let address = format!("{}{bound}", text(listener, "address"));
        let default = listener.get("default_filter_chain").filter(|chain| !chain.is_null());
        for chain in list(listener, "filter_chains").chain(default) {
            let tls = chain.get("tls").is_some_and(|tls| !tls.is_null());
            rows.push(vec![
                name.clone(),
                address.clone(),
                text(listener, "direction").to_lowercase(),
                text(chain, "name"),
                if tls { "TLS".to_owned() } else { String::new() },
                leads_to(chain),
            ]);
        }
    }
    table("listeners", &["Listener", "Address", "Direction", "Chain", "TLS", "Leads to"], rows)
}

/// Where a chain's connections go.
fn leads_to(chain: &Value) -> String {
    match (chain.get("http"), chain.get("tcp")) {
        (Some(http), _) => match http.pointer("/routes/rds").and_then(Value::as_str) {
            Some(routes) => format!("routes {routes}"),
            None => "routes of its own".to_owned(),
        },
        (None, Some(tcp)) => format!("TCP {}", weighted(tcp)),
        (None, None) => String::new(),
    }
}

/// Of `route_configurations`: a row for each route of each virtual host.
pub fn routes(part: &Value) -> Table {
    let mut rows = Vec::new();
    for (name, configuration) in entries(part) {
        for host in list(configuration, "virtual_hosts") {
            let domains: Vec<&str> = list(host, "domains").filter_map(Value::as_str).collect();
            // The first is the full name; the others are shorter forms of it.
            let whole = domains.iter().find(|domain| !domain.contains(':')).or(domains.first());
            for route in list(host, "routes") {
                rows.push(vec![
                    name.clone(),
                    whole.copied().unwrap_or_default().to_owned(),
                    text(route, "name"),
                    text(route, "virtual_service"),
                    action(route),
                ]);
            }
        }
    }
    table("routes", &["Routes", "Host", "Route", "VirtualService", "Leads to"], rows)
}

/// What a route does with its requests.
fn action(route: &Value) -> String {
    match (route.get("route"), route.get("redirect"), route.get("direct_response")) {
        (Some(forward), _, _) => weighted(forward),
        (_, Some(redirect), _) => format!("redirect {}", text(redirect, "status")),
        (_, _, Some(answer)) => format!("answer {}", text(answer, "status")),
        _ => String::new(),
    }
}

/// The clusters that something goes to, with weights where there are several.
fn weighted(value: &Value) -> String {
    let alone = list(value, "clusters").count() == 1;
    let one = |cluster: &Value| match (text(cluster, "cluster"), text(cluster, "weight")) {
        (name, weight) if alone || weight.is_empty() => name,
        (name, weight) => format!("{name} ({weight})"),
    };
    list(value, "clusters").map(one).collect::<Vec<_>>().join(", ")
}

/// Of `clusters`: a row for each.
pub fn clusters(part: &Value) -> Table {
    let row = |(name, cluster): (&String, &Value)| {
        let services: Vec<String> = list(cluster, "services").map(|service| text(service, "host")).collect();
        // The policy's name, however much it says beside it.
        let balance = cluster.get("lb_policy").map(|policy| text(policy, "name")).unwrap_or_default();
        vec![
            name.clone(),
            services.join(", "),
            text(cluster, "subset"),
            text(cluster, "protocol").to_lowercase(),
            balance,
            list(cluster, "endpoints").count().to_string(),
        ]
    };
    let rows = entries(part).map(row).collect();
    table("clusters", &["Cluster", "Services", "Subset", "Protocol", "Balance", "Endpoints"], rows)
}

/// Of `clusters`: a row for each address of each.
pub fn endpoints(part: &Value) -> Table {
    let mut rows = Vec::new();
    for (name, cluster) in entries(part) {
        for endpoint in list(cluster, "endpoints") {
            let ejected = endpoint.get("ejected") == Some(&Value::Bool(true));
            rows.push(vec![
                text(endpoint, "address"),
                text(endpoint, "weight"),
                if ejected { "ejected".to_owned() } else { text(endpoint, "health").to_lowercase() },
                if endpoint.get("tls") == Some(&Value::Bool(true)) { "mutual TLS" } else { "plaintext" }.to_owned(),
                name.clone(),
            ]);
        }
    }
    table("endpoints", &["Endpoint", "Weight", "Health", "Security", "Cluster"], rows)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn parts_are_tables() {
        let to = |cluster: &str, weight: u32| json!({"cluster": cluster, "weight": weight});
        let held = json!({"in": {"address": "0.0.0.0:1", "direction": "INBOUND", "bind_error": "in use", "filter_chains": [
            {"name": "c", "tls": {}, "http": {"routes": {"rds": "8080"}}}],
            "default_filter_chain": {"name": "d", "tls": null, "tcp": {"clusters": [to("Passthrough", 1)]}}}});
        let rows = listeners(&held).rows;
        assert_eq!(rows[0], ["in", "0.0.0.0:1 (not bound: in use)", "inbound", "c", "TLS", "routes 8080"]);
        assert_eq!(rows[1][3..], ["d", "", "TCP Passthrough"]);
        let held = json!({"8080": {"virtual_hosts": [{"domains": ["web:8080", "web"], "routes": [
            {"name": "r", "virtual_service": "shop/web", "route": {"clusters": [to("v1", 90), to("v2", 10)]}},
            {"name": "b", "direct_response": {"status": 502}}]}]}});
        let rows = routes(&held).rows;
        assert_eq!(rows[0], ["8080", "web", "r", "shop/web", "v1 (90), v2 (10)"]);
        assert_eq!(rows[1][2..], ["b", "", "answer 502"]);
        let held = json!({"v1": {"lb_policy": {"name": "RANDOM"}, "endpoints": [
            {"address": "10.0.0.1:80", "tls": true, "weight": 1, "health": "HEALTHY"}]}});
        assert_eq!(clusters(&held).rows[0], ["v1", "", "", "", "RANDOM", "1"]);
        assert_eq!(endpoints(&held).rows[0], ["10.0.0.1:80", "1", "healthy", "mutual TLS", "v1"]);
        for table in [listeners, routes, clusters, endpoints] {
            assert!(table(&json!("nonsense")).rows.is_empty() && table(&Value::Null).rows.is_empty());
        }
    }
}
