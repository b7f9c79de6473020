//! A control plane whose node has a wrong clock.

use serde_json::{Value, json};
use weft_tests::{
    cluster::{
        Cluster,
        mesh::{NAME, READY, SYSTEM, mesh},
        object::condition,
    },
    wait::ensure,
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

/// Sets its clock, and waits until no pod with another one counts: what is told of it may take half a minute more.
async fn set(cluster: &'static Cluster, offset: &str) {
    const DEPLOYMENT: &str = "weft-control-plane-late";
    cluster.apply(&late(offset)).await;
    cluster
        .wait_for(
            &format!("{DEPLOYMENT} is to have {offset}"),
            &["deployment", "-n", SYSTEM, DEPLOYMENT],
            READY,
            |found| {
                let env = found["spec"]["template"]["spec"]["containers"][0]["env"].to_string();
                ensure(env.contains(&format!("\"{offset}\"")), || env.clone())
            },
        )
        .await;
    cluster.rolled_out(SYSTEM, DEPLOYMENT, READY).await;
}

#[tokio::test]
async fn a_control_plane_with_a_wrong_clock_is_told_until_it_is_set() {
    let Some(cluster) = Cluster::get().await else { return };
    let _mesh = cluster.mesh().await;
    let _own = cluster.own_mesh("late");
    let now = async || -> Value { cluster.read(&["mesh", "late"]).await.unwrap() };

    // A little: others wait for a moment until what it signs counts.
    set(cluster, "+2m").await;
    cluster.mesh_ready("late").await;
    let message = told(cluster, "late", "ClocksAgree", "False", "ClockOff").await;
    assert!(
        message.contains("a replica of the control plane is") && message.contains("ahead of the API server's"),
        "{message}"
    );
    assert!(message.contains("set the clock of its node"), "{message}");
    assert_eq!(condition(&now().await, "Ready"), Some(("True", "Ready")));

    // More than anybody waits for.
    set(cluster, "+10m").await;
    let message = told(cluster, "late", "Ready", "False", "ClockOff").await;
    assert!(message.contains("set the clock of its node"), "{message}");

    set(cluster, "+0").await;
    told(cluster, "late", "ClocksAgree", "True", "Agree").await;
    cluster.mesh_ready("late").await;
    // It is that Mesh's alone.
    let other = cluster.read(&["mesh", NAME]).await.unwrap();
    assert_eq!(condition(&other, "ClocksAgree"), Some(("True", "Agree")), "{other}");
}
