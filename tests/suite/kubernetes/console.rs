//! The console on the cluster, through port-forward as the README says: it reads with its own account and changes things
//! with the token of whoever makes the change, and no other.

mod graph;
mod objects;
mod oidc;
mod page;
mod people;
mod pods;

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use serde_json::{Value, json};
use weft_tests::{
    cluster::{Cluster, TestNamespace, forward::Forward, mesh::SYSTEM},
    http::send,
    wait::{ensure, until},
};

use super::workload::service;

const SOON: Duration = Duration::from_secs(30);
const KIND: &str = "virtualservices.networking.istio.io";

/// The console's API, with somebody's token or without.
struct Console {
    forward: Forward,
}

impl Console {
    async fn open(cluster: &'static Cluster) -> Self {
        Self { forward: cluster.forward(SYSTEM, "deployment/weft-console", 20001).await }
    }

    fn address(&self) -> SocketAddr {
        self.forward.address
    }

    async fn ask(&self, method: &str, path: &str, token: Option<&str>, body: &Value) -> (u16, Value) {
        let bearer = token.map(|token| format!("Bearer {token}")).unwrap_or_default();
        let mut headers = vec![("x-weft-request", "1"), ("content-type", "application/json")];
        if token.is_some() {
            headers.push(("authorization", &bearer));
        }
        let body = if body.is_null() { Bytes::new() } else { Bytes::from(body.to_string()) };
        let host = self.address().to_string();
        let answer = send(self.address(), method, &host, path, &headers, body).await.expect("the console answers");
        (answer.status.as_u16(), answer.json())
    }

    /// The canary of a namespace, once it is listed with these weights.
    async fn canary(&self, namespace: &str, weights: [f64; 2]) -> Value {
        until(&format!("the canary of {namespace} is listed with {weights:?}"), SOON, || async {
            let list = self.ask("GET", "/api/v1/canaries", None, &Value::Null).await.1;
            let all = list["canaries"].as_array().ok_or_else(|| list.to_string())?;
            let own = all.iter().find(|canary| canary["object"]["namespace"] == namespace);
            let own = own.ok_or_else(|| format!("{} others", all.len()))?;
            let share = |index: usize| own["shares"][index]["configuredPercent"].as_f64().unwrap_or_default();
            ensure([share(0), share(1)] == weights, || own["shares"].to_string())?;
            Ok(own.clone())
        })
        .await
    }

    async fn edit(&self, step: &str, canary: &Value, weights: [u32; 2], token: Option<&str>) -> (u16, Value) {
        let edit = json!({
            "object": canary["object"], "routeIndex": canary["routeIndex"], "weights": weights,
            "revision": canary["revision"],
        });
        self.ask("POST", &format!("/api/v1/canaries/{step}"), token, &edit).await
    }
}

/// A split of nine to one, as `kubectl apply` makes it.
pub(super) async fn split(cluster: &'static Cluster, prefix: &str, annotations: &str) -> TestNamespace {
    let namespace = cluster.namespace(prefix, &[]).await;
    namespace.apply(&(service("store") + "---" + &routes(annotations))).await;
    namespace
}

/// The routes of it.
fn routes(annotations: &str) -> String {
    format!(
        "
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {{name: store}}
spec:
  host: store
  subsets: [{{name: v1, labels: {{version: v1}}}}, {{name: v2, labels: {{version: v2}}}}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: store, annotations: {{note: kept{annotations}}}}}
spec:
  hosts: [store]
  http:
  - name: canary
    timeout: 3s
    route:
    - {{destination: {{host: store, subset: v1}}, weight: 90}}
    - {{destination: {{host: store, subset: v2}}, weight: 10}}
"
    )
}

/// Lets a `User` or a `Group` see a namespace, and do this with its routes.
pub(super) async fn grant(namespace: &TestNamespace, subject: (&str, &str), verbs: &[&str]) {
    let (kind, name) = subject;
    let (api, version) = ("rbac.authorization.k8s.io", "rbac.authorization.k8s.io/v1");
    let rule = |group: &str, resource: &str, verbs: &[&str]| json!({ "apiGroups": [group], "resources": [resource], "verbs": verbs });
    let role = json!({
        "apiVersion": version, "kind": "Role", "metadata": { "name": name },
        "rules": [rule("", "namespaces", &["get"]), rule("networking.istio.io", "virtualservices", verbs)],
    });
    let binding = json!({
        "apiVersion": version, "kind": "RoleBinding", "metadata": { "name": name },
        "roleRef": { "apiGroup": api, "kind": "Role", "name": name },
        "subjects": [{ "apiGroup": api, "kind": kind, "name": name }],
    });
    namespace.apply(&json!({ "apiVersion": "v1", "kind": "List", "items": [role, binding] }).to_string()).await;
}

/// A service account with these verbs on VirtualServices, and its token.
async fn person(namespace: &TestNamespace, name: &str, verbs: &str) -> String {
    namespace.kubectl(&["create", "serviceaccount", name]).await;
    namespace.kubectl(&["create", "role", name, &format!("--verb={verbs}"), &format!("--resource={KIND}")]).await;
    let account = format!("--serviceaccount={}:{name}", namespace.name);
    namespace.kubectl(&["create", "rolebinding", name, &format!("--role={name}"), &account]).await;
    namespace.kubectl(&["create", "token", name]).await.trim().to_owned()
}

async fn weights(cluster: &'static Cluster, namespace: &str) -> Value {
    let object = cluster.read(&[KIND, "-n", namespace, "store"]).await.unwrap();
    let route = &object["spec"]["http"][0]["route"];
    json!([route[0]["weight"], route[1]["weight"]])
}

#[tokio::test]
async fn changes_are_made_with_the_users_token_and_no_other() {
    let Some(cluster) = Cluster::get().await else { return };
    let _mesh = cluster.mesh().await;
    let namespace = split(cluster, "tokens", "").await;
    let name = namespace.name.as_str();
    let writer = person(&namespace, "writer", "get,list,watch,patch").await;
    let reader = person(&namespace, "reader", "get,list,watch").await;
    let console = Console::open(cluster).await;
    let canary = console.canary(name, [90.0, 10.0]).await;
    let before = cluster.read(&[KIND, "-n", name, "store"]).await.unwrap();

    // A look needs no token. Without one, with a wrong one and without rights nothing is written, and it is said why.
    let (status, preview) = console.edit("preview", &canary, [60, 40], None).await;
    assert!(status == 200 && preview["diff"].as_str().unwrap().contains("weight: 60"), "{preview}");
    let (status, refused) = console.edit("apply", &canary, [60, 40], None).await;
    assert_eq!((status, &refused["type"]), (401, &json!("no-token")), "{refused}");
    let (status, refused) = console.edit("apply", &canary, [60, 40], Some("eyJhbGciOiJub25lIn0.e30.")).await;
    assert_eq!((status, &refused["type"]), (401, &json!("bad-token")), "{refused}");
    let (status, refused) = console.edit("apply", &canary, [60, 40], Some(&reader)).await;
    assert_eq!((status, &refused["type"]), (403, &json!("forbidden")), "{refused}");
    let words = refused.to_string();
    for word in [format!("system:serviceaccount:{name}:reader"), "patch".into(), "virtualservices".into(), name.into()]
    {
        assert!(words.contains(&word), "{word}: {words}");
    }
    let (_, who) = console.ask("GET", "/api/v1/who", Some(&reader), &Value::Null).await;
    assert_eq!(who["user"], format!("system:serviceaccount:{name}:reader"), "{who}");
    assert_eq!(cluster.read(&[KIND, "-n", name, "store"]).await.unwrap(), before, "nothing was touched");

    // What kubectl made is changed by a patch of just these fields, under the console's own name.
    let (status, done) = console.edit("apply", &canary, [60, 40], Some(&writer)).await;
    assert_eq!(status, 200, "{done}");
    let after = cluster.read(&[KIND, "-n", name, "store"]).await.unwrap();
    let mut expected = before["spec"].clone();
    expected["http"][0]["route"][0]["weight"] = json!(60);
    expected["http"][0]["route"][1]["weight"] = json!(40);
    assert_eq!(after["spec"], expected);
    assert_eq!(after["metadata"]["annotations"]["note"], "kept");
    let fields = cluster.read(&[KIND, "-n", name, "store", "--show-managed-fields"]).await.unwrap();
    let managers = fields["metadata"]["managedFields"].as_array().unwrap().iter();
    let ours: Vec<_> = managers.filter(|entry| entry["manager"] == "weft-console").collect();
    assert!(ours.len() == 1 && ours[0]["operation"] == "Update", "{ours:?}");

    // Undo needs the token as well, and brings the old weights back.
    let undo = format!("/api/v1/edits/{}/undo", done["id"].as_str().unwrap());
    assert_eq!(console.ask("POST", &undo, None, &json!({})).await.0, 401);
    assert_eq!(weights(cluster, name).await, json!([60, 40]));
    let (status, back) = console.ask("POST", &undo, Some(&writer), &json!({})).await;
    assert_eq!(status, 200, "{back}");
    assert_eq!(weights(cluster, name).await, json!([90, 10]));
}

#[tokio::test]
async fn what_kubectl_changed_meanwhile_is_shown_and_not_overwritten() {
    let Some(cluster) = Cluster::get().await else { return };
    let _mesh = cluster.mesh().await;
    let namespace = split(cluster, "conflict", "").await;
    let name = namespace.name.as_str();
    let writer = person(&namespace, "writer", "get,list,watch,patch").await;
    let console = Console::open(cluster).await;
    let canary = console.canary(name, [90.0, 10.0]).await;
    let patch = json!([
        { "op": "replace", "path": "/spec/http/0/route/0/weight", "value": 70 },
        { "op": "replace", "path": "/spec/http/0/route/1/weight", "value": 30 },
    ]);
    namespace.kubectl(&["patch", KIND, "store", "--type=json", "-p", &patch.to_string()]).await;
    let (status, conflict) = console.edit("apply", &canary, [50, 50], Some(&writer)).await;
    assert_eq!((status, &conflict["type"]), (409, &json!("conflict")), "{conflict}");
    assert!(conflict.to_string().contains("kubectl"), "it says who changed it: {conflict}");
    assert_eq!(weights(cluster, name).await, json!([70, 30]));
    // Read anew, it goes through.
    let canary = console.canary(name, [70.0, 30.0]).await;
    let (status, done) = console.edit("apply", &canary, [50, 50], Some(&writer)).await;
    assert_eq!(status, 200, "{done}");
    assert_eq!(weights(cluster, name).await, json!([50, 50]));
}

#[tokio::test]
async fn what_argo_cd_owns_gets_the_patch_to_commit() {
    let Some(cluster) = Cluster::get().await else { return };
    let _mesh = cluster.mesh().await;
    let tracking = ", argocd.argoproj.io/tracking-id: 'shop:networking.istio.io/VirtualService:any/store'";
    let namespace = split(cluster, "argo", tracking).await;
    let name = namespace.name.as_str();
    let writer = person(&namespace, "writer", "get,list,watch,patch").await;
    let console = Console::open(cluster).await;
    let canary = console.canary(name, [90.0, 10.0]).await;
    let (status, managed) = console.edit("apply", &canary, [50, 50], Some(&writer)).await;
    assert_eq!((status, &managed["type"]), (409, &json!("managed")), "{managed}");
    assert!(managed["title"].as_str().unwrap().contains("Argo CD (application shop)"), "{managed}");
    let patch = managed["patch"].as_str().unwrap();
    let has = |start: char, weight: u32| {
        patch.lines().any(|line| line.starts_with(start) && line.ends_with(&format!("weight: {weight}")))
    };
    assert!(has('-', 90) && has('-', 10) && has('+', 50), "{patch}");
    assert_eq!(weights(cluster, name).await, json!([90, 10]), "Argo CD would have set it back");
}
