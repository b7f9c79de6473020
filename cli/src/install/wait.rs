//! Waits for a Mesh, and says what it waits for.

use std::{process::ExitCode, time::Duration};

use kube::{Api, api::DynamicObject};
use serde::Deserialize;
use tokio::time::Instant;
use weft_api::mesh::{ConditionStatus, MeshStatus};

use crate::cluster::{Cluster, meshes, passing};

/// How often the Mesh is looked at.
pub const PERIOD: Duration = Duration::from_millis(500);

/// Waits until a Mesh is ready, in `version` unless that is empty: until its operator has looked, a Mesh that did not change
/// is ready as it was.
pub async fn ready(cluster: &Cluster, name: &str, version: &str, patience: Duration) -> anyhow::Result<ExitCode> {
    let meshes: Api<DynamicObject> = Api::all_with(cluster.client.clone(), &meshes::resource());
    let end = Instant::now() + patience;
    let mut told = String::new();
    loop {
        let mesh = match meshes.get_opt(name).await {
            Ok(Some(mesh)) => mesh,
            Ok(None) => {
                eprintln!("weft: Mesh {name} was deleted; run weft install again");
                return Ok(ExitCode::FAILURE);
            }
            Err(error) => {
                if !step(passing(&format!("look at Mesh {name}"), &error)?, &mut told, end).await {
                    return Ok(late(name, &told, patience));
                }
                continue;
            }
        };
        let status = MeshStatus::deserialize(mesh.data["status"].clone()).unwrap_or_default();
        // Its conditions tell of the time before: it can be ready and on its way out.
        if mesh.metadata.deletion_timestamp.is_some() {
            eprintln!("weft: Mesh {name} is being deleted; {}", leaving(&status));
            eprintln!(
                "weft: kubectl wait --for=delete mesh/{name} --timeout=5m waits for that; then run weft install again"
            );
            return Ok(ExitCode::FAILURE);
        }
        let current = status.observed_generation >= mesh.metadata.generation.unwrap_or_default();
        let ready = status.condition("Ready").filter(|_| current);
        let right = version.is_empty() || status.version == version;
        if right && ready.is_some_and(|condition| condition.status == ConditionStatus::True) {
            eprintln!("Mesh {name} is ready, version {}", status.version);
            return Ok(ExitCode::SUCCESS);
        }
        if !step(state(&status, current), &mut told, end).await {
            return Ok(late(name, &told, patience));
        }
    }
}

/// Tells what is waited for when that is news, and waits a little; `false` when the time is over.
pub(super) async fn step(state: String, told: &mut String, end: Instant) -> bool {
    tell(state, told);
    if Instant::now() >= end {
        return false;
    }
    tokio::time::sleep(PERIOD).await;
    true
}

/// Tells what is waited for when that is news, and at once what no waiting mends.
pub fn tell(state: String, told: &mut String) {
    if state == *told {
        return;
    }
    eprintln!("waiting: {state}");
    if let Some(hint) = homeless(&state).filter(|_| homeless(told).is_none()) {
        eprintln!("weft: {hint}");
    }
    *told = state;
}

/// What to know when the scheduler finds no node for a pod. What helps stands in the state itself.
fn homeless(state: &str) -> Option<&'static str> {
    state.contains("Unschedulable").then_some(
        "no node takes that pod, and waiting alone does not change it (docs/upgrade.md says how to make room)",
    )
}

fn late(name: &str, told: &str, patience: Duration) -> ExitCode {
    eprintln!("weft: Mesh {name} is not ready after {}: {told}", humantime::format_duration(patience));
    eprintln!("weft: kubectl describe mesh {name} and weft status say more");
    ExitCode::FAILURE
}

/// Whether a Mesh is there and being deleted.
pub(super) async fn leaves(cluster: &Cluster, name: &str) -> anyhow::Result<bool> {
    let meshes = cluster.meshes().await?.unwrap_or_default();
    Ok(meshes.iter().any(|mesh| mesh.leaving && mesh.name == name))
}

/// What the end of a Mesh waits for, in one sentence.
fn leaving(status: &MeshStatus) -> String {
    match status.condition("Deleting").filter(|condition| condition.status == ConditionStatus::True) {
        Some(condition) if condition.message.is_empty() => condition.reason.clone(),
        Some(condition) => format!("{} ({})", condition.message, condition.reason),
        None => "the operator has not begun to clean up".to_owned(),
    }
}

/// What is missing, in one sentence.
pub(super) fn state(status: &MeshStatus, current: bool) -> String {
    if !current {
        return "the operator has not looked at the Mesh yet (is its Deployment weft-operator running?)".to_owned();
    }
    if !status.waiting_for.is_empty() {
        return status.waiting_for.join("; ");
    }
    match status.condition("Ready").filter(|condition| condition.status != ConditionStatus::True) {
        Some(condition) if condition.message.is_empty() => condition.reason.clone(),
        Some(condition) => format!("{} ({})", condition.message, condition.reason),
        None => "the operator is at work".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use weft_api::mesh::Condition;

    use super::*;

    #[test]
    fn that_waiting_gives_a_pod_no_node_is_told_at_once() {
        let state = "control-plane: 2 of 3 pods are ready (image x), pod a: Unschedulable (Insufficient cpu)";
        assert!(homeless(state).unwrap().contains("waiting alone does not change it"));
        assert_eq!(homeless("control-plane: 2 of 3 pods are ready (image x)"), None);
    }

    #[test]
    fn the_reason_is_named() {
        let mut status = MeshStatus::default();
        assert!(state(&status, false).contains("weft-operator"));
        assert_eq!(state(&status, true), "the operator is at work");
        let condition = Condition {
            kind: "Ready".into(),
            reason: "Forbidden".into(),
            message: "no right to x".into(),
            ..Condition::default()
        };
        status.set_condition(condition);
        assert_eq!(state(&status, true), "no right to x (Forbidden)");
        status.waiting_for = vec!["Deployment weft-console".into()];
        assert_eq!(state(&status, true), "Deployment weft-console");
        assert_eq!(leaving(&status), "the operator has not begun to clean up");
        let condition = Condition {
            kind: "Deleting".into(),
            status: ConditionStatus::True,
            reason: "WaitingForPods".into(),
            message: "1 injected pods still run: shop/web".into(),
            ..Condition::default()
        };
        status.set_condition(condition);
        assert_eq!(leaving(&status), "1 injected pods still run: shop/web (WaitingForPods)");
    }
}
