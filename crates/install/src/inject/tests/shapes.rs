//! Pods of many shapes, as reviewed.

use serde_json::json;

use super::{config, golden, patched, pod};
use crate::{InjectConfig, inject::manifest::inject_object};

#[test]
fn pods_come_out_as_reviewed() {
    let plain = config(json!({}));
    let app = || json!({"containers": [{"name": "web", "image": "web:1", "ports": [{"containerPort": 8080}]}]});
    golden(
        "plain.json",
        &patched(&pod(json!({"name": "web", "labels": {"app": "web", "version": "v1"}}), app()), &plain),
    );

    let classic = InjectConfig { native_sidecars: false, ..plain.clone() };
    golden("classic.json", &patched(&pod(json!({"name": "web"}), app()), &classic));

    let annotated = json!({"generateName": "web-", "annotations": {
        "sidecar.istio.io/proxyCPU": "200m",
        "sidecar.istio.io/proxyMemoryLimit": "1Gi",
        "sidecar.istio.io/proxyImage": "registry.example.org/proxy:debug",
        "sidecar.istio.io/logLevel": "warning",
        "sidecar.istio.io/userVolume": "{\"extra\":{\"emptyDir\":{}}}",
        "sidecar.istio.io/userVolumeMount": "{\"extra\":{\"mountPath\":\"/extra\"}}",
        "traffic.sidecar.istio.io/includeOutboundIPRanges": "10.0.0.0/8, fd00::/8",
        "traffic.sidecar.istio.io/excludeOutboundIPRanges": "10.1.0.0/16",
        "traffic.sidecar.istio.io/excludeInboundPorts": "9090",
        "traffic.sidecar.istio.io/excludeOutboundPorts": "5432,6379",
        "proxy.istio.io/config": "concurrency: 4\nterminationDrainDuration: 20s\nproxyMetadata:\n  MINIMUM_DRAIN_DURATION: 5s\n  FEATURE: \"on\"\n",
    }});
    let spec = json!({
        "securityContext": {"fsGroup": 2000, "runAsNonRoot": true},
        "hostAliases": [{"ip": "10.0.0.1", "hostnames": ["a"]}],
        "imagePullSecrets": [{"name": "own"}],
        "containers": [{"name": "web", "image": "web:1"}, {"name": "log", "image": "log:1"}],
    });
    let pulling =
        config(json!({"image": {"hub": "h", "tag": "t", "pullPolicy": "Always", "pullSecrets": ["own", "weft"]}}));
    golden("annotated.json", &patched(&pod(annotated, spec), &pulling));

    let unredirected = json!({"name": "web", "annotations": {"sidecar.istio.io/interceptionMode": "NONE"}});
    golden("unredirected.json", &patched(&pod(unredirected, app()), &plain));

    let gateway = json!({"name": "edge", "annotations": {"inject.istio.io/templates": "gateway"}});
    let spec = json!({"containers": [{"name": "istio-proxy", "image": "auto", "ports": [{"containerPort": 8080}],
        "env": [{"name": "WEFT_ACCESS_LOG", "value": "-"}], "resources": {"limits": {"cpu": "4"}}}]});
    golden("gateway.json", &patched(&pod(gateway, spec), &plain));

    let job = json!({
        "apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "nightly", "namespace": "shop"},
        "spec": {"jobTemplate": {"spec": {"template": {"metadata": {}, "spec": {
            "restartPolicy": "Never", "containers": [{"name": "run", "image": "run:1"}]}}}}},
    });
    let injected = inject_object(&job, "shop", &plain).unwrap().unwrap();
    golden("cron-job.json", &injected);
}

/// The API server sets a policy before it asks for an injection: `Always`, where an image has no tag.
#[test]
fn the_policy_of_an_image_that_stands_for_ours_is_ours() {
    let config = config(json!({"image": {"pullPolicy": "Never"}}));
    let policy = |image: &str, written: &str| {
        let container = json!({"name": "istio-proxy", "image": image, "imagePullPolicy": written});
        let meta = json!({"name": "edge", "annotations": {"inject.istio.io/templates": "gateway"}});
        patched(&pod(meta, json!({"containers": [container]})), &config)["spec"]["containers"][0]["imagePullPolicy"]
            .clone()
    };
    assert_eq!(policy("auto", "Always"), "Never");
    assert_eq!(policy("auto", "IfNotPresent"), "IfNotPresent");
    assert_eq!(policy("hub/proxy:1", "Always"), "Always");
}

#[test]
fn manifests_without_pods_stay() {
    let plain = config(json!({}));
    let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}, "spec": {"ports": []}});
    assert_eq!(inject_object(&service, "shop", &plain).unwrap(), None);
    let pod = pod(json!({"name": "a"}), json!({"containers": [{"name": "a"}]}));
    let list = json!({"apiVersion": "v1", "kind": "List", "items": [service, pod]});
    let injected = inject_object(&list, "shop", &plain).unwrap().unwrap();
    assert_eq!(injected["items"][0], service);
    assert!(injected["items"][1]["spec"]["initContainers"].is_array());
    let template = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"}, "spec": {"template":
        {"metadata": {"annotations": {"sidecar.istio.io/proxyCPU": "x"}}, "spec": {"containers": []}}}});
    let error = inject_object(&template, "shop", &plain).unwrap_err();
    assert!(error.field.starts_with("spec.template.metadata.annotations["), "{error}");
}
