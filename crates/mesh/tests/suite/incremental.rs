//! Equal configuration gives equal bytes, and a small change changes little.

use weft_mesh::{Engine, ProxyKind, Resources, translate, type_url};

use crate::estate::{changes, for_sidecar, pair, proxy, sidecar, snapshot, store};

fn differing<'a>(a: &'a Resources, b: &'a Resources) -> Vec<(&'a str, &'a str)> {
    let changed = b.iter().filter(|r| a.get(r.type_url, &r.name).is_none_or(|old| old.version != r.version));
    let gone = a.iter().filter(|r| b.get(r.type_url, &r.name).is_none());
    changed.chain(gone).map(|r| (r.type_url, r.name.as_str())).collect()
}

fn split(v1: u32) -> String {
    format!(
        "---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: b, namespace: shop}}
spec:
  hosts: [b]
  http:
  - match: [{{headers: {{x-canary: {{exact: 'true'}}}}}}]
    fault: {{delay: {{percentage: {{value: 1}}, fixedDelay: 1s}}}}
    corsPolicy: {{allowOrigins: [{{exact: 'https://x'}}]}}
    route: [{{destination: {{host: b, subset: v2}}}}]
  - route:
    - {{destination: {{host: b, subset: v1}}, weight: {v1}}}
    - {{destination: {{host: b, subset: v2}}, weight: {}}}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {{name: b, namespace: shop}}
spec:
  host: b
  subsets:
  - {{name: v1, labels: {{version: v1}}}}
  - {{name: v2, labels: {{version: v2}}}}
",
        100 - v1
    )
}

#[test]
fn equal_estates_give_equal_bytes() {
    let estate = pair() + &split(90);
    let first = for_sidecar(&estate, "shop/a");
    for _ in 0..20 {
        assert!(for_sidecar(&estate, "shop/a") == first);
    }
}

#[test]
fn an_edit_of_weights_changes_exactly_one_virtual_host() {
    let mut store = store(&(pair() + &split(90)));
    for weight in [0, 1, 10, 50, 99, 100, 37] {
        let before = store.snapshot();
        assert!(store.apply(changes(split(weight).trim_start_matches("---"))));
        let after = store.snapshot();
        for workload in ["shop/a", "shop/b"] {
            let old = translate(&before, &sidecar(&before, workload));
            let new = translate(&after, &sidecar(&after, workload));
            assert_eq!(differing(&old, &new), [(type_url::VIRTUAL_HOST, "8080/b.shop.svc.cluster.local:8080")]);
            let host = new.get(type_url::VIRTUAL_HOST, "8080/b.shop.svc.cluster.local:8080").unwrap();
            assert_eq!(host.origins.len(), 1);
            assert_eq!((host.origins[0].kind.as_str(), host.origins[0].name.as_str()), ("VirtualService", "b"));
        }
    }
}

#[test]
fn an_endpoint_changes_one_assignment_and_the_workload_table() {
    let mut store = store(&pair());
    let before = store.snapshot();
    let more = "apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: b2, namespace: shop}
spec:
  address: 127.0.0.22
  serviceAccount: b
  labels: {app: b, security.istio.io/tlsMode: istio}
";
    assert!(store.apply(changes(more)));
    let after = store.snapshot();
    let old = translate(&before, &sidecar(&before, "shop/a"));
    let new = translate(&after, &sidecar(&after, "shop/a"));
    assert_eq!(
        differing(&old, &new),
        [
            (type_url::ENDPOINT, "outbound|8080||b.shop.svc.cluster.local"),
            (type_url::WORKLOAD, "Kubernetes/networking.istio.io/WorkloadEntry/shop/b2")
        ]
    );
}

#[test]
fn envoy_gets_virtual_hosts_within_routes() {
    let snapshot = snapshot(&(pair() + &split(90)));
    let ours = translate(&snapshot, &proxy(&snapshot, "shop/a", ProxyKind::Sidecar, Engine::Weft));
    let envoys = translate(&snapshot, &proxy(&snapshot, "shop/a", ProxyKind::Sidecar, Engine::Envoy));
    assert!(envoys.of(type_url::VIRTUAL_HOST).is_empty());
    let config = crate::estate::route_config(&envoys, "8080");
    assert!(config.vhds.is_none());
    let names: Vec<_> = config.virtual_hosts.iter().map(|h| h.name.clone()).collect();
    let mut expected: Vec<_> = ours.of(type_url::VIRTUAL_HOST).names().map(str::to_owned).collect();
    let mut sorted = names.clone();
    sorted.sort();
    expected.sort();
    assert_eq!(sorted, expected);
    let mut rest = differing(&ours, &envoys);
    rest.retain(|(t, _)| ![type_url::VIRTUAL_HOST, type_url::ROUTE].contains(t));
    assert!(rest.is_empty());
    assert_eq!(envoys.get(type_url::ROUTE, "8080").unwrap().origins.len(), 1);
}
