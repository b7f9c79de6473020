//! What a large cluster takes, on demand: `cargo test -p weft-source memory -- --ignored --nocapture`.

use std::fs;

use serde_json::{Value, json};

use super::{Answer, FakeApi, KubernetesOptions, KubernetesSource};

const SERVICES: usize = 5_000;
const PODS: usize = 10_000;
/// Two fifths of what the operator may take in all.
const AT_MOST: u64 = 80 * 1024 * 1024;

#[tokio::test]
#[ignore = "a measurement"]
async fn memory_of_ten_thousand_pods() {
    let api = FakeApi::new();
    api.answer("services", Answer::made((0..SERVICES).map(service)));
    api.answer("endpointslices", Answer::made((0..SERVICES).map(slice)));
    api.answer("pods", Answer::made((0..PODS).map(pod)));
    let mut source = KubernetesSource::new(api.client(), KubernetesOptions::default());
    let before = resident();
    let mut kept = Vec::new();
    while !source.synced() {
        kept.extend(source.next().await.changes);
    }
    assert_eq!(source.len(), PODS + 2 * SERVICES);
    let taken = resident().saturating_sub(before);
    println!("{} objects take {:.1} MiB", kept.len(), taken as f64 / 1024.0 / 1024.0);
    assert!(taken < AT_MOST, "{taken} bytes");
}

/// Resident memory of this process, bytes.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").trim().parse::<u64>().unwrap() * 1024
}

fn managed() -> Value {
    let fields: Vec<_> = (0..40).map(|n| (format!("f:field{n}"), json!({"f:name": {}, "f:value": {}}))).collect();
    let fields: serde_json::Map<_, _> = fields.into_iter().collect();
    json!([{"manager": "kubelet", "operation": "Update", "fieldsV1": {"f:status": fields}}])
}

fn service(n: usize) -> Value {
    json!({"metadata": {"name": format!("service-{n}"), "namespace": format!("team-{}", n % 100), "uid": format!("{n:036}"),
            "resourceVersion": "7", "managedFields": managed(), "labels": {"app": format!("service-{n}")}},
        "spec": {"type": "ClusterIP", "clusterIP": format!("10.96.{}.{}", n / 250, n % 250), "sessionAffinity": "None",
            "clusterIPs": [format!("10.96.{}.{}", n / 250, n % 250)], "ipFamilies": ["IPv4"],
            "selector": {"app": format!("service-{n}")},
            "ports": [{"name": "http", "port": 80, "targetPort": 8080, "protocol": "TCP"}]},
        "status": {"loadBalancer": {}}})
}

fn slice(n: usize) -> Value {
    let endpoint = |i: usize| {
        json!({"addresses": [format!("10.{}.{}.{}", n / 250, n % 250, i)], "nodeName": format!("node-{}", n % 200),
            "conditions": {"ready": true, "serving": true, "terminating": false}, "zone": "eu-1",
            "targetRef": {"kind": "Pod", "name": format!("service-{n}-6d4cf56db6-x{i}"), "namespace": "n", "uid": "u"}})
    };
    json!({"metadata": {"name": format!("service-{n}-abcde"), "namespace": format!("team-{}", n % 100),
            "resourceVersion": "7", "managedFields": managed(),
            "labels": {"kubernetes.io/service-name": format!("service-{n}"), "endpointslice.kubernetes.io/managed-by": "x"}},
        "addressType": "IPv4", "endpoints": [endpoint(1), endpoint(2)],
        "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}]})
}

fn pod(n: usize) -> Value {
    let app = format!("service-{}", n / 2);
    let environment: Vec<_> =
        (0..30).map(|i| json!({"name": format!("VARIABLE_{i}"), "value": "x".repeat(40)})).collect();
    json!({"metadata": {"name": format!("{app}-6d4cf56db6-x{}", n % 2), "namespace": format!("team-{}", n / 2 % 100),
            "uid": format!("{n:036}"), "resourceVersion": "7", "managedFields": managed(),
            "labels": {"app": app, "version": "v1", "pod-template-hash": "6d4cf56db6", "security.istio.io/tlsMode": "istio",
                "service.istio.io/canonical-name": app, "service.istio.io/canonical-revision": "v1", "istio.io/rev": "default"},
            "annotations": {"sidecar.istio.io/status": "{\"revision\":\"default\"}", "prometheus.io/scrape": "true"},
            "ownerReferences": [{"kind": "ReplicaSet", "name": format!("{app}-6d4cf56db6"), "controller": true}]},
        "spec": {"nodeName": format!("node-{}", n % 200), "serviceAccountName": app, "volumes": [{"name": "a"}, {"name": "b"}],
            "initContainers": [{"name": "istio-init", "image": "weft/proxy"}],
            "containers": [{"name": "app", "image": "app", "env": environment, "ports": [{"containerPort": 8080, "name": "http"}]},
                {"name": "istio-proxy", "image": "weft/proxy", "ports": [{"containerPort": 15090, "name": "http-envoy-prom"}]}]},
        "status": {"phase": "Running", "podIP": "10.1.1.1", "podIPs": [{"ip": "10.1.1.1"}],
            "conditions": [{"type": "Ready", "status": "True"}]}})
}
