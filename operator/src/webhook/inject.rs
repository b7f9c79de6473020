//! Puts a proxy into a pod as it is created.

use std::time::Duration;

use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, Client};
use tokio::time::timeout;
use weft_install::{Injection, NamespaceInfo, inject};

use super::{Review, SettingsWatch, Verdict};
use crate::ads::published::Watch;

/// Time to ask for a namespace that is not known yet.
const ASK: Duration = Duration::from_secs(2);

/// Injects the pod, or says why it stays as it is.
pub async fn decide(review: &Review, client: &Client, published: &Watch, settings: &SettingsWatch) -> Verdict {
    if review.operation != "CREATE" || review.object.is_null() {
        return Verdict::admit();
    }
    let Some(config) = settings.borrow().clone() else {
        return Verdict::refuse(503, "the settings of injection are not read yet: the pod is created at the next try");
    };
    let namespace = match namespace(&review.namespace, client, published).await {
        Ok(namespace) => namespace,
        Err(why) => return Verdict::refuse(503, why),
    };
    match inject(&review.object, &namespace, &config) {
        Ok(Injection::Skipped(skip)) => {
            tracing::debug!(namespace = review.namespace, reason = %skip, "left a pod as it is");
            Verdict::admit()
        }
        Ok(Injection::Patched(pod)) => {
            let warnings = weft_install::inject::warnings(&review.object);
            Verdict { patch: Some(json_patch::diff(&review.object, &pod)), warnings, ..Verdict::default() }
        }
        Err(error) => Verdict::refuse(400, error.to_string()),
    }
}

/// The namespace's labels: as published, else as the API server has them, because a pod may come right behind its
/// namespace.
async fn namespace(name: &str, client: &Client, published: &Watch) -> Result<NamespaceInfo, String> {
    let known = published.borrow().snapshot.namespaces().get(name).map(|object| object.meta.labels.clone());
    let labels = match known {
        Some(labels) => labels,
        None => {
            let api: Api<Namespace> = Api::all(client.clone());
            let found = timeout(ASK, api.get(name)).await;
            let found = found.map_err(|_| format!("namespace {name} could not be read in time"))?;
            found
                .map_err(|error| format!("namespace {name} cannot be read: {error}"))?
                .metadata
                .labels
                .unwrap_or_default()
        }
    };
    Ok(NamespaceInfo { name: name.to_owned(), labels: Some(labels) })
}
