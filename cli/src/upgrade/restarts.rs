//! Workloads that keep the proxy that they have until they are restarted.

use std::collections::{BTreeMap, BTreeSet};

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

/// The namespace of a workload, and how `kubectl rollout restart` names it, where that can restart it.
fn rolls(workload: &str) -> Option<(&str, String)> {
    let (kind, name) = workload.split_once(' ')?;
    let (namespace, name) = name.split_once('/')?;
    let target = || (namespace, format!("{}/{name}", kind.to_lowercase()));
    matches!(kind, "Deployment" | "StatefulSet" | "DaemonSet").then(target)
}

/// One command for each namespace. What no rollout restarts is not among them.
pub(super) fn commands(restarts: &[Restart]) -> Vec<String> {
    let mut by_namespace: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (namespace, target) in restarts.iter().filter_map(|restart| rolls(&restart.workload)) {
        let targets = by_namespace.entry(namespace).or_default();
        if !targets.contains(&target) {
            targets.push(target);
        }
    }
    let line = |(namespace, targets): (&str, Vec<String>)| {
        format!("kubectl -n {namespace} rollout restart {}", targets.join(" "))
    };
    by_namespace.into_iter().map(line).collect()
}

/// What no rollout restarts, with its revision, each once: pods that nobody makes anew, and those of Jobs and the like.
pub(super) fn by_hand(restarts: &[Restart]) -> Vec<String> {
    let others = restarts.iter().filter(|restart| rolls(&restart.workload).is_none());
    let names: BTreeSet<_> =
        others.map(|restart| format!("{} (revision {})", restart.workload, restart.revision)).collect();
    names.into_iter().collect()
}
