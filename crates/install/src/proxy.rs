//! The proxy's container, beside an application or alone as a gateway.

use serde_json::{Value, json};
use weft_api::mesh::LOG_LEVELS;

use crate::{
    InjectConfig, names,
    render::{env, env_field, restricted},
};

/// User and group of the proxy; capture leaves alone what they send.
pub(crate) const USER: u32 = 1337;
/// Name of its container, as tools expect it.
pub(crate) const CONTAINER: &str = "istio-proxy";
/// Name of the init container that redirects.
pub(crate) const INIT_CONTAINER: &str = "istio-init";
/// Where the program lies in its image.
pub(crate) const PROGRAM: &str = "/usr/local/bin/weft-proxy";

/// What a proxy does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// One workload's traffic; whether it is redirected.
    Sidecar { captured: bool },
    /// What comes from outside.
    Gateway,
}

/// The container without resources and pull policy. The pod's annotations are the caller's.
pub(crate) fn container(config: &InjectConfig, role: Role) -> Value {
    let (role_name, capture) = match role {
        Role::Sidecar { captured: true } => ("sidecar", "redirect"),
        Role::Sidecar { captured: false } => ("sidecar", "none"),
        Role::Gateway => ("gateway", "none"),
    };
    let access_log = match config.access_log.as_str() {
        "" => "off",
        "/dev/stdout" => "-",
        path => path,
    };
    let mut environment = vec![
        env_field("WEFT_WORKLOAD", "metadata.name"),
        env_field("WEFT_NAMESPACE", "metadata.namespace"),
        env_field("WEFT_SERVICE_ACCOUNT", "spec.serviceAccountName"),
        env_field("WEFT_ADDRESS", "status.podIP"),
        env_field("WEFT_NODE_NAME", "spec.nodeName"),
        env("WEFT_ROLE", role_name),
        env("WEFT_CAPTURE", capture),
        env(names::CONTROL_PLANE_VARIABLE, config.control_plane.as_str()),
        env("WEFT_REVISION", config.revision.as_str()),
        env("WEFT_TOKEN_FILE", "/var/run/secrets/tokens/weft-token"),
        env("WEFT_ROOT_CERT_FILE", format!("/var/run/secrets/weft/{}", names::ROOT_KEY)),
        env("WEFT_TRUST_DOMAIN", config.trust_domain.as_str()),
        env("WEFT_DOMAIN", config.domain.as_str()),
        env("WEFT_ROOT_NAMESPACE", config.root_namespace.as_str()),
        env("WEFT_CLUSTER_ID", config.cluster_id.as_str()),
        env("WEFT_ACCESS_LOG", access_log),
    ];
    if !config.log_level.is_empty() {
        environment.push(env("WEFT_LOG", log_level(&config.log_level).unwrap_or(&config.log_level)));
    }
    json!({
        "name": CONTAINER,
        "image": config.image,
        "imagePullPolicy": config.image_pull_policy.as_str(),
        "env": environment,
        "ports": [
            {"name": "http-envoy-prom", "containerPort": 15090, "protocol": "TCP"},
            {"name": "http-status", "containerPort": 15021, "protocol": "TCP"},
        ],
        "readinessProbe": {
            "httpGet": {"path": "/healthz/ready", "port": 15021},
            "periodSeconds": 5,
            "timeoutSeconds": 3,
            "failureThreshold": 4,
        },
        // Ready a second after its configuration is in force, not a period later.
        "startupProbe": {
            "httpGet": {"path": "/healthz/ready", "port": 15021},
            "periodSeconds": 1,
            "timeoutSeconds": 3,
            "failureThreshold": 600,
        },
        "securityContext": restricted(USER),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [
            {"name": names::TOKEN_VOLUME, "mountPath": "/var/run/secrets/tokens", "readOnly": true},
            {"name": names::ROOT_CONFIG_MAP, "mountPath": "/var/run/secrets/weft", "readOnly": true},
        ],
    })
}

/// The volumes that [`container`] mounts.
pub(crate) fn volumes() -> Vec<Value> {
    vec![
        json!({"name": names::TOKEN_VOLUME, "projected": {"sources": [{"serviceAccountToken": {
            "audience": names::TOKEN_AUDIENCE,
            "expirationSeconds": 43200,
            "path": "weft-token",
        }}]}}),
        json!({"name": names::ROOT_CONFIG_MAP, "configMap": {"name": names::ROOT_CONFIG_MAP}}),
    ]
}

/// Envoy's words for a level in tracing's: of a list by component (`rbac:debug,http:trace`), which are Envoy's own, the most
/// talkative one. Nothing for what is none.
pub(crate) fn log_level(words: &str) -> Option<&'static str> {
    let level = |word: &str| {
        let word = word.rsplit(':').next().unwrap_or_default().trim();
        LOG_LEVELS.iter().position(|level| *level == word)
    };
    let all: Option<Vec<usize>> = words.split(',').map(level).collect();
    Some(match LOG_LEVELS[all?.into_iter().min()?] {
        "warning" => "warn",
        "critical" => "error",
        "none" => "off",
        other => other,
    })
}
