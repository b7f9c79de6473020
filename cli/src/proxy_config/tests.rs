use serde_json::json;

use super::*;

fn dump() -> Value {
    let to = |cluster: &str, weight: u32| json!({"cluster": cluster, "weight": weight});
    json!({
        "listeners": {"0.0.0.0_8080": {"address": "0.0.0.0:8080", "direction": "OUTBOUND", "bind_error": null,
                "filter_chains": [{"name": "outbound_8080_http", "tls": null, "http": {"routes": {"rds": "8080"}}}],
                "default_filter_chain": {"name": "passthrough", "tls": null, "tcp": {"clusters": [to("PassthroughCluster", 1)]}}},
            "virtualInbound": {"address": "0.0.0.0:15006", "direction": "INBOUND", "bind_error": "in use", "filter_chains": [
                {"name": "inbound_9080_http", "tls": {"certificate": "default"}, "http": {"routes": {"inline": {}}}}]}},
        "route_configurations": {"8080": {"virtual_hosts": [{"name": "8080/web", "domains": ["web.shop:8080", "web.shop"], "routes": [
            {"name": "http[0]", "virtual_service": "shop/web", "route": {"clusters": [to("outbound|8080|v1|web", 90), to("outbound|8080|v2|web", 10)]}},
            {"name": "block_all", "virtual_service": null, "direct_response": {"status": 502, "body_bytes": 0}}]}]}},
        "clusters": {"outbound|8080|v1|web": {"lb_policy": {"name": "LEAST_REQUEST", "choice_count": 2}, "protocol": "HTTP1", "subset": "v1",
            "services": [{"host": "web.shop.svc.cluster.local", "name": "web", "namespace": "shop"}],
            "endpoints": [{"address": "10.0.0.1:9080", "tls": true, "weight": 1, "health": "HEALTHY", "ejected": false}]}},
        "workloads": {"uid": {"namespace": "shop", "workload": "web", "service_account": "web", "addresses": ["10.0.0.1"]}},
    })
}

fn lines(part: Part, name: &str) -> Vec<Vec<String>> {
    let text = Config::of(&dump(), part, name).text();
    text.lines()
        .map(|line| line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).map(str::to_owned).collect())
        .collect()
}

#[test]
fn each_part_is_a_table() {
    let listeners = lines(Part::Listeners, "");
    assert_eq!(listeners[1], ["0.0.0.0_8080", "0.0.0.0:8080", "outbound", "outbound_8080_http", "-", "routes 8080"]);
    assert_eq!(listeners[2].last().unwrap(), "TCP PassthroughCluster");
    let inbound = &lines(Part::Listeners, "Inbound")[1];
    assert_eq!(
        (inbound[1].as_str(), &inbound[4..]),
        ("0.0.0.0:15006 (not bound: in use)", &["TLS".to_owned(), "routes of its own".into()][..])
    );
    let routes = lines(Part::Routes, "");
    let split = "outbound|8080|v1|web (90), outbound|8080|v2|web (10)";
    assert_eq!(routes[1], ["8080", "web.shop", "http[0]", "shop/web", split]);
    assert_eq!(routes[2].last().unwrap(), "answer 502");
    let clusters = lines(Part::Clusters, "");
    assert_eq!(
        clusters[1],
        ["outbound|8080|v1|web", "web.shop.svc.cluster.local", "v1", "http1", "LEAST_REQUEST", "1"]
    );
    let endpoints = lines(Part::Endpoints, "");
    assert_eq!(endpoints[1], ["10.0.0.1:9080", "1", "healthy", "mutual TLS", "outbound|8080|v1|web"]);
    assert_eq!(lines(Part::Workloads, "")[1], ["shop", "web", "web", "10.0.0.1"]);
    assert_eq!(Config::of(&dump(), Part::Clusters, "no such").text(), "Nothing fits.");
}

#[test]
fn certificates_tell_how_long_they_hold() {
    let certs = json!({"certificates": [
        {"uri": "spiffe://cluster.local/ns/shop/sa/web", "serial_number": "4b", "seconds_until_expiration": 84_857, "root_sha256": ["f20d2af6f9b1c8232e62"]},
        {"uri": "spiffe://cluster.local/ns/shop/sa/old", "serial_number": "4c", "seconds_until_expiration": -5, "root_sha256": []}]});
    let text = Config::of(&certs, Part::Secrets, "").text();
    assert!(text.contains("23h 34m") && text.contains("EXPIRED") && text.contains("f20d2af6f9b1c823"), "{text}");
}

#[test]
fn json_is_the_proxys_own() {
    let config = Config::of(&dump(), Part::Workloads, "");
    assert_eq!(serde_json::to_value(&config).unwrap(), dump()["workloads"]);
}
