use serde_json::{Value, json};

use super::*;
use crate::inject::tests::{config, patched, pod};

/// The variables of a proxy's spans, `NAME=VALUE`, for a mesh config and an annotation `proxy.istio.io/config`.
fn told(mesh_config: Value, annotation: &str) -> Vec<String> {
    let annotations = json!({"annotations": {"proxy.istio.io/config": annotation}});
    let pod = pod(annotations, json!({"containers": [{"name": "web", "image": "web:1"}]}));
    let injected = patched(&pod, &config(json!({ "meshConfig": mesh_config })));
    let proxy = &injected["spec"]["initContainers"][1];
    assert_eq!(proxy["name"], "istio-proxy");
    let named =
        |one: &Value| one["name"].as_str().is_some_and(|name| name.contains("ENDPOINT") || name.contains("TAG"));
    let all = proxy["env"].as_array().unwrap().iter().filter(|one| named(one));
    all.map(|one| format!("{}={}", one["name"].as_str().unwrap(), one["value"].as_str().unwrap())).collect()
}

fn otel() -> Value {
    json!({"name": "otel", "opentelemetry": {"service": "otel.obs.svc", "port": 4318, "http": {"path": "/v1/traces"}}})
}

fn zipkin() -> Value {
    json!({"name": "zipkin", "zipkin": {"service": "obs/zipkin.obs.svc.cluster.local", "port": 9411}})
}

const OTEL: &str = "WEFT_OTLP_ENDPOINT=http://otel.obs.svc:4318";
const ZIPKIN: &str = "WEFT_ZIPKIN_ENDPOINT=http://zipkin.obs.svc.cluster.local:9411/api/v2/spans";
const NONE: [&str; 0] = [];

#[test]
fn the_first_provider_that_can_be_sent_to_is_taken() {
    let datadog = json!({"name": "dd", "datadog": {"service": "datadog.obs.svc", "port": 8126}});
    let grpc = json!({"name": "grpc", "opentelemetry": {"service": "otel.obs.svc", "port": 4317}});
    assert_eq!(told(json!({"extensionProviders": [datadog, grpc, zipkin(), otel()]}), ""), [ZIPKIN]);
    assert_eq!(told(json!({"extensionProviders": [otel(), zipkin()]}), ""), [OTEL]);
    assert_eq!(told(json!({"extensionProviders": [datadog, grpc]}), ""), NONE);
    assert_eq!(told(json!({"extensionProviders": [otel()], "enableTracing": false}), ""), NONE);
}

#[test]
fn the_meshs_default_provider_wins_and_nothing_stands_for_it() {
    let with = |names: Value| {
        json!({"extensionProviders": [otel(), zipkin(), {"name": "dd", "datadog": {}}],
        "defaultProviders": {"tracing": names}, "defaultConfig": {"tracing": {"zipkin": {"address": "other:9411"}}}})
    };
    assert_eq!(told(with(json!(["zipkin"])), ""), [ZIPKIN]);
    assert_eq!(told(with(json!(["dd", "otel"])), ""), [OTEL]);
    assert_eq!(told(with(json!(["dd"])), ""), NONE);
    assert_eq!(told(with(json!(["nobody"])), "tracing: {zipkin: {address: 'own:9411'}}"), NONE);
}

#[test]
fn a_provider_says_path_and_length() {
    let with = |more: Value| {
        let mut provider = zipkin();
        provider["zipkin"].as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        told(json!({"extensionProviders": [provider]}), "tracing: {maxPathTagLength: 40}")
    };
    let own = "WEFT_ZIPKIN_ENDPOINT=http://zipkin.obs.svc.cluster.local:9411/own";
    assert_eq!(with(json!({"path": "/own", "maxTagLength": 100})), [own, "WEFT_MAX_TAG_LENGTH=100"]);
    assert_eq!(with(json!({"port": "9411"})), [ZIPKIN, "WEFT_MAX_TAG_LENGTH=40"]);
    // What no proxy could start with is none.
    for wrong in [json!({"path": "own"}), json!({"path": "/a b"}), json!({"port": 0}), json!({"port": 70_000})] {
        assert_eq!(with(wrong.clone()), NONE, "{wrong}");
    }
    for wrong in ["", "a b", "zipkin@evil", "obs/"] {
        assert_eq!(with(json!({ "service": wrong })), NONE, "{wrong}");
    }
}

#[test]
fn a_proxys_own_zipkin_counts_where_the_mesh_has_no_provider() {
    let mesh = || json!({"defaultConfig": {"tracing": {"zipkin": {"address": "zipkin.obs:9411"}}}});
    assert_eq!(told(mesh(), ""), ["WEFT_ZIPKIN_ENDPOINT=http://zipkin.obs:9411/api/v2/spans"]);
    let own = "tracing: {zipkin: {address: '[fd00::1]:9000'}, maxPathTagLength: 64}";
    let there = ["WEFT_ZIPKIN_ENDPOINT=http://[fd00::1]:9000/api/v2/spans", "WEFT_MAX_TAG_LENGTH=64"];
    assert_eq!(told(mesh(), own), there);
    assert_eq!(told(json!({}), own), there);
    assert_eq!(told(json!({"extensionProviders": [otel()]}), own), [OTEL, "WEFT_MAX_TAG_LENGTH=64"]);
    assert_eq!(told(json!({"enableTracing": false}), own), NONE);
    assert_eq!(told(json!({}), "tracing: {zipkin: {address: zipkin}}"), NONE, "there is no port");
}

#[test]
fn variables_that_a_proxy_is_given_win() {
    let mesh = || json!({"extensionProviders": [zipkin()]});
    let own = "proxyMetadata: {WEFT_OTLP_ENDPOINT: 'http://mine:4318'}";
    assert_eq!(told(mesh(), own), ["WEFT_OTLP_ENDPOINT=http://mine:4318"]);
    let own = "{tracing: {maxPathTagLength: 40}, proxyMetadata: {WEFT_MAX_TAG_LENGTH: '9'}}";
    assert_eq!(told(mesh(), own), [ZIPKIN, "WEFT_MAX_TAG_LENGTH=9"]);
}

#[test]
fn what_gets_no_spans_is_told_with_a_remedy() {
    let warnings = |config: Value| mesh_warnings(&serde_json::from_value(config).unwrap());
    assert_eq!(warnings(json!({"extensionProviders": [otel(), zipkin(), {"name": "p", "prometheus": {}}]})), NONE);
    let config = json!({
        "extensionProviders": [
            {"name": "dd", "datadog": {"service": "datadog.obs.svc", "port": 8126}},
            {"name": "grpc", "opentelemetry": {"service": "otel.obs.svc", "port": 4317}},
            {"name": "z", "zipkin": {"service": "zipkin.obs.svc"}},
        ],
        "defaultProviders": {"tracing": ["zikpin"]},
        "defaultConfig": {"tracing": {"datadog": {"address": "$(HOST_IP):8126"}}},
    });
    let found = warnings(config.clone());
    for (words, at, remedy) in [
        (&found[0], "defaultProviders.tracing", "\"zikpin\""),
        (&found[1], "extensionProviders[0].datadog", "port 4318"),
        (&found[2], "extensionProviders[1].opentelemetry", "http: {path: /v1/traces}"),
        (&found[3], "extensionProviders[2].zipkin", "port: NUMBER"),
        (&found[4], "defaultConfig.tracing.datadog", "port 4318"),
    ] {
        assert!(words.starts_with(&format!("spec.meshConfig.{at}: ")) && words.contains(remedy), "{words}");
    }
    assert_eq!(found.len(), 5, "{found:#?}");
    let mut off = config;
    off["enableTracing"] = false.into();
    assert_eq!(warnings(off), NONE);
    let wrong = warnings(json!({"defaultConfig": {"tracing": {"zipkin": {"address": "zipkin"}}}}));
    assert!(wrong.len() == 1 && wrong[0].contains("HOST:PORT"), "{wrong:?}");
}
