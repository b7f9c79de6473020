//! Injected pods: captured, mutually authenticated, ready when they can serve, done when their work is.

use std::time::Duration;

use weft_tests::{
    cluster::{Cluster, TestNamespace},
    http::get,
    wait::{ensure, until},
};

use super::workload::{answers, app, client, curl, injected, proxies};

/// What the proxies of the pods with a label count.
async fn metrics(cluster: &'static Cluster, namespace: &TestNamespace, label: &str) -> String {
    let mut text = String::new();
    for address in proxies(cluster, namespace, label).await {
        text +=
            &get(address, "proxy", "/stats/prometheus", &[]).await.map_or_else(|error| error, |answer| answer.text());
    }
    text
}

#[tokio::test]
async fn injected_pods_talk_mutual_tls_and_strict_refuses_others() {
    let Some(cluster) = Cluster::get().await else { return };
    let _mesh = cluster.mesh().await;
    let namespace = injected(cluster, "mtls").await;
    let outside = cluster.namespace("plain", &[]).await;
    namespace.apply(&(app("store", 1) + "---" + &client("caller"))).await;
    outside.apply(&client("stranger")).await;
    cluster.rolled_out(&namespace.name, "store-v1", Duration::from_secs(60)).await;
    namespace.kubectl(&["wait", "pod/caller", "--for=condition=Ready", "--timeout=60s"]).await;
    outside.kubectl(&["wait", "pod/stranger", "--for=condition=Ready", "--timeout=60s"]).await;

    let url = format!("http://store.{}/things", namespace.name);
    answers(&namespace, "caller", "http://store/things", 200).await;
    let principal = format!("spiffe://cluster.local/ns/{}/sa/caller", namespace.name);
    until("the server's proxy counts a request over mutual TLS", Duration::from_secs(10), || async {
        let text = metrics(cluster, &namespace, "app=store").await;
        let counted = text.lines().any(|line| {
            line.starts_with("istio_requests_total")
                && line.contains("reporter=\"destination\"")
                && line.contains("connection_security_policy=\"mutual_tls\"")
                && line.contains(&principal)
        });
        ensure(counted, || text.clone())
    })
    .await;

    // Permissive until somebody says otherwise.
    answers(&outside, "stranger", &url, 200).await;
    namespace
        .apply("{apiVersion: security.istio.io/v1, kind: PeerAuthentication, metadata: {name: default}, spec: {mtls: {mode: STRICT}}}")
        .await;
    until("plaintext is refused", Duration::from_secs(20), || async {
        match curl(&outside, "stranger", &[&url]).await {
            Err(_) => Ok(()),
            Ok(answer) => Err(format!("{answer:?}")),
        }
    })
    .await;
    answers(&namespace, "caller", "http://store/things", 200).await;
}

#[tokio::test]
async fn a_job_with_a_sidecar_completes_and_its_first_call_works() {
    let Some(cluster) = Cluster::get().await else { return };
    let _mesh = cluster.mesh().await;
    let namespace = injected(cluster, "job").await;
    namespace.apply(&app("store", 1)).await;
    cluster.rolled_out(&namespace.name, "store-v1", Duration::from_secs(60)).await;
    // One attempt, at once: whoever starts before the proxy is ready fails here.
    namespace
        .apply(
            "
apiVersion: batch/v1
kind: Job
metadata: {name: once}
spec:
  backoffLimit: 0
  template:
    spec:
      restartPolicy: Never
      containers:
      - name: once
        image: weft/tools:0.1.0
        imagePullPolicy: Never
        command: [curl, -sS, --fail, --max-time, '10', 'http://store/once']
",
        )
        .await;
    namespace.kubectl(&["wait", "job/once", "--for=condition=Complete", "--timeout=60s"]).await;
    let pods = cluster.read(&["pods", "-n", &namespace.name, "-l", "job-name=once"]).await.unwrap();
    let pod = &pods["items"][0];
    assert_eq!(pod["status"]["phase"], "Succeeded");
    assert!(pod["metadata"]["annotations"]["sidecar.istio.io/status"].is_string(), "it had a proxy: {pod}");
}

#[tokio::test]
async fn an_application_starts_after_its_proxy_and_its_probes_pass_through_it() {
    let Some(cluster) = Cluster::get().await else { return };
    let _mesh = cluster.mesh().await;
    let namespace = injected(cluster, "order").await;
    namespace
        .apply("{apiVersion: security.istio.io/v1, kind: PeerAuthentication, metadata: {name: default}, spec: {mtls: {mode: STRICT}}}")
        .await;
    namespace.apply(&app("store", 1)).await;
    // The kubelet has no certificate; with STRICT only a rewritten probe passes.
    cluster.rolled_out(&namespace.name, "store-v1", Duration::from_secs(60)).await;
    let pods = cluster.read(&["pods", "-n", &namespace.name, "-l", "app=store"]).await.unwrap();
    let status = &pods["items"][0]["status"];
    let started = |list: &str, name: &str| {
        let containers = status[list].as_array().unwrap();
        let container = containers.iter().find(|container| container["name"] == name).unwrap();
        assert_eq!(container["ready"], true, "{container}");
        container["state"]["running"]["startedAt"].as_str().unwrap().to_owned()
    };
    let list = if status["initContainerStatuses"].as_array().unwrap().iter().any(|c| c["name"] == "istio-proxy") {
        "initContainerStatuses"
    } else {
        "containerStatuses"
    };
    assert!(started(list, "istio-proxy") <= started("containerStatuses", "app"), "{status}");
}

#[tokio::test]
async fn who_opts_out_gets_no_proxy() {
    let Some(cluster) = Cluster::get().await else { return };
    let _mesh = cluster.mesh().await;
    let namespace = injected(cluster, "opt-out").await;
    let pod = |name: &str, extra: &str| {
        format!(
            "{{apiVersion: v1, kind: Pod, metadata: {{name: {name}, labels: {{app: {name}, {extra}}}}}, spec: {{terminationGracePeriodSeconds: 0, \
             containers: [{{name: c, image: 'weft/tools:0.1.0', imagePullPolicy: Never}}]}}}}"
        )
    };
    namespace.apply(&pod("out", "'sidecar.istio.io/inject': 'false'")).await;
    namespace.apply(&pod("in", "")).await;
    let injected = async |name: &str| {
        let pod = cluster.read(&["pod", "-n", &namespace.name, name]).await.unwrap();
        pod.to_string().contains("\"istio-proxy\"")
    };
    assert!(!injected("out").await);
    assert!(injected("in").await);
}
