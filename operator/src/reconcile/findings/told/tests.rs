use std::collections::BTreeSet;

use kube::runtime::events::Reporter;
use weft_mesh::{Settings, Store};

use super::*;
use crate::reconcile::{
    fake::FakeApi,
    findings::{by_object, tests::virtual_service},
};

const SERVICES: &str = "/apis/networking.istio.io/v1/virtualservices";

fn found() -> Found {
    let mut store = Store::new(Settings::default());
    store.apply(vec![virtual_service("web", &json!({}))]);
    by_object(&store.snapshot(), Vec::new())
}

fn status(name: &str) -> String {
    format!("PATCH /apis/networking.istio.io/v1/namespaces/shop/virtualservices/{name}/status")
}

/// VirtualServices whose status others and we have written.
fn written() -> FakeApi {
    let of = |name: &str, manager: &str| {
        json!({
            "apiVersion": "networking.istio.io/v1", "kind": "VirtualService",
            "metadata": {"name": name, "namespace": "shop", "managedFields": [
                {"manager": "kubectl", "operation": "Update"},
                {"manager": manager, "operation": "Apply", "subresource": "status", "fieldsType": "FieldsV1",
                    "fieldsV1": {"f:status": {"f:validationMessages": {}}}},
            ]},
            "status": {"validationMessages": [{"message": "something"}]},
        })
    };
    let items = [of("ours", FIELD_MANAGER), of("theirs", "istiod")];
    let api = FakeApi::default();
    let list = json!({"kind": "List", "apiVersion": "v1", "metadata": {}, "items": items});
    api.answer(&format!("GET {SERVICES}"), list);
    api
}

fn told(api: &FakeApi, names: &watch::Receiver<Names>) -> Told {
    let recorder = Recorder::new(api.client(), Reporter { controller: "test".into(), instance: None });
    Told::new(Cluster { client: api.client() }, recorder, names.clone())
}

#[test]
fn findings_read_as_istios_messages() {
    let found = found();
    let (key, findings) = found.iter().next().unwrap();
    assert_eq!(key.name, "web");
    let told = messages(findings);
    assert!(told[0]["message"].as_str().unwrap().contains("nowhere"), "{told}");
    assert!(["ERROR", "WARNING"].contains(&told[0]["level"].as_str().unwrap()));
    assert!(mentions(&told, &findings[0]) && !mentions(&json!([]), &findings[0]));
}

#[tokio::test]
async fn only_what_we_wrote_is_taken_back() {
    let api = written();
    let (_names, names) = watch::channel(Some(["default".to_owned()].into()));
    assert!(told(&api, &names).tell(found()).await);
    assert_eq!(api.asked(&status("ours")).len(), 1);
    assert_eq!(api.asked(&status("ours"))[0].get("status"), None);
    assert!(api.asked(&status("theirs")).is_empty(), "what others say is theirs");
    let said = &api.asked(&status("web"))[0]["status"]["validationMessages"];
    assert!(said[0]["message"].as_str().unwrap().contains("nowhere"), "{said}");
}

#[tokio::test]
async fn what_cannot_be_listed_at_first_is_taken_back_later() {
    let (_names, names) = watch::channel(Some(["default".to_owned()].into()));
    let away = FakeApi::default();
    away.refuse(&format!("GET {SERVICES}"), 503);
    let mut told = told(&away, &names);
    assert!(!told.tell(Found::new()).await, "it is to be tried again");
    let api = written();
    told.cluster = Cluster { client: api.client() };
    assert!(told.tell(Found::new()).await);
    assert_eq!(api.asked(&status("ours")).len(), 1);
    assert!(told.tell(found()).await);
    assert_eq!(api.asked(&format!("GET {SERVICES}")).len(), 1, "once is enough");
}

#[tokio::test]
async fn a_kind_that_is_not_there_is_not_waited_for() {
    let (_names, names) = watch::channel(Some(["default".to_owned()].into()));
    let api = FakeApi::default();
    for version in Kind::VirtualService.versions() {
        api.refuse(&format!("GET /apis/networking.istio.io/{version}/virtualservices"), 404);
    }
    let mut told = told(&api, &names);
    assert!(told.tell(Found::new()).await && told.tell(Found::new()).await);
    assert_eq!(api.asked(&format!("GET {SERVICES}")).len(), 1);
}

#[tokio::test]
async fn nothing_is_told_once_the_last_mesh_goes() {
    let api = FakeApi::default();
    let (_names, names) = watch::channel(Some(BTreeSet::new()));
    assert!(told(&api, &names).tell(found()).await);
    assert!(api.asked(&status("web")).is_empty());
}

#[test]
fn what_was_taken_back_is_not_told() {
    let meta = |fields: Value| -> ObjectMeta {
        let entry =
            json!({"manager": FIELD_MANAGER, "operation": "Apply", "subresource": "status", "fieldsV1": fields});
        serde_json::from_value(json!({"name": "web", "managedFields": [entry]})).unwrap()
    };
    assert!(is_told(&meta(json!({"f:status": {"f:validationMessages": {}}}))));
    for left in [json!({}), json!({"f:status": {}}), json!({"f:status": {"f:conditions": {}}}), Value::Null] {
        assert!(!is_told(&meta(left.clone())), "{left}");
    }
}

#[tokio::test]
async fn one_status_that_cannot_be_written_keeps_no_other() {
    let api = written();
    let cluster = Cluster { client: api.client() };
    let gateway = json!({"metadata": {"name": "edge", "namespace": "shop", "managedFields": [
        {"manager": FIELD_MANAGER, "fieldsV1": {"f:status": {"f:validationMessages": {}}}}]}});
    let list = json!({"kind": "List", "apiVersion": "v1", "metadata": {}, "items": [gateway]});
    api.answer("GET /apis/networking.istio.io/v1/gateways", list);
    let edge = "PATCH /apis/networking.istio.io/v1/namespaces/shop/gateways/edge/status";
    for refused in [status("ours"), edge.to_owned()] {
        api.refuse(&refused, 500);
    }
    assert!(forget(&cluster, &mut Forgetting::default()).await.problem.is_some());
    assert_eq!((api.asked(&status("ours")).len(), api.asked(edge).len()), (1, 1), "whichever comes first");
    let mut kept = kept(&cluster).await;
    kept.sort();
    assert_eq!(kept, ["Gateway shop/edge", "VirtualService shop/ours"]);
}

#[tokio::test]
async fn everything_is_forgotten_with_the_last_mesh() {
    let api = written();
    let cluster = Cluster { client: api.client() };
    let mut state = Forgetting::default();
    let pass = forget(&cluster, &mut state).await;
    assert!(pass.count == 1 && pass.problem.is_none() && !pass.is_all(), "{pass:?}");
    assert_eq!(api.asked(&status("ours"))[0].get("status"), None);
    assert!(api.asked(&status("theirs")).is_empty());
    // One that may not be written holds nothing up, an API server that is away does.
    api.refuse(&status("ours"), 403);
    assert!(forget(&cluster, &mut state).await.is_all());
    api.refuse(&status("ours"), 503);
    let pass = forget(&cluster, &mut state).await;
    assert_eq!(pass.problem.as_ref().map(|problem| problem.reason), Some(Reason::ApiUnavailable));
    assert!(!pass.is_all());
}

const EDGES: &str = "/apis/networking.istio.io/v1/namespaces/shop/gateways";

/// As many Gateways that we told of, none of which can be written.
fn refused_gateways(api: &FakeApi, count: usize) {
    let of = |name: &str| {
        json!({"metadata": {"name": name, "namespace": "shop", "managedFields": [
            {"manager": FIELD_MANAGER, "fieldsV1": {"f:status": {"f:validationMessages": {}}}}]}})
    };
    let names: Vec<String> = (0..count).map(|number| format!("edge-{number}")).collect();
    let items: Vec<Value> = names.iter().map(|name| of(name)).collect();
    let list = json!({"kind": "List", "apiVersion": "v1", "metadata": {}, "items": items});
    api.answer("GET /apis/networking.istio.io/v1/gateways", list);
    for name in names {
        api.refuse(&format!("PATCH {EDGES}/{name}/status"), 500);
    }
}

fn tried(api: &FakeApi, number: usize) -> usize {
    api.asked(&format!("PATCH {EDGES}/edge-{number}/status")).len()
}

#[tokio::test]
async fn a_kind_that_cannot_be_written_keeps_no_other() {
    // Whichever kind comes first.
    for from in 0..kinds().count() {
        let api = written();
        refused_gateways(&api, MAX_FAILURES + 2);
        let cluster = Cluster { client: api.client() };
        let mut state = Forgetting { from, ..Forgetting::default() };
        let pass = forget(&cluster, &mut state).await;
        assert!(pass.count == 1 && pass.problem.is_some() && !pass.more, "{from}: {pass:?}");
        let all = 0..MAX_FAILURES + 2;
        assert_eq!(all.clone().map(|number| tried(&api, number)).sum::<usize>(), MAX_FAILURES, "{from}");
        // Those that were not tried come first now.
        forget(&cluster, &mut state).await;
        assert!(all.clone().all(|number| tried(&api, number) > 0), "{from}");
        // Nor does one that cannot be listed.
        api.refuse("GET /apis/networking.istio.io/v1/gateways", 503);
        let pass = forget(&cluster, &mut state).await;
        assert!(pass.count == 1 && pass.problem.is_some(), "{from}: {pass:?}");
    }
}

#[tokio::test]
async fn a_pass_that_ran_out_of_time_is_gone_on_with() {
    let api = written();
    refused_gateways(&api, 2);
    let cluster = Cluster { client: api.client() };
    let mut state = Forgetting::default();
    let mut count = 0;
    for _ in kinds() {
        let pass = forget_within(&cluster, &mut state, Duration::ZERO).await;
        assert!(pass.more && !pass.is_all(), "{pass:?}");
        count += pass.count;
    }
    assert_eq!((count, tried(&api, 0), tried(&api, 1)), (1, 1, 0), "one of each kind");
    for _ in kinds() {
        forget_within(&cluster, &mut state, Duration::ZERO).await;
    }
    assert_eq!((tried(&api, 0), tried(&api, 1)), (1, 1), "each has its turn");
}
