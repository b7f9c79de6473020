//! What only the console has: what lets it in elsewhere, where it keeps things, how many there are, and for whom its
//! Service is.

use super::{Checks, key_of};
use crate::mesh::{Component, MeshSpec, ServiceType};

const AT: &str = "spec.components.console";

pub(super) fn check(spec: &MeshSpec, checks: &mut Checks) {
    let components = &spec.components;
    for (name, found) in [("controlPlane", &components.control_plane), ("ingressGateway", &components.ingress_gateway)]
    {
        elsewhere(found, name, checks);
    }
    let console = &components.console;
    access(console, checks);
    kept(console, checks);
    several(console, checks);
    if console.service_type.is_some_and(|kind| kind != ServiceType::ClusterIP) && !spec.sign_in.guards() {
        checks.error(
            format!("{AT}.serviceType"),
            "without spec.signIn the console listens on its pod's loopback only, no Service can lead to it",
            Some("use kubectl port-forward, or say in spec.signIn how people sign in".into()),
        );
    }
}

/// Fields of the console that another component has no use for.
fn elsewhere(found: &Component, name: &str, checks: &mut Checks) {
    for (field, written, message) in [
        ("traceToken", found.trace_token.is_some(), "only the console reads traces"),
        ("traceCA", found.trace_ca.is_some(), "only the console reads traces"),
        ("prometheusToken", found.prometheus_token.is_some(), "only the console asks Prometheus"),
        ("prometheusCA", found.prometheus_ca.is_some(), "only the console asks Prometheus"),
        ("database", found.database.is_some(), "only the console has a database"),
        ("sessionKey", found.session_key.is_some(), "only the console has sessions"),
        ("persistentVolumeClaim", found.persistent_volume_claim.is_some(), "only the console keeps files"),
    ] {
        if written {
            let at = format!("spec.components.{name}.{field}");
            checks.error(at, message, Some(format!("use console.{field}")));
        }
    }
}

/// What lets it in at the trace store and at Prometheus, and whom it trusts there.
fn access(console: &Component, checks: &mut Checks) {
    let traces = console.env.get("WEFT_TRACE_URL");
    for (field, key, variable) in [
        ("traceToken", &console.trace_token, "WEFT_TRACE_TOKEN_FILE"),
        ("traceCA", &console.trace_ca, "WEFT_TRACE_CA_FILE"),
        ("prometheusToken", &console.prometheus_token, "WEFT_PROMETHEUS_TOKEN_FILE"),
        ("prometheusCA", &console.prometheus_ca, "WEFT_PROMETHEUS_CA_FILE"),
    ] {
        let Some(key) = key else { continue };
        let at = format!("{AT}.{field}");
        key_of(Some(key), &at, checks);
        set_once(console, variable, field, checks);
        if traces.is_none() && field.starts_with("trace") {
            let remedy = "write WEFT_TRACE_SOURCE and WEFT_TRACE_URL in spec.components.console.env".to_owned();
            checks.error(at, "no trace store is named that it is for", Some(remedy));
        }
    }
    // With such an address the console would not start.
    let remedy = |variable: &str| {
        format!("write an address with https in spec.components.console.env[{variable:?}], or leave this out")
    };
    if console.trace_ca.is_some() && traces.is_some_and(|url| is_plain(url)) {
        let message = "WEFT_TRACE_URL begins with http://, so nobody shows a certificate";
        checks.error(format!("{AT}.traceCA"), message, Some(remedy("WEFT_TRACE_URL")));
    }
    if console.prometheus_ca.is_some() {
        let message = match console.env.get("WEFT_PROMETHEUS") {
            None => "Prometheus is asked by http unless WEFT_PROMETHEUS says otherwise, so nobody shows a certificate",
            Some(url) if is_plain(url) => "WEFT_PROMETHEUS begins with http://, so nobody shows a certificate",
            Some(_) => return,
        };
        checks.error(format!("{AT}.prometheusCA"), message, Some(remedy("WEFT_PROMETHEUS")));
    }
}

/// Whether what answers at `url` is spoken to without TLS.
fn is_plain(url: &str) -> bool {
    url.get(.."http://".len()).is_some_and(|scheme| scheme.eq_ignore_ascii_case("http://"))
}

/// Where it keeps what must outlive its pod.
fn kept(console: &Component, checks: &mut Checks) {
    for (field, key, variables) in [
        ("database", &console.database, &["WEFT_DATABASE", "WEFT_DATABASE_FILE"][..]),
        ("sessionKey", &console.session_key, &["WEFT_SESSION_KEY_FILE"][..]),
    ] {
        let Some(key) = key else { continue };
        key_of(Some(key), &format!("{AT}.{field}"), checks);
        for variable in variables {
            set_once(console, variable, field, checks);
        }
    }
    let Some(claim) = &console.persistent_volume_claim else { return };
    let at = format!("{AT}.persistentVolumeClaim");
    let usual = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'.');
    if claim.is_empty() || claim.len() > 253 || !claim.bytes().all(usual) {
        checks.error(&at, format!("{claim:?} is no name of a PersistentVolumeClaim"), None);
    }
    if console.is_several() {
        let remedy = "leave it out: database and sessionKey keep what several consoles have to keep".to_owned();
        checks.error(at, "the files on a volume are for one console", Some(remedy));
    }
    set_once(console, "WEFT_DATA_DIR", "persistentVolumeClaim", checks);
}

/// Several consoles need in common what one keeps for itself: whoever begins to sign in at one comes back to another.
fn several(console: &Component, checks: &mut Checks) {
    let missing: Vec<_> = [("database", &console.database), ("sessionKey", &console.session_key)]
        .into_iter()
        .filter_map(|(field, key)| key.is_none().then_some(field))
        .collect();
    if !console.is_several() || missing.is_empty() {
        return;
    }
    let field = if console.autoscaling.is_some() { "autoscaling" } else { "replicas" };
    checks.error(
        format!("{AT}.{field}"),
        format!("several consoles share a Postgres and a session key, and there is no {}", missing.join(" and no ")),
        Some(format!(
            "write {} under spec.components.console, each with name and key of a Secret, or have one console",
            missing.join(" and ")
        )),
    );
}

/// A variable that a field sets is not written beside it: the last of two entries would win, unseen.
fn set_once(console: &Component, variable: &str, field: &str, checks: &mut Checks) {
    if console.env.contains_key(variable) {
        let message = format!("{field} sets it");
        checks.error(format!("{AT}.env[{variable:?}]"), message, Some("leave one of them out".into()));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    /// Field, message and remedy of all that is wrong with a Mesh's console.
    fn problems(console: Value) -> Vec<[String; 3]> {
        let mesh = json!({"apiVersion": "weft.dev/v1alpha1", "kind": "Mesh", "metadata": {"name": "weft"},
            "spec": {"components": {"console": console}}});
        let found = crate::parse(&mesh, "").unwrap().object.validate();
        found.into_iter().map(|error| [error.field, error.message, error.suggestion.unwrap_or_default()]).collect()
    }

    fn with(mut console: Value, more: Value) -> Value {
        console.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        console
    }

    #[test]
    fn several_consoles_need_a_database_and_a_session_key() {
        let (database, key) = (json!({"name": "weft-console", "key": "database"}), json!({"name": "k", "key": "k"}));
        let scaling = |max: i32| json!({"autoscaling": {"minReplicas": 1, "maxReplicas": max}});
        for (several, field) in [(json!({"replicas": 2}), "replicas"), (scaling(3), "autoscaling")] {
            let at = format!("spec.components.console.{field}");
            for (beside, missing) in [
                (json!({}), "database and sessionKey"),
                (json!({"database": database}), "sessionKey"),
                (json!({"sessionKey": key}), "database"),
                (json!({"sessionKey": key, "env": {"WEFT_DATABASE": "postgres://weft@db/weft"}}), "database"),
            ] {
                let found = problems(with(several.clone(), beside));
                assert_eq!((found.len(), &found[0][0]), (1, &at), "{found:?}");
                let remedy = format!("write {missing} under spec.components.console");
                assert!(found[0][2].starts_with(&remedy), "{found:?}");
            }
            let both = json!({"database": database, "sessionKey": key});
            assert_eq!(problems(with(several.clone(), both.clone())), Vec::<[String; 3]>::new());
            let claim = json!({"persistentVolumeClaim": "weft-console"});
            let found = problems(with(with(several, both), claim));
            assert_eq!((found.len(), found[0][0].as_str()), (1, "spec.components.console.persistentVolumeClaim"));
        }
        for one in [json!({"replicas": 1}), scaling(1), json!({"persistentVolumeClaim": "weft-console"})] {
            assert_eq!(problems(one), Vec::<[String; 3]>::new());
        }
    }

    #[test]
    fn what_it_keeps_is_named_whole_and_once() {
        let key = json!({"name": "weft-console", "key": "it"});
        let env = |name: &str| json!({name: "x"});
        for (console, field) in [
            (json!({"database": {"name": "weft-console"}}), "database"),
            (json!({"sessionKey": {"key": "it"}}), "sessionKey"),
            (json!({"persistentVolumeClaim": "Weft Console"}), "persistentVolumeClaim"),
            (json!({"persistentVolumeClaim": ""}), "persistentVolumeClaim"),
            (json!({"database": key, "env": env("WEFT_DATABASE")}), "env[\"WEFT_DATABASE\"]"),
            (json!({"database": key, "env": env("WEFT_DATABASE_FILE")}), "env[\"WEFT_DATABASE_FILE\"]"),
            (json!({"sessionKey": key, "env": env("WEFT_SESSION_KEY_FILE")}), "env[\"WEFT_SESSION_KEY_FILE\"]"),
            (json!({"persistentVolumeClaim": "a", "env": env("WEFT_DATA_DIR")}), "env[\"WEFT_DATA_DIR\"]"),
        ] {
            let found = problems(console.clone());
            let fields: Vec<_> = found.iter().map(|[field, ..]| field.as_str()).collect();
            assert_eq!(fields, [format!("spec.components.console.{field}")], "{console}");
        }
    }

    #[test]
    fn what_lets_it_in_is_named_whole_and_once() {
        let key = json!({"name": "monitoring", "key": "it"});
        let https = json!({
            "WEFT_TRACE_SOURCE": "tempo",
            "WEFT_TRACE_URL": "https://tempo:3200",
            "WEFT_PROMETHEUS": "https://thanos:9091",
        });
        for (field, variable) in [
            ("traceToken", "WEFT_TRACE_TOKEN_FILE"),
            ("traceCA", "WEFT_TRACE_CA_FILE"),
            ("prometheusToken", "WEFT_PROMETHEUS_TOKEN_FILE"),
            ("prometheusCA", "WEFT_PROMETHEUS_CA_FILE"),
        ] {
            let fields =
                |console: Value| -> Vec<String> { problems(console).into_iter().map(|[field, ..]| field).collect() };
            let at = format!("spec.components.console.{field}");
            assert_eq!(fields(json!({"env": https, field: key})), Vec::<String>::new(), "{field}");
            for part in ["name", "key"] {
                assert_eq!(fields(json!({"env": https, field: {part: "it"}})), [at.as_str()], "{part}");
            }
            let twice = with(https.clone(), json!({variable: "/tmp/it"}));
            let at = format!("spec.components.console.env[{variable:?}]");
            assert_eq!(fields(json!({"env": twice, field: key})), [at]);
        }
    }

    /// The console refuses to start with certificates for an address without TLS.
    #[test]
    fn certificates_are_for_https() {
        let key = json!({"name": "ca", "key": "ca.crt"});
        let env = |name: &str, value: &str| json!({name: value});
        for (field, variable, url) in [
            ("traceCA", "WEFT_TRACE_URL", "http://tempo:3200"),
            ("prometheusCA", "WEFT_PROMETHEUS", "HTTP://prometheus:9090"),
            ("prometheusCA", "WEFT_CLUSTER_ID", "east"),
        ] {
            let found = problems(json!({"env": env(variable, url), field: key}));
            assert_eq!((found.len(), &found[0][0]), (1, &format!("spec.components.console.{field}")), "{found:?}");
            assert!(found[0][1].contains("nobody shows a certificate"), "{found:?}");
            assert!(found[0][2].contains("https"), "{found:?}");
        }
        // A token goes to where Prometheus is looked for by itself, too.
        assert_eq!(problems(json!({"prometheusToken": key})), Vec::<[String; 3]>::new());
        for token_or_ca in ["traceToken", "traceCA"] {
            let found = problems(json!({token_or_ca: key}));
            assert_eq!((found.len(), found[0][1].as_str()), (1, "no trace store is named that it is for"));
        }
    }

    #[test]
    fn other_components_have_no_use_for_them() {
        let key = json!({"name": "a", "key": "b"});
        for (field, value) in [
            ("traceToken", &key),
            ("traceCA", &key),
            ("prometheusToken", &key),
            ("prometheusCA", &key),
            ("database", &key),
            ("sessionKey", &key),
            ("persistentVolumeClaim", &json!("a")),
        ] {
            for name in ["controlPlane", "ingressGateway"] {
                let spec = json!({"components": {name: {field: value}}});
                let mesh = json!({"apiVersion": "weft.dev/v1alpha1", "kind": "Mesh", "metadata": {"name": "weft"},
                    "spec": spec});
                let found = crate::parse(&mesh, "").unwrap().object.validate();
                assert_eq!(found.len(), 1, "{found:?}");
                assert_eq!(found[0].field, format!("spec.components.{name}.{field}"));
                assert_eq!(found[0].suggestion.as_deref(), Some(format!("use console.{field}").as_str()));
            }
        }
    }
}
