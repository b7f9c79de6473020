//! Scrape annotations: Prometheus asks the proxy, which adds the application's own metrics.

use serde_json::{Map, Value, json};

use super::{InjectError, annotations::Annotations, table};

const SCRAPE: &str = "prometheus.io/scrape";
const KEYS: [&str; 4] = [SCRAPE, "prometheus.io/port", "prometheus.io/path", "prometheus.io/scheme"];

/// What became of a pod's scrape annotations.
pub(super) struct Prometheus {
    /// As its author wrote them.
    pub(super) written: Map<String, Value>,
    /// Where the application's own metrics are, if it has any.
    pub(super) application: Option<Value>,
}

/// Points the annotations to the proxy, unless the mesh, the pod or its author's `scrape: "false"` says otherwise.
pub(super) fn take_over(pod: &mut Value, merge: bool) -> Result<Option<Prometheus>, InjectError> {
    let annotations = Annotations::of(pod);
    let merge = annotations.flag("prometheus.istio.io/merge-metrics")?.unwrap_or(merge);
    let scrape = annotations.get(SCRAPE);
    if !merge || scrape == Some("false") {
        return Ok(None);
    }
    let get = |key: &str, default: &str| annotations.get(key).unwrap_or(default).to_owned();
    let application = (scrape == Some("true")).then(|| {
        json!({
            "path": get("prometheus.io/path", "/metrics"),
            "port": get("prometheus.io/port", "80"),
            "scheme": get("prometheus.io/scheme", "http"),
        })
    });
    let written: Map<String, Value> =
        KEYS.into_iter().filter_map(|key| Some((key.to_owned(), annotations.get(key)?.into()))).collect();
    if let Some(map) = table(pod, "annotations") {
        // All of them at the end, wherever they stood: a second injection does not know that any more.
        for key in KEYS {
            map.shift_remove(key);
        }
        for (key, value) in KEYS.into_iter().zip(["true", "15020", "/stats/prometheus"]) {
            map.insert(key.to_owned(), value.into());
        }
    }
    Ok(Some(Prometheus { written, application }))
}

/// Puts back what was written.
pub(super) fn restore(pod: &mut Value, written: &Map<String, Value>) {
    let Some(map) = table(pod, "annotations") else { return };
    for key in KEYS {
        map.shift_remove(key);
    }
    map.extend(written.clone());
}
