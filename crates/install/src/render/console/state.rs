//! What the console keeps, with what it reads and writes that, and what lets it in at Prometheus and a trace store: files that
//! the kubelet brings. The console has no right to read Secrets, and a variable would show in its Deployment.

use serde_json::{Value, json};
use weft_api::mesh::{Component, KeyOf};

use super::{File, env, items};

/// Where its own files are.
pub(super) const DATA_DIR: &str = "/var/lib/weft";

/// A key as a file: whose it is, the volume's name, its directory, the variable that names the file, and whether the console
/// starts without it.
struct Kept {
    of: Of,
    volume: &'static str,
    dir: &'static str,
    variable: &'static str,
    optional: bool,
}

/// What has the key.
enum Of {
    Secret,
    ConfigMap,
}

/// The kubelet brings what renews it. Where the Secret is missing, the page of traces says so, and the rest is there.
const TRACE_TOKEN: Kept = Kept {
    of: Of::Secret,
    volume: "trace-token",
    dir: "/etc/weft/trace-token",
    variable: "WEFT_TRACE_TOKEN_FILE",
    optional: true,
};
/// Where the Secret is missing, the graph says so, and the rest is there.
const PROMETHEUS_TOKEN: Kept = Kept {
    of: Of::Secret,
    volume: "prometheus-token",
    dir: "/etc/weft/prometheus-token",
    variable: "WEFT_PROMETHEUS_TOKEN_FILE",
    optional: true,
};
/// The console reads certificates when it starts, and does not start without those that it is told of: the pod waits for the
/// ConfigMap and says so.
const TRACE_CA: Kept = Kept {
    of: Of::ConfigMap,
    volume: "trace-ca",
    dir: "/etc/weft/trace-ca",
    variable: "WEFT_TRACE_CA_FILE",
    optional: false,
};
const PROMETHEUS_CA: Kept = Kept {
    of: Of::ConfigMap,
    volume: "prometheus-ca",
    dir: "/etc/weft/prometheus-ca",
    variable: "WEFT_PROMETHEUS_CA_FILE",
    optional: false,
};
/// Where the Secret is missing, the pod waits for it and says so: without, things would be kept where nobody looks for them.
const DATABASE: Kept = Kept {
    of: Of::Secret,
    volume: "database",
    dir: "/etc/weft/database",
    variable: "WEFT_DATABASE_FILE",
    optional: false,
};
const SESSION_KEY: Kept = Kept {
    of: Of::Secret,
    volume: "session-key",
    dir: "/etc/weft/session-key",
    variable: "WEFT_SESSION_KEY_FILE",
    optional: false,
};

fn named(overrides: &Component) -> impl Iterator<Item = (Kept, &KeyOf)> {
    [
        (TRACE_TOKEN, overrides.trace_token.as_ref()),
        (TRACE_CA, overrides.trace_ca.as_ref()),
        (PROMETHEUS_TOKEN, overrides.prometheus_token.as_ref()),
        (PROMETHEUS_CA, overrides.prometheus_ca.as_ref()),
        (DATABASE, overrides.database.as_ref()),
        (SESSION_KEY, overrides.session_key.as_ref()),
    ]
    .into_iter()
    .filter_map(|(kept, key)| Some((kept, key?)))
}

/// The variables that name the files.
pub(super) fn variables(overrides: &Component) -> impl Iterator<Item = Value> {
    named(overrides).map(|(kept, key)| env(kept.variable, format!("{}/{}", kept.dir, key.key)))
}

/// The volumes with the files, each a directory: a single file that is mounted is never renewed.
pub(super) fn files(overrides: &Component) -> impl Iterator<Item = File> {
    named(overrides).map(|(kept, key)| {
        let (kind, mut source) = match kept.of {
            Of::Secret => ("secret", json!({"secretName": key.name, "items": items(key), "defaultMode": 0o440})),
            Of::ConfigMap => ("configMap", json!({"name": key.name, "items": items(key)})),
        };
        if kept.optional {
            source["optional"] = true.into();
        }
        (kept.volume, kept.dir, json!({"name": kept.volume, kind: source}))
    })
}

/// The volume of its own files.
pub(super) fn data(overrides: &Component) -> Value {
    match &overrides.persistent_volume_claim {
        Some(claim) => json!({"name": "data", "persistentVolumeClaim": {"claimName": claim}}),
        // Without a claim it goes with the pod.
        None => json!({"name": "data", "emptyDir": {"sizeLimit": "1Gi"}}),
    }
}
