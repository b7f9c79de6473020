//! The operator brings its own CRD to its version, and no other.

use std::time::Duration;

use serde_json::{Value, json};
use weft_tests::cluster::{Cluster, mesh::SYSTEM};

const LIMIT: Duration = Duration::from_secs(90);
const OURS: &str = "meshes.weft.dev";
const FOREIGN: &str = "sidecars.networking.istio.io";
const COLUMNS: &str = "/spec/versions/0/additionalPrinterColumns";

async fn read(cluster: &'static Cluster, name: &str) -> Value {
    cluster.read(&["crd", name]).await.unwrap_or_else(|| panic!("there is no {name}"))
}

/// Takes the printer columns away and says which version wrote the definition.
async fn rewrite(cluster: &'static Cluster, name: &str, version: &str) {
    let patch = json!([
        { "op": "replace", "path": COLUMNS, "value": [] },
        { "op": "add", "path": "/metadata/annotations/weft.dev~1version", "value": version },
    ]);
    cluster.kubectl(&["annotate", "--overwrite", "crd", name, "weft.dev/version=any"]).await;
    cluster.kubectl(&["patch", "crd", name, "--type=json", "-p", &patch.to_string()]).await;
}

fn columns(definition: &Value) -> usize {
    definition.pointer(COLUMNS).and_then(Value::as_array).map_or(0, Vec::len)
}

/// Starts the operator anew and waits until it has looked.
async fn restart(cluster: &'static Cluster) {
    cluster.kubectl(&["-n", SYSTEM, "rollout", "restart", "deployment/weft-operator"]).await;
    cluster.rolled_out(SYSTEM, "weft-operator", LIMIT).await;
    let lease = ["lease", "-n", SYSTEM, "weft-operator"];
    let pods = cluster.read(&["pods", "-n", SYSTEM, "-l", "weft.dev/component=operator"]).await.unwrap();
    let of = |pod: &Value| pod["metadata"]["name"].as_str().unwrap().to_owned();
    let all = pods["items"].as_array().unwrap().iter();
    let new: Vec<_> = all.filter(|pod| pod["metadata"]["deletionTimestamp"].is_null()).map(of).collect();
    cluster
        .wait_for("one of the new operators leads", &lease, LIMIT, |lease| {
            let holder = lease["spec"]["holderIdentity"].as_str().unwrap_or_default().to_owned();
            let leads = new.iter().any(|pod| holder.starts_with(pod.as_str()));
            if leads { Ok(()) } else { Err(holder) }
        })
        .await;
}

#[tokio::test]
async fn the_operator_brings_its_own_kind_up_and_leaves_newer_and_foreign_ones() {
    let Some(cluster) = Cluster::get().await else { return };
    let _mesh = cluster.mesh_alone().await.install().await;
    let before = read(cluster, OURS).await;
    let version = before["metadata"]["annotations"]["weft.dev/version"].as_str().unwrap().to_owned();
    assert!(columns(&before) > 0);

    let foreign = read(cluster, FOREIGN).await["spec"].clone();
    cluster.kubectl(&["annotate", "--overwrite", "crd", FOREIGN, "weft.dev/version=0.0.1"]).await;
    let short = json!([{ "op": "add", "path": "/spec/names/shortNames", "value": ["ours"] }]).to_string();
    cluster.kubectl(&["patch", "crd", FOREIGN, "--type=json", "-p", &short]).await;

    // Made by an older version, and without any: both are brought up.
    rewrite(cluster, OURS, "0.0.1").await;
    restart(cluster).await;
    let up = |definition: &Value| {
        let annotation = &definition["metadata"]["annotations"]["weft.dev/version"];
        let done = *annotation == version.as_str() && definition["spec"]["versions"] == before["spec"]["versions"];
        if done { Ok(()) } else { Err(format!("{annotation}, {} columns", columns(definition))) }
    };
    cluster.wait_for("the kind is brought up", &["crd", OURS], LIMIT, up).await;

    // A newer one stays, also after the operator has reconciled with it.
    rewrite(cluster, OURS, "999.0.0").await;
    restart(cluster).await;
    cluster.kubectl(&["-n", SYSTEM, "delete", "service/weft-control-plane"]).await;
    cluster.wait_for("the service is back", &["service", "-n", SYSTEM, "weft-control-plane"], LIMIT, |_| Ok(())).await;
    let newer = read(cluster, OURS).await;
    assert_eq!((columns(&newer), &newer["metadata"]["annotations"]["weft.dev/version"]), (0, &json!("999.0.0")));

    let untouched = read(cluster, FOREIGN).await;
    assert_eq!(untouched["spec"]["names"]["shortNames"], json!(["ours"]), "another project's kind is left alone");
    let back = json!([
        match foreign["names"].get("shortNames") {
            Some(names) => json!({ "op": "replace", "path": "/spec/names/shortNames", "value": names }),
            None => json!({ "op": "remove", "path": "/spec/names/shortNames" }),
        },
        { "op": "remove", "path": "/metadata/annotations/weft.dev~1version" },
    ]);
    cluster.kubectl(&["patch", "crd", FOREIGN, "--type=json", "-p", &back.to_string()]).await;

    // Who wrote none is older than any.
    cluster.kubectl(&["annotate", "crd", OURS, "weft.dev/version-"]).await;
    cluster.kubectl(&["annotate", "--overwrite", "mesh", "mesh", "test/look=again"]).await;
    cluster.wait_for("the kind is brought up again", &["crd", OURS], LIMIT, up).await;
}
