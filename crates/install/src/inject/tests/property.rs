//! What holds for every pod.

use proptest::{collection::vec, option, prelude::*, sample::select};
use serde_json::{Map, Value, json};

use super::{config, patched, pod};
use crate::InjectConfig;

fn probe() -> impl Strategy<Value = Value> {
    prop_oneof![
        (1u16..9999, option::of(select(vec!["HTTP", "HTTPS"]))).prop_map(|(port, scheme)| {
            let mut get = json!({"path": "/x", "port": port});
            if let Some(scheme) = scheme {
                get["scheme"] = scheme.into();
            }
            json!({"httpGet": get})
        }),
        Just(json!({"httpGet": {"port": "http"}, "timeoutSeconds": 3})),
        (1u16..9999).prop_map(|port| json!({"tcpSocket": {"port": port}, "periodSeconds": 7})),
        (1u16..9999).prop_map(|port| json!({"grpc": {"port": port}})),
        Just(json!({"exec": {"command": ["true"]}})),
    ]
}

fn container() -> impl Strategy<Value = Value> {
    (option::of(probe()), option::of(probe()), any::<bool>(), any::<bool>()).prop_map(|(ready, live, named, stop)| {
        let mut container = json!({"image": "a:1"});
        if let Some(ready) = ready {
            container["readinessProbe"] = ready;
        }
        if let Some(live) = live {
            container["livenessProbe"] = live;
        }
        if named {
            container["ports"] = json!([{"name": "http", "containerPort": 8080}]);
        }
        if stop {
            container["lifecycle"] = json!({"preStop": {"httpGet": {"path": "/bye", "port": 8080}}});
        }
        container
    })
}

fn named(containers: Vec<Value>, prefix: &str) -> Value {
    let list = containers.into_iter().enumerate().map(|(index, mut container)| {
        container["name"] = format!("{prefix}{index}").into();
        container
    });
    list.collect()
}

fn annotations() -> impl Strategy<Value = Map<String, Value>> {
    let all = vec![
        ("prometheus.io/scrape", "true"),
        ("prometheus.io/port", "9102"),
        ("prometheus.io/path", "/m"),
        ("sidecar.istio.io/proxyCPU", "3"),
        ("sidecar.istio.io/rewriteAppHTTPProbers", "false"),
        ("sidecar.istio.io/interceptionMode", "NONE"),
        ("sidecar.istio.io/nativeSidecar", "false"),
        ("traffic.sidecar.istio.io/excludeOutboundPorts", "80"),
        ("proxy.istio.io/config", "holdApplicationUntilProxyStarts: false"),
        ("mine", "x"),
    ];
    proptest::sample::subsequence(all, 0..=10)
        .prop_map(|chosen| chosen.into_iter().map(|(key, value)| (key.to_owned(), value.into())).collect())
}

fn any_pod() -> impl Strategy<Value = Value> {
    (
        vec(container(), 1..4),
        option::of(vec(container(), 0..3)),
        annotations(),
        option::of(select(vec!["istio-proxy"])),
        any::<bool>(),
        any::<bool>(),
    )
        .prop_map(|(containers, init, annotations, own, volume, labelled)| {
            let mut spec = json!({"containers": named(containers, "c"), "hostAliases": [{"ip": "1.1.1.1"}]});
            if let Some(init) = init {
                spec["initContainers"] = named(init, "i");
            }
            if let (Some(own), Some(list)) = (own, spec["containers"].as_array_mut()) {
                list.push(json!({"name": own, "image": "auto", "env": [{"name": "A", "value": "1"}]}));
            }
            if volume {
                spec["volumes"] = json!([{"name": "data", "emptyDir": {}}]);
            }
            let mut metadata = json!({"name": "web", "annotations": annotations});
            if labelled {
                metadata["labels"] = json!({"app": "web", "team": "shop"});
            }
            pod(metadata, spec)
        })
}

/// Whether everything of `written` is in `injected`, but what moves to the proxy by design.
fn kept(written: &Value, injected: &Value, at: &str, lost: &mut Vec<String>) {
    match (written, injected) {
        (Value::Object(written), Value::Object(injected)) => {
            for (key, value) in written {
                let moved = ["httpGet", "tcpSocket", "grpc"].contains(&key.as_str())
                    || (at == ".metadata.annotations" && key.starts_with("prometheus.io/"));
                if !moved {
                    kept(value, injected.get(key).unwrap_or(&Value::Null), &format!("{at}.{key}"), lost);
                }
            }
        }
        (Value::Array(written), Value::Array(injected)) => {
            for item in written.iter().filter(|item| item["name"] != "istio-proxy") {
                let found = injected.iter().find(|other| item.get("name").is_none() || other["name"] == item["name"]);
                kept(item, found.unwrap_or(&Value::Null), &format!("{at}[]"), lost);
            }
        }
        (written, injected) if written == injected => {}
        (written, injected) => lost.push(format!("{at}: {written} became {injected}")),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn injecting_twice_is_injecting_once(pod in any_pod(), native in any::<bool>()) {
        let config = InjectConfig { native_sidecars: native, image_pull_secrets: vec!["weft".into()], ..config(json!({})) };
        let once = patched(&pod, &config);
        prop_assert_eq!(&patched(&once, &config), &once);
        let other = InjectConfig { native_sidecars: !native, ..config.clone() };
        prop_assert_eq!(patched(&patched(&once, &other), &config), once);
    }

    #[test]
    fn nothing_that_was_written_is_lost(pod in any_pod(), native in any::<bool>()) {
        let injected = patched(&pod, &InjectConfig { native_sidecars: native, ..config(json!({})) });
        let mut lost = Vec::new();
        kept(&pod, &injected, "", &mut lost);
        prop_assert!(lost.is_empty(), "{:#?}", lost);
    }
}
