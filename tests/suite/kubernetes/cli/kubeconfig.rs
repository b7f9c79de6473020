//! The cluster is found as kubectl finds it.

use serde_json::{Value, json};
use weft_tests::{cluster::Cluster, process::program};

use super::{start, weft, with};

const NOWHERE: &str = "https://127.0.0.1:1";

/// A kubeconfig whose only context leads to `server`.
pub(super) fn kubeconfig(context: &str, cluster: &Value, user: &Value) -> String {
    json!({
        "apiVersion": "v1", "kind": "Config", "current-context": context,
        "clusters": [{ "name": context, "cluster": cluster }],
        "users": [{ "name": context, "user": user }],
        "contexts": [{ "name": context, "context": { "cluster": context, "user": context, "namespace": "shop" } }],
    })
    .to_string()
}

#[tokio::test]
async fn kubeconfigs_are_found_and_merged_as_kubectl_does() {
    let Some(cluster) = Cluster::get().await else { return };
    // With a Mesh of another test that is on its way, status would end with 1.
    let _mesh = cluster.mesh_alone().await.install().await;
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str| dir.path().join(name).display().to_string();
    let view = cluster.kubectl(&["config", "view", "--raw", "--flatten", "-o", "json"]).await;
    let real: Value = serde_json::from_str(&view).unwrap();
    let (server, user) = (&real["clusters"][0]["cluster"], &real["users"][0]["user"]);
    std::fs::write(file("real"), kubeconfig("real", server, user)).unwrap();
    std::fs::write(file("away"), kubeconfig("away", &json!({ "server": NOWHERE }), &json!({}))).unwrap();
    let reached = server["server"].as_str().unwrap().trim_end_matches('/').to_owned();

    // By flag, whatever the variable says.
    let (real_file, away_file) = (file("real"), file("away"));
    let by_flag = ["status", "-o", "json", "--kubeconfig", real_file.as_str()];
    let status = with(cluster, &[("KUBECONFIG", "/does/not/exist")], &by_flag).await.code(0).json();
    assert_eq!(status["server"], reached.as_str());

    // Two files: the first one's current context holds, and each file's contexts are known.
    let both = format!("{away_file}:{real_file}");
    let two = [("KUBECONFIG", both.as_str())];
    let away = with(cluster, &two, &["status"]).await.code(2);
    assert!(away.err.contains("cannot list meshes") && away.err.contains("--context"), "{away:?}");
    // Who installs does not wait for a server that never answered.
    let lost = with(cluster, &two, &["install", "--timeout", "1h"]).await.code(2);
    assert!(lost.err.contains("cannot look at Namespace") && lost.err.contains("--context"), "{lost:?}");
    let status = with(cluster, &two, &["status", "--context", "real", "-o", "json"]).await.code(0).json();
    assert_eq!(status["server"], reached.as_str());
    // One that is missing among several is passed over, as kubectl does.
    let some = format!("/does/not/exist:{real_file}");
    with(cluster, &[("KUBECONFIG", some.as_str())], &["status"]).await.code(0);

    // What is wrong is told in one line that starts with it and ends with the remedy.
    for (args, word) in [
        (vec!["status", "--kubeconfig", "/does/not/exist"], "/does/not/exist"),
        (vec!["check", "--context", "nobody"], "nobody"),
        (vec!["install", "--kubeconfig", "/does/not/exist"], "/does/not/exist"),
        (vec!["uninstall", "--context", "nobody"], "nobody"),
        (vec!["upgrade", "--context", "nobody"], "nobody"),
        (vec!["proxy-status", "--context", "nobody"], "nobody"),
        (vec!["bug-report", "--context", "nobody"], "nobody"),
    ] {
        let run = weft(cluster, &args).await.code(2);
        assert!(run.err.starts_with("weft: cannot find a cluster") && run.err.contains(word), "{args:?}: {run:?}");
        assert!(run.err.contains("kubectl config get-contexts") || run.err.contains("--kubeconfig"), "{run:?}");
        assert_eq!(run.err.trim().lines().count(), 1, "{run:?}");
    }
}

#[tokio::test]
async fn it_is_a_kubectl_plugin() {
    let Some(cluster) = Cluster::get().await else { return };
    let _mesh = cluster.mesh().await;
    let dir = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(program("weft"), dir.path().join("kubectl-weft")).unwrap();
    let path = format!("{}:{}", dir.path().display(), std::env::var("PATH").unwrap());
    let kubectl = cluster.kubectl_program();
    let run = start(&kubectl, cluster, &[("PATH", &path)], &["weft", "status", "-o", "json"]).await.code(0);
    assert_eq!(run.json()["meshes"][0]["ready"], true, "{run:?}");
    let help = start(&kubectl, cluster, &[("PATH", &path)], &["weft", "--help"]).await.code(0);
    assert!(help.out.contains("Usage: kubectl weft <COMMAND>"), "{help:?}");
}
