//! What goes wrong around a mesh: an API server that is away or refuses, rights and kinds that are missing, an authority
//! that ran out. Each is told with a remedy, and not one request is lost.

use std::{
    net::{SocketAddr, TcpListener},
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use weft_tests::cluster::{
    Cluster,
    mesh::{NAME, SYSTEM},
};

use super::{
    told::told,
    workload::{Load, app, injected},
};

const LIMIT: Duration = Duration::from_secs(60);

/// Objects that go with the test, also when it fails: they would keep every other one from its mesh.
struct Planted {
    cluster: &'static Cluster,
    objects: String,
}

impl Planted {
    async fn apply(cluster: &'static Cluster, objects: String) -> Self {
        let planted = Self { cluster, objects };
        cluster.apply(&planted.objects).await;
        planted
    }
}

impl Drop for Planted {
    fn drop(&mut self) {
        drop(self.cluster.kubectl_now(&["delete", "--ignore-not-found", "-f", "-"], Some(&self.objects)));
    }
}

#[tokio::test]
async fn traffic_goes_on_without_an_api_server() {
    let Some(cluster) = Cluster::get().await else { return };
    let _mesh = cluster.mesh_alone().await.install().await;
    let namespace = injected(cluster, "away").await;
    namespace.apply(&app("store", 2)).await;
    cluster.rolled_out(&namespace.name, "store-v1", LIMIT).await;
    let load = Load::start(&namespace, "load", "http://store/", 50).await;
    cluster.stop("kube-apiserver");
    let away = Instant::now();
    // Kubernetes' own controllers would try the API server again every half minute by then: they come back after it instead.
    let others = ["kube-controller-manager", "kube-scheduler"];
    for name in others {
        cluster.stop(name);
    }
    tokio::time::sleep(Duration::from_secs(60).saturating_sub(away.elapsed())).await;
    cluster.resume("kube-apiserver");
    cluster.mesh_ready(NAME).await;
    for name in others {
        cluster.resume(name);
    }
    // What happens next is not missed. The kubelet has to try again as well, and stays: restarted, it takes its pods for not
    // ready until it has probed them.
    namespace.kubectl(&["scale", "deployment/store-v1", "--replicas=3"]).await;
    cluster.rolled_out(&namespace.name, "store-v1", Duration::from_secs(180)).await;
    load.finish().await.assert_clean(2500);
}

/// No seat for the mesh's accounts: while one of their requests is under way, every other one is refused with 429. And a
/// webhook that never answers, so that one is under way. Of requests for these resources, `*` for all.
fn no_seats(webhook: SocketAddr, resources: &str) -> String {
    let level = json!({ "type": "Limited", "limited": { "nominalConcurrencyShares": 0, "lendablePercent": 0,
        "borrowingLimitPercent": 0, "limitResponse": { "type": "Reject" } } });
    let everything = json!({ "subjects": [{ "kind": "Group", "group": { "name": GROUP } }],
        "resourceRules": [{ "verbs": ["*"], "apiGroups": ["*"], "resources": [resources], "clusterScope": true, "namespaces": ["*"] }],
        "nonResourceRules": [{ "verbs": ["*"], "nonResourceURLs": ["*"] }] });
    let flow =
        json!({ "matchingPrecedence": 2, "priorityLevelConfiguration": { "name": "no-seats" }, "rules": [everything] });
    let hook = json!({ "name": "silent.example.com", "admissionReviewVersions": ["v1"], "sideEffects": "None",
        "timeoutSeconds": 30, "failurePolicy": "Fail", "clientConfig": { "url": format!("https://{webhook}/") },
        "namespaceSelector": { "matchLabels": { "silent": "yes" } },
        "rules": [{ "apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"] }] });
    let meta = json!({ "name": "no-seats" });
    let flowcontrol = "flowcontrol.apiserver.k8s.io/v1";
    json!({ "apiVersion": "v1", "kind": "List", "items": [
        { "apiVersion": flowcontrol, "kind": "PriorityLevelConfiguration", "metadata": meta, "spec": level },
        { "apiVersion": flowcontrol, "kind": "FlowSchema", "metadata": meta, "spec": flow },
        { "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration", "metadata": meta, "webhooks": [hook] },
    ] })
    .to_string()
}

const GROUP: &str = "system:serviceaccounts:weft-system";

#[tokio::test]
async fn an_api_server_that_asks_to_slow_down_costs_nothing() {
    let Some(cluster) = Cluster::get().await else { return };
    let _mesh = cluster.mesh_alone().await.install().await;
    let namespace = injected(cluster, "slowly").await;
    namespace.apply(&app("store", 1)).await;
    cluster.rolled_out(&namespace.name, "store-v1", LIMIT).await;
    let load = Load::start(&namespace, "load", "http://store/", 50).await;
    namespace.kubectl(&["label", "namespace", &namespace.name, "silent=yes"]).await;
    let silent = TcpListener::bind((cluster.outside(), 0)).unwrap();
    let webhook = silent.local_addr().unwrap();
    let _no_seats = Planted::apply(cluster, no_seats(webhook, "*")).await;
    let hold = [
        "create",
        "configmap",
        "held",
        "--dry-run=server",
        "--as=system:serviceaccount:weft-system:weft-operator",
        &format!("--as-group={GROUP}"),
    ];
    let refused = async || {
        let metrics = cluster.kubectl(&["get", "--raw", "/metrics"]).await;
        let line = |line: &&str| {
            line.starts_with("apiserver_flowcontrol_rejected_requests_total{") && line.contains("\"no-seats\"")
        };
        metrics.lines().filter(line).filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).sum::<f64>()
    };
    weft_tests::wait::until("the mesh's requests are refused", LIMIT, || async {
        // Ends when the API server gives the webhook up, after ten seconds.
        let held = namespace.try_kubectl(&hold).await;
        let count = refused().await;
        if count >= 10.0 { Ok(()) } else { Err(format!("{count} refused so far; {held:?}")) }
    })
    .await;
    // Of ConfigMaps alone: the operator gets no further, and can say so.
    let some = Planted::apply(cluster, no_seats(webhook, "configmaps")).await;
    let refusing = async {
        for round in 0.. {
            let look = format!("example.com/slowly={round}");
            let nudge = ["annotate", "--overwrite", "mesh", NAME, &look];
            drop(tokio::join!(namespace.try_kubectl(&hold), cluster.try_kubectl(&nudge)));
        }
    };
    tokio::select! {
        message = told(cluster, NAME, "Reconciled", "False", "TooManyRequests") => {
            assert!(message.contains("trying again later"), "{message}");
        }
        () = refusing => {}
    }
    drop(some);
    told(cluster, NAME, "Reconciled", "True", "Applied").await;
    cluster.mesh_ready(NAME).await;
    namespace.kubectl(&["scale", "deployment/store-v1", "--replicas=2"]).await;
    cluster.rolled_out(&namespace.name, "store-v1", LIMIT).await;
    load.finish().await.assert_clean(500);
}

#[tokio::test]
async fn a_right_that_is_missing_is_named() {
    let Some(cluster) = Cluster::get().await else { return };
    let mesh = cluster.mesh_alone().await.install().await;
    let before = cluster.read(&["clusterrole", "weft-operator"]).await.unwrap();
    let mut less = before.clone();
    less["metadata"] = json!({ "name": "weft-operator" });
    let rules = less["rules"].as_array_mut().unwrap();
    let all = rules.len();
    rules.retain(|rule| !rule["resources"].to_string().contains("priorityclasses"));
    assert!(rules.len() < all, "a rule for priority classes");
    cluster.kubectl_now(&["replace", "-f", "-"], Some(&less.to_string())).unwrap();
    cluster.kubectl(&["annotate", "--overwrite", "mesh", NAME, "example.com/look=again"]).await;
    let message = told(cluster, NAME, "Reconciled", "False", "Forbidden").await;
    assert!(message.contains("priorityclasses") && message.contains("upgrade of the Helm chart"), "{message}");
    assert!(message.ends_with("What runs is left as it is"), "{message}");
    less["rules"] = before["rules"].clone();
    cluster.kubectl_now(&["replace", "-f", "-"], Some(&less.to_string())).unwrap();
    told(cluster, NAME, "Reconciled", "True", "Applied").await;
    cluster.mesh_ready(NAME).await;
    drop(mesh);
}

/// The Prometheus operator's kind in a version that is not the one we write.
fn another_pod_monitor() -> String {
    let schema = json!({ "openAPIV3Schema": { "type": "object", "x-kubernetes-preserve-unknown-fields": true } });
    json!({ "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": { "name": "podmonitors.monitoring.coreos.com" },
        "spec": { "group": "monitoring.coreos.com", "scope": "Namespaced",
            "names": { "plural": "podmonitors", "singular": "podmonitor", "kind": "PodMonitor", "listKind": "PodMonitorList" },
            "versions": [{ "name": "v1alpha1", "served": true, "storage": true, "schema": schema }] } })
    .to_string()
}

#[tokio::test]
async fn a_kind_that_is_not_served_is_named() {
    let Some(cluster) = Cluster::get().await else { return };
    let _mesh = cluster.mesh_alone().await.install().await;
    let planted = Planted::apply(cluster, another_pod_monitor()).await;
    cluster.kubectl(&["annotate", "--overwrite", "mesh", NAME, "example.com/served=no"]).await;
    let message = told(cluster, NAME, "Reconciled", "False", "MissingKind").await;
    assert!(message.contains("PodMonitor") && message.contains("CustomResourceDefinition"), "{message}");
    drop(planted);
    cluster.kubectl(&["annotate", "--overwrite", "mesh", NAME, "example.com/served=yes"]).await;
    told(cluster, NAME, "Reconciled", "True", "Applied").await;
    cluster.mesh_ready(NAME).await;
}

#[tokio::test]
async fn a_kind_that_was_taken_away_is_brought_back() {
    let Some(cluster) = Cluster::get().await else { return };
    let mesh = cluster.mesh_alone().await.install().await;
    let namespace = injected(cluster, "kinds").await;
    namespace.apply(&app("store", 1)).await;
    cluster.rolled_out(&namespace.name, "store-v1", LIMIT).await;
    let load = Load::start(&namespace, "load", "http://store/", 50).await;
    let name = "crd/virtualservices.networking.istio.io";
    cluster.kubectl(&["delete", name, "--wait=true"]).await;
    cluster.kubectl(&["annotate", "--overwrite", "mesh", NAME, "example.com/kind=gone"]).await;
    let wait = ["wait", name, "--for=condition=Established", "--timeout=60s"];
    weft_tests::wait::until("the kind is there again", LIMIT, || async { cluster.try_kubectl(&wait).await }).await;
    // And it is followed again: a rule made now is in force.
    let fault =
        json!({ "apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": { "name": "teapot" },
        "spec": { "hosts": ["store"], "http": [
            { "match": [{ "uri": { "prefix": "/teapot" } }],
              "fault": { "abort": { "httpStatus": 418, "percentage": { "value": 100 } } },
              "route": [{ "destination": { "host": "store" } }] },
            { "route": [{ "destination": { "host": "store" } }] }] } })
        .to_string();
    weft_tests::wait::until("the kind is served", LIMIT, || namespace.try_apply(&fault)).await;
    namespace.apply(&super::workload::client("curl")).await;
    cluster.kubectl(&["wait", "-n", &namespace.name, "pod/curl", "--for=condition=Ready", "--timeout=60s"]).await;
    super::workload::answers(&namespace, "curl", "http://store/teapot", 418).await;
    load.finish().await.assert_clean(200);
    drop(mesh);
}

#[tokio::test]
async fn an_authority_that_ran_out_is_told_and_traffic_goes_on() {
    let Some(cluster) = Cluster::get().await else { return };
    let mesh = cluster.mesh_alone().await.install().await;
    let namespace = injected(cluster, "expired").await;
    namespace.apply(&app("store", 1)).await;
    cluster.rolled_out(&namespace.name, "store-v1", LIMIT).await;
    let load = Load::start(&namespace, "load", "http://store/", 50).await;
    let plugged = expired_authority();
    cluster.apply(&plugged).await;
    let message = told(cluster, NAME, "CertificatesValid", "False", "InvalidAuthority").await;
    assert!(message.contains("expired") && message.contains("replace it"), "{message}");
    cluster.delete(&plugged).await;
    told(cluster, NAME, "CertificatesValid", "True", "Valid").await;
    cluster.mesh_ready(NAME).await;
    load.finish().await.assert_clean(50);
    drop(mesh);
}

/// A plugged-in authority (Istio's `cacerts` layout) whose certificate ran out a year ago.
fn expired_authority() -> String {
    use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair, KeyUsagePurpose};
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(2025, 11, 24);
    let certificate = params.self_signed(&key).unwrap().pem();
    json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "cacerts", "namespace": SYSTEM },
        "stringData": { "ca-cert.pem": certificate, "ca-key.pem": key.serialize_pem(),
            "root-cert.pem": certificate, "cert-chain.pem": certificate } })
    .to_string()
}

#[tokio::test]
async fn a_webhook_that_trusts_the_wrong_authority_is_corrected_at_once() {
    let Some(cluster) = Cluster::get().await else { return };
    let mesh = cluster.mesh_alone().await.install().await;
    let hooks = ["mutatingwebhookconfiguration", weft_install::names::INJECTOR_WEBHOOK];
    let bundle = |hook: &Value| hook["webhooks"][0]["clientConfig"]["caBundle"].as_str().unwrap_or_default().to_owned();
    let right = bundle(&cluster.read(&hooks).await.expect("the injector's webhook"));
    let secret: Value = serde_json::from_str(&expired_authority()).unwrap();
    let wrong = {
        use base64::Engine;
        base64::engine::general_purpose::STANDARD.encode(secret["stringData"]["ca-cert.pem"].as_str().unwrap())
    };
    let patch = json!([{ "op": "replace", "path": "/webhooks/0/clientConfig/caBundle", "value": wrong }]).to_string();
    cluster.kubectl(&["patch", hooks[0], hooks[1], "--type=json", "-p", &patch]).await;
    cluster
        .wait_for("the right bundle is back", &hooks, LIMIT, |hook| {
            if bundle(hook) == right { Ok(()) } else { Err(bundle(hook)) }
        })
        .await;
    let namespace = injected(cluster, "rehooked").await;
    namespace.apply(&app("store", 1)).await;
    cluster.rolled_out(&namespace.name, "store-v1", LIMIT).await;
    drop(mesh);
}
