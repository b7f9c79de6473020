//! One Mesh object: everything comes, heals, changes and goes with it.

use std::time::Duration;

use serde_json::{Value, json};
use weft_install::{
    names,
    render::{bootstrap::Bootstrap, leave},
};
use weft_tests::{
    cluster::{
        Cluster, TestNamespace,
        mesh::{NAME, READY, SYSTEM, mesh},
        object::condition,
    },
    wait::{ensure, until},
};

use super::{
    told::told,
    workload::{client, injected},
};

const SOON: Duration = Duration::from_secs(30);

/// A gateway of somebody's own, which injection fills in.
const EDGE: &str = "
apiVersion: v1
kind: Pod
metadata:
  name: edge
  labels: {app: edge}
  annotations: {inject.istio.io/templates: gateway}
spec:
  terminationGracePeriodSeconds: 1
  containers: [{name: istio-proxy, image: auto}]
";

/// Routes to what is not there: one for whoever reads it, one for a control plane that is not here.
const LOST: &str = "
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: lost}
spec: {hosts: [lost], http: [{route: [{destination: {host: nowhere}}]}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: another, labels: {istio.io/rev: elsewhere}}
spec: {hosts: [another], http: [{route: [{destination: {host: nowhere}}]}]}
";

/// The status of a VirtualService of [`LOST`], and whether it says who wrote any.
async fn lost(cluster: &'static Cluster, namespace: &TestNamespace, name: &str) -> (Value, String) {
    let service = ["virtualservice", "-n", &namespace.name, name, "--show-managed-fields"];
    let found = cluster.read(&service).await.unwrap_or_default();
    (found["status"]["validationMessages"].clone(), found["metadata"]["managedFields"].to_string())
}

/// Everything that carries a Mesh's label, by `kind/name`.
pub(super) async fn installed(cluster: &'static Cluster, mesh: &str) -> Vec<String> {
    const KINDS: &str = "deployments,services,serviceaccounts,configmaps,poddisruptionbudgets,roles,rolebindings,\
        clusterroles,clusterrolebindings,mutatingwebhookconfigurations,validatingwebhookconfigurations,priorityclasses";
    let label = format!("weft.dev/mesh={mesh}");
    let list = cluster.kubectl(&["get", KINDS, "-A", "-l", &label, "-o", "name", "--ignore-not-found"]).await;
    list.lines().map(str::to_owned).collect()
}

/// The chart's last hook, as long as this value lives.
struct Hook {
    cluster: &'static Cluster,
    objects: String,
}

async fn hook(cluster: &'static Cluster, mesh: &str) -> Hook {
    let operator = Bootstrap { pull_policy: "Never".into(), ..Bootstrap::default() };
    let objects = leave::objects(&operator, mesh);
    let hook = Hook { cluster, objects: json!({ "apiVersion": "v1", "kind": "List", "items": objects }).to_string() };
    cluster.apply(&hook.objects).await;
    hook
}

impl Hook {
    /// Waits until its Job has ended as it should; what it said.
    async fn ends(self, how: &str) -> String {
        let job = ["job", "-n", SYSTEM, leave::LEAVE];
        self.cluster
            .wait_for("the hook ends", &job, SOON, |job| ensure(job["status"][how] == 1, || job["status"].to_string()))
            .await;
        self.cluster.kubectl(&["-n", SYSTEM, "logs", &format!("job/{}", leave::LEAVE)]).await
    }
}

impl Drop for Hook {
    fn drop(&mut self) {
        drop(self.cluster.kubectl_now(&["delete", "--wait", "-f", "-"], Some(&self.objects)));
    }
}

#[tokio::test]
async fn a_mesh_is_installed_repaired_changed_and_removed() {
    let Some(cluster) = Cluster::get().await else { return };
    let mut alone = cluster.mesh_alone().await.install().await;

    // Somebody deletes and somebody edits; both are put right.
    cluster.kubectl(&["-n", SYSTEM, "delete", "service/weft-control-plane"]).await;
    cluster.kubectl(&["-n", SYSTEM, "scale", "deployment/weft-console", "--replicas=0"]).await;
    cluster.wait_for("the service is back", &["service", "-n", SYSTEM, "weft-control-plane"], SOON, |_| Ok(())).await;
    cluster
        .wait_for("the console is back", &["deployment", "-n", SYSTEM, "weft-console"], SOON, |deployment| {
            match deployment["spec"]["replicas"].as_i64() {
                Some(1) => Ok(()),
                other => Err(format!("{other:?}")),
            }
        })
        .await;

    added(cluster).await;

    // A rollout that somebody paused is told with the remedy.
    // An image that cannot be had: the old pod serves on, and the Mesh says what it waits for until that is put right.
    let console = |image: Value| json!({ "spec": { "components": { "console": { "image": image } } } }).to_string();
    cluster.kubectl(&["-n", SYSTEM, "rollout", "pause", "deployment/weft-console"]).await;
    cluster.kubectl(&["patch", "mesh", NAME, "--type=merge", "-p", &console("weft/console:nowhere".into())]).await;
    cluster
        .wait_for("the Mesh says that somebody paused it", &["mesh", NAME], SOON, |mesh| {
            let text = mesh["status"]["conditions"].to_string();
            let told = text.contains("the rollout of weft-console is paused; kubectl -n");
            ensure(told && condition(mesh, "Ready") == Some(("False", "ComponentsNotReady")), || text)
        })
        .await;
    cluster.kubectl(&["-n", SYSTEM, "rollout", "resume", "deployment/weft-console"]).await;
    cluster
        .wait_for("the Mesh names the console", &["mesh", NAME], SOON, |mesh| {
            let text = mesh["status"]["conditions"].to_string();
            match condition(mesh, "Ready") {
                Some(("False", "ComponentsNotReady")) if text.contains("console: 0 of 1 new pods are ready") => {
                    ensure(text.contains("ErrImageNeverPull"), || text)
                }
                _ => Err(text),
            }
        })
        .await;
    cluster.kubectl(&["patch", "mesh", NAME, "--type=merge", "-p", &console(Value::Null)]).await;
    cluster.mesh_ready(NAME).await;

    // Another profile: what it does not have goes. Only the port that asks for credentials is exposed.
    assert!(installed(cluster, NAME).await.iter().any(|name| name.ends_with("/weft-ingressgateway")));
    alone.spoil();
    let exposed = json!({ "controlPlane": { "serviceType": "NodePort" } });
    cluster.apply(&mesh(NAME, &json!({ "profile": "minimal", "components": exposed }))).await;
    cluster
        .wait_gone(
            &["deployment,service,serviceaccount", "-n", SYSTEM, "-l", "weft.dev/component=ingress-gateway"],
            SOON,
        )
        .await;
    cluster.wait_gone(&["deployment,service", "-n", SYSTEM, "-l", "weft.dev/component=console"], SOON).await;
    cluster.mesh_ready(NAME).await;
    for (service, kind, ports) in [("weft-control-plane", "ClusterIP", 3), ("weft-external-xds", "NodePort", 1)] {
        let found = cluster.read(&["service", "-n", SYSTEM, service]).await.unwrap_or_default();
        assert_eq!(found["spec"]["type"], kind, "{found}");
        assert_eq!(found["spec"]["ports"].as_array().map(Vec::len), Some(ports), "{found}");
    }

    // Injected pods hold the removal up, and the Mesh says which.
    let namespace = injected(cluster, "holds").await;
    namespace.apply(&client("worker")).await;
    namespace.apply(EDGE).await;
    namespace.apply(LOST).await;
    until("a route to nowhere is told where it stands", Duration::from_secs(60), async || {
        let (messages, writers) = lost(cluster, &namespace, "lost").await;
        let told = messages.to_string().contains("nowhere") && writers.contains("weft-operator-findings");
        ensure(told, || format!("{messages} {writers}"))
    })
    .await;
    namespace.kubectl(&["wait", "pod/worker", "pod/edge", "--for=condition=Ready", "--timeout=60s"]).await;
    // As Helm does it: a Mesh that the chart did not make keeps the operator, and its own goes first.
    let refused = hook(cluster, "").await.ends("failed").await;
    assert!(refused.contains(&format!("there is {NAME} (kubectl delete mesh {NAME}")), "{refused}");
    let hook = hook(cluster, NAME).await;
    let wanted = format!("{}/worker", namespace.name);
    cluster
        .wait_for("the Mesh names the pods that it waits for", &["mesh", NAME], SOON, |mesh: &Value| {
            let text = mesh["status"]["conditions"].to_string();
            let gone = |kind| matches!(condition(mesh, kind), Some(("False", "WaitingForPods")));
            match condition(mesh, "Deleting") {
                Some(_) if text.contains(&wanted) && gone("Ready") && gone("WebhooksReady") => Ok(()),
                _ => Err(text),
            }
        })
        .await;
    // Webhooks went first: nobody is kept from making pods.
    cluster.wait_gone(&["mutatingwebhookconfigurations", "-l", &format!("weft.dev/mesh={NAME}")], SOON).await;
    assert!(
        cluster.read(&["deployment", "-n", SYSTEM, "weft-control-plane"]).await.is_some(),
        "proxies are still served"
    );

    // A gateway needs its certificates too.
    namespace.kubectl(&["delete", "pod/worker", "--wait=true"]).await;
    let edge = format!("1 injected pods still run: {}/edge.", namespace.name);
    cluster
        .wait_for("the Mesh waits for the gateway", &["mesh", NAME], SOON, |mesh: &Value| {
            let text = mesh["status"]["conditions"].to_string();
            ensure(text.contains(&edge), || text)
        })
        .await;
    namespace.kubectl(&["delete", "pod/edge", "--wait=true"]).await;
    cluster.wait_gone(&["mesh", NAME], SOON).await;
    let words = hook.ends("succeeded").await;
    assert!(words.contains(&wanted), "{words}");
    assert_eq!(installed(cluster, NAME).await, Vec::<String>::new());
    for name in ["lost", "another"] {
        let (messages, writers) = lost(cluster, &namespace, name).await;
        assert!(messages.is_null() && writers.contains("kubectl"), "{name}: {messages} {writers}");
        assert!(!writers.contains("weft-operator"), "nothing of ours stays in {name}: {writers}");
    }
    let roots = cluster
        .kubectl(&["get", "configmaps", "-A", "--field-selector=metadata.name=weft-ca-root-cert", "-o", "name"])
        .await;
    assert_eq!(roots.trim(), "", "no root is left in any namespace");
}

/// Somebody adds what decides what runs and who is asked: that goes, the Mesh tells who it was, and what others rightly write
/// stays.
async fn added(cluster: &'static Cluster) {
    const INJECTOR: &str = "mutatingwebhookconfiguration/weft-sidecar-injector";
    cluster.kubectl(&["-n", SYSTEM, "rollout", "restart", "deployment/weft-console"]).await;
    let injector = cluster.read(&["mutatingwebhookconfiguration", "weft-sidecar-injector"]).await.unwrap_or_default();
    let mut evil = injector["webhooks"][0].clone();
    evil["name"] = "evil.x.y".into();
    evil["failurePolicy"] = "Ignore".into();
    let add = |path: &str, value: Value| json!([{ "op": "add", "path": path, "value": value }]).to_string();
    let evil = add("/webhooks/-", evil);
    let port = add("/spec/ports/-", json!({ "name": "more", "port": 9999, "targetPort": 9999, "protocol": "TCP" }));
    let spy = json!({ "spec": { "template": { "spec": { "containers": [{ "name": "spy", "image": "spy:1" }] } } } });
    let (plane, spy) = ("deployment/weft-control-plane", spy.to_string());
    cluster.kubectl(&["-n", SYSTEM, "set", "env", plane, "WEFT_CERT_TTL=1m"]).await;
    cluster.kubectl(&["-n", SYSTEM, "patch", plane, "--type=strategic", "-p", &spy]).await;
    cluster.kubectl(&["patch", INJECTOR, "--type=json", "-p", &evil]).await;
    cluster.kubectl(&["-n", SYSTEM, "patch", "service/weft-ingressgateway", "--type=json", "-p", &port]).await;
    cluster.kubectl(&["-n", SYSTEM, "set", "env", "deployment/weft-console", "FOO=bar"]).await;
    for (object, words) in [
        (&["deployment", "-n", SYSTEM, "weft-control-plane"][..], &["WEFT_CERT_TTL", "\"spy\""][..]),
        (&["mutatingwebhookconfiguration", "weft-sidecar-injector"][..], &["evil.x.y"][..]),
        (&["service", "-n", SYSTEM, "weft-ingressgateway"][..], &["9999"][..]),
        (&["deployment", "-n", SYSTEM, "weft-console"][..], &["\"FOO\""][..]),
    ] {
        cluster
            .wait_for("what was added is gone", object, SOON, |found| {
                let text = json!([found["spec"], found["webhooks"]]).to_string();
                ensure(words.iter().all(|word| !text.contains(word)), || text)
            })
            .await;
    }
    let console = cluster.read(&["deployment", "-n", SYSTEM, "weft-console"]).await.unwrap_or_default();
    let annotations = &console["spec"]["template"]["metadata"]["annotations"];
    assert!(annotations["kubectl.kubernetes.io/restartedAt"].is_string(), "a restart is nobody's drift: {annotations}");
    let events = ["events", "-A", "--field-selector=involvedObject.kind=Mesh,reason=Corrected"];
    cluster
        .wait_for("the Mesh tells who it was", &events, SOON, |events| {
            let text = events["items"].to_string();
            ensure(text.contains("WEFT_CERT_TTL") && text.contains("written by kubectl-set"), || text)
        })
        .await;
    // So it does of what others change and take away.
    cluster.kubectl(&["-n", SYSTEM, "set", "image", "deployment/weft-console", "console=nobodys:1"]).await;
    cluster.kubectl(&["-n", SYSTEM, "delete", "service", "weft-console"]).await;
    cluster
        .wait_for("the Mesh tells what was put back", &events, SOON, |events| {
            let text = events["items"].to_string();
            let told = ["containers[console].image (written by kubectl-set); put back", "weft-console was deleted"];
            ensure(told.iter().all(|words| text.contains(words)), || text)
        })
        .await;
    cluster.mesh_ready(NAME).await;
    told(cluster, NAME, "Reconciled", "True", "Applied").await;
    scaled(cluster).await;
}

/// An autoscaler that the Mesh knows nothing of has its number of pods, and nobody else has.
async fn scaled(cluster: &'static Cluster) {
    const GATEWAY: &str = "deployment/weft-ingressgateway";
    let gateway = ["deployment", "-n", SYSTEM, "weft-ingressgateway"];
    let pods = |number: i64| {
        move |found: &Value| ensure(found["spec"]["replicas"] == number, || found["spec"]["replicas"].to_string())
    };
    let own = cluster.read(&gateway).await.unwrap_or_default()["spec"]["replicas"].as_i64().unwrap_or_default();
    let (least, most) = (format!("--min={}", own + 1), format!("--max={}", own + 2));
    cluster.kubectl(&["-n", SYSTEM, "autoscale", GATEWAY, "--name=somebodys", &least, &most, "--cpu-percent=80"]).await;
    cluster.wait_for("the autoscaler scales", &gateway, SOON * 2, pods(own + 1)).await;
    // What is put right meanwhile leaves it.
    cluster.kubectl(&["-n", SYSTEM, "set", "env", GATEWAY, "FOO=bar"]).await;
    cluster
        .wait_for("what was added is gone", &gateway, SOON, |found| {
            let text = found["spec"]["template"].to_string();
            ensure(!text.contains("\"FOO\""), || text)
        })
        .await;
    cluster.wait_for("the autoscaler's number stays", &gateway, SOON, pods(own + 1)).await;
    cluster.kubectl(&["-n", SYSTEM, "delete", "hpa", "somebodys"]).await;
    cluster.kubectl(&["-n", SYSTEM, "scale", GATEWAY, &format!("--replicas={}", own + 2)]).await;
    cluster.wait_for("nobody's number goes", &gateway, SOON, pods(own)).await;
    cluster.mesh_ready(NAME).await;
}

/// Tokens of running pods do not count for an account that was made anew: pods have to come anew with it, or the control
/// plane would be refused by the API server, and every new proxy by the control plane.
#[tokio::test]
async fn accounts_made_anew_bring_their_pods_anew() {
    let Some(cluster) = Cluster::get().await else { return };
    let _alone = cluster.mesh_alone().await.install().await;
    let token = cluster.kubectl(&["-n", SYSTEM, "create", "token", "weft-control-plane"]).await;
    let whoami = ["--token", token.trim(), "auth", "whoami"];
    cluster.kubectl(&whoami).await;
    let accounts = ["weft-control-plane", "weft-console", "weft-ingressgateway"];
    for account in accounts {
        cluster.kubectl(&["-n", SYSTEM, "delete", "serviceaccount", account]).await;
    }
    // The API server remembers for ten seconds that a token was good.
    until("tokens of the account that went are refused", SOON, async || {
        cluster.try_kubectl(&whoami).await.map_or(Ok(()), Err)
    })
    .await;
    for account in accounts {
        let found = cluster.read(&["serviceaccount", "-n", SYSTEM, account]).await.unwrap_or_default();
        let pods = ["deployment", "-n", SYSTEM, account];
        cluster
            .wait_for("its pods are made anew", &pods, SOON, |deployment| {
                let annotations = &deployment["spec"]["template"]["metadata"]["annotations"];
                ensure(annotations[names::ACCOUNT_ANNOTATION] == found["metadata"]["uid"], || annotations.to_string())
            })
            .await;
        cluster.rolled_out(SYSTEM, account, READY).await;
    }
    cluster.mesh_ready(NAME).await;
    let namespace = injected(cluster, "anew").await;
    namespace.apply(&client("worker")).await;
    namespace.kubectl(&["wait", "pod/worker", "--for=condition=Ready", "--timeout=30s"]).await;
}
