//! What is in force in a proxy, as tables, and in what it differs from what its control plane wants.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::Value;
use weft_model::{
    ObjectRef,
    mesh::{Certificate, Drift, Table},
    sync::ProxySync,
};

/// Rows of one table, and differences, that are shown at most.
pub const MOST: usize = 2_000;

/// What the operator wants a proxy to have (`GET /debug/config_dump?proxy=…`).
#[derive(Debug, Deserialize)]
pub struct Wanted {
    /// The proxy.
    pub proxy: ProxySync,
    /// Each resource, without what it says.
    pub resources: Vec<WantedResource>,
}

/// One resource.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct WantedResource {
    kind: String,
    name: String,
    version: String,
    state: String,
    reason: Option<String>,
    origins: Vec<ObjectRef>,
}

/// Under which key of a proxy's dump the resources of a type are, and whether all that is there comes from the control
/// plane: route tables that a listener holds inline do not.
const PLACES: [(&str, &str, bool); 4] = [
    ("cds", "clusters", true),
    ("lds", "listeners", true),
    ("rds", "route_configurations", false),
    ("wds", "workloads", true),
];

/// In what a proxy differs from what is wanted of it; `dump` is its own, if it could be read.
pub fn drift(wanted: &[WantedResource], dump: Option<&Value>) -> Vec<Drift> {
    let mut all: Vec<Drift> = Vec::new();
    let of = |resource: &WantedResource, state: &str, words: String| Drift {
        kind: resource.kind.clone(),
        name: resource.name.clone(),
        state: state.to_owned(),
        version: resource.version.clone(),
        words,
        origins: resource.origins.clone(),
    };
    for resource in wanted {
        match resource.state.as_str() {
            "refused" => {
                let reason = resource.reason.clone().unwrap_or_else(|| "It gave no reason.".to_owned());
                all.push(of(resource, "refused", reason));
            }
            "pending" => all.push(of(resource, "pending", "It was sent and is not confirmed yet.".to_owned())),
            _ => {}
        }
    }
    let Some(dump) = dump else { return all };
    for (kind, key, whole) in PLACES {
        let Some(held) = dump.get(key).and_then(Value::as_object) else { continue };
        let of_kind: Vec<&WantedResource> = wanted.iter().filter(|resource| resource.kind == kind).collect();
        for resource in of_kind.iter().filter(|one| one.state == "acked" && !held.contains_key(&one.name)) {
            all.push(of(resource, "missing", "It was confirmed, but is not in force.".to_owned()));
        }
        let names: BTreeSet<&str> = of_kind.iter().map(|resource| resource.name.as_str()).collect();
        // A type that the proxy has not asked for is not compared.
        if whole && !of_kind.is_empty() {
            let extra = held.keys().filter(|name| !names.contains(name.as_str()));
            all.extend(extra.map(|name| Drift {
                kind: kind.to_owned(),
                name: name.clone(),
                state: "extra".to_owned(),
                words: "It is in force, but the control plane does not want it any more.".to_owned(),
                ..Drift::default()
            }));
        }
    }
    all
}

/// Tables of a proxy's dump (`GET /config_dump`).
pub fn tables(dump: &Value) -> Vec<Table> {
    vec![listeners(dump), routes(dump), clusters(dump), endpoints(dump)]
}

/// A proxy's certificates (`GET /certs`).
pub fn certificates(page: &Value) -> Vec<Certificate> {
    let ms = |value: &Value| value.as_u64().unwrap_or_default().saturating_mul(1000);
    list(page, "certificates")
        .map(|one| Certificate {
            role: "workload".to_owned(),
            name: text(one, "uri"),
            fingerprint: text(one, "serial_number"),
            not_before_ms: ms(&one["valid_from_unix"]),
            not_after_ms: ms(&one["expiration_unix"]),
            signs: false,
        })
        .collect()
}

/// Figures of a proxy's own (`GET /stats`); what it counted of traffic is in the charts.
pub fn stats(page: &str) -> Vec<(String, String)> {
    let own = page.lines().filter(|line| !line.starts_with("istio_") && !line.contains("_bucket{"));
    own.filter_map(|line| line.rsplit_once(' '))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .take(MOST)
        .collect()
}

fn table(key: &str, head: &[&str], mut rows: Vec<Vec<String>>) -> Table {
    let more = rows.len().saturating_sub(MOST);
    rows.truncate(MOST);
    Table { key: key.to_owned(), head: head.iter().map(|name| (*name).to_owned()).collect(), rows, more }
}

fn entries<'a>(dump: &'a Value, key: &str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    dump.get(key).and_then(Value::as_object).into_iter().flatten()
}

fn list<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value.get(key).and_then(Value::as_array).into_iter().flatten()
}

fn text(value: &Value, key: &str) -> String {
    match value.get(key) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

fn listeners(dump: &Value) -> Table {
    let mut rows = Vec::new();
    for (name, listener) in entries(dump, "listeners") {
        let problem = text(listener, "bind_error");
        let bound = if problem.is_empty() { String::new() } else { format!(" (not bound: {problem})") };
        let address = format!("{}{bound}", text(listener, "address"));
        let default = listener.get("default_filter_chain").filter(|chain| !chain.is_null());
        for chain in list(listener, "filter_chains").chain(default) {
            let tls = chain.get("tls").is_some_and(|tls| !tls.is_null());
            let leads = match (chain.get("http"), chain.get("tcp")) {
                (Some(http), _) => match http.pointer("/routes/rds").and_then(Value::as_str) {
                    Some(routes) => format!("routes {routes}"),
                    None => "routes of its own".to_owned(),
                },
                (None, Some(tcp)) => format!("TCP {}", weighted(tcp)),
                (None, None) => String::new(),
            };
            rows.push(vec![
                name.clone(),
                address.clone(),
                text(listener, "direction").to_lowercase(),
                text(chain, "name"),
                if tls { "TLS".to_owned() } else { String::new() },
                leads,
            ]);
        }
    }
    table("listeners", &["Listener", "Address", "Direction", "Chain", "TLS", "Leads to"], rows)
}

fn routes(dump: &Value) -> Table {
    let mut rows = Vec::new();
    for (name, configuration) in entries(dump, "route_configurations") {
        for host in list(configuration, "virtual_hosts") {
            let domains: Vec<&str> = list(host, "domains").filter_map(Value::as_str).collect();
            let whole = domains.iter().find(|domain| !domain.contains(':')).or(domains.first());
            for route in list(host, "routes") {
                let action = match (route.get("route"), route.get("redirect"), route.get("direct_response")) {
                    (Some(forward), _, _) => weighted(forward),
                    (_, Some(redirect), _) => format!("redirect {}", text(redirect, "status")),
                    (_, _, Some(answer)) => format!("answer {}", text(answer, "status")),
                    _ => String::new(),
                };
                rows.push(vec![
                    name.clone(),
                    whole.copied().unwrap_or_default().to_owned(),
                    text(route, "name"),
                    text(route, "virtual_service"),
                    action,
                ]);
            }
        }
    }
    table("routes", &["Routes", "Host", "Route", "VirtualService", "Leads to"], rows)
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

fn clusters(dump: &Value) -> Table {
    let row = |(name, cluster): (&String, &Value)| {
        let services: Vec<String> = list(cluster, "services").map(|service| text(service, "host")).collect();
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
    let rows = entries(dump, "clusters").map(row).collect();
    table("clusters", &["Cluster", "Services", "Subset", "Protocol", "Balance", "Endpoints"], rows)
}

fn endpoints(dump: &Value) -> Table {
    let mut rows = Vec::new();
    for (name, cluster) in entries(dump, "clusters") {
        for endpoint in list(cluster, "endpoints") {
            let ejected = endpoint.get("ejected") == Some(&Value::Bool(true));
            rows.push(vec![
                text(endpoint, "address"),
                text(endpoint, "weight"),
                if ejected { "ejected".to_owned() } else { text(endpoint, "health").to_lowercase() },
                if endpoint["tls"] == true { "mutual TLS" } else { "plaintext" }.to_owned(),
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

    fn wanted(kind: &str, name: &str, state: &str, reason: Option<&str>) -> WantedResource {
        WantedResource {
            kind: kind.into(),
            name: name.into(),
            state: state.into(),
            reason: reason.map(str::to_owned),
            ..WantedResource::default()
        }
    }

    #[test]
    fn drift_names_what_differs() {
        let dump =
            json!({"clusters": {"a": {}, "old": {}}, "listeners": {"l": {}}, "route_configurations": {"inline": {}}});
        let resources = [
            wanted("cds", "a", "acked", None),
            wanted("cds", "lost", "acked", None),
            wanted("cds", "late", "pending", None),
            wanted("lds", "l", "refused", Some("port in use")),
            wanted("rds", "8080", "unasked", None),
        ];
        let found = drift(&resources, Some(&dump));
        let told: Vec<_> = found.iter().map(|one| (one.kind.as_str(), one.name.as_str(), one.state.as_str())).collect();
        let expected =
            [("cds", "late", "pending"), ("lds", "l", "refused"), ("cds", "lost", "missing"), ("cds", "old", "extra")];
        assert_eq!(told, expected);
        assert_eq!(found[1].words, "port in use");
        assert_eq!(drift(&resources, None).len(), 2);
    }

    #[test]
    fn a_dump_is_tables() {
        let to = |cluster: &str, weight: u32| json!({"cluster": cluster, "weight": weight});
        let dump = json!({
            "listeners": {"in": {"address": "0.0.0.0:1", "direction": "INBOUND", "bind_error": "in use", "filter_chains": [
                {"name": "c", "tls": {}, "http": {"routes": {"rds": "8080"}}}]}},
            "route_configurations": {"8080": {"virtual_hosts": [{"domains": ["web:8080", "web"], "routes": [
                {"name": "r", "virtual_service": "shop/web", "route": {"clusters": [to("v1", 90), to("v2", 10)]}}]}]}},
            "clusters": {"v1": {"endpoints": [{"address": "10.0.0.1:80", "tls": true, "weight": 1, "health": "HEALTHY"}]}},
        });
        let [listeners, routes, clusters, endpoints] = &tables(&dump)[..] else { panic!() };
        assert_eq!(listeners.rows[0], ["in", "0.0.0.0:1 (not bound: in use)", "inbound", "c", "TLS", "routes 8080"]);
        assert_eq!(routes.rows[0], ["8080", "web", "r", "shop/web", "v1 (90), v2 (10)"]);
        assert_eq!(clusters.rows[0].last().unwrap(), "1");
        assert_eq!(endpoints.rows[0], ["10.0.0.1:80", "1", "healthy", "mutual TLS", "v1"]);
        assert!(tables(&json!("nonsense")).iter().all(|table| table.rows.is_empty()));
    }

    #[test]
    fn a_secrets_key_is_never_among_the_figures_or_certificates() {
        let page = json!({"certificates": [{"uri": "spiffe://a", "serial_number": "4b", "valid_from_unix": 1, "expiration_unix": 2, "key": "PRIVATE"}]});
        let [certificate] = &certificates(&page)[..] else { panic!() };
        assert_eq!((certificate.not_before_ms, certificate.not_after_ms), (1000, 2000));
        assert!(!serde_json::to_string(certificate).unwrap().contains("PRIVATE"));
        assert_eq!(stats("istio_requests_total{a=\"b\"} 1\nweft_proxy_connections{w=\"0\"} 3\n").len(), 1);
    }
}
