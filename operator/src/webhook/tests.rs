use serde_json::{Value, json};
use tokio::sync::watch;
use weft_install::{InjectConfig, Injection};

use super::*;

fn review(operation: &str, object: Value) -> Review {
    let envelope = json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "request": {"uid": "u", "operation": operation, "namespace": "shop", "object": object},
    });
    Review::read(envelope.to_string().as_bytes()).unwrap()
}

fn virtual_service(spec: Value) -> Value {
    json!({
        "apiVersion": "networking.istio.io/v1", "kind": "VirtualService",
        "metadata": {"name": "web", "namespace": "shop"}, "spec": spec,
    })
}

#[test]
fn garbage_is_no_review() {
    for text in
        ["", "[]", "{}", r#"{"apiVersion":"admission.k8s.io/v1"}"#, r#"{"apiVersion":"admission.k8s.io/v1beta1"}"#]
    {
        assert!(Review::read(text.as_bytes()).is_err(), "{text}");
    }
}

#[test]
fn an_object_that_cannot_work_is_refused_by_field_and_remedy() {
    let wrong = virtual_service(json!({"hosts": ["web"], "http": [{"timeout": "soon", "route": []}]}));
    let verdict = validate::decide(&review("CREATE", wrong.clone()));
    let (code, message) = verdict.refusal.clone().unwrap();
    assert_eq!(code, 422);
    assert!(message.contains("spec.http[0].timeout"), "{message}");
    assert_eq!(verdict.answer("u")["response"]["allowed"], false);
    assert_eq!(validate::decide(&review("DELETE", Value::Null)), Verdict::admit());
    let mut going = wrong;
    going["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z".into();
    assert_eq!(validate::decide(&review("UPDATE", going)), Verdict::admit(), "nothing keeps it from going");
}

#[test]
fn a_mesh_is_warned_of_collectors_that_get_no_spans() {
    let provider = json!({"name": "dd", "datadog": {"service": "datadog.obs.svc", "port": 8126}});
    let mesh = json!({
        "apiVersion": "weft.dev/v1alpha1", "kind": "Mesh", "metadata": {"name": "weft"},
        "spec": {"meshConfig": {"extensionProviders": [provider]}},
    });
    let verdict = validate::decide(&review("CREATE", mesh));
    assert_eq!((verdict.refusal, verdict.warnings.len()), (None, 1));
    assert!(
        verdict.warnings[0].starts_with("spec.meshConfig.extensionProviders[0].datadog: "),
        "{:?}",
        verdict.warnings
    );
}

#[test]
fn what_has_no_effect_or_needs_others_is_admitted_and_the_first_is_warned_of() {
    let spec = json!({"hosts": ["web"], "http": [{"timeuot": "1s", "route": [{"destination": {"host": "nowhere"}}]}]});
    let verdict = validate::decide(&review("UPDATE", virtual_service(spec)));
    assert_eq!(verdict.refusal, None);
    assert_eq!(verdict.warnings.len(), 1);
    assert!(verdict.warnings[0].contains("timeuot") && verdict.warnings[0].contains("timeout"), "{verdict:?}");
    assert_eq!(verdict.answer("u")["response"]["warnings"][0], verdict.warnings[0]);
}

#[test]
fn a_patch_makes_of_the_pod_what_injection_made() {
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"generateName": "web-", "labels": {"app": "web"}},
        "spec": {"containers": [{"name": "web", "image": "web:1", "ports": [{"containerPort": 8080}]}]},
    });
    let config = InjectConfig {
        revision: "default".into(),
        default_revision: true,
        control_plane: "weft-control-plane.weft-system.svc:15012".into(),
        image: "weft/proxy:1".into(),
        native_sidecars: true,
        ..InjectConfig::default()
    };
    let Ok(Injection::Patched(injected)) = weft_install::inject(&pod, "shop", &config) else { panic!("injected") };
    let (_settings, settings) = watch::channel(Some(Arc::new(config)));
    let verdict = inject::decide(&review("CREATE", pod.clone()), &settings);
    let answer = verdict.answer("u");
    assert_eq!(answer["response"]["uid"], "u");
    let encoded = answer["response"]["patch"].as_str().unwrap();
    let bytes = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, encoded).unwrap();
    let patch: json_patch::Patch = serde_json::from_slice(&bytes).unwrap();
    let mut patched = pod;
    json_patch::patch(&mut patched, &patch).unwrap();
    assert_eq!(patched, *injected);
}

#[test]
fn what_the_api_server_selected_is_injected_whatever_was_known_before() {
    let pod = |labels: Value, spec: Value| json!({"metadata": {"name": "web", "labels": labels}, "spec": spec});
    let plain = || json!({"containers": [{"name": "web", "image": "web:1"}]});
    let (sender, settings) = watch::channel(None);
    let decide = |pod: Value| inject::decide(&review("CREATE", pod), &settings).word();
    assert_eq!(decide(pod(json!({}), plain())), "failed", "no settings yet: never without a proxy");
    // Settings from before the tag was made by which the API server has selected the pod.
    let old = InjectConfig { revision: "v2".into(), never: vec!["kube-system".into()], ..InjectConfig::default() };
    sender.send_replace(Some(Arc::new(old)));
    for labels in [json!({}), json!({"istio.io/rev": "prod"}), json!({"sidecar.istio.io/inject": "true"})] {
        assert_eq!(decide(pod(labels.clone(), plain())), "patched", "{labels}");
    }
    assert_eq!(decide(pod(json!({"sidecar.istio.io/inject": "false"}), plain())), "admitted");
    let typo = review("CREATE", pod(json!({"sidecar.istio.io/inject": "maybe"}), plain()));
    let verdict = inject::decide(&typo, &settings);
    assert_eq!(verdict.word(), "patched");
    assert!(verdict.warnings[0].contains("\"maybe\" is neither"), "{:?}", verdict.warnings);
    assert_eq!(decide(pod(json!({}), json!({"hostNetwork": true, "containers": [{"name": "web"}]}))), "admitted");
}
