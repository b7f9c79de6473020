//! Labels that telemetry, selectors and people know an injected pod by.

use serde_json::Value;

use super::{InjectConfig, table};
use crate::{names, proxy};

const CANONICAL_NAME: &str = "service.istio.io/canonical-name";
const CANONICAL_REVISION: &str = "service.istio.io/canonical-revision";
/// A label's longest value.
const LONGEST: usize = 63;

pub(super) fn add(pod: &mut Value, config: &InjectConfig, gateway: bool) {
    let label =
        |key: &str| pod["metadata"]["labels"][key].as_str().filter(|value| !value.is_empty()).map(str::to_owned);
    let name = label(CANONICAL_NAME)
        .or_else(|| label("app.kubernetes.io/name"))
        .or_else(|| label("app"))
        .or_else(|| workload(pod));
    let revision = label(CANONICAL_REVISION)
        .or_else(|| label("app.kubernetes.io/version"))
        .or_else(|| label("version"))
        .unwrap_or_else(|| "latest".into());
    let first = pod["spec"]["containers"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|container| container["name"].as_str())
        .find(|name| *name != proxy::CONTAINER)
        .map(str::to_owned);
    if let Some(labels) = table(pod, "labels") {
        if !gateway {
            labels.entry("security.istio.io/tlsMode").or_insert_with(|| "istio".into());
        }
        if let Some(name) = name {
            labels.entry(CANONICAL_NAME).or_insert_with(|| cut(&name).into());
        }
        labels.entry(CANONICAL_REVISION).or_insert_with(|| cut(&revision).into());
        // The revision itself in the place of a tag: what runs is what an upgrade asks for.
        labels.insert(names::REVISION_LABEL.into(), config.revision.as_str().into());
    }
    if let (Some(first), Some(annotations)) = (first, table(pod, "annotations")) {
        for key in ["kubectl.kubernetes.io/default-container", "kubectl.kubernetes.io/default-logs-container"] {
            // At the end also where an earlier injection wrote it, so that the same pod comes out letter by letter.
            if annotations.get(key).is_none_or(|written| *written == first) {
                annotations.shift_remove(key);
                annotations.insert(key.to_owned(), first.as_str().into());
            }
        }
    }
}

/// The name of what made the pod: a Deployment's for its ReplicaSet's pods, a CronJob's for its Jobs'.
fn workload(pod: &Value) -> Option<String> {
    let metadata = &pod["metadata"];
    let owner = metadata["ownerReferences"].as_array().into_iter().flatten().find(|owner| owner["controller"] == true);
    let hash = metadata["labels"]["pod-template-hash"].as_str();
    if let Some(name) = owner.and_then(|owner| owner["name"].as_str()) {
        let kind = owner.and_then(|owner| owner["kind"].as_str()).unwrap_or_default();
        let (stem, tail) = name.rsplit_once('-').unwrap_or((name, ""));
        let scheduled = tail.len() >= 8 && tail.bytes().all(|b| b.is_ascii_digit());
        let made = (kind == "ReplicaSet" && Some(tail) == hash) || (kind == "Job" && scheduled);
        return Some(if made { stem } else { name }.to_owned());
    }
    let name = metadata["name"].as_str().or_else(|| metadata["generateName"].as_str())?;
    Some(name.trim_end_matches('-').to_owned()).filter(|name| !name.is_empty())
}

fn cut(value: &str) -> &str {
    let end = (0..=LONGEST.min(value.len())).rev().find(|end| value.is_char_boundary(*end)).unwrap_or(0);
    value[..end].trim_end_matches(['-', '.', '_'])
}
