//! Profiles as they run: everything that `demo` has, and a Mesh that the control plane of another one serves. Both stand
//! beside the suite's own.

use std::{net::SocketAddr, time::Duration};

use serde_json::{Value, json};
use weft_tests::{
    cluster::{
        Cluster,
        mesh::{NAME, SYSTEM, mesh},
        object::condition,
    },
    http::get,
    wait::{ensure, until},
};

use super::{
    install::installed,
    workload::{answers, app, client, proxies},
};

const SOON: Duration = Duration::from_secs(30);
const LIMIT: Duration = Duration::from_secs(60);

/// A way in that the control plane of revision `show` alone reads.
const ENTRANCE: &str = "
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: entrance, labels: {istio.io/rev: show}}
spec:
  selector: {istio: ingressgateway}
  servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: [show.example.test]}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: entrance, labels: {istio.io/rev: show}}
spec:
  hosts: [show.example.test]
  gateways: [entrance]
  http: [{route: [{destination: {host: store}}]}]
";

#[tokio::test]
async fn demo_runs_every_part_and_minimal_takes_back_what_it_does_not_have() {
    let Some(cluster) = Cluster::get().await else { return };
    let _mesh = cluster.mesh().await;
    let _own = cluster.own_mesh("show");
    let with = |profile: &str| mesh("show", &json!({ "profile": profile, "revision": "show" }));
    cluster.apply(&with("demo")).await;
    cluster.mesh_ready("show").await;
    let found = cluster.read(&["mesh", "show"]).await.unwrap();
    let parts = found["status"]["components"].as_object().unwrap();
    assert_eq!(parts.keys().collect::<Vec<_>>(), ["console", "control-plane", "ingress-gateway"]);
    for part in parts.values() {
        assert_eq!((&part["ready"], &part["replicas"]), (&json!(1), &json!(1)), "small: {found}");
    }

    // Its webhooks and control plane: pods get their proxies, certificates and routes from it.
    let namespace = cluster.namespace("show", &[("istio.io/rev", "show")]).await;
    namespace.apply(&(app("store", 1) + ENTRANCE + "---" + &client("caller"))).await;
    cluster.rolled_out(&namespace.name, "store-v1", LIMIT).await;
    namespace.kubectl(&["wait", "pod/caller", "--for=condition=Ready", "--timeout=60s"]).await;
    answers(&namespace, "caller", "http://store/", 200).await;
    let caller = cluster.read(&["pod", "-n", &namespace.name, "caller"]).await.unwrap();
    assert_eq!(caller["metadata"]["labels"]["istio.io/rev"], "show");

    // Its gateway.
    let service = cluster.read(&["service", "-n", SYSTEM, "weft-ingressgateway-show"]).await.unwrap();
    assert_eq!(service["spec"]["type"], "ClusterIP", "it asks no cloud for anything");
    let entrance: SocketAddr = format!("{}:80", service["spec"]["clusterIP"].as_str().unwrap()).parse().unwrap();
    until("the gateway serves the route", SOON, || async {
        let answer = get(entrance, "show.example.test", "/", &[]).await?;
        ensure(answer.status == 200 && answer.json()["service"] == "store", || format!("{answer:?}"))
    })
    .await;

    // Its console.
    let console = cluster.forward(SYSTEM, "deployment/weft-console-show", 20001).await;
    for page in ["/healthz/ready", "/"] {
        let host = console.address.to_string();
        until(&format!("the console answers {page}"), SOON, || async {
            let answer = get(console.address, &host, page, &[]).await?;
            ensure(answer.status == 200, || format!("{answer:?}"))
        })
        .await;
    }
    drop(console);

    // The smallest: what it does not have goes, with its accounts and rights, and what it has serves on.
    let kinds = "deployment,service,serviceaccount,clusterrole,clusterrolebinding";
    let parts = ["ingress-gateway", "console"].map(|part| format!("weft.dev/mesh=show,weft.dev/component={part}"));
    for part in &parts {
        let there = cluster.kubectl(&["get", kinds, "-n", SYSTEM, "-l", part, "-o", "name"]).await;
        assert!(there.contains("deployment.apps/") && there.contains("serviceaccount/"), "{part}: {there}");
    }
    cluster.apply(&with("minimal")).await;
    for part in &parts {
        cluster.wait_gone(&[kinds, "-n", SYSTEM, "-l", part], SOON).await;
    }
    cluster.mesh_ready("show").await;
    let left = installed(cluster, "show").await;
    assert!(left.contains(&"deployment.apps/weft-control-plane-show".to_owned()), "{left:?}");
    answers(&namespace, "caller", "http://store/", 200).await;
    cluster.mesh_ready(NAME).await;

    drop(namespace);
    cluster.delete(&with("minimal")).await;
    assert_eq!(installed(cluster, "show").await, Vec::<String>::new());
}

/// One cluster stands for two: the control plane elsewhere is that of the suite's own Mesh. No Service leads to its webhooks
/// under that address, so pods get their proxies by `weft inject`, from the remote Mesh's settings.
#[tokio::test]
async fn a_remote_mesh_has_no_control_plane_and_its_pods_are_served_by_the_other_one() {
    let Some(cluster) = Cluster::get().await else { return };
    let _mesh = cluster.mesh().await;
    let _own = cluster.own_mesh("west");
    let elsewhere = format!("weft-control-plane.{SYSTEM}.svc");
    let remote = json!({ "controlPlane": elsewhere, "cluster": "west" });
    let west = mesh("west", &json!({ "profile": "remote", "revision": "west", "remote": remote }));
    cluster.apply(&west).await;
    cluster.mesh_ready("west").await;
    let found = cluster.read(&["mesh", "west"]).await.unwrap();
    assert_eq!(condition(&found, "WebhooksReady"), Some(("True", "Serving")), "{found}");
    assert!(found.to_string().contains("the control plane of another cluster answers for the webhooks"), "{found}");

    // Nothing that runs: settings, the class of pods, and the webhook that asks elsewhere.
    assert_eq!(
        installed(cluster, "west").await,
        [
            "configmap/weft-mesh-west",
            "mutatingwebhookconfiguration.admissionregistration.k8s.io/weft-sidecar-injector-west",
            "priorityclass.scheduling.k8s.io/weft-priority-west",
        ]
    );
    let hook = cluster.read(&["mutatingwebhookconfiguration", "weft-sidecar-injector-west"]).await.unwrap();
    let hooks = hook["webhooks"].as_array().unwrap();
    let url = format!("https://{elsewhere}:15017/inject");
    assert!(!hooks.is_empty() && hooks.iter().all(|hook| hook["clientConfig"]["url"] == url.as_str()), "{hook}");

    // No webhook is asked about pods here.
    let namespace = cluster.namespace("west", &[("istio-injection", "disabled")]).await;
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let manifests = file("app.yaml", &(app("store", 1) + "---" + &client("caller")));
    let settings = file("mesh.yaml", &west);
    let inject = ["inject", "-f", &manifests, "--mesh", &settings, "-n", &namespace.name];
    namespace.apply(&cluster.weft(&inject).await.unwrap()).await;
    cluster.rolled_out(&namespace.name, "store-v1", LIMIT).await;
    namespace.kubectl(&["wait", "pod/caller", "--for=condition=Ready", "--timeout=60s"]).await;
    let caller = cluster.read(&["pod", "-n", &namespace.name, "caller"]).await.unwrap();
    assert_eq!(caller["metadata"]["labels"]["istio.io/rev"], "west");

    // Certificates and routes come from there: a request is served, over mutual TLS.
    answers(&namespace, "caller", "http://store/", 200).await;
    let principal = format!("spiffe://cluster.local/ns/{}/sa/caller", namespace.name);
    let server = proxies(cluster, &namespace, "app=store").await[0];
    until("the server's proxy counts a request over mutual TLS", SOON, || async {
        let text = get(server, "proxy", "/stats/prometheus", &[]).await?.text();
        let counted = text.lines().any(|line| {
            line.starts_with("istio_requests_total{")
                && line.contains("reporter=\"destination\"")
                && line.contains("connection_security_policy=\"mutual_tls\"")
                && line.contains(&principal)
        });
        ensure(counted, || text.clone())
    })
    .await;
    let who = until("the control plane of the other Mesh serves both", SOON, || async {
        let text = cluster.weft(&["proxy-status", "-n", &namespace.name, "-o", "json"]).await?;
        let status: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
        let of = |proxy: &Value| proxy["controlPlane"].as_str().unwrap_or_default().to_owned();
        let who: Vec<_> = status["proxies"].as_array().into_iter().flatten().map(of).collect();
        ensure(who.len() == 2 && who.iter().all(|pod| !pod.is_empty()), || status.to_string())?;
        Ok(who)
    })
    .await;
    for pod in who {
        let found = cluster.read(&["pod", "-n", SYSTEM, &pod]).await.unwrap();
        assert_eq!(found["metadata"]["labels"]["weft.dev/mesh"], NAME, "{pod}");
    }

    drop(namespace);
    cluster.delete(&west).await;
    assert_eq!(installed(cluster, "west").await, Vec::<String>::new());
}
