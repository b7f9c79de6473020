//! Under steady load, what happens in every cluster every week: restarts, scaling, a replica that is lost, a control plane
//! that goes away. Not one request may fail.

use std::time::Duration;

use serde_json::Value;
use weft_tests::{
    cluster::{
        Cluster, TestNamespace,
        mesh::{NAME, SYSTEM},
    },
    http::get,
    wait::{ensure, until},
};

use super::workload::{Load, answers, app, client, injected, proxies};

const ROLLOUT: Duration = Duration::from_secs(120);
const SOON: Duration = Duration::from_secs(30);

/// A route that answers by itself, beside the one that there is without it.
const TEAPOT: &str = "
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: teapot}
spec:
  hosts: [store]
  http:
  - match: [{uri: {prefix: /teapot}}]
    fault: {abort: {httpStatus: 418, percentage: {value: 100}}}
    route: [{destination: {host: store}}]
  - route: [{destination: {host: store}}]
";

#[tokio::test]
async fn restarting_and_scaling_an_application_loses_nothing() {
    let Some(cluster) = Cluster::get().await else { return };
    let _mesh = cluster.mesh().await;
    let namespace = injected(cluster, "rolling").await;
    namespace.apply(&app("store", 1)).await;
    cluster.rolled_out(&namespace.name, "store-v1", ROLLOUT).await;
    let load = Load::start(&namespace, "load", "http://store/", 100).await;

    namespace.kubectl(&["rollout", "restart", "deployment/store-v1"]).await;
    cluster.rolled_out(&namespace.name, "store-v1", ROLLOUT).await;
    for replicas in ["5", "1"] {
        namespace.kubectl(&["scale", "deployment/store-v1", &format!("--replicas={replicas}")]).await;
        cluster.rolled_out(&namespace.name, "store-v1", ROLLOUT).await;
    }
    // The pods that went are gone only when their proxies have drained.
    cluster
        .wait_for("one pod is left", &["pods", "-n", &namespace.name, "-l", "app=store"], ROLLOUT, |pods| {
            let count = pods["items"].as_array().map_or(0, Vec::len);
            if count == 1 { Ok(()) } else { Err(format!("{count} pods")) }
        })
        .await;
    load.finish().await.assert_clean(1000);
}

#[tokio::test]
async fn a_minute_without_any_control_plane_loses_nothing() {
    let Some(cluster) = Cluster::get().await else { return };
    let mesh = cluster.mesh_alone().await.install().await;
    let namespace = injected(cluster, "headless").await;
    namespace.apply(&app("store", 2)).await;
    cluster.rolled_out(&namespace.name, "store-v1", ROLLOUT).await;
    let load = Load::start(&namespace, "load", "http://store/", 50).await;

    // Both would be put back by each other: first the one that repairs.
    for deployment in ["weft-operator", "weft-control-plane"] {
        cluster.kubectl(&["-n", SYSTEM, "scale", &format!("deployment/{deployment}"), "--replicas=0"]).await;
    }
    let gone = ["pods", "-n", SYSTEM, "-l", "weft.dev/component in (operator, control-plane)"];
    cluster.wait_gone(&gone, Duration::from_secs(60)).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    cluster.kubectl(&["-n", SYSTEM, "scale", "deployment/weft-operator", "--replicas=2"]).await;
    // None is a rollout that is complete, as long as nobody has put it right.
    let control_plane = ["deployment", "-n", SYSTEM, "weft-control-plane"];
    cluster
        .wait_for("the control plane is wanted again", &control_plane, ROLLOUT, |found| {
            ensure(found["spec"]["replicas"].as_u64() > Some(0), || found["spec"]["replicas"].to_string())
        })
        .await;
    cluster.rolled_out(SYSTEM, "weft-control-plane", ROLLOUT).await;
    cluster.mesh_ready(NAME).await;
    load.finish().await.assert_clean(2500);
    drop(mesh);
}

/// The control plane's pod that a proxy is connected to, once every proxy of its namespace is in step.
async fn serving(cluster: &'static Cluster, namespace: &TestNamespace, proxy: &str) -> Result<String, String> {
    let text = cluster.weft(&["proxy-status", "-n", &namespace.name, "-o", "json"]).await?;
    let status: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    let mut all = status["proxies"].as_array().into_iter().flatten();
    let found = all.find(|one| one["name"] == proxy).ok_or_else(|| status.to_string())?;
    found["controlPlane"].as_str().map(str::to_owned).ok_or_else(|| found.to_string())
}

/// The operator's pod that holds the Lease.
async fn leader(cluster: &'static Cluster) -> Result<String, String> {
    let lease = cluster.read(&["lease", "-n", SYSTEM, "weft-operator"]).await.ok_or("there is no Lease")?;
    let holder = lease["spec"]["holderIdentity"].as_str().ok_or_else(|| lease["spec"].to_string())?;
    // What follows the pod's name tells its starts apart.
    Ok(holder.split('_').next().unwrap_or(holder).to_owned())
}

/// As when a node fails: the pod that reconciles and one of three that serve are gone at once, without a rollout.
#[tokio::test]
async fn lost_replicas_cost_no_request_and_others_take_their_work() {
    let Some(cluster) = Cluster::get().await else { return };
    let _mesh = cluster.mesh_alone().await.install().await;
    cluster.rolled_out(SYSTEM, "weft-control-plane", ROLLOUT).await;
    let planes = cluster.read(&["deployment", "-n", SYSTEM, "weft-control-plane"]).await.unwrap();
    assert_eq!(planes["spec"]["replicas"], 3, "{planes}");
    let namespace = injected(cluster, "lost").await;
    namespace.apply(&(app("store", 2) + "---" + &client("caller"))).await;
    cluster.rolled_out(&namespace.name, "store-v1", ROLLOUT).await;
    namespace.kubectl(&["wait", "pod/caller", "--for=condition=Ready", "--timeout=60s"]).await;
    answers(&namespace, "caller", "http://store/teapot", 200).await;
    let load = Load::start(&namespace, "load", "http://store/", 50).await;

    let led = until("one operator leads", SOON, || leader(cluster)).await;
    let served = until("the load's proxy is in step", SOON, || serving(cluster, &namespace, "load")).await;
    let lost = ["-n", SYSTEM, "delete", "pod", &led, &served, "--force", "--grace-period=0", "--wait=false"];
    cluster.kubectl(&lost).await;

    // Meanwhile somebody changes a route and scales up. For the moment that Services still lead to the lost replica a change can
    // be refused; pods are made by who tries again.
    namespace.kubectl(&["scale", "deployment/store-v1", "--replicas=3"]).await;
    until("a change is taken", SOON, || namespace.try_apply(TEAPOT)).await;
    answers(&namespace, "caller", "http://store/teapot", 418).await;
    // Who was refused a pod tries again later and later. Its proxy is one of those that have to be in step.
    cluster.rolled_out(&namespace.name, "store-v1", ROLLOUT).await;
    until("the load's proxy has it from another replica", SOON, || async {
        let now = serving(cluster, &namespace, "load").await?;
        ensure(now != served, || now.clone())
    })
    .await;
    let servers = proxies(cluster, &namespace, "app=store").await;
    assert_eq!(servers.len(), 3, "{servers:?}");
    for server in servers {
        until("each pod serves, through its proxy", SOON, || async {
            let text = get(server, "proxy", "/stats/prometheus", &[]).await?.text();
            let counts = |line: &str| {
                line.starts_with("istio_requests_total{")
                    && line.contains("reporter=\"destination\"")
                    && line.contains("response_code=\"200\"")
            };
            ensure(text.lines().any(counts), || text.clone())
        })
        .await;
    }

    // Another one leads, and repairs.
    let leads = until("another operator leads", ROLLOUT, || async {
        let now = leader(cluster).await?;
        ensure(now != led, || now.clone())?;
        Ok(now)
    })
    .await;
    assert!(cluster.read(&["pod", "-n", SYSTEM, &leads]).await.is_some(), "{leads} is there");
    cluster.kubectl(&["-n", SYSTEM, "delete", "service/weft-console"]).await;
    cluster.wait_for("the service is back", &["service", "-n", SYSTEM, "weft-console"], SOON, |_| Ok(())).await;
    for deployment in ["weft-operator", "weft-control-plane"] {
        cluster.rolled_out(SYSTEM, deployment, ROLLOUT).await;
    }
    cluster.mesh_ready(NAME).await;
    load.finish().await.assert_clean(250);
}
