//! The console. It listens on its pod's loopback, so that only whoever may forward a port reaches it, and has no rights
//! to write: changes are made with the token of whoever makes them.

use serde_json::{Value, json};

use super::{
    control_plane::USER,
    frame::Frame,
    pod::{Workload, env, env_field, service},
    rbac,
};
use crate::{names, profile};

const COMPONENT: &str = "console";

pub(super) fn objects(frame: &Frame<'_>) -> Vec<Value> {
    let mesh = &frame.input.mesh;
    let name = frame.name(names::CONSOLE);
    let overrides = &mesh.components.console;
    let settings = &frame.settings;
    let namespace = &frame.input.namespace;
    let admin = format!("http://{}.{namespace}.svc:15014", frame.name(names::CONTROL_PLANE));
    let prometheus = format!("http://prometheus.{}.svc:9090", settings.root_namespace);
    let mut environment = vec![
        env_field("WEFT_NAMESPACE", "metadata.namespace"),
        env("WEFT_SOURCE", "kubernetes"),
        env("WEFT_LISTEN", "127.0.0.1:20001"),
        env("WEFT_OPERATOR_ADMIN", admin),
        env("WEFT_ROOT_NAMESPACE", settings.root_namespace.as_str()),
        env("WEFT_DATA_DIR", "/var/lib/weft"),
        env("WEFT_LOG_FORMAT", "json"),
    ];
    // Of two entries with one name the last would win: an override takes the place of the default.
    if !overrides.env.contains_key("WEFT_PROMETHEUS") {
        environment.push(env("WEFT_PROMETHEUS", prometheus));
    }
    let container = json!({
        "name": COMPONENT,
        "image": settings.console_image,
        "env": environment,
        "ports": [{"name": "http", "containerPort": 20001, "protocol": "TCP"}],
        "volumeMounts": [{"name": "data", "mountPath": "/var/lib/weft"}],
    });
    let workload = Workload {
        component: COMPONENT,
        name: name.clone(),
        overrides,
        replicas: 1,
        resources: profile::resources(
            &[("cpu", "20m"), ("memory", "64Mi")],
            &[("memory", "512Mi")],
            &overrides.resources,
        ),
        container,
        // Traces are kept for hours, not for restarts.
        volumes: json!([{"name": "data", "emptyDir": {"sizeLimit": "1Gi"}}]),
        user: USER,
        pod_labels: json!({"app": names::CONSOLE}),
        pod_annotations: json!({}),
        grace: 10,
    };
    let ports = json!([{"name": "http", "port": 20001, "targetPort": 20001, "protocol": "TCP"}]);
    let mut objects = vec![frame.service_account(COMPONENT, &name)];
    objects.extend(rbac::bind_cluster(frame.cluster_meta(COMPONENT, &name), &rbac::console(), &name, namespace));
    objects.push(service(frame, COMPONENT, &name, overrides, ports));
    objects.extend(workload.objects(frame));
    objects
}
