//! Words that injection knows: Istio's annotations of pods and the fields of its ProxyConfig. A misspelt one would have no effect,
//! and nobody would see it.

use serde_json::{Map, Value};
use weft_api::error::did_you_mean;

use super::annotations::PROXY_CONFIG;

/// Annotations of pods under [`DOMAINS`] that injection obeys
/// (<https://istio.io/latest/docs/reference/config/annotations/>).
const ANNOTATIONS: &[&str] = &[
    "inject.istio.io/templates",
    PROXY_CONFIG,
    "proxy.istio.io/overrides",
    "readiness.status.sidecar.istio.io/failureThreshold",
    "readiness.status.sidecar.istio.io/initialDelaySeconds",
    "readiness.status.sidecar.istio.io/periodSeconds",
    "sidecar.istio.io/inject",
    "sidecar.istio.io/interceptionMode",
    "sidecar.istio.io/logLevel",
    "sidecar.istio.io/nativeSidecar",
    "sidecar.istio.io/proxyCPU",
    "sidecar.istio.io/proxyCPULimit",
    "sidecar.istio.io/proxyImage",
    "sidecar.istio.io/proxyMemory",
    "sidecar.istio.io/proxyMemoryLimit",
    "sidecar.istio.io/rewriteAppHTTPProbers",
    "sidecar.istio.io/status",
    "sidecar.istio.io/userVolume",
    "sidecar.istio.io/userVolumeMount",
    "traffic.sidecar.istio.io/excludeInboundPorts",
    "traffic.sidecar.istio.io/excludeInterfaces",
    "traffic.sidecar.istio.io/excludeOutboundIPRanges",
    "traffic.sidecar.istio.io/excludeOutboundPorts",
    "traffic.sidecar.istio.io/includeInboundPorts",
    "traffic.sidecar.istio.io/includeOutboundIPRanges",
    "traffic.sidecar.istio.io/includeOutboundPorts",
    "traffic.sidecar.istio.io/kubevirtInterfaces",
];

/// Those that set up Istio's agent and Envoy, and have nothing to set up in our proxy.
const OF_ENVOY: &[&str] = &[
    "readiness.status.sidecar.istio.io/applicationPorts",
    "sidecar.istio.io/agentLogLevel",
    "sidecar.istio.io/bootstrapOverride",
    "sidecar.istio.io/componentLogLevel",
    "sidecar.istio.io/controlPlaneAuthPolicy",
    "sidecar.istio.io/discoveryAddress",
    "sidecar.istio.io/enableCoreDump",
    "sidecar.istio.io/extraStatTags",
    "sidecar.istio.io/proxyImageType",
    "sidecar.istio.io/statsCompression",
    "sidecar.istio.io/statsEvictionInterval",
    "sidecar.istio.io/statsFlushInterval",
    "sidecar.istio.io/statsHistogramBuckets",
    "sidecar.istio.io/statsInclusionPrefixes",
    "sidecar.istio.io/statsInclusionRegexps",
    "sidecar.istio.io/statsInclusionSuffixes",
    "status.sidecar.istio.io/port",
];

/// Where annotations of injection are.
const DOMAINS: [&str; 6] = [
    "inject.istio.io",
    "proxy.istio.io",
    "readiness.status.sidecar.istio.io",
    "sidecar.istio.io",
    "status.sidecar.istio.io",
    "traffic.sidecar.istio.io",
];

/// Fields of ProxyConfig (<https://istio.io/latest/docs/reference/config/istio.mesh.v1alpha1/#ProxyConfig>).
const SETTINGS: &[&str] = &[
    "availabilityZone",
    "binaryPath",
    "caCertificatesPem",
    "concurrency",
    "configPath",
    "connectTimeout",
    "controlPlaneAuthPolicy",
    "customConfigFile",
    "discoveryAddress",
    "discoveryRefreshDelay",
    "drainDuration",
    "envoyAccessLogService",
    "envoyMetricsService",
    "envoyMetricsServiceAddress",
    "extraStatTags",
    "fileFlushInterval",
    "fileFlushMinSizeKb",
    "gatewayTopology",
    "holdApplicationUntilProxyStarts",
    "image",
    "interceptionMode",
    "meshId",
    "parentShutdownDuration",
    "privateKeyProvider",
    "proxyAdminPort",
    "proxyBootstrapTemplatePath",
    "proxyHeaders",
    "proxyMetadata",
    "proxyStatsMatcher",
    "readinessProbe",
    "runtimeValues",
    "sds",
    "serviceCluster",
    "statNameLength",
    "statsCompression",
    "statsdUdpAddress",
    "statusPort",
    "terminationDrainDuration",
    "tracing",
    "tracingServiceName",
    "zipkinAddress",
];

/// One sentence for each annotation of a pod that has no effect, and for each unknown field of its ProxyConfig.
pub(super) fn unknown(pod: &Value) -> Vec<String> {
    let Some(annotations) = pod["metadata"]["annotations"].as_object() else { return Vec::new() };
    let of_ours = |key: &&String| key.split_once('/').is_some_and(|(domain, _)| DOMAINS.contains(&domain));
    let names = annotations.keys().filter(of_ours).filter(|key| !ANNOTATIONS.contains(&key.as_str()));
    let mut told: Vec<String> = names
        .map(|key| match OF_ENVOY.contains(&key.as_str()) {
            true => format!("annotation {key:?} is for Istio's agent or Envoy and has no effect on Weft's proxy"),
            false => format!("annotation {}", sentence(key, ANNOTATIONS)),
        })
        .collect();
    let text = annotations.get(PROXY_CONFIG).and_then(Value::as_str).unwrap_or_default();
    // What is no YAML at all is refused.
    if let Ok(Value::Object(own)) = serde_saphyr::from_str::<Value>(text) {
        told.extend(unknown_settings(&own).into_iter().map(|words| format!("{PROXY_CONFIG}: {words}")));
    }
    told
}

/// One sentence for each field of a ProxyConfig that nobody knows.
pub(super) fn unknown_settings(config: &Map<String, Value>) -> Vec<String> {
    let names = config.keys().filter(|key| !SETTINGS.contains(&key.as_str()));
    names.map(|key| format!("field {}", sentence(key, SETTINGS))).collect()
}

fn sentence(written: &str, known: &[&str]) -> String {
    let meant = did_you_mean(written, known.iter().copied()).unwrap_or_else(|| "correct or remove it".to_owned());
    let shown: String = written.chars().take(80).collect();
    format!("{shown:?} is not known and has no effect: {meant}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn slips_of_the_pen_are_told_with_what_was_meant() {
        let told = |annotations: Value| unknown(&json!({"metadata": {"annotations": annotations}}));
        let found = told(json!({
            "traffic.sidecar.istio.io/excludeOutboundPort": "80",
            "proxy.istio.io/config": "concurrencyy: 2\ntracing: {}\n",
            "traffic.sidecar.istio.io/excludeInboundPorts": "80",
            "sidecar.istio.io/extraStatTags": "x",
            "example.org/excludeOutboundPort": "80",
            "plain": "x",
        }));
        assert_eq!(
            found,
            [
                "annotation \"traffic.sidecar.istio.io/excludeOutboundPort\" is not known and has no effect: did you mean \
                 \"traffic.sidecar.istio.io/excludeOutboundPorts\"?",
                "annotation \"sidecar.istio.io/extraStatTags\" is for Istio's agent or Envoy and has no effect on Weft's proxy",
                "proxy.istio.io/config: field \"concurrencyy\" is not known and has no effect: did you mean \"concurrency\"?",
            ]
        );
        let far = told(json!({"sidecar.istio.io/nothingLikeIt": "x"}));
        assert!(far.len() == 1 && far[0].ends_with("correct or remove it"), "{far:?}");
        assert!(told(json!({"proxy.istio.io/config": "- a"})).is_empty(), "that is refused");
        assert!(unknown(&Value::Null).is_empty());
    }

    #[test]
    fn what_istio_documents_is_no_slip() {
        let config = "gatewayTopology: {numTrustedProxies: 1, forwardClientCertDetails: SANITIZE}\n\
                      statNameLength: 200\nsds: {enabled: true}\nenvoyMetricsServiceAddress: \"a:1\"\nodd: 1\n";
        let annotations = json!({"proxy.istio.io/config": config, "sidecar.istio.io/proxyCPU": "10m"});
        let told = unknown(&json!({"metadata": {"annotations": annotations}}));
        assert!(told.len() == 1 && told[0].contains("\"odd\""), "{told:?}");
    }
}
