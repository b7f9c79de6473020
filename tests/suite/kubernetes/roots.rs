//! Roots that go while certificates under them are still about.

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};
use weft_tests::cluster::{
    Cluster,
    mesh::{NAME, SYSTEM},
    object::condition,
};

use super::workload::{Load, answers, app, client, injected};

const LIMIT: Duration = Duration::from_secs(120);
/// Twenty-three hours, in seconds: nearly the default lifetime.
const NEARLY_A_DAY: i64 = 23 * 3600;

/// A pod that injection seems to have made, without any proxy.
const MUTE: &str = "
apiVersion: v1
kind: Pod
metadata:
  name: mute
  labels: {istio.io/rev: default, sidecar.istio.io/inject: 'false'}
  annotations: {sidecar.istio.io/status: '{\"revision\":\"default\"}'}
spec:
  terminationGracePeriodSeconds: 1
  containers: [{name: mute, image: 'weft/tools:0.1.0', imagePullPolicy: Never}]
";

/// `CertificatesValid` with this reason: its message.
async fn certificates(cluster: &'static Cluster, reason: &str, part: &str) -> String {
    let what = format!("CertificatesValid is True, {reason}, and says {part:?}");
    cluster
        .wait_for(&what, &["mesh", NAME], LIMIT, |mesh| {
            let all = mesh["status"]["conditions"].as_array().cloned().unwrap_or_default();
            let found = all.into_iter().find(|condition| condition["type"] == "CertificatesValid").unwrap_or_default();
            let message = found["message"].as_str().unwrap_or_default().to_owned();
            match condition(mesh, "CertificatesValid") {
                Some(("True", told)) if told == reason && message.contains(part) => Ok(message),
                _ => Err(found.to_string()),
            }
        })
        .await
}

/// Seconds from now to the time that a message names after `words`.
fn seconds_until(message: &str, words: &str) -> i64 {
    let (_, rest) = message.split_once(words).unwrap_or_else(|| panic!("{words:?} in {message}"));
    let end = rest.find('Z').map(|end| &rest[..=end]).unwrap_or_else(|| panic!("a time in {rest}"));
    end.parse::<Timestamp>().unwrap_or_else(|error| panic!("{end}: {error}")).as_second() - Timestamp::now().as_second()
}

/// Waits until the bundle of a namespace has so many roots.
async fn bundle(cluster: &'static Cluster, namespace: &str, roots: usize) {
    let map = ["configmap", "-n", namespace, "weft-ca-root-cert"];
    cluster
        .wait_for(&format!("{roots} roots are told"), &map, LIMIT, |map| {
            let told = map["data"]["root-cert.pem"].as_str().unwrap_or_default().matches("BEGIN CERTIFICATE").count();
            if told == roots { Ok(()) } else { Err(format!("{told}")) }
        })
        .await;
}

async fn signer(cluster: &'static Cluster) -> Value {
    cluster.read(&["secret", "-n", SYSTEM, "weft-ca"]).await.unwrap_or_default()["data"]["ca-cert.pem"].clone()
}

async fn another_signs(cluster: &'static Cluster, before: &Value) {
    cluster
        .wait_for("the new root signs", &["secret", "-n", SYSTEM, "weft-ca"], LIMIT, |secret| {
            let changed = secret["data"]["ca-cert.pem"] != *before;
            if changed { Ok(()) } else { Err(secret["metadata"]["annotations"].to_string()) }
        })
        .await;
}

#[tokio::test]
async fn a_root_is_trusted_as_long_as_what_it_signed() {
    let Some(cluster) = Cluster::get().await else { return };
    // A mesh of its own: one whose root was rotated before waits a day for the next time.
    let mut alone = cluster.mesh_alone().await;
    alone.spoil();
    cluster.kubectl(&["delete", "mesh", NAME, "--ignore-not-found"]).await;
    let mut alone = alone.install().await;
    let namespace = injected(cluster, "lifetimes").await;
    namespace.apply(&app("store", 2)).await;
    namespace.apply(&client("curl")).await;
    cluster.rolled_out(&namespace.name, "store-v1", LIMIT).await;
    let load = Load::start(&namespace, "load", "http://store/", 50).await;

    // Issued for a day, then for a minute: the day counts.
    let lower =
        json!({ "spec": { "components": { "controlPlane": { "env": { "WEFT_CERT_TTL": "60s" } } } } }).to_string();
    cluster.kubectl(&["patch", "mesh", NAME, "--type=merge", "-p", &lower]).await;
    cluster.mesh_ready(NAME).await;
    cluster.rolled_out(SYSTEM, "weft-control-plane", LIMIT).await;
    let first = signer(cluster).await;
    namespace.apply(MUTE).await;
    namespace.kubectl(&["wait", "--for=condition=Ready", "pod/mute", "--timeout=60s"]).await;
    cluster.kubectl(&["annotate", "--overwrite", "mesh", NAME, "weft.dev/rotate-root=lowered"]).await;
    // Whose proxy is not connected may not trust the new root; a replica without any proxy does not say that all do.
    let silent = "pods with a proxy are not connected";
    certificates(cluster, "Rotating", silent).await;
    cluster.kubectl(&["rollout", "restart", "deployment/weft-control-plane", "-n", SYSTEM]).await;
    cluster.rolled_out(SYSTEM, "weft-control-plane", LIMIT).await;
    certificates(cluster, "Rotating", silent).await;
    assert_eq!(signer(cluster).await, first, "the old root signs until everybody knows the new one");
    namespace.kubectl(&["delete", "pod", "mute"]).await;
    another_signs(cluster, &first).await;
    let words = "the old one is trusted until ";
    let message = certificates(cluster, "Rotating", words).await;
    assert!(seconds_until(&message, words) > NEARLY_A_DAY, "{message}");
    bundle(cluster, &namespace.name, 2).await;

    // The authority is lost: a new one signs, and both before it are trusted, by new pods too.
    let second = signer(cluster).await;
    cluster.kubectl(&["delete", "secret", "-n", SYSTEM, "weft-ca"]).await;
    let message = certificates(cluster, "RootsKept", "2 roots").await;
    assert!(seconds_until(&message, "are trusted until ") > NEARLY_A_DAY, "{message}");
    assert!(message.contains("connects anew may have to wait"), "{message}");
    let waiting = cluster.read(&["mesh", NAME]).await.unwrap_or_default()["status"]["waitingFor"].to_string();
    assert!(waiting.contains("new root: another root signs since"), "{waiting}");
    assert_ne!(signer(cluster).await, second);
    let warned = ["events", "-A", "--field-selector=involvedObject.kind=Mesh,reason=RootsKept,type=Warning"];
    cluster
        .wait_for("a warning tells it", &warned, LIMIT, |events| {
            let told = events["items"].as_array().is_some_and(|items| !items.is_empty());
            if told { Ok(()) } else { Err("no such event".into()) }
        })
        .await;
    bundle(cluster, &namespace.name, 3).await;
    namespace.kubectl(&["scale", "deployment/store-v1", "--replicas=3"]).await;
    cluster.rolled_out(&namespace.name, "store-v1", LIMIT).await;
    load.until_served(250).await;
    load.finish().await.assert_clean(300);

    // Taken away on purpose: proxies of the old roots renew at once, half a day before their time.
    cluster.kubectl(&["delete", "secret", "-n", SYSTEM, "weft-ca-roots"]).await;
    certificates(cluster, "Valid", "").await;
    bundle(cluster, &namespace.name, 1).await;
    answers(&namespace, "curl", "http://store/", 200).await;

    alone.spoil();
    drop(namespace);
    cluster.kubectl(&["delete", "mesh", NAME]).await;
}
