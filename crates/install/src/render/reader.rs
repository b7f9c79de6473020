//! The token by which the operator and the console read the control plane's debug pages, and nothing else.

use serde_json::{Value, json};

use crate::names;

const VOLUME: &str = "weft-reader";

/// The volume; the kubelet renews the token in it.
pub(super) fn volume() -> Value {
    json!({"name": VOLUME, "projected": {"sources": [{"serviceAccountToken": {
        "audience": names::READER_AUDIENCE,
        "expirationSeconds": 3600,
        "path": "token",
    }}]}})
}

/// Where a container has it: [`names::READER_TOKEN_FILE`].
pub(super) fn mount() -> Value {
    let directory = names::READER_TOKEN_FILE.trim_end_matches("/token");
    json!({"name": VOLUME, "mountPath": directory, "readOnly": true})
}
