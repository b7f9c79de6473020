//! Overrides of single components.

use std::{collections::BTreeMap, fmt};

use k8s_openapi::api::core::v1::{Affinity, Toleration};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, de};

use super::sign_in::KeyOf;

/// Settings of single components; what is not written is the profile's.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Components {
    /// Configuration, certificates, webhooks. Always enabled, but in profile `remote`.
    pub control_plane: Component,
    /// The gateway that selectors know as `istio: ingressgateway`.
    pub ingress_gateway: Component,
    /// The console.
    pub console: Component,
    /// The proxies beside applications.
    pub proxy: ProxySettings,
}

/// Settings of one Deployment and its Service.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Component {
    /// Whether it is installed; none is as the profile says.
    pub enabled: Option<bool>,
    /// How many pods; not beside `autoscaling`.
    pub replicas: Option<i32>,
    /// Pods by load.
    pub autoscaling: Option<Autoscaling>,
    /// CPU and memory of its container; entries replace the profile's one by one.
    pub resources: Resources,
    /// Full image reference; none is made from `spec.image`.
    pub image: Option<String>,
    /// Nodes by label.
    pub node_selector: BTreeMap<String, String>,
    /// Taints that its pods tolerate.
    pub tolerations: Vec<Toleration>,
    /// Replaces the anti-affinity that spreads its pods over nodes.
    pub affinity: Option<Affinity>,
    /// Replaces the priority class that the installation makes.
    pub priority_class_name: Option<String>,
    /// Annotations of its pods, beside our own.
    pub pod_annotations: BTreeMap<String, String>,
    /// Labels of its pods, beside our own.
    pub pod_labels: BTreeMap<String, String>,
    /// Annotations of its Service, such as those of a cloud's load balancer.
    pub service_annotations: BTreeMap<String, String>,
    /// Type of its Service.
    pub service_type: Option<ServiceType>,
    /// Ports of the gateway's Service beside 80, 443 and 15021.
    pub service_ports: Vec<ServicePort>,
    /// Environment variables of its container, beside our own.
    pub env: BTreeMap<String, String>,
    /// Key of a Secret with the token, or the password beside `WEFT_TRACE_USER`, for the trace store that the console's
    /// `WEFT_TRACE_URL` names. The console's only; a renewed Secret is taken without a restart.
    pub trace_token: Option<KeyOf>,
    /// Key of a ConfigMap with certificates in PEM that are trusted beside the system's, for the trace store that the
    /// console's `WEFT_TRACE_URL` names with https. The console's only; renewed ones count from its next start.
    #[serde(rename = "traceCA")]
    pub trace_ca: Option<KeyOf>,
    /// Key of a Secret with the token, or the password beside `WEFT_PROMETHEUS_USER`, for the Prometheus that the console
    /// asks: the one that its `WEFT_PROMETHEUS` names. The console's only; a renewed Secret is taken without a restart.
    pub prometheus_token: Option<KeyOf>,
    /// Key of a ConfigMap with certificates in PEM that are trusted beside the system's, for the Prometheus that the
    /// console's `WEFT_PROMETHEUS` names with https. The console's only; renewed ones count from its next start.
    #[serde(rename = "prometheusCA")]
    pub prometheus_ca: Option<KeyOf>,
    /// Key of a Secret with the address of the Postgres that keeps what people do, as `postgres://USER:PASSWORD@HOST/NAME`.
    /// The console's only; several consoles share one. A renewed password is taken without a restart.
    pub database: Option<KeyOf>,
    /// Key of a Secret with the 32 bytes that encrypt what is kept of sessions; none are made in the pod and go with its
    /// volume. The console's only; several consoles share them.
    pub session_key: Option<KeyOf>,
    /// Name of a PersistentVolumeClaim for what the pod keeps; none is a volume that goes with the pod. The console's only,
    /// and only for one pod, which ends before the next one starts.
    pub persistent_volume_claim: Option<String>,
}

impl Component {
    /// Whether more than one of its pods may serve at a time, by what is written.
    pub fn is_several(&self) -> bool {
        match &self.autoscaling {
            Some(scaling) => scaling.max_replicas > 1,
            None => self.replicas.is_some_and(|count| count > 1),
        }
    }
}

/// Pods by load: a HorizontalPodAutoscaler.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Autoscaling {
    /// At least this many.
    pub min_replicas: i32,
    /// At most this many.
    pub max_replicas: i32,
    /// Used CPU in percent of the requested, at which pods are added; none is 80.
    pub target_cpu: Option<i32>,
}

/// Requested and most CPU and memory, by resource name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Resources {
    /// What the scheduler reserves.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub requests: BTreeMap<String, Quantity>,
    /// What is never exceeded.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub limits: BTreeMap<String, Quantity>,
}

/// An amount as Kubernetes writes it: `100m`, `64Mi`, `2`. A number is taken as its text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Quantity(pub String);

impl From<&str> for Quantity {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Quantity;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an amount such as 100m or 64Mi")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Quantity, E> {
                Ok(Quantity(text.to_owned()))
            }
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Quantity, E> {
                Ok(Quantity(number.to_string()))
            }
            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Quantity, E> {
                Ok(Quantity(number.to_string()))
            }
            fn visit_f64<E: de::Error>(self, number: f64) -> Result<Quantity, E> {
                Ok(Quantity(number.to_string()))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl JsonSchema for Quantity {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Quantity".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "x-kubernetes-int-or-string": true,
            "anyOf": [{"type": "integer"}, {"type": "string"}],
            "pattern": r"^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$",
        })
    }
}

/// Who reaches a Service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ServiceType {
    /// The cluster.
    #[default]
    ClusterIP,
    /// Whoever reaches a node.
    NodePort,
    /// Whoever reaches the cloud's load balancer.
    LoadBalancer,
}

/// A port of the gateway's Service.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct ServicePort {
    /// Name, unlike the other ports'.
    pub name: String,
    /// Port of the Service.
    pub port: i32,
    /// Port of the pod; none is `port`. Below 1024 no gateway can listen.
    pub target_port: Option<i32>,
    /// Port of every node, when the Service's type has one.
    pub node_port: Option<i32>,
}

/// Settings of the proxies beside applications; annotations of a pod win.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct ProxySettings {
    /// CPU and memory; entries replace the profile's one by one.
    pub resources: Resources,
    /// Full image reference; none is made from `spec.image`.
    pub image: Option<String>,
    /// What is logged: `off`, `error`, `warning`, `info`, `debug` or `trace`.
    pub log_level: Option<String>,
    /// Whether the proxy is an init container that keeps running; none is yes where the cluster has them (1.29).
    pub native_sidecar: Option<bool>,
}

/// Where images come from.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Image {
    /// Registry and path before `/operator`, `/proxy` and `/console`; none is `weft`.
    pub hub: Option<String>,
    /// Tag; none is the version of the operator that reads the Mesh.
    pub tag: Option<String>,
    /// When nodes ask the registry.
    pub pull_policy: Option<PullPolicy>,
    /// Names of Secrets that open the registry.
    pub pull_secrets: Vec<String>,
}

/// When nodes ask the registry for an image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum PullPolicy {
    /// When it is not there.
    #[default]
    IfNotPresent,
    /// At each start.
    Always,
    /// It has to be there.
    Never,
}

impl PullPolicy {
    /// The word in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::IfNotPresent => "IfNotPresent",
            Self::Always => "Always",
            Self::Never => "Never",
        }
    }
}

/// The control plane of another cluster.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Remote {
    /// Host name or IP address at which proxies and webhooks of this cluster reach it.
    pub control_plane: String,
    /// Name of this cluster.
    pub cluster: String,
}
