//! Applies what was planned, server-side.

use std::{cmp::Ordering, time::Duration};

use anyhow::Context as _;
use kube::{
    Api, ResourceExt,
    api::{ApiResource, DynamicObject, Patch, PatchParams, TypeMeta},
};
use serde_json::Value;
use weft_api::crd::VERSION_ANNOTATION;
use weft_install::{VERSION, version::compare};

use super::plan::Plan;
use crate::cluster::{Cluster, explain};

/// Who the fields belong to that this command sets.
pub const MANAGER: &str = "weft-install";
/// How long a new kind may take until the API server serves it.
const ESTABLISHED: Duration = Duration::from_secs(30);

/// Applies everything; gives what was changed by it. A Mesh that is `leaving` stays as it is: the operator removes what it
/// says now.
pub(super) async fn apply(cluster: &Cluster, plan: &Plan, leaving: bool) -> anyhow::Result<Vec<String>> {
    let mut changed = Vec::new();
    for object in plan.operator().iter().chain((!leaving).then_some(&plan.mesh)) {
        if one(cluster, object).await? {
            changed.push(shown(object));
        }
    }
    Ok(changed)
}

/// What speaks for objects like `object`.
pub fn api(cluster: &Cluster, object: &Value) -> anyhow::Result<Api<DynamicObject>> {
    let text =
        |field: &str| object[field].as_str().map(str::to_owned).with_context(|| format!("an object has no {field}"));
    let types = TypeMeta { api_version: text("apiVersion")?, kind: text("kind")? };
    let gvk = (&types).try_into().map_err(|_| anyhow::anyhow!("{} is no version of an API", types.api_version))?;
    let resource = ApiResource::from_gvk(&gvk);
    Ok(match object["metadata"]["namespace"].as_str() {
        Some(namespace) => Api::namespaced_with(cluster.client.clone(), namespace, &resource),
        None => Api::all_with(cluster.client.clone(), &resource),
    })
}

/// `Kind name`.
pub fn shown(object: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    format!("{} {}", text(&object["kind"]), text(&object["metadata"]["name"]))
}

/// Applies an object; whether that changed anything. A definition of ours that a newer version wrote stays as it is.
pub async fn one(cluster: &Cluster, object: &Value) -> anyhow::Result<bool> {
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    let api = api(cluster, object)?;
    let present =
        api.get_metadata_opt(name).await.map_err(|error| explain(&format!("look at {}", shown(object)), &error))?;
    let definition = object["kind"] == "CustomResourceDefinition";
    let writer = present.as_ref().and_then(|present| present.annotations().get(VERSION_ANNOTATION));
    if definition && writer.is_some_and(|writer| compare(writer, VERSION) == Some(Ordering::Greater)) {
        eprintln!("left {} as it is: a newer version wrote it", shown(object));
        return Ok(false);
    }
    let params = PatchParams::apply(MANAGER).force();
    let applied = api
        .patch(name, &params, &Patch::Apply(object))
        .await
        .map_err(|error| explain(&format!("apply {}", shown(object)), &error))?;
    if definition {
        established(cluster, object).await?;
    }
    let changed = present.is_none_or(|present| present.metadata.resource_version != applied.metadata.resource_version);
    eprintln!("{} {}", if changed { "applied" } else { "unchanged" }, shown(object));
    Ok(changed)
}

/// Waits until the API server serves a new kind: before, the first object of it would be refused.
async fn established(cluster: &Cluster, definition: &Value) -> anyhow::Result<()> {
    let name = definition["metadata"]["name"].as_str().unwrap_or_default();
    let api = api(cluster, definition)?;
    let served = async {
        loop {
            let found = api.get(name).await.map_err(|error| explain(&format!("look at {name}"), &error))?;
            let conditions = found.data["status"]["conditions"].as_array().cloned().unwrap_or_default();
            if conditions.iter().any(|one| one["type"] == "Established" && one["status"] == "True") {
                return anyhow::Ok(());
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    tokio::time::timeout(ESTABLISHED, served)
        .await
        .with_context(|| format!("the API server does not serve {name}: kubectl describe crd {name} says why"))?
}
