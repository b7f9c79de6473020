//! PodMonitors for clusters with the Prometheus operator; others scrape by annotation.

use serde_json::{Value, json};

use super::frame::Frame;

pub(super) fn objects(frame: &Frame<'_>) -> Vec<Value> {
    if !frame.input.capabilities.pod_monitor {
        return Vec::new();
    }
    let revision = frame.input.mesh.revision_label();
    let monitor = |name: &str, selector: Value, namespaces: Value, port: &str, path: &str| {
        json!({
            "apiVersion": "monitoring.coreos.com/v1",
            "kind": "PodMonitor",
            "metadata": frame.meta("monitoring", &frame.name(name)),
            "spec": {
                "selector": selector,
                "namespaceSelector": namespaces,
                "podMetricsEndpoints": [{"port": port, "path": path, "interval": "15s"}],
            },
        })
    };
    let own = json!({"matchNames": [frame.input.namespace]});
    vec![
        monitor(
            "weft-control-plane",
            json!({"matchLabels": frame.selector("control-plane")}),
            own,
            "http-monitoring",
            "/metrics",
        ),
        monitor(
            "weft-proxies",
            json!({"matchLabels": {"istio.io/rev": revision}, "matchExpressions": [
                {"key": "weft.dev/component", "operator": "NotIn", "values": ["control-plane", "console"]},
            ]}),
            json!({"any": true}),
            "http-envoy-prom",
            "/stats/prometheus",
        ),
    ]
}
