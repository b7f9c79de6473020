//! What people are told of a Mesh: a condition with its reason and remedy, and an event.

use std::time::Duration;

use serde_json::Value;
use weft_tests::{
    cluster::{Cluster, object::condition},
    wait::ensure,
};

const LIMIT: Duration = Duration::from_secs(60);

/// Waits until a Mesh has this condition; gives its message, which an event of that Mesh has told as well.
pub async fn told(cluster: &'static Cluster, mesh: &str, kind: &str, status: &str, reason: &str) -> String {
    let message = cluster
        .wait_for(&format!("{kind} of {mesh} is {status}, {reason}"), &["mesh", mesh], LIMIT, |found| {
            match condition(found, kind) {
                Some(now) if now == (status, reason) => Ok(message(found, kind)),
                other => Err(format!("{other:?}")),
            }
        })
        .await;
    let of = format!("--field-selector=involvedObject.kind=Mesh,involvedObject.name={mesh},reason={reason}");
    cluster
        .wait_for(&format!("an event of {mesh} tells {reason}"), &["events", "-A", &of], LIMIT, |events| {
            let mut all = events["items"].as_array().into_iter().flatten();
            ensure(all.any(|event| event["message"] != ""), || "no such event".into())
        })
        .await;
    message
}

fn message(mesh: &Value, kind: &str) -> String {
    let all = mesh["status"]["conditions"].as_array();
    let found = all.into_iter().flatten().find(|condition| condition["type"] == kind);
    found.and_then(|condition| condition["message"].as_str()).unwrap_or_default().to_owned()
}
