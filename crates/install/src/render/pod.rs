//! Deployments: what all pods of an installation have in common, and a Mesh's overrides of it.

use serde_json::{Value, json};
use weft_api::mesh::{Component, Resources};

use super::frame::Frame;

/// One Deployment's own part.
pub(super) struct Workload<'a> {
    pub(super) component: &'a str,
    pub(super) name: String,
    pub(super) overrides: &'a Component,
    pub(super) replicas: i32,
    pub(super) resources: Resources,
    /// The container without resources and pull policy.
    pub(super) container: Value,
    pub(super) volumes: Value,
    /// User and group of the container.
    pub(super) user: u32,
    pub(super) pod_labels: Value,
    pub(super) pod_annotations: Value,
    /// How long SIGTERM may take, in seconds.
    pub(super) grace: u32,
}

/// The security context of a container that Pod Security's `restricted` admits.
pub(crate) fn restricted(user: u32) -> Value {
    json!({
        "allowPrivilegeEscalation": false,
        "capabilities": {"drop": ["ALL"]},
        "privileged": false,
        "readOnlyRootFilesystem": true,
        "runAsNonRoot": true,
        "runAsUser": user,
        "runAsGroup": user,
        "seccompProfile": {"type": "RuntimeDefault"},
    })
}

/// `{name, value}`.
pub(crate) fn env(name: &str, value: impl Into<Value>) -> Value {
    json!({"name": name, "value": value.into()})
}

/// An environment variable from the pod itself.
pub(crate) fn env_field(name: &str, path: &str) -> Value {
    json!({"name": name, "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": path}}})
}

impl Workload<'_> {
    /// The Deployment, its disruption budget and its autoscaler; null for those that it does not need.
    pub(super) fn objects(self, frame: &Frame<'_>) -> [Value; 3] {
        let selector = frame.selector(self.component);
        let meta = || frame.meta(self.component, &self.name);
        let scaling = self.overrides.autoscaling.as_ref();
        let replicas = self.overrides.replicas.unwrap_or(self.replicas);
        let several = scaling.map_or(replicas > 1, |scaling| scaling.max_replicas > 1);
        let budget = if several {
            json!({
                "apiVersion": "policy/v1",
                "kind": "PodDisruptionBudget",
                "metadata": meta(),
                "spec": {"maxUnavailable": 1, "selector": {"matchLabels": selector}},
            })
        } else {
            Value::Null
        };
        let autoscaler = scaling.map_or(Value::Null, |scaling| {
            json!({
                "apiVersion": "autoscaling/v2",
                "kind": "HorizontalPodAutoscaler",
                "metadata": meta(),
                "spec": {
                    "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": self.name},
                    "minReplicas": scaling.min_replicas,
                    "maxReplicas": scaling.max_replicas,
                    "metrics": [{"type": "Resource", "resource": {
                        "name": "cpu",
                        "target": {"type": "Utilization", "averageUtilization": scaling.target_cpu.unwrap_or(80)},
                    }}],
                },
            })
        });
        let mut spec = json!({
            "revisionHistoryLimit": 5,
            // A new pod serves before an old one goes.
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
            "selector": {"matchLabels": selector},
            "template": self.template(frame, &selector),
        });
        if scaling.is_none() {
            spec["replicas"] = replicas.into();
        }
        let deployment = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta(), "spec": spec});
        [deployment, budget, autoscaler]
    }

    fn template(&self, frame: &Frame<'_>, selector: &Value) -> Value {
        let overrides = self.overrides;
        let mut labels = json!(frame.labels(self.component));
        labels["sidecar.istio.io/inject"] = "false".into();
        extend(&mut labels, &self.pod_labels);
        let mut annotations = self.pod_annotations.clone();
        // What users add stands beside our own and never replaces it.
        let (own_labels, own_annotations) = (labels.clone(), annotations.clone());
        extend(&mut labels, &json!(overrides.pod_labels));
        extend(&mut labels, &own_labels);
        extend(&mut annotations, &json!(overrides.pod_annotations));
        extend(&mut annotations, &own_annotations);
        let mut container = self.container.clone();
        container["imagePullPolicy"] = frame.settings.pull_policy.as_str().into();
        container["resources"] = json!(self.resources);
        container["securityContext"] = restricted(self.user);
        container["terminationMessagePolicy"] = "FallbackToLogsOnError".into();
        if let Some(list) = container["env"].as_array_mut() {
            list.extend(overrides.env.iter().map(|(name, value)| env(name, value.as_str())));
        }
        let affinity = overrides.affinity.as_ref().map_or_else(
            || {
                json!({"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{
                    "weight": 100,
                    "podAffinityTerm": {
                        "labelSelector": {"matchLabels": selector},
                        "topologyKey": "kubernetes.io/hostname",
                    },
                }]}})
            },
            |affinity| json!(affinity),
        );
        let mut spec = json!({
            "serviceAccountName": self.name,
            "terminationGracePeriodSeconds": self.grace,
            "securityContext": {
                "runAsNonRoot": true,
                "runAsUser": self.user,
                "runAsGroup": self.user,
                "fsGroup": self.user,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "affinity": affinity,
            "topologySpreadConstraints": [{
                "maxSkew": 1,
                "topologyKey": "topology.kubernetes.io/zone",
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": selector},
            }],
            "priorityClassName": overrides
                .priority_class_name
                .clone()
                .unwrap_or_else(|| frame.name(super::configuration::PRIORITY_CLASS)),
            "containers": [container],
            "volumes": self.volumes,
        });
        if !overrides.node_selector.is_empty() {
            spec["nodeSelector"] = json!(overrides.node_selector);
        }
        if !overrides.tolerations.is_empty() {
            spec["tolerations"] = json!(overrides.tolerations);
        }
        let secrets = &frame.input.mesh.image.pull_secrets;
        if !secrets.is_empty() {
            spec["imagePullSecrets"] = secrets.iter().map(|name| json!({"name": name})).collect();
        }
        json!({"metadata": {"labels": labels, "annotations": annotations}, "spec": spec})
    }
}

/// A Service of a component, with the annotations and the type that a Mesh gives it.
pub(super) fn service(frame: &Frame<'_>, component: &str, name: &str, overrides: &Component, ports: Value) -> Value {
    let mut meta = frame.meta(component, name);
    if !overrides.service_annotations.is_empty() {
        meta["annotations"] = json!(overrides.service_annotations);
    }
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": meta,
        "spec": {
            "type": overrides.service_type.unwrap_or_default(),
            "selector": frame.selector(component),
            "ports": ports,
        },
    })
}

fn extend(map: &mut Value, more: &Value) {
    if let (Value::Object(map), Value::Object(more)) = (map, more) {
        map.extend(more.clone());
    }
}
