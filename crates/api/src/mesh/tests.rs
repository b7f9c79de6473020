use serde_json::{Value, json};

use super::*;
use crate::{Object, Spec, parse};

fn mesh(spec: Value) -> Object {
    let value = json!({"apiVersion": "weft.dev/v1alpha1", "kind": "Mesh", "metadata": {"name": "weft"}, "spec": spec});
    parse(&value, "").unwrap().object
}

fn problems(spec: Value) -> Vec<(String, Option<String>)> {
    mesh(spec).validate().into_iter().map(|error| (error.field, error.suggestion)).collect()
}

#[test]
fn an_empty_mesh_is_the_default_profile() {
    let object = mesh(json!({}));
    assert!(object.validate().is_empty());
    let Spec::Mesh(spec) = &object.spec else { panic!() };
    assert_eq!((spec.profile(), spec.revision_label()), (Profile::Default, "default"));
    assert_eq!(spec.revisioned("weft-control-plane"), "weft-control-plane");
}

#[test]
fn overrides_are_typed() {
    let object = mesh(json!({
        "revision": "v2",
        "components": {"ingressGateway": {
            "replicas": 2, "resources": {"requests": {"cpu": 1, "memory": "1Gi"}},
            "tolerations": [{"key": "edge", "operator": "Exists"}], "serviceType": "LoadBalancer",
        }},
    }));
    assert!(object.validate().is_empty(), "{:?}", object.validate());
    let Spec::Mesh(spec) = &object.spec else { panic!() };
    assert_eq!(spec.revisioned("a"), "a-v2");
    let gateway = &spec.components.ingress_gateway;
    assert_eq!(gateway.resources.requests["cpu"].value(), Some(1.0));
    assert_eq!(gateway.tolerations[0].key.as_deref(), Some("edge"));
}

#[test]
fn impossible_overrides_are_told_with_field_and_remedy() {
    for (spec, field) in [
        (json!({"revision": "V2"}), "spec.revision"),
        (json!({"tags": ["prod", "prod"]}), "spec.tags[1]"),
        (json!({"tags": ["default"]}), "spec.tags[0]"),
        (json!({"profile": "remote"}), "spec.remote"),
        (json!({"remote": {"controlPlane": "a"}}), "spec.remote"),
        (json!({"components": {"controlPlane": {"enabled": false}}}), "spec.components.controlPlane.enabled"),
        (json!({"components": {"controlPlane": {"replicas": 0}}}), "spec.components.controlPlane.replicas"),
        (json!({"components": {"console": {"serviceType": "NodePort"}}}), "spec.components.console.serviceType"),
        (
            json!({"components": {"proxy": {"resources": {"limits": {"memroy": "1Gi"}}}}}),
            "spec.components.proxy.resources.limits.memroy",
        ),
        (
            json!({"components": {"proxy": {"resources": {"requests": {"cpu": "2"}, "limits": {"cpu": "1"}}}}}),
            "spec.components.proxy.resources.requests.cpu",
        ),
        (
            json!({"components": {"console": {"resources": {"limits": {"memory": "4Mi"}}}}}),
            "spec.components.console.resources.limits.memory",
        ),
        (
            json!({"components": {"ingressGateway": {"servicePorts": [{"name": "dns", "port": 53}]}}}),
            "spec.components.ingressGateway.servicePorts[0].targetPort",
        ),
        (json!({"components": {"proxy": {"logLevel": "debgu"}}}), "spec.components.proxy.logLevel"),
        (json!({"signIn": {"trustedProxies": ["10.0.0.0/8"]}}), "spec.signIn.publicUrl"),
        (json!({"signIn": {"publicUrl": "http://weft.example.org"}}), "spec.signIn.publicUrl"),
        (json!({"signIn": {"publicUrl": "http://127.0.0.1.example.org"}}), "spec.signIn.publicUrl"),
        (json!({"signIn": {"oidc": {"issuer": "http://id.example.org", "clientId": "w"}}}), "spec.signIn.oidc.issuer"),
        (json!({"signIn": {"oidc": {"issuer": "https://id.example.org"}}}), "spec.signIn.oidc.clientId"),
        (json!({"signIn": {"oidc": {"clientSecret": {"name": "s"}}}}), "spec.signIn.oidc.clientSecret"),
        (json!({"signIn": {"trustedProxies": ["10.0.0.0/8", "all"]}}), "spec.signIn.trustedProxies[1]"),
        (
            json!({"signIn": {"anonymous": true, "forwardedForFrom": ["10.2.0.0/16", "10.2.0.1"]}}),
            "spec.signIn.forwardedForFrom[1]",
        ),
        (json!({"signIn": {"forwardedForFrom": ["10.2.0.0/16"]}}), "spec.signIn.forwardedForFrom"),
        (json!({"signIn": {"impersonate": true}}), "spec.signIn.impersonate"),
        (
            json!({"components": {"ingressGateway": {"traceToken": {"name": "a", "key": "b"}}}}),
            "spec.components.ingressGateway.traceToken",
        ),
        (
            json!({"components": {"console": {"traceToken": {"name": "a", "key": "b"}}}}),
            "spec.components.console.traceToken",
        ),
        (
            json!({"components": {"console": {"env": {"WEFT_TRACE_URL": "http://tempo:3200"}, "traceToken": {"name": "a"}}}}),
            "spec.components.console.traceToken",
        ),
        (
            json!({"components": {"console": {
                "env": {"WEFT_TRACE_URL": "http://tempo:3200", "WEFT_TRACE_TOKEN_FILE": "/tmp/a"},
                "traceToken": {"name": "a", "key": "b"},
            }}}),
            "spec.components.console.env[\"WEFT_TRACE_TOKEN_FILE\"]",
        ),
        (
            json!({"components": {"ingressGateway": {"podLabels": {"istio": "x"}}}}),
            "spec.components.ingressGateway.podLabels[\"istio\"]",
        ),
    ] {
        let found = problems(spec.clone());
        assert!(found.iter().any(|(at, _)| at == field), "{spec}: {found:?}");
    }
    let found = problems(json!({"components": {"proxy": {"resources": {"limits": {"memroy": "1Gi"}}}}}));
    assert_eq!(found[0].1.as_deref(), Some("did you mean \"memory\"?"));
}

#[test]
fn wrong_words_and_fields_suggest() {
    let parse = |spec: Value| {
        let metadata = json!({"name": "weft"});
        parse(&json!({"apiVersion": "weft.dev/v1alpha1", "kind": "Mesh", "metadata": metadata, "spec": spec}), "")
    };
    let error = parse(json!({"profile": "defualt"})).unwrap_err();
    assert_eq!(
        (error.field.as_str(), error.suggestion.as_deref()),
        ("spec.profile", Some("did you mean \"default\"?"))
    );
    let unknown = parse(json!({"components": {"ingressGatway": {}}})).unwrap().unknown_fields;
    assert_eq!(unknown[0].suggestion.as_deref(), Some("did you mean \"ingressGateway\"?"));
    let unknown = parse(json!({"components": {"console": {"replcas": 1}}})).unwrap().unknown_fields;
    assert_eq!(unknown[0].field, "spec.components.console.replcas");
}

#[test]
fn amounts() {
    let value = |text: &str| Quantity::from(text).value();
    assert_eq!(value("100m"), Some(0.1));
    assert_eq!(value("64Mi"), Some(67_108_864.0));
    assert_eq!(value("1e3"), Some(1000.0));
    assert_eq!((value("much"), value(""), value("inf"), value("1 Gi")), (None, None, None, None));
}

#[test]
fn a_condition_keeps_its_time_while_its_status_does() {
    let condition = |status, reason: &str, time: &str| Condition {
        kind: "Ready".into(),
        status,
        reason: reason.into(),
        last_transition_time: time.into(),
        ..Condition::default()
    };
    let mut status = MeshStatus::default();
    assert!(status.set_condition(condition(ConditionStatus::False, "Waiting", "1")));
    assert!(!status.set_condition(condition(ConditionStatus::False, "Waiting", "2")));
    assert!(status.set_condition(condition(ConditionStatus::False, "Failed", "3")));
    assert_eq!(status.condition("Ready").unwrap().last_transition_time, "1");
    assert!(status.set_condition(condition(ConditionStatus::True, "Ready", "4")));
    assert_eq!(status.conditions.len(), 1);
    assert_eq!(status.condition("Ready").unwrap().last_transition_time, "4");
}
