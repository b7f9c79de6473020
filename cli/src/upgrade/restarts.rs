//! Workloads that keep an older proxy until they are restarted.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Pod;
use serde::Serialize;

use super::plan::target;
use crate::cluster::{meshes::Installation, pods};

/// One workload.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Restart {
    pub(super) workload: String,
    pub(super) revision: String,
    pub(super) pods: usize,
    pub(super) image: String,
}

/// The workloads of these Meshes whose proxies are not what their Mesh would give them in version `to`.
pub(super) fn restarts<'m>(
    meshes: impl Iterator<Item = &'m Installation>,
    pods: &[Pod],
    to: &str,
    system: &str,
) -> Vec<Restart> {
    let mut wanted: BTreeMap<String, String> = BTreeMap::new();
    for mesh in meshes {
        let image = target(mesh, to, system).proxy_image;
        for name in mesh.spec.tags.iter().map(String::as_str).chain([mesh.spec.revision_label()]) {
            wanted.insert(name.to_owned(), image.clone());
        }
    }
    let mut found: BTreeMap<(String, String, String), usize> = BTreeMap::new();
    // Gateways are the operator's, which restarts them itself.
    let others = pods::proxied(pods).filter(|proxy| !proxy.over() && !proxy.is_gateway());
    for proxy in others {
        if wanted.get(proxy.revision()).is_some_and(|image| image != proxy.image()) {
            let key = (proxy.workload(), proxy.revision().to_owned(), proxy.image().to_owned());
            *found.entry(key).or_default() += 1;
        }
    }
    let restart = |((workload, revision, image), pods)| Restart { workload, revision, pods, image };
    found.into_iter().map(restart).collect()
}

/// One command for each namespace. What no controller restarts is not among them.
pub(super) fn commands(restarts: &[Restart]) -> Vec<String> {
    let mut by_namespace: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for restart in restarts {
        let Some((kind, name)) = restart.workload.split_once(' ') else { continue };
        let Some((namespace, name)) = name.split_once('/') else { continue };
        if matches!(kind, "Deployment" | "StatefulSet" | "DaemonSet") {
            let target = format!("{}/{name}", kind.to_lowercase());
            let targets = by_namespace.entry(namespace).or_default();
            if !targets.contains(&target) {
                targets.push(target);
            }
        }
    }
    let line = |(namespace, targets): (&str, Vec<String>)| {
        format!("kubectl -n {namespace} rollout restart {}", targets.join(" "))
    };
    by_namespace.into_iter().map(line).collect()
}
