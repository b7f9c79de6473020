//! Two control planes side by side, and a new root, under load.

use std::time::Duration;

use serde_json::{Value, json};
use weft_tests::cluster::{
    Cluster,
    mesh::{NAME, SYSTEM, mesh},
    object::condition,
};

use super::workload::{Load, app};

const LIMIT: Duration = Duration::from_secs(120);

#[tokio::test]
#[ignore = "run by hand with --ignored kubernetes; not yet a part of CI"]
async fn workloads_move_to_a_second_revision_and_back_without_a_failed_request() {
    let Some(cluster) = Cluster::get().await else { return };
    let _mesh = cluster.mesh_alone().await.install().await;
    let second = mesh("canary", &json!({ "profile": "minimal", "revision": "canary" }));
    cluster.apply(&second).await;
    cluster.mesh_ready("canary").await;

    let namespace = cluster.namespace("moves", &[("istio.io/rev", "default")]).await;
    namespace.apply(&app("store", 2)).await;
    cluster.rolled_out(&namespace.name, "store-v1", LIMIT).await;
    let load = Load::start(&namespace, "load", "http://store/", 50).await;
    for revision in ["canary", "default"] {
        cluster
            .kubectl(&["label", "--overwrite", "namespace", &namespace.name, &format!("istio.io/rev={revision}")])
            .await;
        namespace.kubectl(&["rollout", "restart", "deployment/store-v1"]).await;
        cluster.rolled_out(&namespace.name, "store-v1", LIMIT).await;
        let own = format!("\"{revision}\"");
        cluster
            .wait_for(
                "every pod is of the revision",
                &["pods", "-n", &namespace.name, "-l", "app=store"],
                LIMIT,
                |pods| {
                    let revision = |pod: &Value| pod["metadata"]["labels"]["istio.io/rev"].to_string();
                    let others: Vec<_> =
                        pods["items"].as_array().unwrap().iter().map(revision).filter(|r| *r != own).collect();
                    if others.is_empty() { Ok(()) } else { Err(format!("{others:?}")) }
                },
            )
            .await;
    }
    load.finish().await.assert_clean(500);
    cluster.delete(&second).await;
    assert!(cluster.read(&["deployment", "-n", SYSTEM, "weft-control-plane-canary"]).await.is_none());
    cluster.mesh_ready(NAME).await;
}

#[tokio::test]
#[ignore = "run by hand with --ignored kubernetes; not yet a part of CI"]
async fn a_second_mesh_of_the_same_revision_is_told_no() {
    let Some(cluster) = Cluster::get().await else { return };
    let _mesh = cluster.mesh().await;
    let twin = mesh("twin", &json!({ "profile": "minimal" }));
    cluster.apply(&twin).await;
    cluster
        .wait_for("the twin says who has its revision", &["mesh", "twin"], LIMIT, |mesh| {
            match condition(mesh, "Reconciled") {
                Some(("False", "RevisionTaken")) => Ok(()),
                other => Err(format!("{other:?}")),
            }
        })
        .await;
    cluster.delete(&twin).await;
    cluster.mesh_ready(NAME).await;
}

#[tokio::test]
#[ignore = "run by hand with --ignored kubernetes; not yet a part of CI"]
async fn a_new_root_comes_without_a_failed_request() {
    let Some(cluster) = Cluster::get().await else { return };
    let _mesh = cluster.mesh_alone().await.install().await;
    let namespace = super::workload::injected(cluster, "roots").await;
    namespace.apply(&app("store", 2)).await;
    cluster.rolled_out(&namespace.name, "store-v1", LIMIT).await;
    let load = Load::start(&namespace, "load", "http://store/", 50).await;
    let before = cluster.read(&["secret", "-n", SYSTEM, "weft-ca"]).await.unwrap()["data"]["ca-cert.pem"].clone();
    cluster.kubectl(&["annotate", "--overwrite", "mesh", NAME, "weft.dev/rotate-root=now"]).await;
    cluster
        .wait_for("the new root signs", &["secret", "-n", SYSTEM, "weft-ca"], LIMIT, |secret| {
            let changed = secret["data"]["ca-cert.pem"] != before;
            if changed { Ok(()) } else { Err(secret["metadata"]["annotations"].to_string()) }
        })
        .await;
    // Pods of the new root and of the old one serve side by side.
    namespace.kubectl(&["scale", "deployment/store-v1", "--replicas=3"]).await;
    cluster.rolled_out(&namespace.name, "store-v1", LIMIT).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    load.finish().await.assert_clean(300);
}
