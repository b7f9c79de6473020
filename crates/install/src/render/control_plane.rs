//! The control plane.

use serde_json::{Value, json};
use weft_api::mesh::{Component, Profile, ServiceType};

use super::{
    frame::Frame,
    pod::{Workload, env, env_field, service},
    rbac,
};
use crate::{names, profile};

const COMPONENT: &str = "control-plane";
/// User of programs that are no proxy: distroless' `nonroot`.
pub(super) const USER: u32 = 65532;

pub(super) fn objects(frame: &Frame<'_>) -> Vec<Value> {
    let mesh = &frame.input.mesh;
    let name = frame.name(names::CONTROL_PLANE);
    let overrides = &mesh.components.control_plane;
    let small = mesh.profile() != Profile::Default;
    let requests = if small { [("cpu", "50m"), ("memory", "64Mi")] } else { [("cpu", "200m"), ("memory", "256Mi")] };
    let settings = &frame.settings;
    let environment = json!([
        env_field("WEFT_NAMESPACE", "metadata.namespace"),
        env_field("WEFT_POD_NAME", "metadata.name"),
        env("WEFT_REVISION", mesh.revision_label()),
        env("WEFT_MESH", frame.input.name.as_str()),
        env("WEFT_TRUST_DOMAIN", settings.trust_domain.as_str()),
        env("WEFT_DOMAIN", settings.domain.as_str()),
        env("WEFT_ROOT_NAMESPACE", settings.root_namespace.as_str()),
        env("WEFT_CLUSTER_ID", settings.cluster_id.as_str()),
        env("WEFT_LOG_FORMAT", "json"),
    ]);
    let container = json!({
        "name": COMPONENT,
        "image": settings.operator_image,
        "args": ["serve", "--source", "kubernetes"],
        "env": environment,
        "ports": [
            {"name": "grpc-xds", "containerPort": 15012, "protocol": "TCP"},
            {"name": "http-monitoring", "containerPort": 15014, "protocol": "TCP"},
            {"name": "https-webhook", "containerPort": 15017, "protocol": "TCP"},
        ],
        "startupProbe": probe("/healthz/live", 1, 60),
        "readinessProbe": probe("/healthz/ready", 3, 2),
        "livenessProbe": probe("/healthz/live", 10, 6),
    });
    let workload = Workload {
        component: COMPONENT,
        name: name.clone(),
        overrides,
        replicas: if small { 1 } else { 3 },
        resources: profile::resources(&requests, &[("memory", "1Gi")], &overrides.resources),
        container,
        volumes: json!([]),
        user: USER,
        pod_labels: json!({"app": names::CONTROL_PLANE}),
        pod_annotations: json!({
            "prometheus.io/scrape": "true",
            "prometheus.io/port": "15014",
            "prometheus.io/path": "/metrics",
        }),
        grace: 30,
    };
    let mut objects = vec![frame.service_account(COMPONENT, &name)];
    objects.extend(rbac::bind_cluster(
        frame.cluster_meta(COMPONENT, &name),
        &rbac::control_plane(),
        &name,
        &frame.input.namespace,
    ));
    objects.extend(rbac::bind(
        frame.meta(COMPONENT, &name),
        &rbac::control_plane_namespace(),
        &name,
        &frame.input.namespace,
    ));
    objects.extend(services(frame, &name, overrides));
    objects.extend(workload.objects(frame));
    objects
}

/// The Service within the cluster, and another one where the Mesh exposes the control plane: whoever reaches that needs a
/// certificate or a token for anything, which neither debug pages nor webhooks ask for.
fn services(frame: &Frame<'_>, name: &str, overrides: &Component) -> Vec<Value> {
    let xds = json!({"name": "grpc-xds", "port": 15012, "targetPort": 15012, "protocol": "TCP"});
    let ports = json!([
        xds,
        {"name": "http-monitoring", "port": 15014, "targetPort": 15014, "protocol": "TCP"},
        {"name": "https-webhook", "port": 443, "targetPort": 15017, "protocol": "TCP"},
    ]);
    if overrides.service_type.unwrap_or_default() == ServiceType::ClusterIP {
        return vec![service(frame, COMPONENT, name, overrides, ports)];
    }
    let external = frame.name(names::EXTERNAL_CONTROL_PLANE);
    vec![
        service(frame, COMPONENT, name, &Component::default(), ports),
        service(frame, COMPONENT, &external, overrides, json!([xds])),
    ]
}

fn probe(path: &str, period: u32, failures: u32) -> Value {
    json!({
        "httpGet": {"path": path, "port": 15014, "scheme": "HTTP"},
        "periodSeconds": period,
        "timeoutSeconds": 3,
        "failureThreshold": failures,
    })
}
