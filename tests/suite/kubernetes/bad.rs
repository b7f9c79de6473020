//! What goes wrong on clusters, and what is said about it.

use std::time::Duration;

use serde_json::json;
use weft_tests::cluster::{Cluster, mesh::mesh, object::condition};

use super::workload::{Load, app, injected};

const SOON: Duration = Duration::from_secs(30);

#[tokio::test]
#[ignore = "run by hand with --ignored kubernetes; not yet a part of CI"]
async fn a_mesh_that_cannot_be_is_refused_or_says_why() {
    let Some(cluster) = Cluster::get().await else { return };
    let _mesh = cluster.mesh().await;
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

#[tokio::test]
#[ignore = "run by hand with --ignored kubernetes; not yet a part of CI"]
async fn traffic_goes_on_without_an_api_server() {
    let Some(cluster) = Cluster::get().await else { return };
    let _mesh = cluster.mesh_alone().await.install().await;
    let namespace = injected(cluster, "away").await;
    namespace.apply(&app("store", 2)).await;
    cluster.rolled_out(&namespace.name, "store-v1", Duration::from_secs(60)).await;
    let load = Load::start(&namespace, "load", "http://store/", 50).await;
    cluster.stop("kube-apiserver");
    tokio::time::sleep(Duration::from_secs(20)).await;
    cluster.resume("kube-apiserver");
    cluster.mesh_ready(weft_tests::cluster::mesh::NAME).await;
    // What happened meanwhile is not missed afterwards.
    namespace.kubectl(&["scale", "deployment/store-v1", "--replicas=3"]).await;
    cluster.rolled_out(&namespace.name, "store-v1", Duration::from_secs(60)).await;
    load.finish().await.assert_clean(900);
}
