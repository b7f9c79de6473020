//! The mesh's roots as a ConfigMap in every namespace: what pods verify the control plane by. A changed or deleted one is
//! put right at once.

use std::time::Duration;

use futures::{StreamExt, stream};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::{
    Api, ResourceExt,
    core::PartialObjectMeta,
    runtime::{
        WatchStreamExt,
        reflector::{self, Store},
        watcher::{self, watcher},
    },
};
use serde_json::{Value, json};
use tokio::{sync::watch, time::sleep};
use weft_install::names;

use super::{
    cluster::Cluster,
    problem::{Problem, Reason},
};
use crate::{ads::roots, ca::cluster::Secrets};

/// Value of the component label on the ConfigMaps.
const COMPONENT: &str = "root-certificate";
/// ConfigMaps written at once.
const AT_ONCE: usize = 8;
/// How long events may gather.
const SETTLE: Duration = Duration::from_millis(20);
/// Before trying again what failed.
const RETRY: Duration = Duration::from_secs(2);

/// Keeps the ConfigMaps while `active` says that there is a mesh, and tells the version of the roots that all of them
/// have. Runs until dropped.
pub async fn keep(
    cluster: Cluster,
    mut secrets: watch::Receiver<Option<Secrets>>,
    mut active: watch::Receiver<bool>,
    spread: watch::Sender<Option<String>>,
) {
    let (namespaces, writer) = reflector::store::<PartialObjectMeta<Namespace>>();
    let api: Api<PartialObjectMeta<Namespace>> = Api::all(cluster.client.clone());
    let followed = watcher(api, watcher::Config::default()).default_backoff();
    let mut followed_namespaces = reflector::reflector(writer, followed).boxed();
    let (maps, writer) = reflector::store::<ConfigMap>();
    let api: Api<ConfigMap> = Api::all(cluster.client.clone());
    let ours = watcher::Config::default().fields(&format!("metadata.name={}", names::ROOT_CONFIG_MAP));
    let mut followed_maps = reflector::reflector(writer, watcher(api, ours).default_backoff()).boxed();
    let mut ready = [false; 2];
    let mut due = Duration::MAX;
    loop {
        tokio::select! {
            Some(event) = followed_namespaces.next() => ready[0] |= heard(event, "namespaces"),
            Some(event) = followed_maps.next() => ready[1] |= heard(event, "ConfigMaps of roots"),
            Ok(()) = secrets.changed() => {}
            Ok(()) = active.changed() => {}
            () = sleep(due) => {
                due = Duration::MAX;
                let wanted = secrets.borrow_and_update().as_ref().and_then(Secrets::trusted);
                if let (true, Some(roots)) = (*active.borrow_and_update(), wanted) {
                    let failed = write(&cluster, &namespaces, &maps, &roots).await;
                    if failed == 0 {
                        spread.send_replace(roots::version_of_pem(&roots));
                    } else {
                        due = RETRY;
                    }
                }
                continue;
            }
        }
        if ready == [true; 2] {
            due = SETTLE;
        }
    }
}

/// Whether the list is complete now.
fn heard<K>(event: Result<watcher::Event<K>, watcher::Error>, what: &str) -> bool {
    match event {
        Ok(event) => matches!(event, watcher::Event::InitDone),
        Err(error) => {
            tracing::warn!(%error, "cannot watch {what}");
            false
        }
    }
}

/// Writes every ConfigMap that is missing or different. How many could not be written.
async fn write(
    cluster: &Cluster,
    namespaces: &Store<PartialObjectMeta<Namespace>>,
    maps: &Store<ConfigMap>,
    roots: &str,
) -> usize {
    let lacking = lacking(&namespaces.state(), &maps.state(), roots);
    let writes = lacking.into_iter().map(|namespace| async move {
        let written = cluster.apply(&config_map(&namespace, roots)).await;
        (namespace, written)
    });
    let mut writes = stream::iter(writes).buffer_unordered(AT_ONCE);
    let mut failed = 0;
    while let Some((namespace, written)) = writes.next().await {
        match written {
            Ok(_) => tracing::debug!(namespace, "wrote the mesh's roots"),
            Err(problem) if going(&problem) => {}
            Err(problem) => {
                failed += 1;
                tracing::warn!(namespace, %problem, "cannot write the mesh's roots");
            }
        }
    }
    failed
}

/// A namespace may begin to go between the event and the write; nothing starts there any more.
fn going(problem: &Problem) -> bool {
    problem.message.contains("is being terminated") || problem.reason == Reason::MissingKind
}

fn lacking<N, M>(namespaces: &[N], maps: &[M], roots: &str) -> Vec<String>
where
    N: AsRef<PartialObjectMeta<Namespace>>,
    M: AsRef<ConfigMap>,
{
    let right =
        |map: &ConfigMap| map.data.as_ref().and_then(|data| data.get(names::ROOT_KEY)).is_some_and(|t| t == roots);
    let served: std::collections::HashSet<String> =
        maps.iter().map(AsRef::as_ref).filter(|map| right(map)).filter_map(ResourceExt::namespace).collect();
    namespaces
        .iter()
        .map(AsRef::as_ref)
        .filter(|namespace| namespace.metadata.deletion_timestamp.is_none())
        .map(ResourceExt::name_any)
        .filter(|name| !served.contains(name))
        .collect()
}

fn config_map(namespace: &str, roots: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": names::ROOT_CONFIG_MAP,
            "namespace": namespace,
            "labels": {
                "app.kubernetes.io/managed-by": names::FIELD_MANAGER,
                "app.kubernetes.io/part-of": "weft",
                (names::COMPONENT_LABEL): COMPONENT,
            },
        },
        "data": {(names::ROOT_KEY): roots},
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn only_a_namespace_that_goes_is_passed_over() {
        let told = |reason, message: &str| going(&Problem::new(reason, message));
        assert!(told(Reason::MissingKind, "namespaces \"shop\" not found"));
        assert!(told(
            Reason::Forbidden,
            "unable to create new content in namespace shop because it is being terminated"
        ));
        // The roots are not there then, and nobody may be told that they are.
        assert!(!told(Reason::Rejected, "failed calling webhook \"policy\": service \"policy\" not found"));
    }

    #[test]
    fn every_living_namespace_without_these_roots_lacks_them() {
        let namespace = |name: &str, going: bool| {
            let mut found = PartialObjectMeta::<Namespace>::default();
            found.metadata.name = Some(name.into());
            found.metadata.deletion_timestamp =
                going.then(|| serde_json::from_value(json!("2026-01-01T00:00:00Z")).unwrap());
            Arc::new(found)
        };
        let map =
            |namespace: &str, roots: &str| Arc::new(serde_json::from_value(config_map(namespace, roots)).unwrap());
        let namespaces = [namespace("a", false), namespace("b", false), namespace("c", false), namespace("d", true)];
        let maps: [Arc<ConfigMap>; 2] = [map("a", "new"), map("b", "old")];
        assert_eq!(lacking(&namespaces, &maps, "new"), ["b", "c"]);
    }
}
