//! Machines outside of the cluster, in network namespaces of their own: they join with `weft vm join`, are called from
//! pods, call pods, and need no second token.

use std::{path::Path, time::Duration};

use serde_json::{Value, json};
use weft_tests::{
    cluster::{Cluster, Machine, TestNamespace, mesh::SYSTEM},
    http::get,
    wait::{ensure, until},
};

use super::workload::{answers, app, client, injected};

const LIMIT: Duration = Duration::from_secs(30);

/// The machines' group, the Service before them, and mutual TLS for everybody.
const GROUP: &str = "
apiVersion: networking.istio.io/v1
kind: WorkloadGroup
metadata: {name: db}
spec:
  metadata: {labels: {app: db, version: v1}}
  template: {serviceAccount: db, ports: {http: 8080}, locality: lab/a}
---
apiVersion: v1
kind: Service
metadata: {name: db}
spec: {selector: {app: db}, ports: [{name: http, port: 80}]}
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: default}
spec: {mtls: {mode: STRICT}}
";

/// The control plane at a port of the node, as long as this value lives.
struct Entrance {
    cluster: &'static Cluster,
    name: String,
    address: String,
}

impl Entrance {
    async fn open(cluster: &'static Cluster, name: &str) -> Self {
        let service = json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": SYSTEM},
            "spec": {"type": "NodePort", "selector": {"weft.dev/component": "control-plane"},
                "ports": [{"name": "grpc-xds", "port": 15012}]},
        });
        cluster.apply(&service.to_string()).await;
        let service = cluster.read(&["service", "-n", SYSTEM, name]).await.unwrap();
        let node = cluster.read(&["nodes"]).await.unwrap();
        let host = node.pointer("/items/0/status/addresses/0/address").and_then(Value::as_str).unwrap();
        let address = format!("{host}:{}", service["spec"]["ports"][0]["nodePort"]);
        Self { cluster, name: name.to_owned(), address }
    }
}

impl Drop for Entrance {
    fn drop(&mut self) {
        drop(self.cluster.kubectl_now(&["-n", SYSTEM, "delete", "service", &self.name, "--wait=false"], None));
    }
}

/// `weft vm join` for a machine, into `dir`.
async fn join(
    cluster: &'static Cluster,
    namespace: &TestNamespace,
    machine: &Machine,
    dir: &Path,
    more: &[&str],
) -> Result<String, String> {
    let address = machine.address().to_string();
    let (dir, there) = (dir.display().to_string(), machine.bootstrap().display().to_string());
    let base = ["vm", "join", "db", "-n", &namespace.name, "--address", &address];
    let places = ["--output-dir", &dir, "--machine-dir", &there];
    cluster.weft(&[&base[..], &places[..], more].concat()).await
}

async fn ready(machine: &Machine) {
    until("the machine's proxy is ready", LIMIT, || async {
        let answer = get(machine.at(15021), "proxy", "/healthz/ready", &[]).await?;
        ensure(answer.status == 200, || answer.text())
    })
    .await;
}

/// Waits until a proxy has counted a request that came over mutual TLS from one account to another.
async fn counted(address: std::net::SocketAddr, source: &str, destination: &str) {
    until(&format!("{address} counts a call of {source} over mutual TLS"), LIMIT, || async {
        let text = get(address, "proxy", "/stats/prometheus", &[]).await?.text();
        let line = |line: &str| {
            line.starts_with("istio_requests_total{")
                && [
                    "reporter=\"destination\"",
                    "connection_security_policy=\"mutual_tls\"",
                    &format!("source_principal=\"{source}\""),
                    &format!("destination_principal=\"{destination}\""),
                ]
                .iter()
                .all(|part| line.contains(part))
        };
        let of_requests = || text.lines().filter(|line| line.starts_with("istio_requests")).collect::<String>();
        ensure(text.lines().any(line), of_requests)
    })
    .await;
}

/// Ids of the outstanding join tokens.
async fn tokens(cluster: &'static Cluster) -> Vec<String> {
    let secret = cluster.read(&["secret", "-n", SYSTEM, "weft-join-tokens"]).await.unwrap_or_default();
    secret["data"].as_object().map(|data| data.keys().cloned().collect()).unwrap_or_default()
}

#[tokio::test]
async fn a_machine_joins_is_called_from_pods_and_calls_them() {
    let Some(cluster) = Cluster::get().await else { return };
    let _mesh = cluster.mesh().await;
    let namespace = injected(cluster, "machines").await;
    namespace.apply(GROUP).await;
    namespace.apply(&(app("store", 1) + "---" + &client("caller"))).await;
    let entrance = Entrance::open(cluster, &format!("entrance-{}", namespace.name)).await;
    let machine = cluster.machine();
    let dir = tempfile::tempdir().unwrap();
    let bootstrap = dir.path().join("db-1");

    // The control plane of the suite's Mesh is not told to the outside.
    let inside = join(cluster, &namespace, &machine, &bootstrap, &[]).await.unwrap_err();
    assert!(inside.contains("--control-plane") && inside.contains("serviceType"), "{inside}");
    assert!(!bootstrap.exists());
    let more = ["--name", "db-1", "--control-plane", &entrance.address];
    let answer = join(cluster, &namespace, &machine, &bootstrap, &[&more[..], &["-o", "json"]].concat()).await.unwrap();
    let token = std::fs::read_to_string(bootstrap.join("join-token")).unwrap();
    assert!(!answer.contains(token.trim()), "the token is in its file alone");
    let answer: Value = serde_json::from_str(&answer).unwrap();
    let id = answer["tokenId"].as_str().unwrap().to_owned();
    assert!(tokens(cluster).await.contains(&id));
    let entry = cluster.read(&["workloadentry", "-n", &namespace.name, "db-1"]).await.unwrap();
    assert_eq!(entry["spec"]["address"], machine.address().to_string(), "{entry}");
    assert_eq!(entry["spec"]["labels"]["security.istio.io/tlsMode"], "istio", "{entry}");

    machine.install(&bootstrap);
    machine.serve(&["--name=db", "--version=v1", "--listen=0.0.0.0:8080"]);
    machine.start_proxy();
    ready(&machine).await;
    assert!(!tokens(cluster).await.contains(&id), "the token is spent");

    cluster.rolled_out(&namespace.name, "store-v1", Duration::from_secs(60)).await;
    namespace.kubectl(&["wait", "pod/caller", "--for=condition=Ready", "--timeout=60s"]).await;
    let principal = |account: &str| format!("spiffe://cluster.local/ns/{}/sa/{account}", namespace.name);
    let body = answers(&namespace, "caller", "http://db/rows", 200).await;
    assert!(body.contains("\"db\""), "{body}");
    counted(machine.at(15090), &principal("caller"), &principal("db")).await;

    let service = cluster.read(&["service", "-n", &namespace.name, "store"]).await.unwrap();
    let host = format!("store.{}", namespace.name);
    let resolve = format!("{host}:80:{}", service["spec"]["clusterIP"].as_str().unwrap());
    let url = format!("http://{host}/things");
    until("the machine calls a pod", LIMIT, || async {
        machine.run("curl", &["-sS", "--fail", "--max-time", "10", "--resolve", &resolve, &url])
    })
    .await;
    let pods = cluster.read(&["pods", "-n", &namespace.name, "-l", "app=store"]).await.unwrap();
    let pod = pods["items"][0]["status"]["podIP"].as_str().unwrap();
    counted(format!("{pod}:15090").parse().unwrap(), &principal("db"), &principal("store")).await;

    // It starts again with the certificate that it kept.
    machine.stop_proxy();
    machine.start_proxy();
    ready(&machine).await;
    let log = machine.proxy_log();
    assert!(log.contains("going on with the kept certificate"), "{log}");
    assert!(!log.contains(token.trim().split('.').nth(2).unwrap()), "no secret in the log");
    answers(&namespace, "caller", "http://db/rows", 200).await;

    // Without it the token, which is spent, does not help, and the log says what does.
    machine.stop_proxy();
    std::fs::remove_file(machine.identity()).unwrap();
    machine.start_proxy();
    until("a spent token is refused", LIMIT, || async {
        let log = machine.proxy_log();
        ensure(log.contains("used up") && log.contains("weft vm join"), || log.clone())
    })
    .await;
    let again = join(cluster, &namespace, &machine, &bootstrap, &more).await.unwrap();
    assert!(again.contains(&format!("{}/db-1 updated", namespace.name)), "{again}");
    machine.install(&bootstrap);
    ready(&machine).await;
    answers(&namespace, "caller", "http://db/rows", 200).await;
}

#[tokio::test]
async fn a_machine_that_cannot_join_is_told_why() {
    let Some(cluster) = Cluster::get().await else { return };
    let _mesh = cluster.mesh().await;
    let namespace = injected(cluster, "strangers").await;
    namespace.apply(GROUP).await;
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("out").display().to_string();
    let refused = async |group: &str, more: &[&str]| {
        let base = ["vm", "join", group, "-n", &namespace.name, "--control-plane", "192.0.2.7:15012"];
        let words = cluster.weft(&[&base[..], &["--output-dir", &target], more].concat()).await.unwrap_err();
        assert!(!dir.path().join("out").exists(), "nothing is written: {words}");
        words
    };
    let typo = refused("dbb", &["--address", "198.51.100.7"]).await;
    assert!(typo.contains("did you mean \"db\"?"), "{typo}");
    let nobody = refused("db", &["--address", "127.0.0.1"]).await;
    assert!(nobody.contains("--address"), "{nobody}");
    let revision = refused("db", &["--address", "198.51.100.7", "--revision", "nowhere"]).await;
    assert!(revision.contains("--revision: default"), "{revision}");

    // An entry of somebody else's is not taken over.
    namespace
        .apply("{apiVersion: networking.istio.io/v1, kind: WorkloadEntry, metadata: {name: db-1}, spec: {address: 198.51.100.9}}")
        .await;
    let theirs = refused("db", &["--address", "198.51.100.7", "--name", "db-1"]).await;
    assert!(theirs.contains("--name"), "{theirs}");
    assert!(!namespace.kubectl(&["get", "workloadentry", "db-1", "-o", "yaml"]).await.contains("198.51.100.7"));
}
