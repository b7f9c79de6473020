//! Objects of a real API server: how they come in, and how edits go back.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use serde_json::{Value, json};
use weft_api::{Change, Kind, Object, ObjectKey, Spec};
use weft_model::Diagnostic;
use weft_source::{
    BearerToken, ClusterError, Credential, FieldEdit, KubernetesOptions, KubernetesSource, KubernetesStore, StoreError,
    kubernetes,
};
use weft_tests::cluster::{Cluster, TestNamespace};

/// A source on the cluster, and what it has handed on so far.
struct Follower {
    source: KubernetesSource,
    objects: BTreeMap<ObjectKey, Arc<Object>>,
    diagnostics: Vec<Diagnostic>,
}

impl Follower {
    /// With the rights of the token's owner, or the administrator's.
    async fn start(cluster: &Cluster, token: Option<&str>) -> Self {
        Self::with(cluster, token, KubernetesOptions::default()).await
    }

    async fn with(cluster: &Cluster, token: Option<&str>, options: KubernetesOptions) -> Self {
        let mut config = kubernetes::config(Some(&cluster.kubeconfig()), None).await.unwrap();
        if let Some(token) = token {
            config.auth_info = kube::config::AuthInfo { token: Some(token.to_owned().into()), ..Default::default() };
        }
        let client = kubernetes::client(config).unwrap();
        let source = KubernetesSource::new(client, options);
        Self { source, objects: BTreeMap::new(), diagnostics: Vec::new() }
    }

    async fn until(&mut self, what: &str, reached: impl Fn(&Self) -> bool) {
        let wait = async {
            while !reached(self) {
                let batch = self.source.next().await;
                for change in batch.changes {
                    match change {
                        Change::Put(object) => drop(self.objects.insert(object.key(), object)),
                        Change::Delete(key) => drop(self.objects.remove(&key)),
                    }
                }
                self.diagnostics = batch.diagnostics;
            }
        };
        if tokio::time::timeout(Duration::from_secs(30), wait).await.is_err() {
            panic!("{what}: not reached; waiting for {:?}; {:?}", self.source.waiting_for(), self.diagnostics);
        }
    }

    fn object(&self, kind: Kind, namespace: &str, name: &str) -> Option<&Object> {
        self.objects.get(&ObjectKey::new(kind, namespace, name)).map(|object| &**object)
    }
}

/// Istio's kinds are there afterwards, whoever brought them.
async fn istio_kinds(cluster: &'static Cluster) {
    let items: Vec<Value> = weft_install::crds()
        .into_iter()
        .filter(|crd| crd.foreign && crd.name.ends_with(".istio.io"))
        .map(|crd| crd.definition)
        .collect();
    let list = json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string();
    // What is there already is left as it is, and that is no mistake.
    drop(cluster.kubectl_now(&["create", "-f", "-"], Some(&list)));
    for name in ["virtualservices", "gateways"] {
        let name = format!("crd/{name}.networking.istio.io");
        cluster.kubectl(&["wait", &name, "--for=condition=Established", "--timeout=30s"]).await;
    }
}

/// A service account with these rights in its namespace, and a token of it.
async fn user(namespace: &TestNamespace, name: &str, rules: Value) -> String {
    namespace.kubectl(&["create", "serviceaccount", name]).await;
    let metadata = json!({"name": name});
    let subject = json!({"kind": "ServiceAccount", "name": name, "namespace": namespace.name});
    let role =
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": metadata, "rules": rules});
    let binding = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": metadata,
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name}, "subjects": [subject]});
    namespace.apply(&json!({"apiVersion": "v1", "kind": "List", "items": [role, binding]}).to_string()).await;
    namespace.kubectl(&["create", "token", name]).await.trim().to_owned()
}

const OBJECTS: &str = "
apiVersion: v1
kind: Service
metadata: {name: cart}
spec: {clusterIP: None, ports: [{name: http, port: 8080}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: cart-1, labels: {kubernetes.io/service-name: cart}}
addressType: IPv4
endpoints: [{addresses: [10.9.9.9], conditions: {ready: true}, zone: eu-1}]
ports: [{name: http, port: 8080}]
---
apiVersion: v1
kind: Pod
metadata: {name: gateway, labels: {istio: source-test}, annotations: {example.com/noise: x}}
spec:
  nodeSelector: {nowhere: 'true'}
  containers: [{name: gateway, image: none, ports: [{name: https, containerPort: 8443}]}]
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: edge}
spec:
  selector: {istio: source-test}
  servers:
  - {port: {number: 443, name: https, protocol: HTTPS}, hosts: ['*'], tls: {mode: SIMPLE, credentialName: edge-cert}}
---
apiVersion: v1
kind: Secret
metadata: {name: edge-cert}
stringData: {tls.crt: one, tls.key: key, other: noise}
---
apiVersion: v1
kind: Secret
metadata: {name: unrelated}
stringData: {tls.crt: private}
";

#[tokio::test]
async fn what_the_mesh_reads_is_followed_and_nothing_else() {
    let Some(cluster) = Cluster::get().await else { return };
    istio_kinds(cluster).await;
    let namespace = cluster.namespace("source", &[]).await;
    let at = namespace.name.as_str();
    let mut follower = Follower::start(cluster, None).await;
    follower.until("in sync", |f| f.source.synced()).await;
    assert!(follower.objects.values().any(|object| matches!(object.spec, Spec::Node(_))));
    assert!(follower.object(Kind::Namespace, "", at).is_some());

    namespace.apply(OBJECTS).await;
    let certificate = |follower: &Follower| {
        let secret = follower.object(Kind::Secret, at, "edge-cert")?;
        let Spec::Secret(secret) = &secret.spec else { return None };
        weft_api::object::secret_value(secret, "tls.crt").map(<[u8]>::to_vec)
    };
    follower.until("the Secret that the gateway names", |f| certificate(f).as_deref() == Some(b"one")).await;
    let Some(Spec::EndpointSlice(slice)) = follower.object(Kind::EndpointSlice, at, "cart-1").map(|o| &o.spec) else {
        panic!("no slice")
    };
    assert_eq!((&*slice.service, &*slice.endpoints[0].zone), ("cart", "eu-1"));
    let pod = follower.object(Kind::Pod, at, "gateway").unwrap();
    assert!(pod.meta.annotations.is_empty() && pod.meta.uid.is_some());
    let Spec::Secret(secret) = &follower.object(Kind::Secret, at, "edge-cert").unwrap().spec else { panic!() };
    assert_eq!(secret.data.as_ref().unwrap().keys().collect::<Vec<_>>(), ["tls.crt", "tls.key"]);
    assert!(follower.object(Kind::Secret, at, "unrelated").is_none());

    // As cert-manager renews it.
    namespace.kubectl(&["patch", "secret", "edge-cert", "-p", r#"{"stringData":{"tls.crt":"two"}}"#]).await;
    follower.until("the renewed certificate", |f| certificate(f).as_deref() == Some(b"two")).await;
    namespace.kubectl(&["delete", "gateways.networking.istio.io", "edge"]).await;
    follower.until("a Secret that nobody names is forgotten", |f| certificate(f).is_none()).await;
    namespace.kubectl(&["delete", "service", "cart"]).await;
    follower.until("what is deleted is gone", |f| f.object(Kind::Service, at, "cart").is_none()).await;
}

#[tokio::test]
async fn configuration_of_another_revision_is_left_to_it() {
    let Some(cluster) = Cluster::get().await else { return };
    istio_kinds(cluster).await;
    let namespace = cluster.namespace("source-revisions", &[]).await;
    let route = |name: &str, labels: Value| {
        json!({"apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": {"name": name, "labels": labels},
            "spec": {"hosts": ["cart"], "http": [{"route": [{"destination": {"host": "cart"}}]}]}})
    };
    let items = [
        route("everybodys", json!({})),
        route("blues", json!({"istio.io/rev": "blue"})),
        route("greens", json!({"istio.io/rev": "green"})),
    ];
    namespace.apply(&json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string()).await;
    let reader = kubernetes::Reader { revision: "blue".to_owned(), mesh: None };
    let options = KubernetesOptions { reader: Some(reader), ..KubernetesOptions::default() };
    let mut follower = Follower::with(cluster, None, options).await;
    follower.until("in sync", |f| f.source.synced()).await;
    let has = |f: &Follower, name: &str| f.object(Kind::VirtualService, &namespace.name, name).is_some();
    let seen = ["everybodys", "blues", "greens"].map(|name| has(&follower, name));
    assert_eq!(seen, [true, true, false]);
    // It changes hands.
    let label = |name: &'static str, to: &'static str| {
        let words = ["label", "--overwrite", "virtualservice.networking.istio.io", name, to];
        let namespace = &namespace;
        async move { namespace.kubectl(&words).await }
    };
    label("greens", "istio.io/rev=blue").await;
    label("blues", "istio.io/rev=green").await;
    follower.until("the routes changed hands", |f| has(f, "greens") && !has(f, "blues")).await;
}

#[tokio::test]
async fn a_kind_that_may_not_be_read_is_named_with_its_rule() {
    let Some(cluster) = Cluster::get().await else { return };
    let namespace = cluster.namespace("source-rights", &[]).await;
    let token = user(&namespace, "reader", json!([])).await;
    let subject = format!("--serviceaccount={}:reader", namespace.name);
    let name = format!("{}-reader", namespace.name);
    let resources = "--resource=namespaces,nodes,services,endpointslices.discovery.k8s.io,configmaps";
    cluster.kubectl(&["create", "clusterrole", &name, "--verb=get,list,watch", resources]).await;
    cluster.kubectl(&["create", "clusterrolebinding", &name, &format!("--clusterrole={name}"), &subject]).await;
    let mut follower = Follower::start(cluster, Some(&token)).await;
    let pods = |f: &Follower| f.diagnostics.iter().find(|d| d.message.contains("read Pod objects")).cloned();
    follower.until("the refusal", |f| pods(f).is_some() && !f.objects.is_empty()).await;
    let found = pods(&follower).unwrap();
    assert!(
        found.message.contains("cannot list resource \\\"pods\\\"") || found.message.contains("\"pods\""),
        "{found}"
    );
    let rule = "apiGroups: [\"\"], resources: [\"pods\"], verbs: [\"get\", \"list\", \"watch\"]";
    assert!(found.suggestion.unwrap().contains(rule));
    assert!(follower.object(Kind::Service, "default", "kubernetes").is_some(), "the rest goes on");
    assert!(!follower.source.synced(), "proxies are told nothing while pods are unknown");
    cluster.kubectl(&["delete", "clusterrole,clusterrolebinding", &name]).await;
}

fn weight(index: usize, old: u32, new: u32) -> FieldEdit {
    FieldEdit { field: format!("spec.http[0].route[{index}].weight"), old: Some(old.into()), new: new.into() }
}

fn shift(from: u32, to: u32) -> [FieldEdit; 2] {
    [weight(0, from, to), weight(1, 100 - from, 100 - to)]
}

#[tokio::test]
async fn edits_go_back_in_the_users_name() {
    let Some(cluster) = Cluster::get().await else { return };
    istio_kinds(cluster).await;
    let namespace = cluster.namespace("edits", &[]).await;
    let rule = json!({"apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": {"name": "cart"},
        "spec": {"hosts": ["cart"], "http": [{"route": [
            {"destination": {"host": "cart", "subset": "v1"}, "weight": 90},
            {"destination": {"host": "cart", "subset": "v2"}, "weight": 10}]}]}});
    namespace.apply(&rule.to_string()).await;
    let rights = |verbs: Value| json!([{"apiGroups": ["networking.istio.io"], "resources": ["virtualservices"], "verbs": verbs}]);
    let editor = user(&namespace, "editor", rights(json!(["get", "patch", "create"]))).await;
    let viewer = user(&namespace, "viewer", rights(json!(["get"]))).await;
    let token = |text: &str| Credential::Token(BearerToken::new(text).unwrap());
    let (editor, viewer) = (token(&editor), token(&viewer));
    let config = kubernetes::config(Some(&cluster.kubeconfig()), None).await.unwrap();
    let store = KubernetesStore::new(config).unwrap();
    let key = ObjectKey::new(Kind::VirtualService, &namespace.name, "cart");
    let weights = || async {
        namespace
            .kubectl(&[
                "get",
                "virtualservice.networking.istio.io",
                "cart",
                "-o",
                "jsonpath={.spec.http[0].route[*].weight}",
            ])
            .await
    };

    let document = store.read(None, &key).await.unwrap();
    assert!(document.text.contains("weight: 90") && !document.text.contains("managedFields"), "{}", document.text);
    let preview = store.preview(Some(&editor), &key, &document.revision, &shift(90, 50)).await.unwrap();
    assert!(
        preview.diff.contains("-          weight: 90\n") || preview.diff.contains("weight: 90"),
        "{}",
        preview.diff
    );
    assert!(preview.diff.contains("weight: 50"), "{}", preview.diff);
    assert_eq!(weights().await, "90 10", "a preview writes nothing");
    let refused = store.apply(&viewer, &key, &document.revision, &shift(90, 50)).await.unwrap_err();
    assert!(matches!(&refused, StoreError::Cluster(e) if matches!(**e, ClusterError::Forbidden { .. })), "{refused}");
    let nobody = token("nobody");
    let refused = store.apply(&nobody, &key, &document.revision, &shift(90, 50)).await.unwrap_err();
    assert!(matches!(&refused, StoreError::Cluster(e) if matches!(**e, ClusterError::Unauthorized)), "{refused}");

    let applied = store.apply(&editor, &key, &document.revision, &shift(90, 50)).await.unwrap();
    assert_eq!(weights().await, "50 50");
    let managers = "jsonpath={.metadata.managedFields[*].manager}";
    let managers = namespace
        .kubectl(&["get", "virtualservice.networking.istio.io", "cart", "--show-managed-fields", "-o", managers])
        .await;
    assert!(managers.contains("weft-console"), "{managers}");
    // Metadata and status move without being in anybody's way.
    namespace.kubectl(&["annotate", "virtualservice.networking.istio.io", "cart", "seen=yes"]).await;
    store.undo(&editor, &applied.undo).await.unwrap();
    assert_eq!(weights().await, "90 10");

    let document = store.read(Some(&viewer), &key).await.unwrap();
    let patch = r#"[{"op":"replace","path":"/spec/http/0/route/0/weight","value":70},{"op":"replace","path":"/spec/http/0/route/1/weight","value":30}]"#;
    let by = "--field-manager=night-shift";
    namespace.kubectl(&["patch", "virtualservice.networking.istio.io", "cart", "--type=json", by, "-p", patch]).await;
    let conflict = store.apply(&editor, &key, &document.revision, &shift(90, 50)).await.unwrap_err();
    let StoreError::Cluster(error) = &conflict else { panic!("{conflict}") };
    let ClusterError::Conflict(conflict) = &**error else { panic!("{error}") };
    assert_eq!((conflict.changes[0].found.as_str(), conflict.changes.len()), ("70", 2));
    assert_eq!(conflict.changes[0].by.as_ref().unwrap().manager, "night-shift");
    assert_eq!(weights().await, "70 30", "nothing was overwritten");

    let tracking = "argocd.argoproj.io/tracking-id=shop:networking.istio.io/VirtualService:edits/cart";
    namespace.kubectl(&["annotate", "virtualservice.networking.istio.io", "cart", tracking]).await;
    let document = store.read(Some(&viewer), &key).await.unwrap();
    let managed = store.apply(&editor, &key, &document.revision, &shift(70, 60)).await.unwrap_err();
    let StoreError::Cluster(error) = &managed else { panic!("{managed}") };
    let ClusterError::Managed { owner, patch } = &**error else { panic!("{error}") };
    assert_eq!(owner.to_string(), "Argo CD (application shop)");
    assert!(patch.contains("weight: 60") && patch.starts_with("--- a/"), "{patch}");
    assert_eq!(weights().await, "70 30");

    // What kubectl made is not written as a whole; what was made here is.
    let mut whole = rule.clone();
    whole["metadata"]["namespace"] = namespace.name.clone().into();
    let foreign = store.put(&editor, &whole).await.unwrap_err();
    assert!(matches!(&foreign, StoreError::Cluster(e) if matches!(**e, ClusterError::NotOurs { .. })), "{foreign}");
    whole["metadata"]["name"] = "wizard".into();
    store.put(&editor, &whole).await.unwrap();
    whole["spec"]["http"][0]["route"][0]["weight"] = 80.into();
    whole["spec"]["http"][0]["route"][1]["weight"] = 20.into();
    assert!(store.put(&editor, &whole).await.unwrap().text.contains("weight: 80"));
}
