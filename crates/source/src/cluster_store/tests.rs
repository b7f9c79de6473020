use serde_json::json;

use super::*;
use crate::config_store::PatchError;

fn cart() -> Value {
    json!({
        "kind": "VirtualService", "apiVersion": "networking.istio.io/v1",
        "metadata": {
            "name": "cart", "namespace": "shop", "uid": "u1", "resourceVersion": "70", "generation": 3,
            "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}"},
            "managedFields": [
                {"manager": "kubectl-client-side-apply", "operation": "Update", "time": "2026-01-01T00:00:00Z",
                 "fieldsV1": {"f:spec": {".": {}, "f:hosts": {}, "f:http": {}}}},
                {"manager": "canary-bot", "operation": "Update", "time": "2026-01-02T00:00:00Z",
                 "fieldsV1": {"f:spec": {"f:http": {}}}},
                {"manager": "weft-operator", "operation": "Apply", "time": "2026-01-03T00:00:00Z",
                 "subresource": "status", "fieldsV1": {"f:status": {}}}]},
        "spec": {"hosts": ["cart"], "http": [{"route": [
            {"destination": {"host": "cart", "subset": "v1"}, "weight": 90},
            {"destination": {"host": "cart", "subset": "v2"}, "weight": 10},
            {"destination": {"host": "cart", "subset": "v3"}}]}]},
        "status": {"conditions": []}
    })
}

fn edit(index: usize, old: Option<Value>, new: u32) -> FieldEdit {
    FieldEdit { field: format!("spec.http[0].route[{index}].weight"), old, new: new.into() }
}

#[test]
fn patches_test_what_they_replace_and_come_back() {
    let live = cart();
    let edits = [edit(0, Some(json!(90)), 50), edit(1, Some(json!(10.0)), 40), edit(2, None, 10)];
    let (plan, changes) = patch::plan(&live, &edits).unwrap();
    assert_eq!(changes, []);
    assert_eq!(
        serde_json::to_value(&plan.forward).unwrap().as_array().unwrap()[..4],
        [
            json!({"op": "test", "path": "/metadata/uid", "value": "u1"}),
            json!({"op": "test", "path": "/metadata/resourceVersion", "value": "70"}),
            json!({"op": "test", "path": "/spec/http/0/route/0/weight", "value": 90}),
            json!({"op": "replace", "path": "/spec/http/0/route/0/weight", "value": 50}),
        ]
    );
    let mut value = live.clone();
    json_patch::patch(&mut value, &plan.forward).unwrap();
    let weights = |value: &Value| -> Vec<Value> {
        value["spec"]["http"][0]["route"].as_array().unwrap().iter().map(|arm| arm["weight"].clone()).collect()
    };
    assert_eq!(weights(&value), [json!(50), json!(40), json!(10)]);
    value["metadata"]["resourceVersion"] = "71".into();
    let back = patch::guarded(&value, &plan.back);
    json_patch::patch(&mut value, &back).unwrap();
    assert_eq!(value["spec"], live["spec"]);
    // A second time there is nothing to take back.
    assert!(json_patch::patch(&mut value, &back).is_err());
}

#[test]
fn conflicts_name_the_field_and_who_wrote_it() {
    let (_, changes) = patch::plan(&cart(), &[edit(0, Some(json!(80)), 50)]).unwrap();
    let conflict = Conflict::since(&ObjectKey::new(Kind::VirtualService, "shop", "cart"), &cart(), changes);
    assert_eq!(
        conflict.to_string(),
        "VirtualService shop/cart was changed since it was read; spec.http[0].route[0].weight is 90 now, not 80 (by \
         canary-bot at 2026-01-02T00:00:00Z): look at it again and repeat the edit"
    );
    assert_eq!(conflict.last.as_ref().map(|last| last.manager.as_str()), Some("canary-bot"), "status does not count");
    let elsewhere = Conflict { changes: Vec::new(), ..conflict };
    assert!(elsewhere.to_string().contains("since it was read, last by canary-bot"));
    let (plan, _) = patch::plan(&cart(), &[edit(0, Some(json!(90)), 50)]).unwrap();
    let mut moved = cart();
    moved["spec"]["http"][0]["route"][0]["weight"] = 30.into();
    moved["metadata"]["resourceVersion"] = "71".into();
    let differences = patch::differences(&moved, &plan.forward);
    assert_eq!(differences.len(), 1);
    assert_eq!((differences[0].field.as_str(), differences[0].found.as_str()), ("spec.http[0].route[0].weight", "30"));
}

#[test]
fn what_cannot_be_set_says_why() {
    let fail = |field: &str, old: Option<Value>, new: Value| match patch::plan(
        &cart(),
        &[FieldEdit { field: field.to_owned(), old, new }],
    ) {
        Err(PatchError::NotEditable { reason, .. }) => reason,
        other => panic!("{other:?}"),
    };
    assert!(fail("spec.hosts", Some(json!(["cart"])), json!("x")).contains("not a single value"));
    assert!(fail("spec.http[7].weight", None, json!(1)).contains("not there"));
    assert!(fail("spec.http[7]", None, json!(1)).contains("not there"));
    assert!(fail("spec..x", None, json!(1)).contains("path"));
    assert!(fail("spec.x", None, json!([])).contains("single values"));
}

#[test]
fn owners_are_told_by_their_marks() {
    let with = |part: &str, key: &str, value: &str| {
        let mut object = cart();
        object["metadata"][part][key] = value.into();
        GitOps::of(&object)
    };
    assert_eq!(GitOps::of(&cart()), None);
    let tracking = "shop:networking.istio.io/VirtualService:shop/cart";
    let argo = Some(GitOps::ArgoCd("shop".to_owned()));
    assert_eq!(with("annotations", "argocd.argoproj.io/tracking-id", tracking), argo);
    assert_eq!(with("labels", "argocd.argoproj.io/instance", "shop"), argo);
    assert_eq!(with("labels", "app.kubernetes.io/instance", "shop"), None, "Helm sets this label too");
    let mut object = cart();
    object["metadata"]["labels"]["app.kubernetes.io/instance"] = "shop".into();
    object["metadata"]["managedFields"][0]["manager"] = "argocd-controller".into();
    assert_eq!(GitOps::of(&object), argo);
    let flux = with("labels", "kustomize.toolkit.fluxcd.io/name", "apps");
    assert_eq!(flux, Some(GitOps::FluxKustomization("/apps".to_owned())));
    assert_eq!(with("labels", "helm.toolkit.fluxcd.io/name", "x"), Some(GitOps::FluxHelmRelease("/x".to_owned())));
}

#[test]
fn documents_are_as_people_write_them() {
    let text = render::yaml(&cart());
    assert!(text.starts_with("apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata:\n"), "{text}");
    for noise in ["managedFields", "status", "last-applied", "resourceVersion", "annotations"] {
        assert!(!text.contains(noise), "{noise} in {text}");
    }
    let back = crate::yaml::parse(&text).unwrap().unwrap().to_value();
    assert_eq!(back["spec"], cart()["spec"]);
    // What YAML 1.1 would take for something else stays what it is.
    let odd =
        json!({"kind": "ConfigMap", "data": {"a": "yes", "b": "010", "c": "1e3", "d": "null", "e": "x: y", "f": ""}});
    let back = crate::yaml::parse(&render::yaml(&odd)).unwrap().unwrap().to_value();
    assert_eq!(back["data"], odd["data"]);
    let secret = render::yaml(&json!({"kind": "Secret", "data": {"tls.key": "c2VjcmV0"}}));
    assert!(secret.contains("tls.key") && !secret.contains("c2VjcmV0"));
}

#[test]
fn a_revision_is_what_the_object_says() {
    let meta = |value: &Value| reading::read(value, false).object.unwrap().meta;
    let mut touched = cart();
    touched["metadata"]["resourceVersion"] = "99".into();
    assert_eq!(revision(&meta(&cart())), revision(&meta(&touched)));
    touched["metadata"]["generation"] = 4.into();
    assert_ne!(revision(&meta(&cart())), revision(&meta(&touched)));
    touched["metadata"]["uid"] = "u2".into();
    assert_ne!(revision(&meta(&cart())), revision(&meta(&touched)));
}

#[test]
fn tokens_are_not_shown() {
    let token = BearerToken::new(" Bearer eyJhbGciOi.x-_y.z= \n").unwrap();
    assert_eq!(token, BearerToken::new("eyJhbGciOi.x-_y.z=").unwrap());
    assert!(!format!("{token:?} {:?}", token.header()).contains("eyJ"));
    for bad in ["", "Bearer ", "a b", "a\r\nX-Other: 1", "é"] {
        assert!(BearerToken::new(bad).is_err(), "{bad:?}");
    }
}
