//! What the console keeps, what lets it in at Prometheus and a trace store, and how the kubelet finds out how it is.

use serde_json::{Value, json};

use super::{find, input, render};

fn deployment(spec: Value) -> Value {
    find(&render(&input(spec)).unwrap(), "Deployment", "weft-console").unwrap().clone()
}

fn container(deployment: &Value) -> &Value {
    &deployment["spec"]["template"]["spec"]["containers"][0]
}

fn named(list: &Value, name: &str) -> Value {
    list.as_array().unwrap().iter().find(|one| one["name"] == name).cloned().unwrap_or_default()
}

#[test]
fn several_consoles_get_their_database_and_session_key_as_files() {
    let console = json!({
        "replicas": 2,
        "database": {"name": "weft-console", "key": "database"},
        "sessionKey": {"name": "weft-console", "key": "session.key"},
    });
    let deployment = deployment(json!({"components": {"console": console}}));
    assert_eq!(deployment["spec"]["replicas"], 2);
    assert_eq!(deployment["spec"]["strategy"]["type"], "RollingUpdate");
    for (volume, variable, key) in
        [("database", "WEFT_DATABASE_FILE", "database"), ("session-key", "WEFT_SESSION_KEY_FILE", "session.key")]
    {
        let dir = format!("/etc/weft/{volume}");
        // Without it the pod waits: it must not keep things where nobody looks for them.
        assert_eq!(
            named(&deployment["spec"]["template"]["spec"]["volumes"], volume)["secret"],
            json!({"secretName": "weft-console", "items": [{"key": key, "path": key}], "defaultMode": 0o440})
        );
        assert_eq!(
            named(&container(&deployment)["volumeMounts"], volume),
            json!({"name": volume, "mountPath": dir, "readOnly": true})
        );
        assert_eq!(named(&container(&deployment)["env"], variable)["value"], format!("{dir}/{key}"));
    }
    assert_eq!(named(&container(&deployment)["env"], "WEFT_DATABASE"), Value::Null, "not in the clear");
}

#[test]
fn prometheus_behind_a_token_and_a_private_authority() {
    let ca = json!({"name": "openshift-service-ca.crt", "key": "service-ca.crt"});
    let console = json!({
        "env": {
            "WEFT_PROMETHEUS": "https://thanos-querier.openshift-monitoring.svc:9091",
            "WEFT_PROMETHEUS_TENANT": "shop",
            "WEFT_TRACE_SOURCE": "tempo",
            "WEFT_TRACE_URL": "https://tempo.observability.svc:3200",
        },
        "prometheusToken": {"name": "prometheus-reader", "key": "token"},
        "prometheusCA": ca,
        "traceCA": ca,
    });
    let deployment = deployment(json!({"components": {"console": console}}));
    let volumes = &deployment["spec"]["template"]["spec"]["volumes"];
    let (mounts, env) = (&container(&deployment)["volumeMounts"], &container(&deployment)["env"]);
    for (volume, variable, key) in [
        ("prometheus-token", "WEFT_PROMETHEUS_TOKEN_FILE", "token"),
        ("prometheus-ca", "WEFT_PROMETHEUS_CA_FILE", "service-ca.crt"),
        ("trace-ca", "WEFT_TRACE_CA_FILE", "service-ca.crt"),
    ] {
        let dir = format!("/etc/weft/{volume}");
        assert_eq!(named(mounts, volume), json!({"name": volume, "mountPath": dir, "readOnly": true}));
        assert_eq!(named(env, variable)["value"], format!("{dir}/{key}"));
    }
    // Without the token the graph says so, and the rest is there.
    let items = json!([{"key": "token", "path": "token"}]);
    assert_eq!(
        named(volumes, "prometheus-token")["secret"],
        json!({"secretName": "prometheus-reader", "items": items, "defaultMode": 0o440, "optional": true})
    );
    // The console does not start without certificates that it is told of: the pod waits for them.
    let items = json!([{"key": "service-ca.crt", "path": "service-ca.crt"}]);
    for volume in ["prometheus-ca", "trace-ca"] {
        let expected = json!({"name": volume, "configMap": {"name": "openshift-service-ca.crt", "items": items}});
        assert_eq!(named(volumes, volume), expected);
    }
    let addresses = env.as_array().unwrap().iter().filter(|one| one["name"] == "WEFT_PROMETHEUS").count();
    assert_eq!((addresses, &named(env, "WEFT_PROMETHEUS_TENANT")["value"]), (1, &json!("shop")));
}

#[test]
fn several_consoles_without_both_are_refused() {
    let mesh = json!({"apiVersion": "weft.dev/v1alpha1", "kind": "Mesh", "metadata": {"name": "weft"},
        "spec": {"components": {"console": {"replicas": 2, "sessionKey": {"name": "a", "key": "b"}}}}});
    let error = crate::MeshInput::from_json(&mesh, "weft-system", crate::Capabilities::default()).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("spec.components.console.replicas: several consoles share a Postgres"), "{text}");
    assert!(text.contains("write database under spec.components.console"), "{text}");
}

#[test]
fn the_files_of_a_volume_are_one_consoles_at_a_time() {
    let kept = deployment(json!({"components": {"console": {"persistentVolumeClaim": "weft-console"}}}));
    assert_eq!(
        named(&kept["spec"]["template"]["spec"]["volumes"], "data"),
        json!({"name": "data", "persistentVolumeClaim": {"claimName": "weft-console"}})
    );
    assert_eq!(kept["spec"]["strategy"], json!({"type": "Recreate"}), "the old pod ends first");
    let lost = deployment(json!({}));
    assert_eq!(named(&lost["spec"]["template"]["spec"]["volumes"], "data")["emptyDir"]["sizeLimit"], "1Gi");
    assert_eq!(lost["spec"]["strategy"]["type"], "RollingUpdate");
}

/// An older console, or one of an unknown version, would fail the command for ever, and never become ready.
#[test]
fn only_a_console_that_knows_the_command_is_asked_by_it() {
    let asked = |spec: Value| container(&deployment(spec))["startupProbe"]["exec"].is_object();
    for (image, expected) in [
        ("weft/console:0.1.0", true),
        ("weft/console:v0.2.0@sha256:00", true),
        ("weft/console:0.0.9", false),
        ("weft/console:0.1.0-rc.1", false),
        ("registry:5000/console", false),
        ("mine/console:latest", false),
    ] {
        assert_eq!(asked(json!({"components": {"console": {"image": image}}})), expected, "{image}");
    }
    assert!(asked(json!({})) && !asked(json!({"image": {"tag": "0.0.9"}})));
    // What every console answers is asked of all.
    let open = deployment(json!({"signIn": {"anonymous": true}, "image": {"tag": "0.0.9"}}));
    assert_eq!(container(&open)["startupProbe"]["httpGet"]["path"], "/healthz/ready");
}

#[test]
fn the_kubelet_asks_where_the_console_listens() {
    let loopback = deployment(json!({}));
    let probed = container(&loopback);
    assert_eq!(probed["startupProbe"]["exec"]["command"], json!(["/usr/local/bin/weft-console", "ready"]));
    assert_eq!((&probed["readinessProbe"], &probed["livenessProbe"]), (&Value::Null, &Value::Null));

    let sign_in = json!({"anonymous": true});
    let one = deployment(json!({"signIn": sign_in}));
    let key = json!({"name": "a", "key": "b"});
    let console = json!({"replicas": 2, "database": key, "sessionKey": key});
    let several = deployment(json!({"signIn": sign_in, "components": {"console": console}}));
    let path = |deployment: &Value, probe: &str| {
        let get = &container(deployment)[probe]["httpGet"];
        assert_eq!(get["port"], 20001, "{probe}");
        get["path"].clone()
    };
    for deployment in [&one, &several] {
        assert_eq!(path(deployment, "startupProbe"), "/healthz/ready");
        assert_eq!(path(deployment, "livenessProbe"), "/healthz/live");
    }
    // Whoever is alone stays reachable when the database is away, to say so.
    assert_eq!(path(&one, "readinessProbe"), "/healthz/live");
    assert_eq!(path(&several, "readinessProbe"), "/healthz/ready");
}
