//! The console. Where nobody signs in it listens on its pod's loopback, so that only whoever may forward a port reaches it.
//! It has no rights to write: changes are made with the token of whoever makes them.

mod probes;
mod state;

use serde_json::{Value, json};
use weft_api::mesh::{Component, KeyOf, Oidc, SignIn};
use weft_model::ports::OTLP;

use super::{
    control_plane::USER,
    frame::Frame,
    pod::{Workload, env, env_field, service},
    rbac, reader,
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
    let sign_in = &mesh.sign_in;
    let mut environment = vec![
        env_field("WEFT_NAMESPACE", "metadata.namespace"),
        env("WEFT_SOURCE", "kubernetes"),
        env("WEFT_LISTEN", if sign_in.guards() { "[::]:20001" } else { "127.0.0.1:20001" }),
        env("WEFT_OPERATOR_ADMIN", admin),
        env("WEFT_OPERATOR_TOKEN_FILE", names::READER_TOKEN_FILE),
        env("WEFT_ROOT_NAMESPACE", settings.root_namespace.as_str()),
        env("WEFT_DATA_DIR", state::DATA_DIR),
        env("WEFT_LOG_FORMAT", "json"),
    ];
    // What a console takes for its cluster's name by itself.
    if settings.cluster_id != "Kubernetes" && !overrides.env.contains_key("WEFT_CLUSTER_ID") {
        environment.push(env("WEFT_CLUSTER_ID", settings.cluster_id.as_str()));
    }
    // Of two entries with one name the last would win: an override takes the place of the default.
    if !overrides.env.contains_key("WEFT_PROMETHEUS") {
        environment.push(env("WEFT_PROMETHEUS", prometheus));
    }
    if sign_in.guards() {
        // Exporters do not sign in, and what leads people to the console does not lead to it.
        environment.push(env("WEFT_OTLP_LISTEN", format!("[::]:{OTLP}")));
    }
    environment.extend(variables(sign_in));
    environment.extend(state::variables(overrides));
    let files: Vec<_> = files(sign_in).into_iter().chain(state::files(overrides)).collect();
    let mut mounts = vec![json!({"name": "data", "mountPath": state::DATA_DIR}), reader::mount()];
    mounts.extend(files.iter().map(|(volume, dir, _)| json!({"name": volume, "mountPath": dir, "readOnly": true})));
    let mut volumes = vec![state::data(overrides), reader::volume()];
    volumes.extend(files.into_iter().map(|(.., volume)| volume));
    let mut container_ports = vec![json!({"name": "http", "containerPort": 20001, "protocol": "TCP"})];
    if sign_in.guards() {
        container_ports.push(json!({"name": "http-otlp", "containerPort": OTLP, "protocol": "TCP"}));
    }
    let mut container = json!({
        "name": COMPONENT,
        "image": settings.console_image,
        "env": environment,
        "ports": container_ports,
        "volumeMounts": mounts,
    });
    probes::add(&mut container, sign_in.guards(), overrides.is_several());
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
        volumes: volumes.into(),
        user: USER,
        pod_labels: json!({"app": names::CONSOLE}),
        pod_annotations: json!({}),
        grace: 10,
    };
    let ports = json!([{"name": "http", "port": 20001, "targetPort": 20001, "protocol": "TCP"}]);
    let mut objects = vec![frame.service_account(COMPONENT, &name)];
    objects.extend(rbac::bind_cluster(
        frame.cluster_meta(COMPONENT, &name),
        &rbac::console(sign_in.signs_in()),
        &name,
        namespace,
    ));
    objects.push(service(frame, COMPONENT, &name, overrides, ports));
    if sign_in.guards() {
        objects.push(spans(frame, &name));
    }
    let [mut deployment, budget, autoscaler] = workload.objects(frame);
    if overrides.persistent_volume_claim.is_some() {
        // Two consoles never have the files of one volume open, and most volumes go to one node alone.
        deployment["spec"]["strategy"] = json!({"type": "Recreate"});
    }
    objects.extend([deployment, budget, autoscaler]);
    objects
}

/// The Service that exporters send spans to. It is one of its own and stays within the cluster, whatever the console's
/// becomes by its overrides.
fn spans(frame: &Frame<'_>, name: &str) -> Value {
    let ports = json!([{"name": "http-otlp", "port": OTLP, "targetPort": OTLP, "protocol": "TCP"}]);
    service(frame, COMPONENT, &format!("{name}-otlp"), &Component::default(), ports)
}

/// A volume with a file: its name, its directory and itself.
type File = (&'static str, &'static str, Value);

/// Where the provider's secret and certificates are.
const SECRET_DIR: &str = "/etc/weft/oidc-secret";
const CA_DIR: &str = "/etc/weft/oidc-ca";

/// The flags of sign-in.
fn variables(sign_in: &SignIn) -> Vec<Value> {
    let mut variables = Vec::new();
    let mut set = |name: &str, value: String| {
        if !value.is_empty() {
            variables.push(env(name, value));
        }
    };
    if !sign_in.guards() {
        return variables;
    }
    set("WEFT_PUBLIC_URL", sign_in.public_url.clone().unwrap_or_default());
    set("WEFT_TRUSTED_PROXIES", sign_in.trusted_proxies.join(","));
    set("WEFT_FORWARDED_FOR_FROM", sign_in.forwarded_for_from.join(","));
    set("WEFT_ANONYMOUS", if sign_in.anonymous { "true".into() } else { String::new() });
    set("WEFT_IMPERSONATE", if sign_in.impersonate { "true".into() } else { String::new() });
    let Some(oidc) = &sign_in.oidc else { return variables };
    let file =
        |dir: &str, key: &Option<KeyOf>| key.as_ref().map(|key| format!("{dir}/{}", key.key)).unwrap_or_default();
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    set("WEFT_OIDC_ISSUER", oidc.issuer.clone());
    set("WEFT_OIDC_CLIENT_ID", oidc.client_id.clone());
    set("WEFT_OIDC_CLIENT_SECRET_FILE", file(SECRET_DIR, &oidc.client_secret));
    set("WEFT_OIDC_CA_FILE", file(CA_DIR, &oidc.ca));
    set("WEFT_OIDC_SCOPES", oidc.scopes.join(","));
    set("WEFT_OIDC_USERNAME_CLAIM", text(&oidc.username_claim));
    set("WEFT_OIDC_USERNAME_PREFIX", text(&oidc.username_prefix));
    set("WEFT_OIDC_GROUPS_CLAIM", text(&oidc.groups_claim));
    set("WEFT_OIDC_GROUPS_PREFIX", text(&oidc.groups_prefix));
    variables
}

/// One key, in a file of the same name.
fn items(key: &KeyOf) -> Value {
    json!([{"key": key.key, "path": key.key}])
}

/// Volumes with files of sign-in. The console has no right to read Secrets: the kubelet brings this one.
fn files(sign_in: &SignIn) -> Vec<File> {
    let Some(Oidc { client_secret, ca, .. }) = &sign_in.oidc else { return Vec::new() };
    let secret = client_secret.as_ref().map(|key| {
        let volume = json!({"name": "oidc-secret", "secret": {
            "secretName": key.name, "items": items(key), "defaultMode": 0o440,
        }});
        ("oidc-secret", SECRET_DIR, volume)
    });
    let ca = ca.as_ref().map(|key| {
        let volume = json!({"name": "oidc-ca", "configMap": {"name": key.name, "items": items(key)}});
        ("oidc-ca", CA_DIR, volume)
    });
    secret.into_iter().chain(ca).collect()
}
