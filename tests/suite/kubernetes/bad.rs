//! Meshes that cannot be.

use std::time::Duration;

use serde_json::json;
use weft_tests::cluster::{Cluster, mesh::mesh, object::condition};

const SOON: Duration = Duration::from_secs(30);

#[tokio::test]
async fn a_mesh_that_cannot_be_is_refused_or_says_why() {
    let Some(cluster) = Cluster::get().await else { return };
    let _mesh = cluster.mesh().await;
    let _odd = cluster.own_mesh("odd");
    let unknown = cluster.try_apply(&mesh("odd", &json!({ "profile": "huge" }))).await.unwrap_err();
    assert!(unknown.contains("minimal") && unknown.contains("profile"), "{unknown}");
    let impossible = mesh(
        "odd",
        &json!({
            "profile": "minimal", "revision": "odd", "components": { "controlPlane": { "replicas": -1 } },
        }),
    );
    match cluster.try_apply(&impossible).await {
        Err(refused) => assert!(refused.contains("replicas"), "{refused}"),
        Ok(_) => {
            cluster
                .wait_for("the Mesh says what is wrong", &["mesh", "odd"], SOON, |mesh| {
                    match condition(mesh, "Reconciled") {
                        Some(("False", "InvalidSpec")) => Ok(()),
                        other => Err(format!("{other:?}")),
                    }
                })
                .await;
            cluster.delete(&impossible).await;
        }
    }
}

/// The definition says it, also before any control plane answers.
#[tokio::test]
async fn several_consoles_without_what_they_share_are_refused() {
    let Some(cluster) = Cluster::get().await else { return };
    let _mesh = cluster.mesh().await;
    let _several = cluster.own_mesh("several");
    let scaling = json!({ "minReplicas": 1, "maxReplicas": 2 });
    let key = json!({ "name": "weft-console", "key": "it" });
    for console in
        [json!({ "replicas": 2 }), json!({ "autoscaling": scaling }), json!({ "replicas": 2, "database": key })]
    {
        let spec = json!({ "profile": "minimal", "revision": "several", "components": { "console": console } });
        let refused = cluster.try_apply(&mesh("several", &spec)).await.unwrap_err();
        assert!(refused.contains("write database and sessionKey"), "{console}: {refused}");
    }
}
