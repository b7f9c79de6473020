//! Pods with a proxy of ours: what injection made, and the gateways of Meshes.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::Pod;
use kube::{Api, ResourceExt, api::ListParams, core::PartialObjectMeta};
use serde_json::Value;
use weft_api::{core::INJECTED_ANNOTATION, mesh::DEFAULT_REVISION};
use weft_install::{names, version::tag_of};

use super::{cluster::Cluster, problem::Problem, skew::Proxies};

/// Pods of one page: of a large cluster they are never all in memory.
const PAGE: u32 = 500;
/// Name of a proxy's container.
const PROXY: &str = "istio-proxy";

/// Injected pods of a revision that have not ended, as `namespace/name`, sorted.
pub async fn alive(cluster: &Cluster, revision: &str) -> Result<Vec<String>, Problem> {
    let mut names = Vec::new();
    each(cluster, "status.phase!=Succeeded,status.phase!=Failed", |pod| {
        if revision_of(pod).as_deref() == Some(revision) {
            names.push(format!("{}/{}", pod.namespace().unwrap_or_default(), pod.name_any()));
        }
    })
    .await?;
    names.sort();
    Ok(names)
}

/// How many running pods have a proxy that connects to a control plane of one of these revisions.
pub async fn running(cluster: &Cluster, revisions: &BTreeSet<String>) -> Result<usize, Problem> {
    let mut count = 0;
    each(cluster, "status.phase=Running", |pod| count += usize::from(connects(pod, revisions))).await?;
    Ok(count)
}

/// The proxies in a revision's injected pods that have not ended, by their images' tags.
pub async fn versions(cluster: &Cluster, revision: &str) -> Result<BTreeMap<String, Proxies>, Problem> {
    let api: Api<Pod> = Api::all(cluster.client.clone());
    let mut params = with_proxy("status.phase!=Succeeded,status.phase!=Failed");
    let mut versions: BTreeMap<String, Proxies> = BTreeMap::new();
    loop {
        let page = cluster.ask("list the pods with a proxy", api.list(&params)).await?;
        for pod in page.items.iter().filter(|pod| revision_of(*pod).as_deref() == Some(revision)) {
            if let Some(image) = proxy_image(pod) {
                let known = versions.entry(tag_of(image).to_owned()).or_default();
                known.count += 1;
                known.pod = format!("{}/{}", pod.namespace().unwrap_or_default(), pod.name_any());
            }
        }
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => params = params.continue_token(&token),
            None => return Ok(versions),
        }
    }
}

fn proxy_image(pod: &Pod) -> Option<&str> {
    let spec = pod.spec.as_ref()?;
    let mut all = spec.init_containers.iter().flatten().chain(&spec.containers);
    all.find(|container| container.name == PROXY)?.image.as_deref()
}

/// By the revision's label, which injection writes by whatever template; an author's `tlsMode` says nothing.
fn with_proxy(fields: &str) -> ListParams {
    ListParams::default().labels(names::REVISION_LABEL).fields(fields).limit(PAGE)
}

async fn each(cluster: &Cluster, fields: &str, mut seen: impl FnMut(&PartialObjectMeta<Pod>)) -> Result<(), Problem> {
    let pods: Api<Pod> = Api::all(cluster.client.clone());
    let mut params = with_proxy(fields);
    loop {
        let page = cluster.ask("list the pods with a proxy", pods.list_metadata(&params)).await?;
        page.items.iter().for_each(&mut seen);
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => params = params.continue_token(&token),
            None => return Ok(()),
        }
    }
}

/// A pod that goes may have closed its connection already, and starts no other.
fn connects(pod: &PartialObjectMeta<Pod>, revisions: &BTreeSet<String>) -> bool {
    let revision = revision_of(pod).or_else(|| gateway_of(pod));
    pod.metadata.deletion_timestamp.is_none() && revision.is_some_and(|revision| revisions.contains(&revision))
}

/// The revision of ours that injected a pod, by the record that injection leaves; nothing when none did.
fn revision_of(pod: &impl ResourceExt) -> Option<String> {
    let record: Value = serde_json::from_str(pod.annotations().get(INJECTED_ANNOTATION)?).unwrap_or_default();
    if !is_ours(&record) {
        return None;
    }
    let written = record["revision"].as_str().filter(|revision| !revision.is_empty());
    Some(written.unwrap_or(DEFAULT_REVISION).to_owned())
}

/// Whether a record is of our injection. Istio leaves its own under the same name, with the same revision; it has added other
/// volumes. One that does not tell what was added counts.
fn is_ours(record: &Value) -> bool {
    let ours = |volume: &Value| volume == names::TOKEN_VOLUME || volume == names::ROOT_CONFIG_MAP;
    record["volumes"].as_array().is_none_or(|added| added.is_empty() || added.iter().any(ours))
}

/// The revision of a Mesh's own gateway, which has its proxy without injection.
fn gateway_of(pod: &PartialObjectMeta<Pod>) -> Option<String> {
    let labels = pod.labels();
    let gateway = labels.get(names::COMPONENT_LABEL).is_some_and(|component| component == names::GATEWAY_COMPONENT);
    gateway.then(|| labels.get(names::REVISION_LABEL).cloned()).flatten()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(labels: &Value, record: Option<&str>) -> PartialObjectMeta<Pod> {
        let mut pod = PartialObjectMeta::<Pod>::default();
        pod.metadata.labels = serde_json::from_value(labels.clone()).unwrap();
        pod.metadata.annotations = record.map(|text| [(INJECTED_ANNOTATION.to_owned(), text.to_owned())].into());
        pod
    }

    #[test]
    fn the_record_of_injection_tells_the_revision() {
        let of = |record| revision_of(&pod(&json!({}), record));
        assert_eq!(of(Some(r#"{"revision":"v2"}"#)).as_deref(), Some("v2"));
        assert_eq!(of(Some("{}")).as_deref(), Some("default"));
        assert_eq!(of(Some("garbage")).as_deref(), Some("default"), "in doubt it counts");
        assert_eq!(of(None), None);
    }

    /// While a cluster moves from Istio to us, pods of both run under one revision.
    #[test]
    fn what_istio_injected_is_not_ours() {
        let istio = r#"{"initContainers":["istio-init"],"containers":["istio-proxy"],"volumes":["workload-socket",
            "istio-envoy","istio-data","istio-podinfo","istio-token","istiod-ca-cert"],"revision":"default"}"#;
        let labels = json!({"istio.io/rev": "default", "security.istio.io/tlsMode": "istio"});
        let pod_of = |record| pod(&labels, Some(record));
        assert_eq!(revision_of(&pod_of(istio)), None);
        assert!(!connects(&pod_of(istio), &BTreeSet::from(["default".to_owned()])));
        for ours in [
            r#"{"volumes":["weft-token","weft-ca-root-cert"],"revision":"default"}"#,
            // The author brought a volume along.
            r#"{"volumes":["weft-ca-root-cert","extra"],"revision":"default"}"#,
            r#"{"volumes":[],"revision":"default"}"#,
        ] {
            assert_eq!(revision_of(&pod_of(ours)).as_deref(), Some("default"), "{ours}");
        }
    }

    #[test]
    fn every_template_leaves_what_pods_are_found_by() {
        let mesh = json!({
            "apiVersion": "weft.dev/v1alpha1", "kind": "Mesh", "metadata": {"name": "weft"}, "spec": {"revision": "v2"},
        });
        let input = weft_install::MeshInput::from_json(&mesh, "weft-system", weft_install::Capabilities::default());
        let config = weft_install::InjectConfig::new(&input.unwrap());
        for annotations in [json!({}), json!({"inject.istio.io/templates": "gateway"})] {
            let plain = json!({
                "metadata": {
                    "name": "web", "annotations": annotations,
                    // An author's own word for how it is called.
                    "labels": {"security.istio.io/tlsMode": "disabled", "app": "web"},
                },
                "spec": {"containers": [{"name": "istio-proxy", "image": "auto"}]},
            });
            let injected = weft_install::inject(&plain, "shop", &config).unwrap();
            let weft_install::Injection::Patched(injected) = injected else { panic!("not injected: {plain}") };
            assert_eq!(injected["metadata"]["labels"][names::REVISION_LABEL], "v2", "the label that is listed by");
            let record = injected["metadata"]["annotations"][INJECTED_ANNOTATION].as_str();
            assert_eq!(revision_of(&pod(&json!({}), record)).as_deref(), Some("v2"));
        }
    }

    #[test]
    fn gateways_of_a_mesh_connect_and_pods_of_others_or_on_their_way_out_do_not() {
        let revisions = BTreeSet::from(["v2".to_owned()]);
        let of_mesh = |component: &str| pod(&json!({"weft.dev/component": component, "istio.io/rev": "v2"}), None);
        assert!(connects(&of_mesh("ingress-gateway"), &revisions));
        assert!(!connects(&of_mesh("control-plane"), &revisions));
        let mut injected = pod(&json!({"istio.io/rev": "v2"}), Some(r#"{"revision":"v2"}"#));
        assert!(connects(&injected, &revisions) && !connects(&injected, &BTreeSet::from(["default".to_owned()])));
        injected.metadata.deletion_timestamp = Some(serde_json::from_value(json!("2026-01-01T00:00:00Z")).unwrap());
        assert!(!connects(&injected, &revisions));
    }
}
