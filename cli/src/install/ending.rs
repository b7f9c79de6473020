//! A namespace on its way out: nothing can be made in it, and an installation is gone only when it is.

use std::{mem, time::Duration};

use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, Error};
use tokio::time::Instant;
use weft_runtime::StartupError;

use super::wait;
use crate::cluster::{Cluster, explain, passing};

/// Waits until the namespace of the installation is no longer being removed; what holds it when it still is after `patience`.
///
/// # Errors
/// When it cannot be looked at.
pub(super) async fn over(cluster: &Cluster, patience: Duration) -> anyhow::Result<Option<String>> {
    let api: Api<Namespace> = Api::all(cluster.client.clone());
    Ok(waited(async || api.get_opt(&cluster.system).await, &cluster.system, patience).await?)
}

/// Waits before an installation until there is, or can be, the namespace that it needs.
///
/// # Errors
/// When it is still being removed after `patience`.
pub(super) async fn before_install(cluster: &Cluster, patience: Duration) -> anyhow::Result<()> {
    over(cluster, patience).await?.map_or(Ok(()), |why| Err(refusal(&cluster.system, why).into()))
}

/// How one waits for the end of a namespace.
pub(super) fn waiting(system: &str) -> String {
    format!("kubectl wait --for=delete namespace/{system} --timeout=5m waits until it is gone")
}

fn refusal(system: &str, why: String) -> StartupError {
    let remedy = format!("{}; then run this again, or name another with --weft-namespace", waiting(system));
    StartupError::new("cannot install", why, remedy)
}

async fn waited(
    look: impl AsyncFn() -> kube::Result<Option<Namespace>>,
    system: &str,
    patience: Duration,
) -> Result<Option<String>, StartupError> {
    let doing = format!("look at Namespace {system}");
    let end = Instant::now() + patience;
    let mut told = String::new();
    let mut failed = false;
    loop {
        let looked = look().await;
        let state = match &looked {
            Ok(found) => match found.as_ref().and_then(state) {
                Some(state) => format!("Namespace {system} is being removed{state}"),
                None => return Ok(None),
            },
            Err(error) => {
                let words = passing(&doing, error)?;
                // Who never answered is not just away for a moment; one connection alone may be reset.
                let never = told.is_empty() && !matches!(error, Error::Api(_));
                if never && mem::replace(&mut failed, true) {
                    return Err(explain(&doing, error));
                }
                if never {
                    tokio::time::sleep(wait::PERIOD).await;
                    continue;
                }
                words
            }
        };
        if !wait::step(state, &mut told, end).await {
            // Whether the namespace is on its way out is not known then.
            return looked.map(|_| Some(told)).map_err(|error| explain(&doing, &error));
        }
    }
}

/// What the end of a namespace waits for, as Kubernetes tells it; nothing when it stays.
fn state(space: &Namespace) -> Option<String> {
    space.metadata.deletion_timestamp.as_ref()?;
    let conditions = space.status.iter().flat_map(|status| status.conditions.iter().flatten());
    let holds = conditions.filter(|condition| condition.status == "True");
    let words: Vec<&str> = holds.filter_map(|condition| condition.message.as_deref()).collect();
    Some(if words.is_empty() { String::new() } else { format!(": {}", words.join("; ")) })
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use serde_json::{Value, json};

    use super::*;

    fn space(metadata: Value) -> Namespace {
        let conditions = json!([
            {"type": "NamespaceDeletionDiscoveryFailure", "status": "False", "message": "All resources discovered"},
            {"type": "NamespaceContentRemaining", "status": "True", "message": "pods. has 2 resource instances"},
        ]);
        serde_json::from_value(json!({"metadata": metadata, "status": {"conditions": conditions}})).unwrap()
    }

    fn leaving() -> Namespace {
        space(json!({"name": "mesh", "deletionTimestamp": "2026-11-23T20:00:00Z"}))
    }

    #[test]
    fn what_holds_a_namespace_is_told() {
        assert_eq!(state(&space(json!({"name": "mesh"}))), None);
        assert_eq!(state(&leaving()).unwrap(), ": pods. has 2 resource instances");
    }

    #[tokio::test]
    async fn a_server_that_never_answers_is_asked_once_more_and_told_as_that() {
        let away = || Error::Service(std::io::Error::from(std::io::ErrorKind::ConnectionRefused).into());
        let patience = Duration::from_secs(3600);
        let asked = Cell::new(0);
        let look = async || {
            asked.set(asked.get() + 1);
            Err::<Option<Namespace>, _>(away())
        };
        let told = waited(look, "mesh", patience).await.unwrap_err().to_string();
        assert!(told.contains("refused") && told.contains("check that the cluster runs"), "{told}");
        assert_eq!(asked.get(), 2);
        // One connection that is reset says nothing about the server.
        let first = Cell::new(true);
        let look = async || if first.replace(false) { Err(away()) } else { Ok(None::<Namespace>) };
        assert_eq!(waited(look, "mesh", patience).await.unwrap(), None);
        // One that was there is waited for, and in the end it is told as what it is.
        let first = Cell::new(true);
        let look = async || if first.replace(false) { Ok(Some(leaving())) } else { Err(away()) };
        let told = waited(look, "mesh", Duration::from_millis(300)).await.unwrap_err().to_string();
        assert!(told.contains("check that the cluster runs") && !first.get(), "{told}");
    }

    #[tokio::test]
    async fn one_that_is_being_removed_is_waited_for() {
        let first = Cell::new(true);
        let patience = Duration::from_secs(60);
        let gone = waited(async || Ok(first.replace(false).then(leaving)), "mesh", patience).await.unwrap();
        assert_eq!((gone, first.get()), (None, false));
        let why = waited(async || Ok(Some(leaving())), "mesh", Duration::ZERO).await.unwrap().unwrap();
        assert_eq!(why, "Namespace mesh is being removed: pods. has 2 resource instances");
        let told = refusal("mesh", why).to_string();
        assert!(
            told.contains("kubectl wait --for=delete namespace/mesh") && told.contains("--weft-namespace"),
            "{told}"
        );
        let stays = waited(async || Ok(Some(space(json!({"name": "mesh"})))), "mesh", Duration::ZERO).await.unwrap();
        assert_eq!(stays, None);
    }
}
