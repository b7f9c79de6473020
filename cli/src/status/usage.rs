//! What proxies use now: from the metrics API when the cluster has it, else from each node's kubelet.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, stream};
use http::Request;
use k8s_openapi::api::core::v1::Pod;
use kube::Error;
use serde::Deserialize;

use super::quantity;
use crate::cluster::{Cluster, explain, pods::PROXY};

/// Nodes that are asked at once.
const NODES: usize = 16;

/// Cores and bytes of one proxy.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Used {
    /// CPU in cores.
    pub cpu: f64,
    /// Memory in bytes (working set).
    pub memory: f64,
}

/// By `namespace/pod`, or in words why it is not known.
pub type Usage = Result<BTreeMap<String, Used>, String>;

/// Asks the cluster.
pub async fn ask(cluster: &Cluster, pods: &[Pod]) -> Usage {
    match metrics_api(cluster).await {
        Ok(found) => Ok(found),
        // The API is an add-on; the kubelets know as well.
        Err(Error::Api(status)) if matches!(status.code, 404 | 503) => kubelets(cluster, pods).await,
        Err(error) => Err(explain("read metrics.k8s.io", &error).to_string()),
    }
}

async fn get<T: serde::de::DeserializeOwned>(cluster: &Cluster, path: &str) -> Result<T, Error> {
    let request = Request::get(path).body(Vec::new()).map_err(Error::HttpError)?;
    cluster.client.request(request).await
}

#[derive(Deserialize)]
struct PodMetricsList {
    items: Vec<PodMetrics>,
}

#[derive(Deserialize)]
struct PodMetrics {
    metadata: Reference,
    #[serde(default)]
    containers: Vec<ContainerMetrics>,
}

#[derive(Deserialize)]
struct Reference {
    name: String,
    #[serde(default)]
    namespace: String,
}

#[derive(Deserialize)]
struct ContainerMetrics {
    name: String,
    usage: BTreeMap<String, String>,
}

async fn metrics_api(cluster: &Cluster) -> Result<BTreeMap<String, Used>, Error> {
    let scope = cluster.only.as_ref().map_or_else(String::new, |namespace| format!("/namespaces/{namespace}"));
    let list: PodMetricsList = get(cluster, &format!("/apis/metrics.k8s.io/v1beta1{scope}/pods")).await?;
    Ok(from_metrics(list))
}

fn from_metrics(list: PodMetricsList) -> BTreeMap<String, Used> {
    let of = |pod: PodMetrics| {
        let proxy = pod.containers.into_iter().find(|container| container.name == PROXY)?;
        let read = |name: &str| proxy.usage.get(name).and_then(|text| quantity::parse(text)).unwrap_or_default();
        Some((
            format!("{}/{}", pod.metadata.namespace, pod.metadata.name),
            Used { cpu: read("cpu"), memory: read("memory") },
        ))
    };
    list.items.into_iter().filter_map(of).collect()
}

#[derive(Deserialize)]
struct Summary {
    #[serde(default)]
    pods: Vec<PodSummary>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PodSummary {
    pod_ref: Reference,
    #[serde(default)]
    containers: Vec<ContainerSummary>,
}

#[derive(Deserialize)]
struct ContainerSummary {
    name: String,
    #[serde(default)]
    cpu: CpuSummary,
    #[serde(default)]
    memory: MemorySummary,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct CpuSummary {
    #[serde(default)]
    usage_nano_cores: f64,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct MemorySummary {
    #[serde(default)]
    working_set_bytes: f64,
}

async fn kubelets(cluster: &Cluster, pods: &[Pod]) -> Usage {
    let nodes: BTreeSet<&str> =
        pods.iter().filter_map(|pod| pod.spec.as_ref()?.node_name.as_deref()).filter(|name| !name.is_empty()).collect();
    let asked = nodes.into_iter().map(|node| async move {
        let answer = get::<Summary>(cluster, &format!("/api/v1/nodes/{node}/proxy/stats/summary")).await;
        answer.map_err(|error| explain(&format!("read the statistics of node {node}"), &error).to_string())
    });
    let mut answers = stream::iter(asked).buffer_unordered(NODES);
    let mut found = BTreeMap::new();
    while let Some(answer) = answers.next().await {
        found.extend(from_summary(answer?));
    }
    Ok(found)
}

fn from_summary(summary: Summary) -> impl Iterator<Item = (String, Used)> {
    summary.pods.into_iter().filter_map(|pod| {
        let proxy = pod.containers.into_iter().find(|container| container.name == PROXY)?;
        let used = Used { cpu: proxy.cpu.usage_nano_cores * 1e-9, memory: proxy.memory.working_set_bytes };
        Some((format!("{}/{}", pod.pod_ref.namespace, pod.pod_ref.name), used))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sources_say_the_same() {
        let metrics = r#"{"items":[{"metadata":{"name":"web","namespace":"shop"},"containers":[
            {"name":"app","usage":{"cpu":"1","memory":"1Gi"}},{"name":"istio-proxy","usage":{"cpu":"5000000n","memory":"12288Ki"}}]}]}"#;
        let summary = r#"{"node":{},"pods":[{"podRef":{"name":"web","namespace":"shop","uid":"1"},"containers":[
            {"name":"istio-proxy","cpu":{"usageNanoCores":5000000},"memory":{"workingSetBytes":12582912}},{"name":"app"}]}]}"#;
        let one = from_metrics(serde_json::from_str(metrics).unwrap());
        let other: BTreeMap<_, _> = from_summary(serde_json::from_str(summary).unwrap()).collect();
        assert_eq!(one, other);
        assert_eq!(one["shop/web"], Used { cpu: 0.005, memory: 12_582_912.0 });
    }
}
