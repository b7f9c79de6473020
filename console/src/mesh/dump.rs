//! What is in force in a proxy, as tables, and in what it differs from what its control plane wants.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::Value;
use weft_mesh::dump::{self, list, text};
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
        hidden_origins: 0,
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
    let (listeners, routes, clusters) = (&dump["listeners"], &dump["route_configurations"], &dump["clusters"]);
    let all = [dump::listeners(listeners), dump::routes(routes), dump::clusters(clusters), dump::endpoints(clusters)];
    all.into_iter().map(bounded).collect()
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

fn bounded(mut table: Table) -> Table {
    table.more = table.rows.len().saturating_sub(MOST);
    table.rows.truncate(MOST);
    table
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
    fn tables_are_bounded() {
        let clusters: serde_json::Map<String, Value> = (0..=MOST).map(|at| (at.to_string(), json!({}))).collect();
        let [listeners, routes, clusters, endpoints] = &tables(&json!({"clusters": clusters}))[..] else { panic!() };
        assert_eq!((clusters.rows.len(), clusters.more), (MOST, 1));
        assert!([listeners, routes, endpoints].iter().all(|table| table.rows.is_empty() && table.more == 0));
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
