//! What the Helm chart runs before it is uninstalled. Helm removes the operator before the Mesh, and nobody would be left
//! to clean up: so the Mesh goes first, or the removal stops and says why. `weft uninstall` sees to that itself.

use serde_json::{Value, json};

use super::{
    bootstrap::Bootstrap,
    control_plane::USER,
    pod::{env, restricted},
    rbac,
};
use crate::names;

/// Name of the Job, its account and its role.
pub const LEAVE: &str = "weft-leave";
/// How long the program waits for the Mesh.
const TIMEOUT: &str = "4m";
/// Seconds after which the Job has failed, also when its image cannot be had: before Helm's own 5 minutes are over.
const DEADLINE: u32 = 280;
/// Seconds that a Job that failed can be looked at.
const KEPT: u32 = 3600;

/// The hook's objects. `mesh` is the chart's own Mesh; when it is empty, the hook only looks whether there is any.
pub fn objects(bootstrap: &Bootstrap, mesh: &str) -> Vec<Value> {
    let labels = json!({
        "app.kubernetes.io/name": LEAVE,
        "app.kubernetes.io/part-of": "weft",
        names::COMPONENT_LABEL: "leave",
    });
    let cluster = json!({"name": LEAVE, "labels": labels});
    let mut meta = cluster.clone();
    meta["namespace"] = bootstrap.namespace.as_str().into();
    let mut account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta});
    if !bootstrap.pull_secrets.is_empty() {
        account["imagePullSecrets"] = bootstrap.pull_secrets.iter().map(|name| json!({"name": name})).collect();
    }
    let [mut role, binding] = rbac::bind_cluster(cluster, &rbac::leave(), LEAVE, &bootstrap.namespace);
    role["rules"][1]["resourceNames"] = json!([mesh]);
    let mut objects = vec![account, role, binding, job(bootstrap, mesh, &meta, &labels)];
    for object in &mut objects {
        let annotations = &mut object["metadata"]["annotations"];
        annotations["helm.sh/hook"] = "pre-delete".into();
        annotations["helm.sh/hook-delete-policy"] = "before-hook-creation,hook-succeeded".into();
        if object["kind"] == "Job" {
            // After what it needs. Its last words say what is in the way.
            object["metadata"]["annotations"]["helm.sh/hook-weight"] = "1".into();
            object["metadata"]["annotations"]["helm.sh/hook-output-log-policy"] = "hook-failed".into();
        }
    }
    objects
}

fn job(bootstrap: &Bootstrap, mesh: &str, meta: &Value, labels: &Value) -> Value {
    let mut pod_labels = labels.clone();
    pod_labels["sidecar.istio.io/inject"] = "false".into();
    json!({
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": meta,
        "spec": {
            "backoffLimit": 0,
            "activeDeadlineSeconds": DEADLINE,
            "ttlSecondsAfterFinished": KEPT,
            "template": {
                "metadata": {"labels": pod_labels},
                "spec": {
                    "serviceAccountName": LEAVE,
                    "restartPolicy": "Never",
                    "securityContext": {
                        "runAsNonRoot": true,
                        "runAsUser": USER,
                        "runAsGroup": USER,
                        "seccompProfile": {"type": "RuntimeDefault"},
                    },
                    "containers": [{
                        "name": "leave",
                        "image": bootstrap.image,
                        "imagePullPolicy": bootstrap.pull_policy,
                        "args": ["leave"],
                        "env": [env("WEFT_MESH", mesh), env("WEFT_TIMEOUT", TIMEOUT)],
                        "resources": {
                            "requests": {"cpu": "10m", "memory": "32Mi"},
                            "limits": {"memory": "128Mi"},
                        },
                        "securityContext": restricted(USER),
                        "terminationMessagePolicy": "FallbackToLogsOnError",
                    }],
                },
            },
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_may_delete_the_charts_own_mesh_and_no_other() {
        let objects = objects(&Bootstrap::default(), "main");
        let role = objects.iter().find(|object| object["kind"] == "ClusterRole").unwrap();
        let deletes: Vec<_> = role["rules"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|rule| rule["verbs"].to_string().contains("delete"))
            .collect();
        assert_eq!(deletes.len(), 1);
        assert_eq!((&deletes[0]["resources"], &deletes[0]["resourceNames"]), (&json!(["meshes"]), &json!(["main"])));
        assert!(objects.iter().all(|object| object["metadata"]["annotations"]["helm.sh/hook"] == "pre-delete"));
        let job = objects.iter().find(|object| object["kind"] == "Job").unwrap();
        // Neither the operator's Deployment nor its disruption budget counts its pod.
        assert_ne!(job["spec"]["template"]["metadata"]["labels"][names::COMPONENT_LABEL], "operator");
        const { assert!(DEADLINE < 300, "Helm waits for five minutes and says less than the Job") };
    }
}
