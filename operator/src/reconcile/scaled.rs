//! How many pods run is an autoscaler's matter where somebody made one for a Deployment of ours, be it not said in the Mesh.

use std::collections::BTreeSet;

use kube::{ResourceExt, api::ListParams};
use serde_json::Value;
use weft_install::names;

use super::{
    cluster::{Cluster, Name, resource},
    problem::Problem,
};

/// Gives the Deployments among `objects` that an autoscaler in `namespace` scales the number of pods that they have now.
/// Leaving the number out instead would make it one where nobody else has written it yet.
///
/// # Errors
/// When autoscalers or a Deployment of theirs cannot be looked at.
pub(super) async fn respect(cluster: &Cluster, namespace: &str, objects: &mut [Value]) -> Result<(), Problem> {
    let api = cluster.api(&resource(("autoscaling", "v2", "HorizontalPodAutoscaler")), namespace);
    let autoscalers = cluster.ask("list HorizontalPodAutoscalers", api.list(&ListParams::default())).await?;
    // Those of a Mesh are made where it says no number, and go where it says one again.
    let others = autoscalers.items.iter().filter(|one| !one.labels().contains_key(names::MESH_LABEL));
    let target = |spec: &Value| {
        let target = &spec["spec"]["scaleTargetRef"];
        let of_apps = target["apiVersion"].as_str().is_some_and(|version| version.starts_with("apps/"));
        (of_apps && target["kind"] == "Deployment").then(|| target["name"].as_str().map(str::to_owned)).flatten()
    };
    let scaled: BTreeSet<String> = others.filter_map(|one| target(&one.data)).collect();
    for object in objects {
        let name = Name::of(object);
        if name.kind != "Deployment" || object["spec"].get("replicas").is_none() || !scaled.contains(&name.name) {
            continue;
        }
        let live = cluster.ask(&format!("look at {name}"), cluster.api_of(object).get_opt(&name.name)).await?;
        if let Some(replicas) = live.and_then(|live| live.data["spec"]["replicas"].as_i64()) {
            object["spec"]["replicas"] = replicas.into();
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::reconcile::fake::FakeApi;

    fn deployment(name: &str, replicas: Option<i64>) -> Value {
        let mut object = json!({"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": name, "namespace": "weft-system"}, "spec": {}});
        if let Some(replicas) = replicas {
            object["spec"]["replicas"] = replicas.into();
        }
        object
    }

    #[tokio::test]
    async fn an_autoscaler_of_somebody_elses_is_left_its_number() {
        let api = FakeApi::default();
        let cluster = Cluster { client: api.client() };
        let scaler = |version: &str, kind: &str, name: &str| {
            json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": name},
                "spec": {"scaleTargetRef": {"apiVersion": version, "kind": kind, "name": name}, "maxReplicas": 6}})
        };
        let mut own = scaler("apps/v1", "Deployment", "console");
        own["metadata"]["labels"] = json!({names::MESH_LABEL: "mesh"});
        let items = [
            own,
            scaler("apps/v1", "Deployment", "gateway"),
            scaler("apps/v1", "Deployment", "new"),
            scaler("apps/v1", "StatefulSet", "console"),
            scaler("example.org/v1", "Deployment", "plane"),
        ];
        let list = json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscalerList", "metadata": {}, "items": items});
        api.answer("GET /apis/autoscaling/v2/namespaces/weft-system/horizontalpodautoscalers", list);
        for name in ["gateway", "console", "plane"] {
            let live = deployment(name, Some(4));
            api.answer(&format!("GET /apis/apps/v1/namespaces/weft-system/deployments/{name}"), live);
        }
        let wanted = ["gateway", "new", "console", "plane"].map(|name| deployment(name, Some(2)));
        let mut objects = wanted.to_vec();
        objects.push(deployment("gateway", None));
        respect(&cluster, "weft-system", &mut objects).await.unwrap();
        let replicas: Vec<Option<i64>> = objects.iter().map(|object| object["spec"]["replicas"].as_i64()).collect();
        assert_eq!(replicas, [Some(4), Some(2), Some(2), Some(2), None]);
    }
}
