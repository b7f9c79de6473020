//! How the kubelet finds out how the console is.

use serde_json::{Value, json};

/// Where it answers people, and tells how it is.
const PORT: u16 = 20001;
/// At most so long it takes to read a large cluster and to bring a database up to date: five minutes.
const START_PERIOD_S: u32 = 2;
const START_FAILURES: u32 = 150;

/// Gives the container its probes. `open` is whether it listens on its pod's address, `several` whether others serve beside it.
pub(super) fn add(container: &mut Value, open: bool, several: bool) {
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

fn get(path: &str) -> Value {
    json!({"httpGet": {"path": path, "port": PORT, "scheme": "HTTP"}})
}

fn with(mut probe: Value, period: u32, failures: u32) -> Value {
    probe["periodSeconds"] = period.into();
    probe["timeoutSeconds"] = 3.into();
    probe["failureThreshold"] = failures.into();
    probe
}
