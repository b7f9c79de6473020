//! The subcommands that only ask: status, proxy-status, proxy-config, check, inject, completion.

use std::time::Duration;

use serde_json::{Value, json};
use weft_tests::{
    cluster::{Cluster, TestNamespace, mesh::NAME},
    wait::{ensure, until},
};

use super::{super::workload, Run, kubeconfig::kubeconfig, weft, with};

const LIMIT: Duration = Duration::from_secs(90);

/// A namespace with a server of two pods and a pod that calls it.
async fn application(cluster: &'static Cluster) -> TestNamespace {
    let namespace = workload::injected(cluster, "asked").await;
    namespace.apply(&(workload::app("store", 2) + "---" + &workload::client("caller"))).await;
    cluster.rolled_out(&namespace.name, "store-v1", LIMIT).await;
    namespace.kubectl(&["wait", "pod/caller", "--for=condition=Ready", "--timeout=60s"]).await;
    workload::answers(&namespace, "caller", "http://store/", 200).await;
    namespace
}

#[tokio::test]
async fn status_and_cost_tell_what_is_there() {
    let Some(cluster) = Cluster::get().await else { return };
    let _mesh = cluster.mesh().await;
    let namespace = application(cluster).await;
    let status = weft(cluster, &["status", "-o", "json"]).await.code(0).json();
    let mesh = status["meshes"].as_array().unwrap().iter().find(|mesh| mesh["name"] == NAME).unwrap();
    assert_eq!(
        (&mesh["ready"], &mesh["revision"], &mesh["profile"]),
        (&json!(true), &json!("default"), &json!("default"))
    );
    assert_eq!(mesh["version"], env!("CARGO_PKG_VERSION"));
    let pods = mesh["controlPlane"].as_object().unwrap();
    assert!(!pods.is_empty() && pods.values().all(|ready| *ready == true), "{mesh}");
    let own =
        |list: &Value| list.as_array().unwrap().iter().find(|one| one["namespace"] == namespace.name.as_str()).cloned();
    let proxies = own(&status["proxies"]).unwrap();
    assert_eq!((&proxies["pods"], &proxies["ready"]), (&json!(3), &json!(3)), "{proxies}");
    assert!(proxies["images"].as_object().unwrap().keys().all(|image| image.contains("/proxy:")), "{proxies}");

    // The kubelet has measured the containers a few seconds after their start.
    let share = until("the proxies' memory is known", LIMIT, || async {
        let cost = weft(cluster, &["status", "--cost", "-o", "json"]).await.code(0).json()["cost"].take();
        let share = own(&cost["namespaces"]).ok_or_else(|| cost.to_string())?;
        let used = share["usedMemory"].as_f64().unwrap_or_default();
        ensure(used > 3.0 * 1_048_576.0, || cost.to_string())?;
        Ok(share)
    })
    .await;
    // Three proxies of the profile default.
    assert_eq!(
        (share["proxies"].as_u64(), share["requestedMemory"].as_f64()),
        (Some(3), Some(3.0 * 48.0 * 1_048_576.0))
    );
    assert!((share["requestedCpu"].as_f64().unwrap() - 0.15).abs() < 1e-9 && share["usedCpu"].is_number(), "{share}");
    let text = weft(cluster, &["status", "--cost"]).await.code(0).out;
    assert!(text.contains("MEMORY USED") && text.contains("144Mi") && text.contains("total"), "{text}");
    let text = weft(cluster, &["status", "-n", &namespace.name]).await.code(0).out;
    assert!(text.contains("3/3") && text.contains("CONTROL PLANE"), "{text}");
}

/// Whoever may look at Meshes and one namespace learns what there is to learn, and which rights the rest would take.
#[tokio::test]
async fn a_right_that_is_missing_hides_what_it_is_for_and_nothing_else() {
    let Some(cluster) = Cluster::get().await else { return };
    let _mesh = cluster.mesh().await;
    let namespace = cluster.namespace("visitor", &[]).await;
    let name = namespace.name.as_str();
    namespace.kubectl(&["create", "serviceaccount", "visitor"]).await;
    let account = format!("--serviceaccount={name}:visitor");
    namespace.kubectl(&["create", "rolebinding", "visitor", "--clusterrole=view", &account]).await;
    let role = format!("{name}-meshes");
    cluster.kubectl(&["create", "clusterrole", &role, "--verb=get,list", "--resource=meshes.weft.dev"]).await;
    cluster.kubectl(&["create", "clusterrolebinding", &role, &format!("--clusterrole={role}"), &account]).await;
    let token = namespace.kubectl(&["create", "token", "visitor"]).await;
    let view = cluster.kubectl(&["config", "view", "--raw", "--flatten", "-o", "json"]).await;
    let real: Value = serde_json::from_str(&view).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("visitor").display().to_string();
    let user = json!({ "token": token.trim() });
    std::fs::write(&file, kubeconfig("visitor", &real["clusters"][0]["cluster"], &user)).unwrap();
    let visitor = [("KUBECONFIG", file.as_str())];

    let status = with(cluster, &visitor, &["status", "-n", name, "-o", "json"]).await.json();
    assert_eq!((&status["meshes"][0]["name"], &status["proxies"]), (&json!(NAME), &json!([])), "{status}");
    let unread = status["unread"].to_string();
    for right in ["get deployments.apps in namespace weft-system", "list pods in namespace weft-system"] {
        assert!(unread.contains(right), "{unread}");
    }
    let text = with(cluster, &visitor, &["status"]).await.out;
    assert!(text.contains("may list pods in the whole cluster") && text.contains("READY"), "{text}");
    let check = with(cluster, &visitor, &["check"]).await.code(1).out;
    assert!(check.contains("ok       mesh:") && check.contains("get deployments.apps in namespace"), "{check}");

    // Who sees every pod and may ask no control plane is told what he does not know, and no untruth.
    let pods = format!("{name}-pods");
    cluster.kubectl(&["create", "clusterrole", &pods, "--verb=get,list", "--resource=pods"]).await;
    cluster.kubectl(&["create", "clusterrolebinding", &pods, &format!("--clusterrole={pods}"), &account]).await;
    let right = "role that may get and create pods/portforward in namespace weft-system";
    let told = with(cluster, &visitor, &["proxy-status"]).await.code(1).out;
    assert!(told.contains(right) && !told.contains("NOT CONNECTED"), "{told}");
    let check = with(cluster, &visitor, &["check"]).await.code(1).out;
    assert!(check.contains(right) && !check.contains("not connected"), "{check}");
    for role in [&role, &pods] {
        cluster.kubectl(&["delete", "clusterrole,clusterrolebinding", role]).await;
    }
}

#[tokio::test]
async fn proxies_are_shown_with_all_that_they_have() {
    let Some(cluster) = Cluster::get().await else { return };
    let _mesh = cluster.mesh().await;
    let namespace = application(cluster).await;
    let name = namespace.name.as_str();
    let status = until("every proxy of the namespace is in step", LIMIT, || async {
        let run = weft(cluster, &["proxy-status", "-n", name, "-o", "json"]).await;
        ensure(run.code == 0, || format!("{run:?}"))?;
        Ok(run.json())
    })
    .await;
    let proxies = status["proxies"].as_array().unwrap();
    assert_eq!(proxies.len(), 3, "{status}");
    let caller = proxies.iter().find(|proxy| proxy["name"] == "caller").unwrap();
    assert_eq!(caller["identity"], format!("spiffe://cluster.local/ns/{name}/sa/caller"));
    assert!(caller["controlPlane"].as_str().unwrap().starts_with("weft-control-plane-"), "{caller}");
    let one = weft(cluster, &["proxy-status", &format!("caller.{name}")]).await.code(0).out;
    assert!(one.contains("caller") && one.contains("WDS") && !one.contains("store-v1"), "{one}");
    let nobody = weft(cluster, &["proxy-status", "nobody.nowhere"]).await.code(2);
    assert!(nobody.err.contains("no such pod has a proxy"), "{nobody:?}");

    let pod = format!("caller.{name}");
    let ask = async |part: &str, more: &[&str]| -> Run {
        weft(cluster, &[&["proxy-config", part, pod.as_str()], more].concat()).await.code(0)
    };
    let host = format!("store.{name}.svc.cluster.local");
    let cluster_name = format!("outbound|80||{host}");
    for (part, words) in [
        ("listeners", vec!["virtualOutbound", "15001", "virtualInbound"]),
        ("routes", vec![host.as_str(), cluster_name.as_str()]),
        ("clusters", vec![cluster_name.as_str(), "PassthroughCluster"]),
        ("endpoints", vec![cluster_name.as_str(), ":8080", "mutual TLS"]),
        ("secrets", vec!["spiffe://cluster.local/ns/", "/sa/caller"]),
        ("workloads", vec![name, "store-v1"]),
    ] {
        let text = ask(part, &[]).await.out;
        assert!(words.iter().all(|word| text.contains(word)), "{part}: {words:?}\n{text}");
    }
    let clusters = ask("clusters", &["--name", &host, "-o", "json"]).await.json();
    let endpoints = clusters[&cluster_name]["endpoints"].as_array().unwrap_or_else(|| panic!("{clusters}"));
    assert_eq!(endpoints.len(), 2, "{clusters}");
    for (part, check) in [
        ("listeners", "/virtualOutbound"),
        ("routes", "/80"),
        ("endpoints", "/PassthroughCluster"),
        ("secrets", "/0/uri"),
        ("all", "/listeners"),
    ] {
        let json = ask(part, &["-o", "json"]).await.json();
        assert!(json.pointer(check).is_some(), "{part} has no {check}: {json}");
    }
    // With the namespace as kubectl has it, and a pod that is not there.
    weft(cluster, &["pc", "secret", "caller", "-n", name]).await.code(0);
    let missing = weft(cluster, &["proxy-config", "routes", "nobody", "-n", name]).await;
    assert!(missing.code != 0 && missing.err.contains("nobody"), "{missing:?}");
    // No key is ever shown.
    let all = ask("all", &[]).await.out;
    assert!(!all.contains("PRIVATE KEY"), "a key is on show");
}

#[tokio::test]
async fn check_finds_what_is_wrong_with_a_namespace() {
    let Some(cluster) = Cluster::get().await else { return };
    let _mesh = cluster.mesh().await;
    let lost = cluster.namespace("lost", &[("istio.io/rev", "gone")]).await;
    let checks = weft(cluster, &["check", "-o", "json"]).await.code(1).json();
    let findings = checks["findings"].as_array().unwrap();
    let of =
        |check: &str| findings.iter().find(|finding| finding["check"] == check).unwrap_or_else(|| panic!("{checks}"));
    for check in ["API server", "kinds", "operator", "mesh", "control plane", "injection", "validation"] {
        assert_eq!(of(check)["outcome"], "ok", "{checks}");
    }
    assert_eq!(of("namespaces")["outcome"], "failed");
    assert!(of("namespaces").to_string().contains(&lost.name) && of("namespaces")["hint"].is_string(), "{checks}");
    let pre = weft(cluster, &["check", "--pre", "-o", "json"]).await.code(0).json();
    assert!(pre["findings"].as_array().unwrap().len() > 1, "{pre}");
}

#[tokio::test]
async fn manifests_injected_offline_run_in_the_mesh() {
    let Some(cluster) = Cluster::get().await else { return };
    let _mesh = cluster.mesh().await;
    // Not labelled: nobody injects here but the command.
    let namespace = cluster.namespace("offline", &[]).await;
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let manifests = file("app.yaml", &(workload::app("store", 1) + "---" + &workload::client("caller")));
    let mesh = file("mesh.yaml", &weft_tests::cluster::mesh::mesh(NAME, &json!({ "profile": "default" })));
    let base = ["inject", "-f", manifests.as_str(), "--mesh", mesh.as_str(), "-n", namespace.name.as_str()];
    // Without any cluster.
    let nowhere = [("KUBECONFIG", "/does/not/exist")];
    let yaml = super::with(cluster, &nowhere, &base).await.code(0).out;
    let list = super::with(cluster, &nowhere, &[&base[..], &["-o", "json"]].concat()).await.code(0).json();
    let kinds: Vec<_> =
        list["items"].as_array().unwrap().iter().map(|object| object["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["ServiceAccount", "Deployment", "Service", "ServiceAccount", "Pod"]);
    let pod = &list["items"][4]["spec"];
    assert!(
        pod["initContainers"].as_array().unwrap().iter().any(|container| container["name"] == "istio-proxy"),
        "{pod}"
    );
    namespace.apply(&yaml).await;
    cluster.rolled_out(&namespace.name, "store-v1", LIMIT).await;
    namespace.kubectl(&["wait", "pod/caller", "--for=condition=Ready", "--timeout=60s"]).await;
    workload::answers(&namespace, "caller", "http://store/", 200).await;
    let status = weft(cluster, &["proxy-status", "-n", &namespace.name, "-o", "json"]).await.json();
    let connected = |proxy: &Value| proxy["connected"] == true;
    assert_eq!(status["proxies"].as_array().unwrap().iter().filter(|proxy| connected(proxy)).count(), 2, "{status}");
    // Once more changes nothing.
    let again = file("again.yaml", &yaml);
    let twice = ["inject", "-f", again.as_str(), "--mesh", mesh.as_str(), "-o", "json"];
    assert_eq!(super::with(cluster, &nowhere, &twice).await.code(0).json(), list);
    let broken = file("broken.yaml", "a: [\n");
    let refused = weft(cluster, &["inject", "-f", &broken]).await.code(2);
    assert!(refused.err.contains("broken.yaml:") && refused.err.contains("correct the YAML"), "{refused:?}");
}

#[tokio::test]
async fn shells_complete_its_words() {
    let Some(cluster) = Cluster::get().await else { return };
    for shell in ["bash", "zsh", "fish"] {
        let script = weft(cluster, &["completion", shell]).await.code(0).out;
        assert!(["proxy-config", "bug-report", "upgrade"].iter().all(|word| script.contains(word)), "{shell}");
    }
    let script = weft(cluster, &["completion", "bash"]).await.out;
    let ask = script + "\nCOMP_WORDS=(weft proxy-c) COMP_CWORD=1; _weft weft proxy-c weft; echo \"${COMPREPLY[@]}\"";
    let bash = tokio::process::Command::new("bash").arg("-c").arg(ask).output().await.unwrap();
    assert_eq!(String::from_utf8_lossy(&bash.stdout).trim(), "proxy-config", "{bash:?}");
    assert!(weft(cluster, &["completion", "tcsh"]).await.code(2).err.contains("bash"));
}
