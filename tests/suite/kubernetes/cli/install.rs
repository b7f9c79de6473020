//! From nothing to a mesh and back to nothing, each step twice.

use std::time::Duration;

use serde_json::{Value, json};
use weft_tests::{
    cluster::{
        Cluster,
        mesh::{NAME, SYSTEM},
    },
    wait::{ensure, until},
};

use super::{super::helm, weft};

const LIMIT: Duration = Duration::from_secs(60);
const KINDS: &str = "deployments,services,serviceaccounts,secrets,configmaps,poddisruptionbudgets,leases,roles,rolebindings,\
    clusterroles,clusterrolebindings,mutatingwebhookconfigurations,validatingwebhookconfigurations,priorityclasses,\
    customresourcedefinitions";

/// Everything on the cluster whose name or label says that it is ours.
async fn ours(cluster: &'static Cluster) -> Vec<String> {
    let list = cluster.read(&[KINDS, "-A"]).await.expect("a list");
    let all = list["items"].as_array().unwrap().iter();
    let is_ours = |object: &&Value| {
        let meta = &object["metadata"];
        let label = |name: &str| meta["labels"][name].as_str().unwrap_or_default().to_owned();
        let name = meta["name"].as_str().unwrap_or_default();
        label("app.kubernetes.io/part-of") == "weft"
            || !label("weft.dev/mesh").is_empty()
            || name.starts_with("weft-")
            || name.ends_with(".weft.dev")
    };
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let shown = |object: &Value| format!("{} {}", text(&object["kind"]), text(&object["metadata"]["name"]));
    all.filter(is_ours).map(shown).collect()
}

async fn nothing_left(cluster: &'static Cluster) {
    until("nothing of ours is left", Duration::from_secs(60), || async {
        let left = ours(cluster).await;
        ensure(left.is_empty(), || left.join(", "))
    })
    .await;
}

fn failed(checks: &Value) -> Vec<&str> {
    let findings = checks["findings"].as_array().unwrap().iter();
    findings.filter(|finding| finding["outcome"] == "failed").filter_map(|finding| finding["check"].as_str()).collect()
}

/// What was written before the operator and the control plane went is not believed, and a Mesh that is being deleted is not
/// called ready.
async fn nobody_is_there(cluster: &'static Cluster, install: &[&str]) {
    let stop = async |deployment: &str| {
        cluster.kubectl(&["-n", SYSTEM, "scale", deployment, "--replicas=0"]).await;
    };
    stop("deployment/weft-operator").await;
    until("the operator is missed", LIMIT, || async {
        let status = weft(cluster, &["status"]).await;
        ensure(status.code == 0 && status.out.contains("scaled to 0"), || format!("{status:?}"))
    })
    .await;
    let check = weft(cluster, &["check"]).await.code(0);
    assert!(check.out.contains("warning  operator:") && check.out.contains("last written"), "{check:?}");
    stop("deployment/weft-control-plane").await;
    until("the control plane is missed", LIMIT, || async {
        let status = weft(cluster, &["status"]).await;
        ensure(status.code == 1 && status.out.contains("no ready pod"), || format!("{status:?}"))
    })
    .await;
    let left = weft(cluster, &["uninstall", "--timeout", "1s"]).await.code(1);
    assert!(left.err.contains("scaled to 0, and only an operator can clean up"), "{left:?}");

    // The operator comes back with `weft install`, and does first what it was told first.
    let again = weft(cluster, install).await.code(1);
    assert!(again.err.contains("Mesh weft is being deleted"), "{again:?}");
    assert_eq!(again.json()["ready"], false, "{again:?}");
    cluster.wait_gone(&["mesh", "weft"], LIMIT).await;
    weft(cluster, install).await.code(0);
}

/// An operator that is ready and does nothing: its Lease says that another holds it, who never renews it.
async fn nobody_renews_the_lease(cluster: &'static Cluster) {
    let place = ["lease", "weft-operator", "-n", SYSTEM];
    let gone = json!({ "spec": {
        "holderIdentity": "gone_0a", "renewTime": "2026-01-01T00:00:00.000000Z", "leaseDurationSeconds": 86400,
    } });
    // Both replicas see it within two seconds, and would wait for the day that it is held for.
    cluster.kubectl(&["-n", SYSTEM, "patch", "lease", "weft-operator", "--type=merge", "-p", &gone.to_string()]).await;
    let (status, check) = tokio::join!(weft(cluster, &["status"]), weft(cluster, &["check"]));
    let (status, check) = (status.code(0).out, check.code(1).out);
    let told = "the operator is ready and reconciles nothing, because Lease weft-system/weft-operator was last renewed";
    let remedy = "rollout restart deployment/weft-operator begins anew";
    assert!(status.contains(&format!("Warning: {told}")) && status.contains("last written"), "{status}");
    assert!(check.contains(&format!("FAILED   operator: {told}")), "{check}");
    for text in [status, check] {
        assert!(text.contains("by gone_0a") && text.contains(remedy), "{text}");
    }
    cluster.kubectl(&[&["delete"], &place[..]].concat()).await;
    cluster
        .wait_for("an operator reconciles again", &place, LIMIT, |lease| {
            let holder = lease["spec"]["holderIdentity"].as_str().unwrap_or_default();
            ensure(holder.starts_with("weft-operator-"), || holder.to_owned())
        })
        .await;
    assert!(failed(&weft(cluster, &["check", "-o", "json"]).await.json()).is_empty());
}

#[tokio::test]
async fn a_mesh_is_installed_from_nothing_and_removed_to_nothing() {
    let Some(cluster) = Cluster::get().await else { return };
    // Before anybody waits for the mesh.
    let program = tokio::task::spawn_blocking(helm::program).await.expect("Helm is built");
    let mut alone = cluster.mesh_alone().await.install().await;
    let _own = ["weft", "weft-cli"].map(|name| cluster.own_mesh(name));
    alone.spoil();
    // The suite's own way, the chart's, is removed all the same.
    let removed = weft(cluster, &["uninstall", "-o", "json"]).await.code(0).json();
    assert_eq!(removed["removed"][0], format!("Mesh {NAME}"), "{removed}");
    // A namespace with pods that are about to end goes half of their grace later, which is half a minute for a gateway's.
    cluster.wait_gone(&["pods", "-n", SYSTEM], LIMIT).await;
    cluster.kubectl(&["delete", "namespace", SYSTEM, "--ignore-not-found"]).await;
    nothing_left(cluster).await;

    // Before: the cluster can, and what is missing is told with the remedy.
    let pre = weft(cluster, &["check", "--pre", "-o", "json"]).await.code(0).json();
    assert!(failed(&pre).is_empty() && !pre["findings"].as_array().unwrap().is_empty(), "{pre}");
    let check = weft(cluster, &["check"]).await.code(0);
    assert!(check.out.contains("nothing of Weft is there") && check.out.contains("weft install"), "{check:?}");
    let status = weft(cluster, &["status", "-o", "json"]).await.code(1).json();
    assert_eq!(status["kindKnown"], false, "{status}");
    assert!(weft(cluster, &["status"]).await.code(1).out.contains("not installed"));
    let upgrade = weft(cluster, &["upgrade"]).await.code(2);
    assert!(upgrade.err.contains("there is no Mesh") && upgrade.err.contains("weft install"), "{upgrade:?}");
    assert!(weft(cluster, &["uninstall"]).await.code(0).out.contains("nothing to remove"));

    // Manifests alone change nothing.
    let manifests = weft(cluster, &["install", "--dry-run", "-o", "json"]).await.code(0).json();
    assert_eq!(manifests["items"].as_array().unwrap().last().unwrap()["kind"], "Mesh");
    assert_eq!(ours(cluster).await, Vec::<String>::new());

    let refused = weft(cluster, &["install", "-n", "mesh"]).await.code(2);
    assert!(refused.err.contains("--weft-namespace mesh"), "{refused:?}");
    let install = ["install", "--profile", "minimal", "--set", "image.pullPolicy=Never", "-o", "json"];
    let first = weft(cluster, &install).await.code(0).json();
    assert_eq!((&first["mesh"], &first["ready"]), (&"weft".into(), &true.into()), "{first}");
    assert!(first["changed"].as_array().unwrap().iter().any(|name| name == "Deployment weft-operator"), "{first}");
    let again = weft(cluster, &install).await.code(0).json();
    assert_eq!((&again["ready"], &again["changed"]), (&true.into(), &json!([])), "it is safe to repeat");
    let check = weft(cluster, &["check", "-o", "json"]).await.code(0).json();
    assert!(failed(&check).is_empty(), "{check}");
    assert!(weft(cluster, &["check"]).await.code(0).out.contains("ok"));

    // An operator without its rights cannot say so: its Mesh stays as ready as it was.
    cluster.kubectl(&["delete", "clusterrole", "weft-operator"]).await;
    let check = weft(cluster, &["check"]).await.code(1);
    assert!(check.out.contains("no ClusterRole weft-operator") && check.out.contains("weft install"), "{check:?}");
    let restored = weft(cluster, &install).await.code(0).json();
    assert_eq!(restored["changed"], json!(["ClusterRole weft-operator"]), "{restored}");
    assert!(failed(&weft(cluster, &["check", "-o", "json"]).await.json()).is_empty());
    nobody_renews_the_lease(cluster).await;

    // One revision has one Mesh, whatever it is called: nothing is written of a second one.
    let refused = weft(cluster, &["install", "--name", "twin", "--profile", "minimal"]).await.code(2);
    assert!(
        refused.err.contains("Mesh weft answers to \"default\"") && refused.err.contains("weft upgrade"),
        "{refused:?}"
    );
    assert!(cluster.read(&["mesh", "twin"]).await.is_none());
    nobody_is_there(cluster, &install).await;

    // A second control plane comes and goes without the first one or the operator.
    let beside = ["install", "--revision", "cli", "--profile", "minimal", "--set", "image.pullPolicy=Never"];
    let beside = weft(cluster, &beside).await.code(0);
    assert!(beside.err.contains("Mesh weft-cli is ready"), "{beside:?}");
    let told = weft(cluster, &["uninstall", "--name", "weft-cli", "--dry-run"]).await.code(0);
    assert_eq!(told.out.trim(), "Mesh weft-cli");
    let words = ["uninstall", "--name", "weft-cli", "--delete-namespace", "-o", "json"];
    let removed = weft(cluster, &words).await.code(0);
    assert!(removed.err.contains("stays: it is needed for Mesh weft\n"), "{removed:?}");
    let removed = removed.json();
    assert_eq!((&removed["removed"], &removed["namespace"]["outcome"]), (&json!(["Mesh weft-cli"]), &json!("kept")));
    cluster.mesh_ready("weft").await;
    let left = ours(cluster).await;
    assert!(!left.iter().any(|name| name.contains("-cli")), "{left:?}");
    let missing = weft(cluster, &["uninstall", "--name", "weft-cli"]).await;
    assert!(missing.code != 0 && missing.err.contains("there is no Mesh weft-cli"), "{missing:?}");

    // What others keep in the namespace keeps the namespace.
    cluster.kubectl(&["-n", SYSTEM, "create", "secret", "generic", "shop-tls"]).await;
    let told = weft(cluster, &["uninstall", "--dry-run", "-o", "json"]).await.code(0).json();
    let removed = weft(cluster, &["uninstall", "-o", "json"]).await.code(0).json();
    assert_eq!((&told["dryRun"], &removed["left"]), (&true.into(), &Value::Null));
    assert_eq!(told["removed"], removed["removed"], "what was announced is what went");
    assert_eq!((&told["kept"], &removed["kept"]), (&json!(["Secret shop-tls"]), &told["kept"]));
    assert_eq!(removed["namespace"]["outcome"], "kept");
    assert!(cluster.read(&["secret", "-n", SYSTEM, "shop-tls"]).await.is_some());
    // The operator's rights went before its pods did: its Lease goes all the same.
    cluster.wait_gone(&["lease", "-n", SYSTEM, "weft-operator"], LIMIT).await;
    cluster.wait_gone(&["pods", "-n", SYSTEM], LIMIT).await;
    let removed = weft(cluster, &["uninstall", "--delete-namespace", "-o", "json"]).await.code(0);
    assert!(removed.err.contains("goes with what is not Weft's: Secret shop-tls"), "{removed:?}");
    assert_eq!(removed.json()["removed"].as_array().unwrap().last(), Some(&json!(format!("Namespace {SYSTEM}"))));
    cluster.wait_gone(&["namespace", SYSTEM], Duration::from_secs(90)).await;
    let nothing = weft(cluster, &["uninstall", "--delete-namespace", "-o", "json"]).await.code(0);
    assert!(nothing.err.contains(&format!("Namespace {SYSTEM} is not there")), "{nothing:?}");
    assert_eq!(nothing.json()["namespace"]["outcome"], "absent");
    nothing_left(cluster).await;

    // The other way, while nothing is there: Helm's.
    helm::installs_upgrades_and_removes(&program, cluster).await;
    until("Helm leaves the kind alone", LIMIT, || async {
        let left = ours(cluster).await;
        ensure(left.iter().all(|name| name.starts_with("CustomResourceDefinition ")), || left.join(", "))
    })
    .await;
}
