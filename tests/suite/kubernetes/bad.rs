//! Meshes that cannot be.

use std::time::Duration;

use serde_json::json;
use weft_install::names;
use weft_tests::{
    cluster::{
        Cluster,
        mesh::{NAME, SYSTEM, mesh},
        object::condition,
    },
    wait::{ensure, until},
};

use super::told::told;

const SOON: Duration = Duration::from_secs(30);

/// One that a schema takes and nobody can install.
fn impossible() -> String {
    let labels = json!({ "controlPlane": { "podLabels": { "app": "mine" } } });
    mesh("odd", &json!({ "profile": "minimal", "revision": "odd", "components": labels }))
}

#[tokio::test]
async fn a_mesh_that_cannot_be_is_refused() {
    let Some(cluster) = Cluster::get().await else { return };
    let _mesh = cluster.mesh().await;
    let _odd = cluster.own_mesh("odd");
    let refused = async |mesh: &str| cluster.try_apply(mesh).await.unwrap_err();
    let unknown = refused(&mesh("odd", &json!({ "profile": "huge" }))).await;
    assert!(unknown.contains("minimal") && unknown.contains("profile"), "{unknown}");
    let fewer =
        json!({ "profile": "minimal", "revision": "odd", "components": { "controlPlane": { "replicas": -1 } } });
    let negative = refused(&mesh("odd", &fewer)).await;
    assert!(negative.contains("replicas"), "{negative}");
    // What no schema sees is refused by the control plane that is there.
    let label = refused(&impossible()).await;
    assert!(label.contains("podLabels") && label.contains("selectors rely on this label"), "{label}");
}

/// Without a control plane nobody is asked: the first Mesh of a cluster comes to the operator as it is.
#[tokio::test]
async fn a_mesh_that_nobody_refused_says_what_is_wrong() {
    let Some(cluster) = Cluster::get().await else { return };
    let _mesh = cluster.mesh_alone().await.install().await;
    let _odd = cluster.own_mesh("odd");
    let operator = cluster.read(&["deployment", "-n", SYSTEM, "weft-operator"]).await.unwrap();
    let scale = async |replicas: &str| {
        let replicas = format!("--replicas={replicas}");
        cluster.kubectl(&["-n", SYSTEM, "scale", "deployment/weft-operator", &replicas]).await;
    };
    // It would put the webhook back.
    scale("0").await;
    cluster.wait_gone(&["pods", "-n", SYSTEM, "-l", "weft.dev/component=operator"], SOON).await;
    let webhook = ["validatingwebhookconfiguration", names::VALIDATOR_WEBHOOK];
    cluster.kubectl(&["delete", webhook[0], webhook[1]]).await;
    let odd = impossible();
    until("nobody is asked", SOON, || cluster.try_apply(&odd)).await;
    scale(&operator["spec"]["replicas"].to_string()).await;
    let message = told(cluster, "odd", "Reconciled", "False", "InvalidSpec").await;
    assert!(message.contains("podLabels") && message.contains("selectors rely on this label"), "{message}");
    assert!(cluster.read(&["deployment", "-n", SYSTEM, "weft-control-plane-odd"]).await.is_none());
    cluster.wait_for("the webhook is back", &webhook, SOON, |_| Ok(())).await;
    cluster.rolled_out(SYSTEM, "weft-operator", SOON).await;
    cluster.mesh_ready(NAME).await;
}

/// The scheduler's own words are told with what helps, and once that is done it goes on.
#[tokio::test]
async fn a_mesh_without_room_names_its_pods_and_what_helps() {
    let Some(cluster) = Cluster::get().await else { return };
    let _mesh = cluster.mesh().await;
    let _huge = cluster.own_mesh("huge");
    let asks = |cpu: &str| {
        let control_plane = json!({ "replicas": 2, "resources": { "requests": { "cpu": cpu } } });
        let components = json!({ "controlPlane": control_plane });
        mesh("huge", &json!({ "profile": "minimal", "revision": "huge", "components": components }))
    };
    cluster.apply(&asks("100000")).await;
    cluster
        .wait_for("the Mesh says what it lacks", &["mesh", "huge"], SOON, |found| {
            let text = found["status"]["conditions"].to_string();
            let told = ["pods weft-control-plane-huge-", "Insufficient cpu", "spec.components.controlPlane"];
            let all = told.iter().all(|words| text.contains(words));
            ensure(all && condition(found, "Ready") == Some(("False", "Unschedulable")), || text)
        })
        .await;
    let warned = "--field-selector=involvedObject.kind=Mesh,involvedObject.name=huge,reason=Unschedulable,type=Warning";
    cluster
        .wait_for("an event warns of it", &["events", "-A", warned], SOON, |events| {
            let found = events["items"].as_array().is_some_and(|all| !all.is_empty());
            ensure(found, || "no such event".into())
        })
        .await;
    cluster.apply(&asks("10m")).await;
    cluster.mesh_ready("huge").await;
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
