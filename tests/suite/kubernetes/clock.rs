//! A control plane whose node has a wrong clock.

use serde_json::{Value, json};
use weft_tests::cluster::{
    Cluster,
    mesh::{NAME, mesh},
    object::condition,
};

use super::told::told;

/// A control plane beside the suite's own, with this much added to its clock.
fn late(offset: &str) -> String {
    let env = json!({
        "LD_PRELOAD": "/usr/local/lib/libfaketimeMT.so.1", "FAKETIME": offset, "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    });
    // As `cargo xtask image --test` makes it where `scripts/bootstrap test` has installed libfaketime.
    let image = concat!("weft/operator-faketime:", env!("CARGO_PKG_VERSION"));
    let components = json!({ "controlPlane": { "image": image, "env": env } });
    mesh("late", &json!({ "profile": "minimal", "revision": "late", "components": components }))
}

#[tokio::test]
async fn a_control_plane_with_a_wrong_clock_is_told_until_it_is_set() {
    let Some(cluster) = Cluster::get().await else { return };
    let _mesh = cluster.mesh().await;
    let _own = cluster.own_mesh("late");
    let now = async || -> Value { cluster.read(&["mesh", "late"]).await.unwrap() };

    // A little: others wait for a moment until what it signs counts.
    cluster.apply(&late("+2m")).await;
    cluster.mesh_ready("late").await;
    let message = told(cluster, "late", "ClocksAgree", "False", "ClockOff").await;
    assert!(
        message.contains("a replica of the control plane is") && message.contains("ahead of the API server's"),
        "{message}"
    );
    assert!(message.contains("set the clock of its node"), "{message}");
    assert_eq!(condition(&now().await, "Ready"), Some(("True", "Ready")));

    // More than anybody waits for.
    cluster.apply(&late("+10m")).await;
    let message = told(cluster, "late", "Ready", "False", "ClockOff").await;
    assert!(message.contains("set the clock of its node"), "{message}");

    cluster.apply(&late("+0")).await;
    told(cluster, "late", "ClocksAgree", "True", "Agree").await;
    cluster.mesh_ready("late").await;
    // It is that Mesh's alone.
    let other = cluster.read(&["mesh", NAME]).await.unwrap();
    assert_eq!(condition(&other, "ClocksAgree"), Some(("True", "Agree")), "{other}");
}
