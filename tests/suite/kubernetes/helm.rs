//! The chart by Helm itself, on the cluster. What it renders is compared where the chart is made (`install`'s own tests).

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use serde_json::json;
use weft_install::names;
use weft_tests::{
    cluster::{Cluster, mesh::SYSTEM},
    process::root,
    wait::ensure,
};

const LIMIT: Duration = Duration::from_secs(30);
/// Name of the release and of its Mesh.
const NAME: &str = "weft";

/// Helm, built from its Go module, where the chart's own tests build it too; Go's cache makes the second time quick.
pub fn program() -> PathBuf {
    let helm = Path::new(env!("CARGO_TARGET_TMPDIR")).join("helm");
    let output = Command::new("go")
        .args(["build", "-o"])
        .arg(&helm)
        .arg("helm.sh/helm/v3/cmd/helm")
        .current_dir(root().join("tests/helm"))
        .output()
        .expect("Go builds Helm: run scripts/bootstrap");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    helm
}

/// From a cluster without anything of ours to a mesh, to other values, and back. Helm leaves the kinds of a chart's `crds` where
/// they are, and nothing else.
pub async fn installs_upgrades_and_removes(helm: &Path, cluster: &'static Cluster) {
    let helm = async |words: &[&str]| {
        let mut command = tokio::process::Command::new(helm);
        command.args(words).args(["--namespace", SYSTEM]).current_dir(root().join("charts"));
        command.env("KUBECONFIG", cluster.kubeconfig()).env("HOME", cluster.dir());
        let output = command.output().await.expect("Helm starts");
        let said = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
        assert!(output.status.success(), "helm {}: {}", words.join(" "), String::from_utf8_lossy(&said));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let values = "image.pullPolicy=Never,mesh.spec.profile=minimal";
    let install = ["install", NAME, "weft", "--create-namespace", "--set", values, "--wait", "--timeout", "90s"];
    let said = helm(&install).await;
    assert!(said.contains("It now makes the Mesh \"weft\""), "{said}");
    cluster.mesh_ready(NAME).await;

    let other = "replicas=1,mesh.spec.meshConfig.accessLogFile=/dev/null";
    helm(&["upgrade", NAME, "weft", "--reuse-values", "--set", other, "--wait", "--timeout", "90s"]).await;
    cluster.mesh_ready(NAME).await;
    let mesh = cluster.read(&["mesh", NAME]).await.expect("the chart's Mesh");
    assert_eq!(mesh["spec"]["meshConfig"]["accessLogFile"], "/dev/null");
    assert_eq!((&mesh["spec"]["profile"], &mesh["spec"]["image"]["pullPolicy"]), (&json!("minimal"), &json!("Never")));
    let operator = cluster.read(&["deployment", "-n", SYSTEM, "weft-operator"]).await.expect("the operator");
    assert_eq!(operator["spec"]["replicas"], 1);
    let settings = ["configmap", "-n", SYSTEM, names::MESH_CONFIG_MAP];
    cluster
        .wait_for("the value reaches the control plane's settings", &settings, LIMIT, |map| {
            let text = map["data"][names::MESH_KEY].as_str().unwrap_or_default();
            ensure(text.contains("/dev/null"), || text.to_owned())
        })
        .await;

    helm(&["uninstall", NAME, "--wait", "--timeout", "120s"]).await;
    assert!(cluster.read(&["mesh", NAME]).await.is_none(), "the Mesh went first");
    assert_eq!(helm(&["list", "--all", "--short"]).await.trim(), "");
}
