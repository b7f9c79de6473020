//! Under steady load, what happens in every cluster every week: restarts, scaling, a control plane that goes away. Not
//! one request may fail.

use std::time::Duration;

use weft_tests::{
    cluster::{
        Cluster,
        mesh::{NAME, SYSTEM},
    },
    wait::ensure,
};

use super::workload::{Load, app, injected};

const ROLLOUT: Duration = Duration::from_secs(120);

#[tokio::test]
async fn restarting_and_scaling_an_application_loses_nothing() {
    let Some(cluster) = Cluster::get().await else { return };
    let _mesh = cluster.mesh().await;
    let namespace = injected(cluster, "rolling").await;
    namespace.apply(&app("store", 1)).await;
    cluster.rolled_out(&namespace.name, "store-v1", ROLLOUT).await;
    let load = Load::start(&namespace, "load", "http://store/", 100).await;

    namespace.kubectl(&["rollout", "restart", "deployment/store-v1"]).await;
    cluster.rolled_out(&namespace.name, "store-v1", ROLLOUT).await;
    for replicas in ["5", "1"] {
        namespace.kubectl(&["scale", "deployment/store-v1", &format!("--replicas={replicas}")]).await;
        cluster.rolled_out(&namespace.name, "store-v1", ROLLOUT).await;
    }
    // The pods that went are gone only when their proxies have drained.
    cluster
        .wait_for("one pod is left", &["pods", "-n", &namespace.name, "-l", "app=store"], ROLLOUT, |pods| {
            let count = pods["items"].as_array().map_or(0, Vec::len);
            if count == 1 { Ok(()) } else { Err(format!("{count} pods")) }
        })
        .await;
    load.finish().await.assert_clean(1000);
}

#[tokio::test]
async fn a_minute_without_any_control_plane_loses_nothing() {
    let Some(cluster) = Cluster::get().await else { return };
    let mesh = cluster.mesh_alone().await.install().await;
    let namespace = injected(cluster, "headless").await;
    namespace.apply(&app("store", 2)).await;
    cluster.rolled_out(&namespace.name, "store-v1", ROLLOUT).await;
    let load = Load::start(&namespace, "load", "http://store/", 50).await;

    // Both would be put back by each other: first the one that repairs.
    for deployment in ["weft-operator", "weft-control-plane"] {
        cluster.kubectl(&["-n", SYSTEM, "scale", &format!("deployment/{deployment}"), "--replicas=0"]).await;
    }
    let gone = ["pods", "-n", SYSTEM, "-l", "weft.dev/component in (operator, control-plane)"];
    cluster.wait_gone(&gone, Duration::from_secs(60)).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    cluster.kubectl(&["-n", SYSTEM, "scale", "deployment/weft-operator", "--replicas=2"]).await;
    // None is a rollout that is complete, as long as nobody has put it right.
    let control_plane = ["deployment", "-n", SYSTEM, "weft-control-plane"];
    cluster
        .wait_for("the control plane is wanted again", &control_plane, ROLLOUT, |found| {
            ensure(found["spec"]["replicas"].as_u64() > Some(0), || found["spec"]["replicas"].to_string())
        })
        .await;
    cluster.rolled_out(SYSTEM, "weft-control-plane", ROLLOUT).await;
    cluster.mesh_ready(NAME).await;
    load.finish().await.assert_clean(2500);
    drop(mesh);
}
