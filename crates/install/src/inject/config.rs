//! What injection takes from a Mesh.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use weft_api::mesh::{PullPolicy, Resources};

use super::spans::Spans;
use crate::{MeshInput, names, profile::Settings};

/// Settings of injection: rendered by the reconciler into a ConfigMap, read by every webhook.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct InjectConfig {
    /// Revision; `default` when the Mesh names none.
    pub revision: String,
    /// Further names of the revision.
    pub tags: Vec<String>,
    /// Whether this revision answers for `istio-injection: enabled` and pods that name no revision.
    pub default_revision: bool,
    /// `host:port` of certificates and configuration.
    pub control_plane: String,
    /// Image of the proxy and of the init container.
    pub image: String,
    /// When nodes ask the registry for it.
    pub image_pull_policy: PullPolicy,
    /// Names of Secrets that open the registry.
    pub image_pull_secrets: Vec<String>,
    /// Trust domain of identities.
    pub trust_domain: String,
    /// Domain of the cluster's services.
    pub domain: String,
    /// Namespace of mesh-wide policies.
    pub root_namespace: String,
    /// Name of the cluster.
    pub cluster_id: String,
    /// Namespaces whose pods are never injected.
    pub never: Vec<String>,
    /// Whether the proxy is an init container that keeps running.
    pub native_sidecars: bool,
    /// CPU and memory of a proxy that no annotation sets.
    pub resources: Resources,
    /// What is logged; empty is the proxy's own default.
    pub log_level: String,
    /// Where the access log goes; empty is nowhere.
    pub access_log: String,
    /// Whether an application's own metrics are merged with its proxy's.
    pub prometheus_merge: bool,
    /// Whether probes of applications are asked through the proxy.
    pub rewrite_probes: bool,
    /// Collector of spans, `http://host:port`; empty is none.
    pub otlp_endpoint: String,
    /// Zipkin that takes spans instead, `http://host:port/path`; empty is none but the one of a ProxyConfig.
    pub zipkin_endpoint: String,
    /// Characters that spans keep of a request's path; 0 is what a ProxyConfig says, or the proxy's own default.
    pub max_tag_length: u64,
    /// Whether no spans are sent, whatever a ProxyConfig says.
    pub tracing_off: bool,
    /// Istio's `defaultConfig` (ProxyConfig), as written.
    pub proxy_config: Map<String, Value>,
}

impl InjectConfig {
    /// The settings of `input`'s Mesh.
    pub fn new(input: &MeshInput) -> Self {
        let settings = Settings::of(input);
        let mesh = &input.mesh;
        let config = &mesh.mesh_config;
        let spans = Spans::of(config);
        let mut never: Vec<String> = names::SYSTEM_NAMESPACES.map(str::to_owned).to_vec();
        never.push(input.namespace.clone());
        Self {
            revision: mesh.revision_label().to_owned(),
            tags: mesh.tags.clone(),
            default_revision: settings.default_revision,
            control_plane: settings.control_plane.clone(),
            image: settings.proxy_image.clone(),
            image_pull_policy: settings.pull_policy,
            image_pull_secrets: mesh.image.pull_secrets.clone(),
            trust_domain: settings.trust_domain.clone(),
            domain: settings.domain.clone(),
            root_namespace: settings.root_namespace.clone(),
            cluster_id: settings.cluster_id.clone(),
            never,
            native_sidecars: mesh
                .components
                .proxy
                .native_sidecar
                .unwrap_or_else(|| input.capabilities.native_sidecars()),
            resources: settings.proxy_resources.clone(),
            log_level: mesh.components.proxy.log_level.clone().unwrap_or_default(),
            access_log: config.access_log_file.clone().unwrap_or_default(),
            prometheus_merge: config.enable_prometheus_merge.unwrap_or(true),
            rewrite_probes: true,
            otlp_endpoint: spans.otlp,
            zipkin_endpoint: spans.zipkin,
            max_tag_length: spans.max_tag_length,
            tracing_off: spans.off,
            proxy_config: match &config.default_config {
                Some(Value::Object(map)) => map.clone(),
                _ => Map::new(),
            },
        }
    }
}
