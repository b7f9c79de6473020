//! What the API server asks us before it takes an object.

use std::time::{Duration, Instant};

use serde_json::Value;
use weft_tests::{
    cluster::{Cluster, mesh::SYSTEM},
    wait::until,
};

use super::workload::injected;

const ROLLOUT: Duration = Duration::from_secs(120);
/// Longer than a replica that stops may still be asked: its lame-duck time, and what kube-proxy takes.
const STOPPING: Duration = Duration::from_secs(8);

#[tokio::test]
async fn objects_that_cannot_work_are_refused_with_a_reason() {
    let Some(cluster) = Cluster::get().await else { return };
    let _mesh = cluster.mesh().await;
    let namespace = cluster.namespace("valid", &[]).await;
    let weights = |second: i32| {
        format!(
            "
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: split}}
spec:
  hosts: [store]
  http:
  - route:
    - {{destination: {{host: store, subset: v1}}, weight: 90}}
    - {{destination: {{host: store, subset: v2}}, weight: {second}}}
"
        )
    };
    let refused = namespace.try_apply(&weights(-5)).await.unwrap_err();
    assert!(refused.contains("weight"), "{refused}");
    assert!(refused.contains("denied the request") || refused.contains("Invalid"), "{refused}");
    // What only other objects could make right is no reason to refuse: they may come later.
    namespace.apply(&weights(10)).await;
}

/// What no replica is asked about is refused, and Services lead to one for a moment after it was told to stop.
#[tokio::test]
async fn a_rollout_of_the_control_plane_refuses_nothing() {
    let Some(cluster) = Cluster::get().await else { return };
    let mesh = cluster.mesh_alone().await.install().await;
    let namespace = injected(cluster, "rollout").await;
    until("the namespace has its service account", ROLLOUT, || {
        namespace.try_kubectl(&["get", "serviceaccount", "default"])
    })
    .await;
    let deployment = "deployment/weft-control-plane";
    let name = |items: &Value| {
        let all = items["items"].as_array().into_iter().flatten();
        let stays = all.filter(|pod| pod["metadata"]["deletionTimestamp"].is_null());
        stays.map(|pod| pod["metadata"]["name"].to_string()).collect::<Vec<_>>()
    };
    let pods = ["pods", "-n", SYSTEM, "-l", "weft.dev/component=control-plane"];
    let before = name(&cluster.read(&pods).await.expect("the control plane's pods"));
    let ask = ["run", "asked", "--image=weft/app", "--restart=Never", "--dry-run=server", "-o", "json"];
    cluster.kubectl(&["rollout", "restart", "-n", SYSTEM, deployment]).await;
    let mut asked = 0;
    let start = Instant::now();
    let mut last = None;
    // Until the last of the old ones was told to stop, and longer than it may still be asked.
    while last.is_none_or(|told: Instant| told.elapsed() < STOPPING) {
        let pod = namespace.try_kubectl(&ask).await.unwrap_or_else(|error| panic!("after {asked} pods: {error}"));
        assert!(pod.contains("istio-proxy"), "pod {asked} was admitted without a proxy: {pod}");
        asked += 1;
        let now = cluster.read(&pods).await.map(|items| name(&items)).unwrap_or_default();
        if last.is_none() && !now.is_empty() && now.iter().all(|pod| !before.contains(pod)) {
            last = Some(Instant::now());
        }
        assert!(last.is_some() || start.elapsed() < ROLLOUT, "the old pods were not told to stop: {now:?}");
    }
    cluster.rolled_out(SYSTEM, "weft-control-plane", ROLLOUT).await;
    drop(mesh);
}
