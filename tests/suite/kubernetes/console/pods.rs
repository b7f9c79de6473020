//! What pods alone know, their logs and what is in force in their proxies, is read in the name of whoever asks.

use std::time::Duration;

use serde_json::{Value, json};
use weft_tests::{
    cluster::{Cluster, TestNamespace, mesh::SYSTEM},
    wait::{ensure, until},
};

use super::{Console, SOON};
use crate::kubernetes::workload::{app, injected};

const ROLLOUT: Duration = Duration::from_secs(120);

/// A service account that may read pods and what `resources` says beside them, and its token.
async fn reader(namespace: &TestNamespace, name: &str, resources: &str) -> String {
    namespace.kubectl(&["create", "serviceaccount", name]).await;
    let resources = format!("--resource=pods{resources}");
    namespace.kubectl(&["create", "role", name, "--verb=get,list,create", &resources]).await;
    let account = format!("--serviceaccount={}:{name}", namespace.name);
    namespace.kubectl(&["create", "rolebinding", name, &format!("--role={name}"), &account]).await;
    namespace.kubectl(&["create", "token", name]).await.trim().to_owned()
}

#[tokio::test]
async fn logs_and_proxies_of_pods_are_read_in_the_askers_name() {
    let Some(cluster) = Cluster::get().await else { return };
    let _mesh = cluster.mesh().await;
    let namespace = injected(cluster, "inside").await;
    namespace.apply(&app("store", 1)).await;
    cluster.rolled_out(&namespace.name, "store-v1", ROLLOUT).await;
    let name = namespace.name.as_str();
    let pods = cluster.read(&["pods", "-n", name, "-l", "app=store"]).await.unwrap();
    let pod = pods["items"][0]["metadata"]["name"].as_str().expect("a pod").to_owned();
    let outside = reader(&namespace, "outside", "").await;
    let inside = reader(&namespace, "inside", ",pods/log,pods/portforward").await;
    let console = Console::open(cluster).await;
    let proxy = format!("/api/v1/proxies/{name}/{pod}");
    let logs = format!("/api/v1/workloads/{name}/store-v1/logs");

    // With the right: what is in force in the proxy, and nothing that its control plane would have otherwise.
    until("the proxy is shown from the inside", SOON, || async {
        let (status, detail) = console.ask("GET", &proxy, Some(&inside), &Value::Null).await;
        ensure(status == 200, || format!("{status} {detail}"))?;
        let filled = |list: &str| detail[list].as_array().is_some_and(|list| !list.is_empty());
        ensure(filled("tables") && filled("certificates") && filled("stats"), || detail.to_string())?;
        ensure(detail["drift"] == json!([]) && detail["notes"] == json!([]), || detail.to_string())
    })
    .await;
    let (status, written) = console.ask("GET", &logs, Some(&inside), &Value::Null).await;
    assert_eq!(status, 200, "{written}");
    let lines = written["lines"].as_array().expect("lines");
    assert!(lines.iter().any(|line| line["container"] == "istio-proxy"), "{written}");

    // Without it, and with nobody's name, it is said which right it takes, and the rest is shown.
    for token in [Some(outside.as_str()), None] {
        let (status, detail) = console.ask("GET", &proxy, token, &Value::Null).await;
        assert_eq!((status, &detail["tables"]), (200, &json!([])), "{detail}");
        assert!(detail["notes"].to_string().contains("pods/portforward in namespace"), "{detail}");
        assert!(detail["wanted"].as_u64().is_some_and(|wanted| wanted > 0), "{detail}");
        let (status, written) = console.ask("GET", &logs, token, &Value::Null).await;
        assert_eq!((status, &written["lines"]), (200, &json!([])), "{written}");
        assert!(written["problems"].to_string().contains("pods/log in namespace"), "{written}");
    }
}

/// The API server's proxy to a pod comes from outside of it, as any other pod does, and hands no token on. That the console
/// reads with its own is what the test above shows.
#[tokio::test]
async fn debug_pages_of_a_control_plane_are_not_for_strangers_and_its_metrics_are() {
    let Some(cluster) = Cluster::get().await else { return };
    let _mesh = cluster.mesh().await;
    let pods = cluster.read(&["pods", "-n", SYSTEM, "-l", "weft.dev/component=control-plane"]).await.unwrap();
    let pod = pods["items"][0]["metadata"]["name"].as_str().expect("a control plane").to_owned();
    let page = |page: &str| format!("/api/v1/namespaces/{SYSTEM}/pods/{pod}:15014/proxy{page}");
    let metrics = cluster.kubectl(&["get", "--raw", &page("/metrics")]).await;
    assert!(metrics.contains("# EOF"), "{metrics}");
    for closed in ["/debug/syncz", "/debug/acks", "/debug/fleet", "/debug/authority", "/debug/config_dump?proxy=a"] {
        let refused = cluster.try_kubectl(&["get", "--raw", &page(closed)]).await.expect_err(closed);
        // kubectl puts a 401 into words of its own.
        let words = ["Unauthorized", "logged in", "debug pages are for"];
        assert!(words.iter().any(|word| refused.contains(word)), "{closed}: {refused}");
    }
}
