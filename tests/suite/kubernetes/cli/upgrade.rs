//! `weft upgrade`, in place and side by side, there and back, under load. The other version is this one's programs under
//! another tag.

use std::time::Duration;

use serde_json::{Value, json};
use weft_tests::{
    cluster::{
        Cluster,
        mesh::{NAME, SYSTEM},
    },
    wait::{ensure, until},
};

use super::{
    super::workload::{Load, app, injected},
    start, weft,
};

const LIMIT: Duration = Duration::from_secs(120);
const NOW: &str = env!("CARGO_PKG_VERSION");
const NEXT: &str = "0.1.1";

async fn operator(cluster: &'static Cluster) -> Value {
    let found = cluster.read(&["deployment", "-n", SYSTEM, "weft-operator"]).await.unwrap();
    found["spec"]["template"]["spec"]["containers"][0]["image"].clone()
}

/// Runs what the answer says, in a shell as a person would; `weft` lines are left out.
async fn run_all(cluster: &'static Cluster, commands: &Value) {
    let dir = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(cluster.kubectl_program(), dir.path().join("kubectl")).unwrap();
    let path = format!("{}:{}", dir.path().display(), std::env::var("PATH").unwrap());
    let lines = commands.as_array().unwrap().iter().filter_map(Value::as_str);
    for line in lines.filter(|line| line.starts_with("kubectl ")) {
        let run = start("sh".as_ref(), cluster, &[("PATH", &path)], &["-c", line]).await;
        assert_eq!(run.code, 0, "{line}: {run:?}");
    }
}

async fn proxies_are(cluster: &'static Cluster, namespace: &str, revision: &str, version: &str) {
    cluster.rolled_out(namespace, "store-v1", LIMIT).await;
    let wanted = (json!(revision), json!(format!("weft/proxy:{version}")));
    until("every proxy is of the version", LIMIT, || async {
        let pods = cluster.read(&["pods", "-n", namespace, "-l", "app=store"]).await.unwrap();
        for pod in pods["items"].as_array().unwrap() {
            let all = pod["spec"]["initContainers"].as_array().unwrap().iter();
            let image = all.into_iter().find(|container| container["name"] == "istio-proxy").unwrap()["image"].clone();
            let found = (pod["metadata"]["labels"]["istio.io/rev"].clone(), image);
            ensure(found == wanted, || format!("{found:?}"))?;
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn an_upgrade_in_place_brings_everything_and_goes_back() {
    let Some(cluster) = Cluster::get().await else { return };
    let _mesh = cluster.mesh_alone().await.install().await;
    cluster.import_version(NEXT).await;
    let namespace = injected(cluster, "upgraded").await;
    let name = namespace.name.as_str();
    namespace.apply(&app("store", 2)).await;
    cluster.rolled_out(name, "store-v1", LIMIT).await;
    let load = Load::start(&namespace, "load", "http://store/", 50).await;
    let restart = format!("kubectl -n {name} rollout restart deployment/store-v1");

    // What would happen, and what is refused: neither changes anything.
    let mesh = cluster.read(&["mesh", NAME]).await.unwrap()["spec"].clone();
    let told = weft(cluster, &["upgrade", "--to", NEXT, "--dry-run", "-o", "json"]).await.code(0).json();
    assert_eq!(told["commands"], json!([restart]), "{told}");
    assert_eq!((&told["meshes"][0]["action"], &told["meshes"][0]["refused"]), (&json!("upgrade"), &Value::Null));
    for (to, why) in [
        ("0.3.0", "use the weft command of version 0.3.0"),
        ("1.0.0", "version 1.0.0"),
        ("banana", "\"banana\" is no version"),
    ] {
        let refused = weft(cluster, &["upgrade", "--to", to]).await.code(1);
        assert!(refused.out.contains("REFUSED") && refused.out.contains(why), "{refused:?}");
    }
    assert_eq!(cluster.read(&["mesh", NAME]).await.unwrap()["spec"], mesh);
    assert_eq!(operator(cluster).await, format!("weft/operator:{NOW}"));

    for version in [NEXT, NOW] {
        let before = weft(cluster, &["upgrade", "--to", version, "-o", "json"]).await.code(0).json();
        let changed = before["changed"].as_array().unwrap();
        for object in ["Deployment weft-operator", &format!("Mesh {NAME}")] {
            assert!(changed.iter().any(|name| name == object), "{object}: {before}");
        }
        assert_eq!(operator(cluster).await, format!("weft/operator:{version}"));
        let mesh = cluster.read(&["mesh", NAME]).await.unwrap();
        assert_eq!(mesh["status"]["version"], version, "it waited");
        for deployment in ["weft-control-plane", "weft-console", "weft-ingressgateway"] {
            let found = cluster.read(&["deployment", "-n", SYSTEM, deployment]).await.unwrap();
            let image = found["spec"]["template"]["spec"]["containers"][0]["image"].as_str().unwrap().to_owned();
            assert!(image.ends_with(&format!(":{version}")), "{deployment}: {image}");
        }
        // Workloads keep their proxies until somebody restarts them, and that is what the answer says.
        assert_eq!(before["commands"], json!([restart]), "{before}");
        assert_eq!(before["restarts"][0]["pods"], 2, "{before}");
        run_all(cluster, &before["commands"]).await;
        proxies_are(cluster, name, "default", version).await;
        let again = weft(cluster, &["upgrade", "--to", version, "-o", "json"]).await.code(0).json();
        let bare = again["restarts"].as_array().unwrap();
        assert!(bare.iter().all(|one| one["workload"] == format!("Pod {name}/load")), "{again}");
        assert_eq!((&again["changed"], &again["commands"]), (&json!([]), &json!([])), "{again}");
        let by_hand = again["byHand"].as_array().unwrap();
        assert_eq!(by_hand.len(), bare.len(), "what is left is told apart: {again}");
    }
    load.finish().await.assert_clean(1000);
    let text = weft(cluster, &["upgrade"]).await.code(0).out;
    assert!(text.contains("Nothing had to change."), "{text}");
    let back = json!([{ "op": "remove", "path": "/spec/image/tag" }]).to_string();
    cluster.kubectl(&["patch", "mesh", NAME, "--type=json", "-p", &back]).await;
    cluster.mesh_ready(NAME).await;
}

#[tokio::test]
async fn a_second_revision_comes_beside_and_workloads_move_there_and_back() {
    let Some(cluster) = Cluster::get().await else { return };
    let mut alone = cluster.mesh_alone().await.install().await;
    let second = format!("{NAME}-next");
    let _second = cluster.own_mesh(&second);
    // With a tag, and small: the second one takes its settings over.
    alone.spoil();
    let spec = json!({ "profile": "minimal", "tags": ["prod"] });
    cluster.apply(&weft_tests::cluster::mesh::mesh(NAME, &spec)).await;
    cluster.mesh_ready(NAME).await;
    cluster.import_version(NEXT).await;
    let namespace = injected(cluster, "beside").await;
    let tagged = cluster.namespace("tagged", &[("istio.io/rev", "prod")]).await;
    for space in [&namespace, &tagged] {
        space.apply(&app("store", 2)).await;
        cluster.rolled_out(&space.name, "store-v1", LIMIT).await;
    }
    let load = Load::start(&namespace, "load", "http://store/", 50).await;

    let args = ["upgrade", "--revision", "next", "--to", NEXT, "-o", "json"];
    let plan = weft(cluster, &args).await.code(0).json();
    let step =
        |name: &str| plan["meshes"].as_array().unwrap().iter().find(|mesh| mesh["mesh"] == name).unwrap().clone();
    assert_eq!((&step(NAME)["action"], &step(NAME)["to"]), (&json!("keep"), &json!(NOW)), "{plan}");
    let made = cluster.read(&["mesh", &second]).await.unwrap();
    assert_eq!((&made["spec"]["profile"], &made["status"]["version"]), (&json!("minimal"), &json!(NEXT)));
    assert_eq!(cluster.read(&["mesh", NAME]).await.unwrap()["status"]["version"], NOW, "the first one stays");
    let again = weft(cluster, &args).await.code(0).json();
    assert_eq!(again["changed"], json!([]), "it is safe to repeat: {again}");

    let load_pod = json!(format!("Pod {}/load (revision default)", namespace.name));
    assert_eq!(plan["moves"]["byHand"], json!([load_pod]), "{plan}");

    // What cannot be a revision is refused before anything is written.
    let bad = weft(cluster, &["upgrade", "--revision", "V2_BAD", "--mesh", NAME, "--dry-run"]).await.code(1);
    assert!(bad.out.contains("REFUSED") && bad.out.contains("lower-case letters"), "{bad:?}");

    // Half-way: a namespace that has its label is not one whose pods have moved.
    let label = ["label", "--overwrite", "namespace", &namespace.name, "istio-injection-", "istio.io/rev=next"];
    cluster.kubectl(&label).await;
    let half = weft(cluster, &args).await.code(0).json();
    let restart = json!(format!("kubectl -n {} rollout restart deployment/store-v1", namespace.name));
    assert!(half["moves"]["forward"].as_array().unwrap().contains(&restart), "{half}");

    // Also by the tag: a pod is labelled with the revision that it came to.
    for (way, revision, version) in [("forward", "next", NEXT), ("back", "default", NOW)] {
        run_all(cluster, &plan["moves"][way]).await;
        for space in [&namespace, &tagged] {
            proxies_are(cluster, &space.name, revision, version).await;
        }
    }
    load.finish().await.assert_clean(500);

    // The new one is removed, as the last line of the way back says; the first one serves on.
    let last = plan["moves"]["back"].as_array().unwrap().last().unwrap().as_str().unwrap().to_owned();
    assert_eq!(last, format!("weft uninstall --name {second}"));
    weft(cluster, &last.split(' ').skip(1).collect::<Vec<_>>()).await.code(0);
    assert!(cluster.read(&["deployment", "-n", SYSTEM, "weft-control-plane-next"]).await.is_none());
    cluster.mesh_ready(NAME).await;
    // The suite's operator and Mesh again.
    weft(cluster, &["upgrade", "--to", NOW]).await.code(0);
    drop((namespace, tagged));
    let back = json!([{ "op": "remove", "path": "/spec/image/tag" }]).to_string();
    cluster.kubectl(&["patch", "mesh", NAME, "--type=json", "-p", &back]).await;
}
