//! What a real API server cannot be made to do on demand: forget where we were in the middle of a watch, refuse again
//! and again, stream no lists. The rest is tested against a real one.

mod api;
mod memory;

use std::collections::BTreeMap;

use serde_json::{Value, json};
use weft_api::ObjectKey;

use self::api::{Answer, FakeApi};
use super::*;

/// A source with everything that it has handed on so far.
struct Follower {
    source: KubernetesSource,
    /// Names in force with their content.
    objects: BTreeMap<ObjectKey, String>,
    diagnostics: Vec<Diagnostic>,
    batches: usize,
}

impl Follower {
    fn new(api: &FakeApi) -> Self {
        let source = KubernetesSource::new(api.client(), KubernetesOptions::default());
        Self { source, objects: BTreeMap::new(), diagnostics: Vec::new(), batches: 0 }
    }

    async fn until(&mut self, what: &str, reached: impl Fn(&Self) -> bool) {
        let wait = async {
            while !reached(self) {
                let batch = self.source.next().await;
                for change in batch.changes {
                    match change {
                        Change::Put(object) => drop(self.objects.insert(object.key(), object.content.clone())),
                        // What came and went before it was handed on was never here.
                        Change::Delete(key) => drop(self.objects.remove(&key)),
                    }
                }
                self.diagnostics = batch.diagnostics;
                self.batches += 1;
            }
        };
        if tokio::time::timeout(Duration::from_secs(20), wait).await.is_err() {
            panic!(
                "not reached: {what}; {:?} {:?} {:?}",
                self.objects.keys(),
                self.source.waiting_for(),
                self.diagnostics
            );
        }
    }

    fn names(&self) -> Vec<&str> {
        self.objects.keys().map(|key| key.name.as_str()).collect()
    }
}

fn service(name: &str) -> Value {
    json!({"metadata": {"name": name, "namespace": "shop", "resourceVersion": "5"},
        "spec": {"ports": [{"port": 80}]}})
}

fn definition(kind: Kind, versions: &[&str]) -> Value {
    let versions: Vec<_> =
        versions.iter().map(|name| json!({"name": name, "served": true, "schema": {"x": 1}})).collect();
    json!({"metadata": {"name": format!("{}.{}", kind.plural(), kind.group()), "resourceVersion": "5"},
        "spec": {"group": kind.group(), "names": {"kind": kind.name(), "plural": kind.plural()}, "versions": versions},
        "status": {"conditions": [{"type": "Established", "status": "True"}]}})
}

#[tokio::test]
async fn one_batch_holds_all_that_is_there() {
    let api = FakeApi::new();
    api.answer("services", Answer::listed([service("a"), service("b")]).hold());
    api.answer(
        "customresourcedefinitions",
        Answer::listed([definition(Kind::VirtualService, &["v1alpha3", "v1"])]).hold(),
    );
    let rule = json!({"metadata": {"name": "r", "namespace": "shop", "resourceVersion": "5"},
        "spec": {"hosts": ["a"], "http": [{"route": [{"destination": {"host": "a"}}]}]}});
    api.answer("virtualservices", Answer::listed([rule]).hold());
    let mut follower = Follower::new(&api);
    follower.until("all", |f| f.source.synced()).await;
    assert_eq!((follower.names(), follower.batches), (vec!["a", "b", "r"], 1));
    assert!(follower.diagnostics.is_empty() && follower.source.waiting_for().is_empty());
    let asked = api.asked("virtualservices");
    assert!(asked[0].contains("/apis/networking.istio.io/v1/virtualservices?"), "{asked:?}");
    assert!(asked[0].contains("sendInitialEvents=true"), "{asked:?}");
}

/// 410 comes as an event of the stream and as an HTTP status. After either the list is read anew, what is gone is
/// deleted, and what is still there never was away.
#[tokio::test]
async fn what_is_gone_after_410_is_deleted() {
    for expired in [
        Answer::event("ERROR", json!({"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"})),
        Answer::status(410, "Expired"),
    ] {
        let api = FakeApi::new();
        api.answer("services", Answer::listed([service("a"), service("b")]));
        api.answer("services", expired);
        api.answer("services", Answer::listed([service("b"), service("c")]).hold());
        let mut follower = Follower::new(&api);
        follower.until("the new list", |f| f.names() == ["b", "c"]).await;
        assert!(follower.source.synced());
    }
}

#[tokio::test]
async fn a_streamed_list_that_breaks_off_counts_for_nothing() {
    let api = FakeApi::new();
    api.answer("services", Answer::event("ADDED", service("a")));
    api.answer("services", Answer::listed([service("b")]).hold());
    let mut follower = Follower::new(&api);
    follower.until("the whole list", |f| f.source.synced() && f.names() == ["b"]).await;
}

#[tokio::test]
async fn servers_without_streams_are_asked_for_pages() {
    let api = FakeApi::new();
    api.answer("services", Answer::status(422, "Invalid"));
    api.answer("services", Answer::page(&[service("a")], Some("more")));
    api.answer("services", Answer::page(&[service("b")], None));
    let mut follower = Follower::new(&api);
    follower.until("both pages", |f| f.source.synced()).await;
    assert_eq!(follower.names(), ["a", "b"]);
    let asked = api.asked("services");
    assert!(asked[1].contains("limit=500") && asked[2].contains("continue=more"), "{asked:?}");
}

#[tokio::test]
async fn storms_are_sat_out_and_nothing_is_lost() {
    let api = FakeApi::new();
    api.answer("services", Answer::listed([service("a")]));
    for _ in 0..4 {
        api.answer("services", Answer::status(429, "TooManyRequests"));
    }
    api.answer("services", Answer::event("ADDED", service("b")).hold());
    let mut follower = Follower::new(&api);
    follower.until("the first list", |f| f.names() == ["a"]).await;
    follower.until("the storm's end", |f| f.names() == ["a", "b"]).await;
    let asked = api.asked("services");
    assert_eq!(asked.len(), 6, "{asked:?}");
    assert!(asked[5].contains("resourceVersion=9"), "it goes on where it was: {asked:?}");
}

#[tokio::test]
async fn a_kind_that_is_refused_is_a_finding_and_the_rest_goes_on() {
    let api = FakeApi::new();
    api.always("nodes", Answer::status(403, "Forbidden"));
    api.answer("services", Answer::listed([service("a")]).hold());
    let mut follower = Follower::new(&api);
    follower.until("services", |f| f.names() == ["a"] && f.source.synced()).await;
    assert_eq!(follower.diagnostics.len(), 1);
    assert!(follower.diagnostics[0].suggestion.as_ref().unwrap().contains("\"nodes\""));
}

#[tokio::test]
async fn kinds_come_and_go_with_their_definitions() {
    let api = FakeApi::new();
    let rule = |name: &str| {
        json!({"metadata": {"name": name, "namespace": "shop", "resourceVersion": "5"},
        "spec": {"hosts": ["a"], "http": [{"route": [{"destination": {"host": "a"}}]}]}})
    };
    let (events, definitions) = Answer::listed([]).fed();
    api.answer("customresourcedefinitions", definitions);
    api.answer("virtualservices", Answer::listed([rule("r")]).hold());
    let mut follower = Follower::new(&api);
    follower.until("nothing yet", |f| f.source.synced()).await;
    assert!(api.asked("virtualservices").is_empty());
    events.send(Answer::line("ADDED", definition(Kind::VirtualService, &["v1beta1"]))).unwrap();
    follower.until("the kind", |f| f.names() == ["r"]).await;
    assert!(api.asked("virtualservices")[0].contains("/v1beta1/"));
    api.answer("virtualservices", Answer::listed([rule("r"), rule("s")]).hold());
    events.send(Answer::line("MODIFIED", definition(Kind::VirtualService, &["v1beta1", "v1"]))).unwrap();
    follower.until("the better version", |f| f.names() == ["r", "s"]).await;
    events.send(Answer::line("DELETED", definition(Kind::VirtualService, &["v1"]))).unwrap();
    follower.until("its end", |f| f.names().is_empty()).await;
    assert_eq!(api.asked("virtualservices").len(), 2, "nobody asks for what is not served");
}

#[tokio::test]
async fn definitions_that_may_not_be_read_are_asked_for_another_way() {
    let api = FakeApi::new();
    api.always("customresourcedefinitions", Answer::status(403, "Forbidden"));
    api.always(
        "apis",
        Answer::json(json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": [
        {"name": "networking.istio.io", "versions": [{"groupVersion": "networking.istio.io/v1", "version": "v1"}]},
        {"name": "apps", "versions": [{"groupVersion": "apps/v1", "version": "v1"}]}]})),
    );
    api.always(
        "v1",
        Answer::json(json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": "networking.istio.io/v1", "resources": [
        {"name": "sidecars", "singularName": "", "namespaced": true, "kind": "Sidecar", "verbs": ["list"]}]})),
    );
    let sidecar = json!({"metadata": {"name": "s", "namespace": "shop", "resourceVersion": "5"},
        "spec": {"egress": [{"hosts": ["./*"]}]}});
    api.answer("sidecars", Answer::listed([sidecar]).hold());
    let mut follower = Follower::new(&api);
    follower.until("the kind that is served", |f| f.names() == ["s"]).await;
    assert!(follower.source.synced());
    assert!(follower.diagnostics[0].message.contains("CustomResourceDefinition"));
}

#[tokio::test]
async fn endpoints_are_not_asked_for_by_who_needs_none() {
    let api = FakeApi::new();
    api.answer("services", Answer::listed([service("a")]).hold());
    let mut follower = Follower::new(&api);
    let options = KubernetesOptions { endpoints: false, ..KubernetesOptions::default() };
    follower.source = KubernetesSource::new(api.client(), options);
    follower.until("the Service", |f| f.names() == ["a"]).await;
    assert!(follower.source.synced());
    assert!(api.asked("endpointslices").is_empty() && !api.asked("pods").is_empty());
}

/// Gateway `name` of namespace `name`, with a server for each credential.
fn gateway(name: &str, credentials: impl Iterator<Item = String>) -> Value {
    let servers: Vec<_> = credentials
        .map(|credential| {
            json!({"port": {"number": 443, "name": format!("https-{credential}"), "protocol": "HTTPS"},
                "hosts": [format!("{credential}.test")], "tls": {"mode": "SIMPLE", "credentialName": credential}})
        })
        .collect();
    json!({"metadata": {"name": name, "namespace": name, "resourceVersion": "5"},
        "spec": {"selector": {"istio": "ingress"}, "servers": servers}})
}

/// Anyone who may create a Gateway can select the shared gateway. What others show stays in force.
#[tokio::test]
async fn a_secret_that_is_shown_outlives_a_flood_of_credentials() {
    let api = FakeApi::new();
    let pod = json!({"metadata": {"name": "gw", "namespace": "edge", "resourceVersion": "5", "labels": {"istio": "ingress"}},
        "spec": {"containers": []}, "status": {"phase": "Running"}});
    api.answer("pods", Answer::listed([pod]).hold());
    api.answer("customresourcedefinitions", Answer::listed([definition(Kind::Gateway, &["v1"])]).hold());
    let (gateways, listed) = Answer::listed([gateway("shop", ["shop-cert".to_owned()].into_iter())]).fed();
    api.answer("gateways", listed);
    ["shop-cert", "0"].into_iter().for_each(|prefix| api.has_secrets(prefix));
    let mut follower = Follower::new(&api);
    follower.until("the Secret", |f| f.names().contains(&"shop-cert")).await;

    // As many as there is room for beside it.
    let names = |count: usize| (0..count).map(|n| format!("{n:05}"));
    gateways.send(Answer::line("ADDED", gateway("greedy", names(MAX_SECRETS - 1)))).unwrap();
    follower.until("the other gateway", |f| f.names().contains(&"greedy")).await;
    assert!(follower.diagnostics.is_empty(), "{:?}", follower.diagnostics);
    gateways.send(Answer::line("MODIFIED", gateway("greedy", names(MAX_SECRETS + 1)))).unwrap();
    follower.until("the finding", |f| !f.diagnostics.is_empty()).await;
    let [finding] = &follower.diagnostics[..] else { panic!("{:?}", follower.diagnostics) };
    assert_eq!(finding.object.as_ref().map(ToString::to_string).as_deref(), Some("Gateway greedy/greedy"));
    assert!(finding.message.contains("(and 1 more that it names)"), "{}", finding.message);
    assert!(follower.names().contains(&"shop-cert"));

    gateways.send(Answer::line("DELETED", gateway("greedy", names(0)))).unwrap();
    follower.until("room again", |f| f.diagnostics.is_empty() && !f.names().contains(&"greedy")).await;
    assert!(follower.names().contains(&"shop-cert"));
}

/// Names of Secrets that do not exist take no room from one that does.
#[tokio::test]
async fn a_secret_that_is_there_is_read_in_a_flood_of_names_of_nothing() {
    let api = FakeApi::new();
    let pod = json!({"metadata": {"name": "gw", "namespace": "edge", "resourceVersion": "5", "labels": {"istio": "ingress"}},
        "spec": {"containers": []}, "status": {"phase": "Running"}});
    api.answer("pods", Answer::listed([pod]).hold());
    api.answer("customresourcedefinitions", Answer::listed([definition(Kind::Gateway, &["v1"])]).hold());
    let nothing = (0..MAX_SECRETS + 1).map(|n| format!("nothing-{n:05}"));
    let (gateways, listed) = Answer::listed([gateway("greedy", nothing)]).fed();
    api.answer("gateways", listed);
    api.has_secrets("shop-cert");
    let mut follower = Follower::new(&api);
    follower.until("the flood", |f| f.names().contains(&"greedy")).await;
    gateways.send(Answer::line("ADDED", gateway("shop", ["shop-cert".to_owned()].into_iter()))).unwrap();
    follower.until("the Secret", |f| f.names().contains(&"shop-cert")).await;
}
