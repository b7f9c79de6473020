use std::{fs, path::Path};

use serde_json::{Value, json};

use super::*;
use crate::{Capabilities, MeshInput};

mod property;
mod shapes;

pub(super) fn config(spec: Value) -> InjectConfig {
    let mesh = json!({"apiVersion": "weft.dev/v1alpha1", "kind": "Mesh", "metadata": {"name": "weft"}, "spec": spec});
    InjectConfig::new(&MeshInput::from_json(&mesh, "weft-system", Capabilities::default()).unwrap())
}

pub(super) fn pod(metadata: Value, spec: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
}

pub(super) fn patched(pod: &Value, config: &InjectConfig) -> Value {
    match inject(pod, "shop", config).unwrap() {
        Injection::Patched(pod) => *pod,
        Injection::Skipped(skip) => panic!("skipped: {skip}"),
    }
}

fn named<'v>(pod: &'v Value, field: &str, name: &str) -> Option<&'v Value> {
    pod["spec"][field].as_array()?.iter().find(|item| item["name"] == name)
}

fn variable<'v>(container: &'v Value, name: &str) -> Option<&'v str> {
    container["env"].as_array()?.iter().find(|item| item["name"] == name)?["value"].as_str()
}

#[test]
fn some_pods_never_get_one() {
    let config = config(json!({}));
    let plain = pod(json!({}), json!({"containers": [{"name": "a"}]}));
    for namespace in ["kube-system", "kube-public", "kube-node-lease", "weft-system"] {
        let found = inject(&plain, namespace, &config).unwrap();
        assert_eq!(found, Injection::Skipped(Skip::SystemNamespace));
    }
    let host = pod(json!({}), json!({"hostNetwork": true, "containers": [{"name": "a"}]}));
    assert_eq!(inject(&host, "shop", &config).unwrap(), Injection::Skipped(Skip::HostNetwork));
    let out = pod(json!({"annotations": {"sidecar.istio.io/inject": "false"}}), json!({"containers": []}));
    assert_eq!(inject(&out, "shop", &config).unwrap(), Injection::Skipped(Skip::OptedOut));
    let out = pod(json!({"labels": {"sidecar.istio.io/inject": "false"}}), json!({"containers": []}));
    assert_eq!(inject(&out, "shop", &config).unwrap(), Injection::Skipped(Skip::OptedOut));
    for (said, skips) in [("no", true), ("Off", true), ("maybe", false), ("flase", false), ("yes", false)] {
        let one = pod(json!({"labels": {"sidecar.istio.io/inject": said}}), json!({"containers": [{"name": "a"}]}));
        let found = inject(&one, "shop", &config).unwrap();
        assert_eq!(found == Injection::Skipped(Skip::OptedOut), skips, "{said}");
    }
    let out = pod(json!({"annotations": {"sidecar.istio.io/inject": "false"}}), json!({"containers": []}));
    // The label wins over the annotation.
    let mut both = out;
    both["metadata"]["labels"] = json!({"sidecar.istio.io/inject": "true"});
    assert!(matches!(inject(&both, "shop", &config).unwrap(), Injection::Patched(_)));
}

#[test]
fn native_sidecars_come_first_and_others_hold_the_application() {
    let spec = json!({"containers": [{"name": "app"}], "initContainers": [{"name": "migrate"}]});
    let names = |pod: &Value, field: &str| -> Vec<String> {
        let list = pod["spec"][field].as_array().cloned().unwrap_or_default();
        list.iter().map(|c| c["name"].as_str().unwrap().to_owned()).collect()
    };
    let native = patched(&pod(json!({}), spec.clone()), &config(json!({})));
    assert_eq!(names(&native, "initContainers"), ["istio-init", "istio-proxy", "migrate"]);
    assert_eq!(names(&native, "containers"), ["app"]);
    assert_eq!(named(&native, "initContainers", "istio-proxy").unwrap()["restartPolicy"], "Always");
    let classic = InjectConfig { native_sidecars: false, ..config(json!({})) };
    let held = patched(&pod(json!({}), spec.clone()), &classic);
    assert_eq!(names(&held, "initContainers"), ["migrate", "istio-init"]);
    assert_eq!(names(&held, "containers"), ["istio-proxy", "app"]);
    let hook = &named(&held, "containers", "istio-proxy").unwrap()["lifecycle"]["postStart"]["exec"]["command"];
    assert_eq!(*hook, json!(["/usr/local/bin/weft-proxy", "wait"]));
    let annotations = json!({"annotations": {"proxy.istio.io/config": "holdApplicationUntilProxyStarts: false\n"}});
    let free = patched(&pod(annotations, spec.clone()), &classic);
    assert_eq!(names(&free, "containers"), ["app", "istio-proxy"]);
    let annotations = json!({"annotations": {"sidecar.istio.io/nativeSidecar": "false"}});
    assert_eq!(names(&patched(&pod(annotations, spec), &config(json!({}))), "containers"), ["istio-proxy", "app"]);
}

#[test]
fn probes_of_every_kind_go_through_the_proxy() {
    let spec = json!({"containers": [
        {"name": "web", "ports": [{"name": "http", "containerPort": 8080}],
            "readinessProbe": {"httpGet": {"path": "/ready", "port": "http",
                "httpHeaders": [{"name": "Host", "value": "a"}]}, "periodSeconds": 2},
            "livenessProbe": {"tcpSocket": {"port": 9000}, "timeoutSeconds": 4},
            "startupProbe": {"grpc": {"port": 5000, "service": "db"}},
            "lifecycle": {"preStop": {"httpGet": {"path": "/bye", "port": 8080, "scheme": "HTTPS"}}}},
        {"name": "two", "readinessProbe": {"exec": {"command": ["true"]}},
            "livenessProbe": {"httpGet": {"path": "/", "port": "unknown"}}},
    ]});
    let injected = patched(&pod(json!({}), spec), &config(json!({})));
    let web = named(&injected, "containers", "web").unwrap();
    assert_eq!(web["readinessProbe"]["httpGet"], json!({"path": "/app-health/web/readyz", "port": 15020}));
    assert_eq!(web["readinessProbe"]["periodSeconds"], 2);
    assert_eq!(web["livenessProbe"]["httpGet"]["path"], "/app-health/web/livez");
    assert_eq!(web["lifecycle"]["preStop"]["httpGet"]["path"], "/app-lifecycle/web/prestopz");
    let two = named(&injected, "containers", "two").unwrap();
    assert_eq!(two["readinessProbe"], json!({"exec": {"command": ["true"]}}));
    assert_eq!(
        two["livenessProbe"]["httpGet"]["port"], "unknown",
        "what cannot be resolved stays the kubelet's to say"
    );
    let moved = variable(named(&injected, "initContainers", "istio-proxy").unwrap(), "WEFT_APP_PROBES").unwrap();
    let moved: Value = serde_json::from_str(moved).unwrap();
    assert_eq!(
        moved,
        json!({
            "/app-health/web/readyz": {"httpGet": {"path": "/ready", "port": 8080,
                "httpHeaders": [{"name": "Host", "value": "a"}]}},
            "/app-health/web/livez": {"tcpSocket": {"port": 9000}, "timeoutSeconds": 4},
            "/app-health/web/startupz": {"grpc": {"port": 5000, "service": "db"}},
            "/app-lifecycle/web/prestopz": {"httpGet": {"path": "/bye", "port": 8080, "scheme": "HTTPS"}},
        })
    );
}

#[test]
fn wrong_annotations_are_told_with_a_remedy() {
    for (key, value, words) in [
        ("sidecar.istio.io/proxyCPU", "lots", "write one such as 100m"),
        ("traffic.sidecar.istio.io/excludeOutboundPorts", "80,x", "\"x\" is not a port"),
        ("traffic.sidecar.istio.io/includeOutboundIPRanges", "10.0.0.0/40", "is not a range"),
        ("sidecar.istio.io/interceptionMode", "TPROXY", "write REDIRECT or NONE"),
        ("proxy.istio.io/config", "- a", "is not a mapping"),
        ("sidecar.istio.io/userVolume", "{", "is not a JSON object"),
        ("sidecar.istio.io/nativeSidecar", "maybe", "neither"),
        ("sidecar.istio.io/proxyMemoryLimit", "8191Ki", "is below 8Mi, which no proxy runs in"),
        ("readiness.status.sidecar.istio.io/periodSeconds", "x", "not a whole number from 1"),
        ("readiness.status.sidecar.istio.io/periodSeconds", "0", "not a whole number from 1"),
        ("readiness.status.sidecar.istio.io/initialDelaySeconds", "-1", "not a whole number from 0"),
    ] {
        let pod = pod(json!({"annotations": {key: value}}), json!({"containers": [{"name": "a"}]}));
        let error = inject(&pod, "shop", &config(json!({}))).unwrap_err();
        assert_eq!(error.field, format!("metadata.annotations[{key:?}]"));
        assert!(error.message.contains(words), "{error}");
    }
}

#[test]
fn a_pod_says_how_its_proxy_is_asked_whether_it_is_ready() {
    let annotations = json!({"annotations": {
        "readiness.status.sidecar.istio.io/initialDelaySeconds": "0",
        "readiness.status.sidecar.istio.io/periodSeconds": "15",
        "readiness.status.sidecar.istio.io/failureThreshold": " 30 ",
        "sidecar.istio.io/proxyMemoryLimit": "8Mi",
    }});
    let injected = patched(&pod(annotations, json!({"containers": [{"name": "a"}]})), &config(json!({})));
    let proxy = named(&injected, "initContainers", "istio-proxy").unwrap();
    let probe = &proxy["readinessProbe"];
    assert_eq!(probe["initialDelaySeconds"], 0);
    assert_eq!((&probe["periodSeconds"], &probe["failureThreshold"]), (&json!(15), &json!(30)));
    assert_eq!(probe["httpGet"]["port"], 15021);
    assert_eq!(proxy["resources"]["limits"]["memory"], "8Mi");
}

#[test]
fn metrics_are_merged_unless_told_otherwise() {
    let scrape = json!({"annotations": {"prometheus.io/scrape": "true", "prometheus.io/port": "9102"}});
    let spec = json!({"containers": [{"name": "a"}]});
    let injected = patched(&pod(scrape, spec.clone()), &config(json!({})));
    assert_eq!(injected["metadata"]["annotations"]["prometheus.io/port"], "15020");
    let told = variable(named(&injected, "initContainers", "istio-proxy").unwrap(), "WEFT_PROMETHEUS").unwrap();
    assert_eq!(told, r#"{"path":"/metrics","port":"9102","scheme":"http"}"#);
    let refused = json!({"annotations": {"prometheus.io/scrape": "false"}});
    let injected = patched(&pod(refused, spec.clone()), &config(json!({})));
    assert_eq!(injected["metadata"]["annotations"]["prometheus.io/port"], Value::Null);
    let apart = config(json!({"meshConfig": {"enablePrometheusMerge": false}}));
    let injected = patched(&pod(json!({}), spec), &apart);
    assert_eq!(injected["metadata"]["annotations"]["prometheus.io/scrape"], Value::Null);
}

#[test]
fn the_canonical_name_is_that_of_the_workload() {
    let name = |metadata: Value| {
        let injected = patched(&pod(metadata, json!({"containers": [{"name": "a"}]})), &config(json!({})));
        injected["metadata"]["labels"]["service.istio.io/canonical-name"].as_str().unwrap().to_owned()
    };
    let owner = |kind: &str, name: &str| json!([{"kind": kind, "name": name, "controller": true}]);
    assert_eq!(name(json!({"labels": {"app": "web"}})), "web");
    let replica_set =
        json!({"labels": {"pod-template-hash": "5d9c"}, "ownerReferences": owner("ReplicaSet", "web-5d9c")});
    assert_eq!(name(replica_set), "web");
    assert_eq!(name(json!({"ownerReferences": owner("StatefulSet", "db-main")})), "db-main");
    assert_eq!(name(json!({"ownerReferences": owner("Job", "nightly-28123456")})), "nightly");
    assert_eq!(name(json!({"generateName": "web-"})), "web");
}

#[test]
fn a_second_injection_changes_no_letter() {
    let twice = |annotations: Value| {
        let spec =
            json!({"containers": [{"name": "a", "readinessProbe": {"httpGet": {"port": 80}, "periodSeconds": 2}}]});
        let once = patched(&pod(json!({"name": "a", "annotations": annotations}), spec), &config(json!({})));
        (patched(&once, &config(json!({}))).to_string(), once.to_string())
    };
    for annotations in [
        json!({}),
        json!({"prometheus.io/scrape": "true", "mine": "x"}),
        json!({"kubectl.kubernetes.io/default-container": "a", "mine": "x"}),
        json!({"kubectl.kubernetes.io/default-container": "b", "prometheus.io/port": "9102"}),
    ] {
        let (again, once) = twice(annotations);
        assert_eq!(again, once);
    }
}

#[test]
fn another_version_injects_anew() {
    let spec = json!({"containers": [{"name": "a", "readinessProbe": {"tcpSocket": {"port": 80}}}],
        "volumes": [{"name": "data", "emptyDir": {}}]});
    let plain = pod(json!({"name": "a", "labels": {"app": "a"}}), spec);
    let old = patched(&plain, &InjectConfig { native_sidecars: false, ..config(json!({"image": {"tag": "old"}})) });
    let new = config(json!({"image": {"tag": "new"}}));
    assert_eq!(patched(&old, &new), patched(&plain, &new));
}

/// Compares with a file of `testdata/inject`, or writes it where `WEFT_BLESS` is set.
fn golden(name: &str, injected: &Value) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/inject").join(name);
    let text = format!("{injected:#}\n").replace(crate::VERSION, "VERSION");
    if std::env::var_os("WEFT_BLESS").is_some() {
        fs::write(&path, &text).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        text == expected,
        "{name} differs from what is injected: look at `WEFT_BLESS=1 cargo test -p weft-install`"
    );
}
