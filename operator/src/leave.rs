//! `weft-operator leave`: what the Helm chart does before it is uninstalled. Only an operator can clean up after a Mesh, so
//! the chart's own Mesh goes first, and a Mesh of somebody else keeps the operator.

use std::{path::PathBuf, time::Duration};

use kube::{
    ResourceExt,
    api::{DeleteParams, DynamicObject, ListParams},
};
use tokio::time::{Instant, sleep};
use weft_api::mesh::ConditionStatus;
use weft_runtime::{Shutdown, StartupError};

use crate::reconcile::{
    cluster::{Cluster, mesh_resource},
    conditions::DELETING,
    problem::Reason,
    status,
};

/// Between two looks.
const PERIOD: Duration = Duration::from_secs(1);

/// Flags of `weft-operator leave`, each also `WEFT_<FLAG>` in the environment.
#[derive(Clone, Debug, clap::Args)]
pub struct LeaveOptions {
    /// The Mesh to delete first; without one it is only looked whether there is any.
    #[arg(long, env = "WEFT_MESH", default_value = "")]
    pub mesh: String,
    /// How long to wait until it is gone.
    #[arg(long, env = "WEFT_TIMEOUT", default_value = "4m", value_parser = humantime::parse_duration)]
    pub timeout: Duration,
    /// Kubeconfig of the cluster; none is what kubectl would take, or the pod's service account.
    #[arg(long, env = "WEFT_KUBECONFIG")]
    pub kubeconfig: Option<PathBuf>,
}

/// What to do about the Meshes that are there.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    /// Nothing: there is none.
    Done,
    /// Somebody else's are there.
    Refuse(String),
    /// Ours is there.
    Delete,
    /// They are going; for what they wait.
    Wait(String),
}

/// Ends well when there is no Mesh any more, and with what is in the way otherwise.
pub async fn run(options: LeaveOptions, shutdown: Shutdown) -> anyhow::Result<()> {
    let cluster = Cluster { client: crate::kubernetes::client(options.kubeconfig.as_deref()).await? };
    let api = cluster.api(&mesh_resource(), "");
    let doing = format!("delete Mesh {}", options.mesh);
    let end = Instant::now() + options.timeout;
    let mut told = String::new();
    while !shutdown.begun() {
        let step = match cluster.ask("list Meshes", api.list(&ListParams::default())).await {
            Ok(found) => step(&found.items, &options.mesh),
            // Without the kind there is none.
            Err(problem) if problem.reason == Reason::MissingKind => Step::Done,
            Err(problem) => Step::Wait(problem.to_string()),
        };
        match step {
            Step::Done => return Ok(()),
            Step::Refuse(names) => return Err(refused(&names).into()),
            // In the background: in the foreground, what belongs to the Mesh would go before the pods that need it.
            Step::Delete => match cluster.ask(&doing, api.delete(&options.mesh, &DeleteParams::default())).await {
                Ok(_) => tracing::info!(mesh = options.mesh, "deleted the Mesh; waiting until it is gone"),
                Err(problem) => told = problem.to_string(),
            },
            Step::Wait(what) if what != told => {
                tracing::info!("waiting: {what}");
                told = what;
            }
            Step::Wait(_) => {}
        }
        if Instant::now() >= end {
            return Err(late(options.timeout, &told).into());
        }
        tokio::select! { () = sleep(PERIOD) => {}, () = shutdown.wait() => {} }
    }
    anyhow::bail!("stopped before every Mesh was gone")
}

/// Somebody else's Mesh stops it before anything is done.
fn step(meshes: &[DynamicObject], own: &str) -> Step {
    let stays = |mesh: &&DynamicObject| mesh.metadata.deletion_timestamp.is_none();
    let others: Vec<String> =
        meshes.iter().filter(stays).map(ResourceExt::name_any).filter(|name| name != own).collect();
    if !others.is_empty() {
        return Step::Refuse(others.join(" "));
    }
    if meshes.iter().any(|mesh| stays(&mesh)) {
        return Step::Delete;
    }
    meshes.first().map_or(Step::Done, |mesh| Step::Wait(format!("Mesh {}: {}", mesh.name_any(), waits_for(mesh))))
}

fn waits_for(mesh: &DynamicObject) -> String {
    let status = status::of(mesh);
    match status.condition(DELETING).filter(|condition| condition.status == ConditionStatus::True) {
        Some(condition) => condition.message.clone(),
        None => "the operator has not begun to clean up".to_owned(),
    }
}

fn refused(names: &str) -> StartupError {
    StartupError::new(
        "cannot remove the operator",
        format!("only an operator can clean up after a Mesh, and there is {names}"),
        format!("kubectl delete mesh {names}, then helm uninstall again; with --no-hooks it is left behind"),
    )
}

fn late(timeout: Duration, told: &str) -> StartupError {
    let waited = humantime::format_duration(timeout);
    StartupError::new(
        "cannot remove the operator",
        format!("not every Mesh is gone after {waited}: {told}"),
        "see to that, then helm uninstall again; with --no-hooks the Mesh is left behind and waits for an operator",
    )
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn mesh(name: &str, leaving: bool, status: Value) -> DynamicObject {
        let mut mesh = DynamicObject::new(name, &mesh_resource());
        mesh.metadata.deletion_timestamp =
            leaving.then(|| serde_json::from_value(json!("2026-11-23T20:00:00Z")).unwrap());
        mesh.data = json!({"status": status});
        mesh
    }

    #[test]
    fn the_charts_own_mesh_goes_and_no_other() {
        let own = || mesh("weft", false, json!({}));
        let other = || mesh("other", false, json!({}));
        assert_eq!(step(&[], "weft"), Step::Done);
        assert_eq!(step(&[own()], "weft"), Step::Delete);
        assert_eq!(step(&[own(), other()], "weft"), Step::Refuse("other".into()), "before ours is touched");
        assert_eq!(step(&[own()], ""), Step::Refuse("weft".into()), "the chart did not make it");
        let told = refused("other").to_string();
        assert!(told.contains("kubectl delete mesh other, then") && told.contains("--no-hooks"), "{told}");
    }

    #[test]
    fn what_is_waited_for_is_told() {
        let going = mesh("weft", true, json!({}));
        assert_eq!(step(&[going], "weft"), Step::Wait("Mesh weft: the operator has not begun to clean up".into()));
        let waits = json!({"conditions": [{"type": "Deleting", "status": "True", "reason": "WaitingForPods",
            "message": "1 injected pods still run: shop/web", "lastTransitionTime": "2026-11-23T20:00:00Z"}]});
        let Step::Wait(told) = step(&[mesh("weft", true, waits)], "weft") else { panic!() };
        assert_eq!(told, "Mesh weft: 1 injected pods still run: shop/web");
        let late = late(Duration::from_secs(240), &told).to_string();
        assert!(late.contains("after 4m: Mesh weft: 1 injected") && late.contains("helm uninstall again"), "{late}");
    }
}
