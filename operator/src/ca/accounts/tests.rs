use std::collections::BTreeMap;

use k8s_openapi::api::authentication::v1::UserInfo;
use serde_json::json;
use weft_api::Change;
use weft_mesh::{Settings, Store};

use super::*;

fn status() -> TokenReviewStatus {
    let extra = [(POD_NAME, "web-1"), (POD_UID, "u-1")];
    TokenReviewStatus {
        authenticated: Some(true),
        audiences: Some(vec![TOKEN_AUDIENCE.into()]),
        user: Some(UserInfo {
            username: Some("system:serviceaccount:shop:web".into()),
            extra: Some(extra.map(|(key, value)| (key.to_owned(), vec![value.to_owned()])).into()),
            ..UserInfo::default()
        }),
        error: None,
    }
}

#[test]
fn a_bound_token_names_account_and_pod() {
    let account = verdict(&status()).unwrap();
    assert_eq!((account.namespace.as_str(), account.name.as_str()), ("shop", "web"));
    assert_eq!((account.pod, account.node), (("web-1".into(), "u-1".into()), None));
}

#[test]
fn whatever_is_in_doubt_is_refused() {
    let refused = |change: &dyn Fn(&mut TokenReviewStatus)| {
        let mut status = status();
        change(&mut status);
        verdict(&status).unwrap_err()
    };
    assert!(matches!(verdict(&TokenReviewStatus::default()), Err(Refusal::NotAuthentic(_))));
    assert!(matches!(refused(&|s| s.authenticated = Some(false)), Refusal::NotAuthentic(_)));
    assert_eq!(refused(&|s| s.audiences = None), Refusal::Audience(TOKEN_AUDIENCE));
    assert_eq!(
        refused(&|s| s.audiences = Some(vec!["https://kubernetes.default.svc".into()])),
        Refusal::Audience(TOKEN_AUDIENCE)
    );
    for name in ["admin", "system:serviceaccount:shop", "system:serviceaccount::web", "system:serviceaccount:a:b:c"] {
        let refusal = refused(&|s| s.user.as_mut().unwrap().username = Some(name.into()));
        assert!(matches!(refusal, Refusal::NotAnAccount(_)), "{name}");
    }
    assert_eq!(refused(&|s| s.user.as_mut().unwrap().extra = None), Refusal::NoPod);
    let two =
        BTreeMap::from([(POD_NAME.to_owned(), vec!["a".into(), "b".into()]), (POD_UID.to_owned(), vec!["u".into()])]);
    assert_eq!(refused(&|s| s.user.as_mut().unwrap().extra = Some(two.clone())), Refusal::NoPod);
    assert!(!Refusal::Audience(TOKEN_AUDIENCE).is_passing() && Refusal::Away(String::new()).is_passing());
}

#[test]
fn the_pod_must_be_the_very_one_and_run_as_the_account() {
    let pod = weft_api::parse(
        &json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": "web-1", "namespace": "shop", "uid": "u-1"},
            "spec": {"serviceAccountName": "web", "containers": [{"name": "web"}]},
            "status": {"podIP": "10.0.0.7", "phase": "Running"},
        }),
        "default",
    );
    let mut store = Store::new(Settings::default());
    store.apply(vec![Change::Put(Arc::new(pod.unwrap().object))]);
    let snapshot = store.snapshot();
    let account = verdict(&status()).unwrap();
    assert_eq!(pod_of(&snapshot, &account), Ok(()));
    let with = |change: &dyn Fn(&mut Account)| {
        let mut account = account.clone();
        change(&mut account);
        pod_of(&snapshot, &account).unwrap_err()
    };
    assert!(matches!(with(&|a| a.pod.1 = "u-2".into()), Refusal::UnknownPod(..)), "a pod of the same name, later");
    assert!(matches!(with(&|a| a.pod.0 = "web-2".into()), Refusal::UnknownPod(..)));
    assert!(matches!(with(&|a| a.namespace = "other".into()), Refusal::UnknownPod(..)));
    assert!(matches!(with(&|a| a.name = "admin".into()), Refusal::OtherAccount(..)));
}

#[test]
fn the_pod_must_be_on_the_node_that_the_token_names() {
    let on = |node: Option<&str>| {
        let mut manifest = json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": "web-1", "namespace": "shop", "uid": "u-1"},
            "spec": {"serviceAccountName": "web", "containers": [{"name": "web"}]},
        });
        if let Some(node) = node {
            manifest["spec"]["nodeName"] = node.into();
        }
        let mut store = Store::new(Settings::default());
        store.apply(vec![Change::Put(Arc::new(weft_api::parse(&manifest, "default").unwrap().object))]);
        store.snapshot()
    };
    let mut told = status();
    let extra = told.user.as_mut().unwrap().extra.as_mut().unwrap();
    extra.insert(NODE_NAME.to_owned(), vec!["node-a".to_owned()]);
    let account = verdict(&told).unwrap();
    assert_eq!(pod_of(&on(Some("node-a")), &account), Ok(()));
    assert!(matches!(pod_of(&on(Some("node-b")), &account), Err(Refusal::OtherNode(..))));
    let early = pod_of(&on(None), &account).unwrap_err();
    assert!(matches!(early, Refusal::UnknownPod(..)) && early.is_passing(), "{early}");
    let unsaid = verdict(&status()).unwrap();
    assert_eq!(pod_of(&on(Some("node-b")), &unsaid), Ok(()), "an API server that does not say the node");
    told.user.as_mut().unwrap().extra.as_mut().unwrap().insert(NODE_NAME.to_owned(), Vec::new());
    assert_eq!(verdict(&told), Err(Refusal::NoPod));
}
