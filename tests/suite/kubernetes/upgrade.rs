//! Two control planes side by side, one after the other, and a new root, under load.

use std::time::Duration;

use serde_json::{Value, json};
use weft_tests::cluster::{
    Cluster,
    mesh::{NAME, SYSTEM, mesh},
};

use super::{
    told::told,
    workload::{Load, app},
};

const LIMIT: Duration = Duration::from_secs(120);
/// What no control plane takes.
const NEGATIVE: &str = "
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: split}
spec:
  hosts: [store]
  http: [{route: [{destination: {host: store}, weight: -5}, {destination: {host: other}, weight: 95}]}]
";

#[tokio::test]
async fn workloads_move_to_a_second_revision_and_back_without_a_failed_request() {
    let Some(cluster) = Cluster::get().await else { return };
    let mut alone = cluster.mesh_alone().await.install().await;
    let _canary = cluster.own_mesh("canary");
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
        pods_have(cluster, &namespace.name, revision).await;
    }
    load.finish().await.assert_clean(500);

    // The first one goes: the second, which is not the default one, checks what it reads.
    alone.spoil();
    drop(namespace);
    cluster.kubectl(&["delete", "mesh", NAME]).await;
    let validated = cluster.namespace("validated", &[]).await;
    let refused = validated.try_apply(NEGATIVE).await.unwrap_err();
    assert!(refused.contains("weight") && refused.contains("denied the request"), "{refused}");
    cluster.delete(&second).await;
    assert!(cluster.read(&["deployment", "-n", SYSTEM, "weft-control-plane-canary"]).await.is_none());
}

#[tokio::test]
async fn a_second_mesh_of_the_same_revision_is_told_no() {
    let Some(cluster) = Cluster::get().await else { return };
    let _mesh = cluster.mesh().await;
    let own = cluster.own_mesh("twin");
    let twin = mesh("twin", &json!({ "profile": "minimal" }));
    cluster.apply(&twin).await;
    let message = told(cluster, "twin", "Reconciled", "False", "RevisionTaken").await;
    assert!(message.contains(&format!("Mesh {NAME}")) && message.contains("spec.revision"), "{message}");
    assert_eq!(cluster.read(&["mesh", "twin"]).await.unwrap()["status"]["revision"], "default");
    drop(own);
    assert!(cluster.read(&["mesh", "twin"]).await.is_none());
    cluster.mesh_ready(NAME).await;
}

#[tokio::test]
async fn a_test_that_fails_leaves_no_mesh_of_its_own() {
    let Some(cluster) = Cluster::get().await else { return };
    let _mesh = cluster.mesh().await;
    cluster.apply(&mesh("stray", &json!({ "profile": "minimal", "revision": "stray" }))).await;
    let failed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _stray = cluster.own_mesh("stray");
        panic!("as a test does that fails");
    }));
    assert!(failed.is_err());
    assert!(cluster.read(&["mesh", "stray"]).await.is_none());
    assert!(cluster.read(&["deployment", "-n", SYSTEM, "weft-control-plane-stray"]).await.is_none());
}

#[tokio::test]
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
    load.until_served(250).await;
    load.finish().await.assert_clean(300);
}

#[tokio::test]
async fn a_tag_moves_workloads_and_belongs_to_one_mesh() {
    let Some(cluster) = Cluster::get().await else { return };
    let _mesh = cluster.mesh_alone().await.install().await;
    let with = |name: &str, tags: &[&str]| mesh(name, &json!({ "profile": "minimal", "revision": name, "tags": tags }));
    let _own = ["blue", "green"].map(|name| cluster.own_mesh(name));
    for (name, tags) in [("blue", &["prod"][..]), ("green", &[])] {
        cluster.apply(&with(name, tags)).await;
        cluster.mesh_ready(name).await;
    }
    let namespace = cluster.namespace("tagged", &[("istio.io/rev", "prod")]).await;
    namespace.apply(&app("store", 1)).await;
    cluster.rolled_out(&namespace.name, "store-v1", LIMIT).await;
    pods_have(cluster, &namespace.name, "blue").await;

    // While blue has the tag, green is told no, and what runs stays.
    cluster.apply(&with("green", &["prod"])).await;
    let message = told(cluster, "green", "Reconciled", "False", "TagTaken").await;
    assert!(message.contains("blue") && message.contains("prod"), "{message}");
    cluster.apply(&with("blue", &[])).await;
    cluster.mesh_ready("blue").await;
    cluster.apply(&with("green", &["prod"])).await;
    cluster.mesh_ready("green").await;
    namespace.kubectl(&["rollout", "restart", "deployment/store-v1"]).await;
    cluster.rolled_out(&namespace.name, "store-v1", LIMIT).await;
    pods_have(cluster, &namespace.name, "green").await;

    drop(namespace);
    for name in ["green", "blue"] {
        cluster.delete(&with(name, &[])).await;
    }
    cluster.mesh_ready(NAME).await;
}

#[tokio::test]
async fn a_version_outside_the_window_is_refused_and_nothing_changes() {
    let Some(cluster) = Cluster::get().await else { return };
    let _mesh = cluster.mesh_alone().await.install().await;
    let image = ["deployment", "-n", SYSTEM, "weft-control-plane"];
    let before = cluster.read(&image).await.unwrap()["spec"].clone();
    let far = json!({ "spec": { "image": { "tag": "0.9.0" } } }).to_string();
    cluster.kubectl(&["patch", "mesh", NAME, "--type=merge", "-p", &far]).await;
    let message = told(cluster, NAME, "Reconciled", "False", "VersionSkew").await;
    assert!(message.contains("0.9.0") && message.contains("upgrade the operator first"), "{message}");
    assert_eq!(cluster.read(&image).await.unwrap()["spec"], before);
    let back = json!([{ "op": "remove", "path": "/spec/image/tag" }]).to_string();
    cluster.kubectl(&["patch", "mesh", NAME, "--type=json", "-p", &back]).await;
    cluster.mesh_ready(NAME).await;
}

async fn pods_have(cluster: &'static Cluster, namespace: &str, revision: &str) {
    let own = format!("\"{revision}\"");
    cluster
        .wait_for("every pod is of the revision", &["pods", "-n", namespace, "-l", "app=store"], LIMIT, |pods| {
            let label = |pod: &Value| pod["metadata"]["labels"]["istio.io/rev"].to_string();
            let others: Vec<_> = pods["items"].as_array().unwrap().iter().map(label).filter(|r| *r != own).collect();
            if others.is_empty() { Ok(()) } else { Err(format!("{others:?}")) }
        })
        .await;
}
