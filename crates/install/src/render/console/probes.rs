//! How the kubelet finds out how the console is.

use std::cmp::Ordering;

use serde_json::{Value, json};

use crate::version::{compare, tag_of};

/// Where it answers people, and tells how it is.
const PORT: u16 = 20001;
/// At most so long it takes to read a large cluster and to bring a database up to date: five minutes.
const START_PERIOD_S: u32 = 2;
const START_FAILURES: u32 = 150;
/// The first version whose console knows the command `ready`.
const KNOWS_READY: &str = "0.1.0";

/// Gives the container its probes. `open` is whether it listens on its pod's address, `several` whether others serve beside it.
/// One on its pod's loopback whose image is not known to have the command gets none: to be asked by a command that is not
/// there would keep it from ever becoming ready.
pub(super) fn add(container: &mut Value, open: bool, several: bool) {
    if !open && !knows_ready(container["image"].as_str().unwrap_or_default()) {
        return;
    }
    if !open {
        // The kubelet does not reach the pod's loopback, but a program in the pod does. It asks until the console has
        // started, so that a rollout waits for it; after that no Service leads here whose answers could depend on it.
        container["startupProbe"] = with(
            json!({"exec": {"command": ["/usr/local/bin/weft-console", "ready"]}}),
            START_PERIOD_S,
            START_FAILURES,
        );
        // The program says what is wrong when it has waited for the database.
        container["startupProbe"]["timeoutSeconds"] = 10.into();
        return;
    }
    container["startupProbe"] = with(get("/healthz/ready"), START_PERIOD_S, START_FAILURES);
    // While its database is away, another console may do better. One that is alone goes on: nobody could take its place, and
    // its page says what is wrong.
    let serves = if several { "/healthz/ready" } else { "/healthz/live" };
    container["readinessProbe"] = with(get(serves), 5, 3);
    container["livenessProbe"] = with(get("/healthz/live"), 10, 6);
}

/// By its tag, as the version window has it; a tag that says no version may be of any.
fn knows_ready(image: &str) -> bool {
    matches!(compare(tag_of(image), KNOWS_READY), Some(Ordering::Equal | Ordering::Greater))
}

fn get(path: &str) -> Value {
    json!({"httpGet": {"path": path, "port": PORT, "scheme": "HTTP"}})
}

fn with(mut probe: Value, period: u32, failures: u32) -> Value {
    probe["periodSeconds"] = period.into();
    probe["timeoutSeconds"] = 3.into();
    probe["failureThreshold"] = failures.into();
    probe
}
