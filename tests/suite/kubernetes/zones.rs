//! Where the control plane's pods would go on a cluster of three zones: Nodes that are objects only.

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Value, json};
use weft_tests::cluster::{Cluster, mesh::SYSTEM};

#[tokio::test]
async fn replicas_spread_over_zones() {
    let Some(cluster) = Cluster::get().await else { return };
    let _mesh = cluster.mesh().await;
    let namespace = cluster.namespace("zones", &[]).await;
    let stub = |zone: &str| {
        json!({
            "apiVersion": "v1", "kind": "Node",
            "metadata": { "name": format!("stub-{zone}"), "labels": {
                "topology.kubernetes.io/zone": zone, "kubernetes.io/hostname": format!("stub-{zone}"), "weft-test": "stub",
            } },
            // Nothing else is scheduled here.
            "spec": { "taints": [{ "key": "weft-test", "value": "stub", "effect": "NoSchedule" }] },
        })
    };
    let stubs = json!({ "apiVersion": "v1", "kind": "List", "items": [stub("a"), stub("b"), stub("c")] });
    cluster.apply(&stubs.to_string()).await;
    let ready = json!({ "status": {
        "allocatable": { "cpu": "8", "memory": "16Gi", "pods": "110" },
        "capacity": { "cpu": "8", "memory": "16Gi", "pods": "110" },
        "conditions": [{ "type": "Ready", "status": "True", "reason": "Stub", "message": "an object only" }],
    } })
    .to_string();
    for zone in ["a", "b", "c"] {
        let node = format!("stub-{zone}");
        cluster.kubectl(&["patch", "node", &node, "--subresource=status", "--type=merge", "-p", &ready]).await;
    }
    // The control plane's own pod template, but for what ties it to its namespace and this node.
    let deployment = cluster.read(&["deployment", "-n", SYSTEM, "weft-control-plane"]).await.unwrap();
    let mut template = deployment["spec"]["template"].clone();
    template["spec"]["nodeSelector"] = json!({ "weft-test": "stub" });
    template["spec"]["tolerations"] = json!([
        { "key": "weft-test", "operator": "Exists" },
        { "key": "node.kubernetes.io/not-ready", "operator": "Exists" },
        { "key": "node.kubernetes.io/unreachable", "operator": "Exists" },
    ]);
    template["spec"]["serviceAccountName"] = "default".into();
    let copy = json!({ "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "copy" }, "spec": {
        "replicas": 3, "selector": deployment["spec"]["selector"], "template": template,
    } });
    namespace.apply(&copy.to_string()).await;
    let nodes = cluster
        .wait_for("three pods are placed", &["pods", "-n", &namespace.name], Duration::from_secs(30), |pods| {
            let place = |pod: &Value| pod["spec"]["nodeName"].as_str().map(str::to_owned);
            let mut nodes: BTreeMap<String, usize> = BTreeMap::new();
            for node in pods["items"].as_array().unwrap().iter().filter_map(place) {
                *nodes.entry(node).or_default() += 1;
            }
            if nodes.values().sum::<usize>() == 3 { Ok(nodes) } else { Err(format!("{nodes:?}")) }
        })
        .await;
    cluster.kubectl(&["delete", "deployment", "copy", "-n", &namespace.name]).await;
    cluster.kubectl(&["delete", "pods", "--all", "-n", &namespace.name, "--force", "--grace-period=0"]).await;
    cluster.kubectl(&["delete", "nodes", "-l", "weft-test=stub"]).await;
    assert_eq!(nodes.len(), 3, "one in each zone: {nodes:?}");
}
