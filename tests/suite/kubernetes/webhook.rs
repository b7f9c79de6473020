//! What the API server asks us before it takes an object.

use weft_tests::cluster::Cluster;

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
