//! Applies what was planned, server-side.

use std::time::Duration;

use anyhow::Context as _;
use kube::{
    Api,
    api::{ApiResource, DynamicObject, Patch, PatchParams, TypeMeta},
};
use serde_json::Value;

use super::plan::Plan;
use crate::cluster::{Cluster, explain};

/// Who the fields belong to that this command sets.
const MANAGER: &str = "weft-install";
/// How long a new kind may take until the API server serves it.
const ESTABLISHED: Duration = Duration::from_secs(30);

pub(super) async fn apply(cluster: &Cluster, plan: &Plan) -> anyhow::Result<()> {
    for object in plan.operator() {
        one(cluster, &object).await?;
        if object["kind"] == "CustomResourceDefinition" {
            established(cluster, &object).await?;
        }
    }
    one(cluster, &plan.mesh).await
}

/// What speaks for objects like `object`.
pub(super) fn api(cluster: &Cluster, object: &Value) -> anyhow::Result<Api<DynamicObject>> {
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
pub(super) fn shown(object: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    format!("{} {}", text(&object["kind"]), text(&object["metadata"]["name"]))
}

async fn one(cluster: &Cluster, object: &Value) -> anyhow::Result<()> {
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    let params = PatchParams::apply(MANAGER).force();
    api(cluster, object)?
        .patch(name, &params, &Patch::Apply(object))
        .await
        .map_err(|error| explain(&format!("apply {}", shown(object)), &error))?;
    eprintln!("applied {}", shown(object));
    Ok(())
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
