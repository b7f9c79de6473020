use std::time::Instant;

use kube::runtime::{
    events::{Recorder, Reporter},
    reflector::store::Writer,
};
use parking_lot::Mutex;
use serde_json::Value;
use tokio::sync::watch;

use super::*;
use crate::reconcile::{fake::FakeApi, pulse::Pulse};

const WEBHOOKS: &str = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations";
const STATUS: &str = "PATCH /apis/weft.dev/v1alpha1/meshes/weft/status";
const RELEASE: &str = "PATCH /apis/weft.dev/v1alpha1/meshes/weft";

fn context(api: &FakeApi) -> Context {
    api.answer("GET /apis/weft.dev/v1alpha1/meshes/weft", as_json(&mesh()));
    let reporter = Reporter { controller: "test".into(), instance: None };
    Context {
        cluster: Cluster { client: api.client() },
        recorder: Recorder::new(api.client(), reporter),
        namespace: "weft-system".into(),
        meshes: Writer::new(mesh_resource()).as_reader(),
        active: watch::channel(true).0,
        answering: watch::channel(None).0,
        spread: watch::channel(None).1,
        unread: watch::channel(None).1,
        pulse: Pulse::new(Instant::now()),
        forgetting: Mutex::default(),
        forgotten: Mutex::default(),
        corrections: crate::reconcile::foreign::Corrections::default(),
    }
}

fn mesh() -> DynamicObject {
    serde_json::from_value(json!({
        "apiVersion": "weft.dev/v1alpha1", "kind": "Mesh",
        "metadata": {
            "name": "weft", "uid": "u", "generation": 2, "resourceVersion": "7", "finalizers": [names::FINALIZER],
            "deletionTimestamp": "2026-01-01T00:00:00Z",
        },
        "spec": {},
    }))
    .unwrap()
}

/// The conditions that were written last, by type.
fn told(api: &FakeApi, kind: &str) -> Option<Value> {
    let written = api.asked(STATUS).pop()?;
    let conditions = written[1]["value"]["conditions"].as_array().cloned().unwrap_or_default();
    conditions.into_iter().find(|condition| condition["type"] == kind)
}

#[tokio::test]
async fn what_keeps_a_mesh_is_told_by_it() {
    let api = FakeApi::default();
    let webhook = json!({"metadata": {"name": "weft-sidecar-injector", "ownerReferences":
        [{"apiVersion": "weft.dev/v1alpha1", "kind": "Mesh", "name": "weft", "uid": "u"}],
        "labels": {"app.kubernetes.io/managed-by": names::FIELD_MANAGER}}});
    let list = json!({"kind": "List", "apiVersion": "v1", "metadata": {}, "items": [webhook]});
    api.answer(&format!("GET {WEBHOOKS}"), list);
    api.refuse(&format!("DELETE {WEBHOOKS}/weft-sidecar-injector"), 403);
    let problem = remove(&context(&api), &mesh()).await.unwrap_err();
    assert_eq!(problem.reason, Reason::Forbidden);
    let deleting = told(&api, DELETING).unwrap();
    assert_eq!((&deleting["status"], &deleting["reason"]), (&json!("True"), &json!("Forbidden")));
    let message = deleting["message"].as_str().unwrap();
    assert!(message.contains("weft-sidecar-injector") && message.contains("words of the server"), "{message}");
    assert_eq!(told(&api, conditions::READY).unwrap()["reason"], "Forbidden");
    assert_eq!(told(&api, conditions::WEBHOOKS_READY), None, "they are still there");
    let events = api.asked("POST /apis/events.k8s.io/v1/namespaces/default/events");
    assert_eq!((events.len(), &events[0]["type"], &events[0]["reason"]), (1, &json!("Warning"), &json!("Forbidden")));
}

#[tokio::test]
async fn what_passes_is_not_told() {
    let api = FakeApi::default();
    api.refuse(&format!("GET {WEBHOOKS}"), 503);
    assert_eq!(remove(&context(&api), &mesh()).await.unwrap_err().reason, Reason::ApiUnavailable);
    assert_eq!(told(&api, DELETING), None);
}

#[tokio::test]
async fn a_status_that_cannot_be_written_does_not_keep_the_last_mesh_for_ever() {
    let services = "/apis/networking.istio.io/v1";
    let api = FakeApi::default();
    let told_about = json!({"metadata": {"name": "web", "namespace": "shop", "managedFields": [
        {"manager": "weft-operator-findings", "fieldsV1": {"f:status": {"f:validationMessages": {}}}}]}});
    let list = json!({"kind": "List", "apiVersion": "v1", "metadata": {}, "items": [told_about]});
    api.answer(&format!("GET {services}/virtualservices"), list);
    api.refuse(&format!("PATCH {services}/namespaces/shop/virtualservices/web/status"), 500);
    let context = context(&api);
    assert_eq!(remove(&context, &mesh()).await.unwrap_err().reason, Reason::ApiUnavailable, "it may pass");
    assert!(api.asked(RELEASE).is_empty());

    // Written, and there again: somebody else keeps it so.
    api.answer(&format!("PATCH {services}/namespaces/shop/virtualservices/web/status"), json!({"metadata": {}}));
    assert_eq!(remove(&context, &mesh()).await.unwrap(), Action::requeue(GOING));
    assert!(api.asked(RELEASE).is_empty());

    let long_ago = Instant::now().checked_sub(FORGETTING).unwrap();
    *context.forgetting.lock() = Some(("u".to_owned(), long_ago));
    assert_eq!(remove(&context, &mesh()).await.unwrap(), Action::await_change());
    assert_eq!(api.asked(RELEASE).len(), 1);
    let said = told(&api, DELETING).unwrap();
    assert_eq!(said["reason"], FINDINGS_KEPT);
    assert!(said["message"].as_str().unwrap().contains("VirtualService shop/web: these could not"), "{said}");
    let events = api.asked("POST /apis/events.k8s.io/v1/namespaces/default/events");
    assert_eq!((events.len(), &events[0]["reason"]), (1, &json!(FINDINGS_KEPT)));
}

/// What was told while it was removed made a newer version of it than the one at hand.
#[tokio::test]
async fn the_version_that_is_let_go_is_the_one_of_now() {
    let api = FakeApi::default();
    let context = context(&api);
    let mut now = mesh();
    now.metadata.resource_version = Some("8".to_owned());
    now.metadata.finalizers.as_mut().unwrap().push("example.org/theirs".to_owned());
    api.answer("GET /apis/weft.dev/v1alpha1/meshes/weft", as_json(&now));
    release(&context.cluster, &mesh()).await.unwrap();
    let left = json!({"metadata": {"finalizers": ["example.org/theirs"], "resourceVersion": "8"}});
    assert_eq!(api.asked(RELEASE), [left]);
    // One of the same name that was made since.
    now.metadata.uid = Some("another".to_owned());
    api.answer("GET /apis/weft.dev/v1alpha1/meshes/weft", as_json(&now));
    release(&context.cluster, &mesh()).await.unwrap();
    api.refuse("GET /apis/weft.dev/v1alpha1/meshes/weft", 404);
    release(&context.cluster, &mesh()).await.unwrap();
    assert_eq!(api.asked(RELEASE).len(), 1);
}

/// The time of one Mesh is not another's.
#[tokio::test]
async fn each_mesh_has_its_own_time_to_forget() {
    let context = context(&FakeApi::default());
    let long_ago = Instant::now().checked_sub(FORGETTING).unwrap();
    *context.forgetting.lock() = Some(("another".to_owned(), long_ago));
    assert!(context.forgets_since(&mesh()) < FORGETTING);
    *context.forgetting.lock() = Some(("u".to_owned(), long_ago));
    assert!(context.forgets_since(&mesh()) >= FORGETTING);
}

#[test]
fn who_is_waited_for_is_named() {
    let object = |name: &str, terminating: bool| Present {
        name: Name { kind: "Deployment".into(), namespace: "weft-system".into(), name: name.into() },
        resource: resource(("apps", "v1", "Deployment")),
        owners: Vec::new(),
        managed: true,
        terminating,
    };
    assert_eq!(going(&[object("a", true), object("b", false)]), "every object of this Mesh is being removed");
    let all = ["a", "b", "c", "d", "e"].map(|name| object(name, true));
    let text = going(&all);
    assert!(text.contains("Deployment weft-system/c and 2 more. Where one stays"), "{text}");
    assert!(!going(&all[..3]).contains("more"));
}
