//! What is there before any Mesh: the operator. `charts/weft` is made from these objects, and `weft install` applies
//! them.

use serde_json::{Value, json};

use super::{
    configuration::priority_class,
    control_plane::USER,
    pod::{env, env_field, restricted},
    rbac, reader,
};
use crate::{VERSION, names};

/// Choices of an installation of the operator.
#[derive(Clone, Debug, PartialEq)]
pub struct Bootstrap {
    /// Namespace of the installation.
    pub namespace: String,
    /// Image of the operator.
    pub image: String,
    /// `IfNotPresent`, `Always` or `Never`.
    pub pull_policy: String,
    /// Names of Secrets that open the registry.
    pub pull_secrets: Vec<String>,
    /// How many operators; one works, the others wait.
    pub replicas: u32,
}

impl Default for Bootstrap {
    fn default() -> Self {
        Self {
            namespace: names::NAMESPACE.into(),
            image: format!("weft/operator:{VERSION}"),
            pull_policy: "IfNotPresent".into(),
            pull_secrets: Vec::new(),
            replicas: 2,
        }
    }
}

/// Name of the operator's Deployment, ServiceAccount and roles.
pub const OPERATOR: &str = "weft-operator";

impl Bootstrap {
    /// The operator's objects in the order of installation, without CRDs and namespace.
    pub fn objects(&self) -> Vec<Value> {
        let labels = json!({
            "app.kubernetes.io/name": OPERATOR,
            "app.kubernetes.io/part-of": "weft",
            names::COMPONENT_LABEL: "operator",
        });
        let cluster = json!({"name": OPERATOR, "labels": labels});
        let mut meta = cluster.clone();
        meta["namespace"] = self.namespace.as_str().into();
        let mut account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta});
        if !self.pull_secrets.is_empty() {
            account["imagePullSecrets"] = self.pull_secrets.iter().map(|name| json!({"name": name})).collect();
        }
        let mut objects = vec![priority_class(cluster.clone()), account];
        let [role, binding] = rbac::bind_cluster(cluster, &rbac::operator(), OPERATOR, &self.namespace);
        let [own_role, own_binding] = rbac::bind(meta.clone(), &rbac::operator_namespace(), OPERATOR, &self.namespace);
        objects.extend([role, own_role, binding, own_binding]);
        objects.push(self.deployment(&meta, &labels));
        objects.push(json!({
            "apiVersion": "policy/v1",
            "kind": "PodDisruptionBudget",
            "metadata": meta,
            "spec": {"maxUnavailable": 1, "selector": {"matchLabels": {names::COMPONENT_LABEL: "operator"}}},
        }));
        objects
    }

    fn deployment(&self, meta: &Value, labels: &Value) -> Value {
        let selector = json!({names::COMPONENT_LABEL: "operator"});
        let mut pod_labels = labels.clone();
        pod_labels["sidecar.istio.io/inject"] = "false".into();
        let probe = |path: &str, period: u32| {
            json!({
                "httpGet": {"path": path, "port": "http-monitoring"},
                "periodSeconds": period,
                "timeoutSeconds": 3,
            })
        };
        let mut pod = json!({
            "serviceAccountName": OPERATOR,
            // Not the Mesh's class: that goes with the Mesh.
            "priorityClassName": OPERATOR,
            "securityContext": {
                "runAsNonRoot": true,
                "runAsUser": USER,
                "runAsGroup": USER,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "affinity": {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{
                "weight": 100,
                "podAffinityTerm": {
                    "labelSelector": {"matchLabels": selector},
                    "topologyKey": "kubernetes.io/hostname",
                },
            }]}},
            "topologySpreadConstraints": [{
                "maxSkew": 1,
                "topologyKey": "topology.kubernetes.io/zone",
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": selector},
            }],
            "containers": [{
                "name": "operator",
                "image": self.image,
                "imagePullPolicy": self.pull_policy,
                "args": ["reconcile"],
                "env": [
                    env_field("WEFT_NAMESPACE", "metadata.namespace"),
                    env_field("WEFT_POD_NAME", "metadata.name"),
                    env("WEFT_ADMIN", "0.0.0.0:15014"),
                    env("WEFT_LOG_FORMAT", "json"),
                ],
                "ports": [{"name": "http-monitoring", "containerPort": 15014, "protocol": "TCP"}],
                "volumeMounts": [reader::mount()],
                "readinessProbe": probe("/healthz/ready", 3),
                "livenessProbe": probe("/healthz/live", 10),
                "resources": {
                    "requests": {"cpu": "20m", "memory": "48Mi"},
                    // It holds every object of the mesh a second time, to look for findings.
                    "limits": {"memory": "512Mi"},
                },
                "securityContext": restricted(USER),
                "terminationMessagePolicy": "FallbackToLogsOnError",
            }],
            "volumes": [reader::volume()],
        });
        if !self.pull_secrets.is_empty() {
            pod["imagePullSecrets"] = self.pull_secrets.iter().map(|name| json!({"name": name})).collect();
        }
        json!({
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": meta,
            "spec": {
                "replicas": self.replicas,
                "selector": {"matchLabels": selector},
                "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
                "template": {
                    "metadata": {
                        "labels": pod_labels,
                        "annotations": {
                            "prometheus.io/scrape": "true",
                            "prometheus.io/port": "15014",
                            "prometheus.io/path": "/metrics",
                        },
                    },
                    "spec": pod,
                },
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pods are refused while their class is not there.
    #[test]
    fn the_operators_class_is_its_own_and_comes_first() {
        let objects = Bootstrap::default().objects();
        let deployment = objects.iter().find(|object| object["kind"] == "Deployment").unwrap();
        let class = &deployment["spec"]["template"]["spec"]["priorityClassName"];
        assert_eq!((&objects[0]["kind"], &objects[0]["metadata"]["name"]), (&json!("PriorityClass"), class));
        assert!(objects[0]["metadata"]["labels"][names::MESH_LABEL].is_null(), "no Mesh takes it along");
    }
}
