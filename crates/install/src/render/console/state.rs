//! What the console keeps, and with what it reads and writes that: files that the kubelet brings. The console has no right to
//! read Secrets, and a variable would show in its Deployment.

use serde_json::{Value, json};
use weft_api::mesh::{Component, KeyOf};

use super::{File, env, items};

/// Where its own files are.
pub(super) const DATA_DIR: &str = "/var/lib/weft";

/// A Secret's key as a file: the volume's name, its directory, the variable that names the file, and whether the console
/// starts without it.
struct Kept {
    volume: &'static str,
    dir: &'static str,
    variable: &'static str,
    optional: bool,
}

/// The kubelet brings what renews it. Where the Secret is missing, the page of traces says so, and the rest is there.
const TRACE_TOKEN: Kept =
    Kept { volume: "trace-token", dir: "/etc/weft/trace-token", variable: "WEFT_TRACE_TOKEN_FILE", optional: true };
/// Where the Secret is missing, the pod waits for it and says so: without, things would be kept where nobody looks for them.
const DATABASE: Kept =
    Kept { volume: "database", dir: "/etc/weft/database", variable: "WEFT_DATABASE_FILE", optional: false };
const SESSION_KEY: Kept =
    Kept { volume: "session-key", dir: "/etc/weft/session-key", variable: "WEFT_SESSION_KEY_FILE", optional: false };

fn named(overrides: &Component) -> impl Iterator<Item = (Kept, &KeyOf)> {
    [
        (TRACE_TOKEN, overrides.trace_token.as_ref()),
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
        let mut secret = json!({"secretName": key.name, "items": items(key), "defaultMode": 0o440});
        if kept.optional {
            secret["optional"] = true.into();
        }
        (kept.volume, kept.dir, json!({"name": kept.volume, "secret": secret}))
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
