use serde_json::json;

use super::*;

fn virtual_service(spec: serde_json::Value) -> serde_json::Value {
    json!({"apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": {"name": "orders"}, "spec": spec})
}

#[test]
fn versions_of_a_kind_are_one() {
    let key = |version: &str| {
        let mut value = virtual_service(json!({"hosts": ["orders"]}));
        value["apiVersion"] = format!("networking.istio.io/{version}").into();
        parse(&value, "default").unwrap().object.key()
    };
    assert_eq!(key("v1"), key("v1alpha3"));
    assert_eq!(key("v1"), ObjectKey::new(Kind::VirtualService, "default", "orders"));
    let mut value = virtual_service(json!({}));
    value["apiVersion"] = "networking.istio.io/v2".into();
    let error = parse(&value, "default").unwrap_err();
    assert_eq!((error.field.as_str(), error.object.is_some()), ("apiVersion", true));
}

#[test]
fn kinds_in_the_wrong_place_are_errors_and_foreign_ones_are_kept() {
    let mut value = virtual_service(json!({}));
    value["kind"] = "VirtualServce".into();
    let error = parse(&value, "default").unwrap_err();
    assert_eq!(error.suggestion.as_deref(), Some("did you mean \"VirtualService\"?"));
    let mut value = virtual_service(json!({}));
    value["apiVersion"] = "security.istio.io/v1".into();
    assert_eq!(
        parse(&value, "default").unwrap_err().suggestion.as_deref(),
        Some("write apiVersion: networking.istio.io/v1")
    );
    let deployment =
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"}, "spec": {"x": 1}});
    let parsed = parse(&deployment, "default").unwrap();
    assert!(matches!(parsed.object.spec, Spec::Other(_)));
    assert!(parsed.unknown_fields.is_empty());
    let role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "a"}});
    assert_eq!(parse(&role, "default").unwrap().object.meta.namespace, "");
}

#[test]
fn unknown_and_wrong_fields_are_told_apart() {
    let value = virtual_service(json!({"hosts": ["a"], "http": [{"timeOut": "1s", "route": [{"weigth": 1}]}]}));
    let parsed = parse(&value, "default").unwrap();
    let fields: Vec<_> = parsed.unknown_fields.iter().map(|u| u.field.as_str()).collect();
    assert_eq!(fields, ["spec.http[0].timeOut", "spec.http[0].route[0].weigth"]);
    let value = virtual_service(json!({"http": [{"route": [{"weight": "many"}]}]}));
    let error = parse(&value, "default").unwrap_err();
    assert_eq!(error.field, "spec.http[0].route[0].weight");
}

#[test]
fn enumerations_suggest() {
    let value = json!({"apiVersion": "security.istio.io/v1", "kind": "PeerAuthentication", "metadata": {"name": "default"},
        "spec": {"mtls": {"mode": "STRIC"}}});
    let error = parse(&value, "default").unwrap_err();
    assert_eq!(error.field, "spec.mtls.mode");
    assert_eq!(error.suggestion.as_deref(), Some("did you mean \"STRICT\"?"));
}

#[test]
fn content_is_independent_of_order_and_metadata() {
    let a = parse(&virtual_service(json!({"hosts": ["a"], "gateways": ["g"]})), "default").unwrap().object;
    let mut other = virtual_service(json!({"gateways": ["g"], "hosts": ["a"]}));
    other["metadata"]["labels"] = json!({"x": "y"});
    assert_eq!(a.content, parse(&other, "default").unwrap().object.content);
    assert_ne!(a.content, parse(&virtual_service(json!({"hosts": ["a"]})), "default").unwrap().object.content);
}

#[test]
fn kubernetes_kinds() {
    let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "orders"},
        "spec": {"selector": {"app": "orders"}, "ports": [{"name": "http", "port": 8080, "targetPort": "web"}], "sesionAffinity": "None"}});
    let parsed = parse(&service, "default").unwrap();
    let Spec::Service(spec) = &parsed.object.spec else { panic!("{:?}", parsed.object.spec) };
    assert_eq!(spec.ports.as_ref().unwrap()[0].port, 8080);
    assert_eq!(parsed.unknown_fields[0].field, "spec.sesionAffinity");
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "tls"}, "type": "kubernetes.io/tls",
        "data": {"tls.crt": "Y2VydA=="}, "stringData": {"tls.key": "key"}});
    let object = parse(&secret, "default").unwrap().object;
    let Spec::Secret(secret) = &object.spec else { panic!() };
    assert_eq!(secret_value(secret, "tls.crt"), Some(b"cert".as_slice()));
    assert_eq!(secret_value(secret, "tls.key"), Some(b"key".as_slice()));
    assert!(!format!("{object:?}").contains("key\""));
}

#[test]
fn the_mesh_config_map() {
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "istio", "namespace": "istio-system"},
        "data": {"mesh": "trustDomain: example.org"}});
    let mut object = parse(&map, "default").unwrap().object;
    assert_eq!(object.mesh_config_texts(), Some([("mesh", "trustDomain: example.org"), ("meshNetworks", "")]));
    let mesh = json!({"trustDomain": "example.org", "enableAutoMtls": false, "trustDomian": 1});
    let networks = json!({"networks": {"n1": {"endpoints": [{"fromRegistry": "c1"}], "gateways": [{"address": "1.1.1.1", "port": 443}]}}});
    let unknown = object.attach_mesh_config(&mesh, &networks);
    assert_eq!(unknown.unwrap()[0].field, "data.mesh.trustDomian");
    let Spec::MeshConfig(config) = &object.spec else { panic!() };
    assert_eq!((config.trust_domain.as_deref(), config.enable_auto_mtls), (Some("example.org"), Some(false)));
    assert_eq!(config.networks.networks["n1"].gateways[0].port, 443);
}

#[test]
fn what_is_not_an_object() {
    for (value, words) in [
        (json!([]), "expected an object"),
        (json!({"kind": "Service"}), "apiVersion is missing"),
        (json!({"apiVersion": "v1", "kind": "Service", "metadata": {}}), "no metadata.name"),
        (json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "A B"}}), "is not a name"),
    ] {
        let error = parse(&value, "default").unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
}

#[test]
fn a_telemetry_is_typed_where_it_has_an_effect() {
    let telemetry = |spec| json!({"apiVersion": "telemetry.istio.io/v1alpha1", "kind": "Telemetry", "metadata": {"name": "t"}, "spec": spec});
    let spec = json!({"tracing": [{"randomSamplingPercentage": 0, "match": {"mode": "CLIENT"}}, {}], "metrics": null});
    let parsed = parse(&telemetry(spec), "default").unwrap();
    assert!(parsed.unknown_fields.is_empty(), "{:?}", parsed.unknown_fields);
    let Spec::Telemetry(spec) = &parsed.object.spec else { panic!("{:?}", parsed.object.spec) };
    // Nothing at all is said by what is left out, and nothing is sampled by what says 0.
    let shares: Vec<_> = spec.tracing.iter().map(|tracing| tracing.random_sampling_percentage).collect();
    assert_eq!(shares, [Some(0.0), None]);
    let modes: Vec<_> = spec.tracing.iter().map(|tracing| tracing.mode().as_str()).collect();
    assert_eq!(modes, ["CLIENT", "CLIENT_AND_SERVER"]);

    let mistaken = json!({"tracing": [{"randomSamplingPercent": 5}]});
    let parsed = parse(&telemetry(mistaken), "default").unwrap();
    assert_eq!(parsed.unknown_fields[0].field, "spec.tracing[0].randomSamplingPercent");
    for (wrong, field) in [
        (json!({"tracing": [{"match": {"mode": "CLIENTS"}}]}), "spec.tracing[0].match.mode"),
        (json!({"tracing": [{"randomSamplingPercentage": "many"}]}), "spec.tracing[0].randomSamplingPercentage"),
        (json!({"tracing": {"disableSpanReporting": true}}), "spec.tracing"),
        (
            json!({"tracing": [{"customTags": {"a": {"literal": {"value": 1}}}}]}),
            "spec.tracing[0].customTags.a.literal.value",
        ),
        (json!({"accessLogging": 7}), "spec.accessLogging"),
    ] {
        assert_eq!(parse(&telemetry(wrong), "default").unwrap_err().field, field);
    }
}
