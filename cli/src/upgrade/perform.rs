//! Does what was planned: CRD and operator first, then the Meshes, each step safe to repeat.

use std::process::ExitCode;

use k8s_openapi::api::{apps::v1::Deployment, core::v1::Pod};
use kube::{
    Api,
    api::{DynamicObject, Patch, PatchParams},
};
use serde_json::json;
use tokio::time::Instant;
use weft_install::render::bootstrap::OPERATOR;
use weft_operator::reconcile::rollout::{self, Rollout};

use super::{
    UpgradeArgs, impossible, operator,
    plan::{Action, Plan, Step},
};
use crate::{
    cluster::{Cluster, explain, meshes, passing},
    install::{apply, wait},
};

/// What was done.
pub(super) struct Done {
    pub(super) changed: Vec<String>,
    pub(super) ready: bool,
}

pub(super) async fn perform(cluster: &Cluster, plan: &Plan, args: &UpgradeArgs) -> anyhow::Result<Done> {
    let found = operator::find(cluster).await?;
    let found = found.ok_or_else(|| impossible("the operator has just gone", "run weft install"))?;
    let mut done = Done { changed: Vec::new(), ready: true };
    // Before the operator changes: a Mesh that is to stay would follow it.
    for step in plan.meshes.iter().filter(|step| step.action == Action::Keep) {
        tag(cluster, step, &mut done.changed).await?;
    }
    let definitions = weft_install::crds().into_iter().filter(|crd| !crd.foreign).map(|crd| crd.definition);
    for object in definitions.chain(found.at(&plan.to).objects()) {
        if apply::one(cluster, &object).await? {
            done.changed.push(apply::shown(&object));
        }
    }
    // The operator that runs refuses what is newer than itself.
    if args.wait && !rolled_out(cluster, args).await? {
        done.ready = false;
        return Ok(done);
    }
    let wanted = plan.meshes.iter().filter(|step| matches!(step.action, Action::Upgrade | Action::Create));
    for step in wanted {
        match &step.object {
            Some(object) => {
                if apply::one(cluster, object).await? {
                    done.changed.push(apply::shown(object));
                }
            }
            None => tag(cluster, step, &mut done.changed).await?,
        }
        if args.wait {
            let code = wait::ready(cluster, &step.mesh, &step.shows, args.timeout).await?;
            done.ready &= code == ExitCode::SUCCESS;
            if code != ExitCode::SUCCESS && step.action == Action::Create {
                eprintln!("weft: it goes on by itself once it can; weft uninstall --name {} takes it back", step.mesh);
            }
        }
    }
    Ok(done)
}

/// Writes a Mesh's version. Only that field: the rest is whoever's wrote it.
async fn tag(cluster: &Cluster, step: &Step, changed: &mut Vec<String>) -> anyhow::Result<()> {
    let Some(tag) = &step.tag else { return Ok(()) };
    let api: Api<DynamicObject> = Api::all_with(cluster.client.clone(), &meshes::resource());
    let patch = json!({"spec": {"image": {"tag": tag}}});
    let params = PatchParams { field_manager: Some(apply::MANAGER.to_owned()), ..PatchParams::default() };
    api.patch(&step.mesh, &params, &Patch::Merge(patch))
        .await
        .map_err(|error| explain(&format!("set spec.image.tag of Mesh {}", step.mesh), &error))?;
    eprintln!("set spec.image.tag of Mesh {} to {tag}", step.mesh);
    changed.push(format!("Mesh {}", step.mesh));
    Ok(())
}

/// Waits until every replica of the operator is of the new version.
async fn rolled_out(cluster: &Cluster, args: &UpgradeArgs) -> anyhow::Result<bool> {
    let api: Api<Deployment> = Api::namespaced(cluster.client.clone(), &cluster.system);
    let end = Instant::now() + args.timeout;
    let mut told = String::new();
    loop {
        let waiting = match api.get(OPERATOR).await {
            Ok(found) => behind(&found),
            Err(error) => Some(passing(&format!("look at {OPERATOR}"), &error)?),
        };
        let Some(waiting) = waiting else { return Ok(true) };
        // Only to say more: without a right to pods it is waited for all the same.
        let pods = cluster.component("operator").await.unwrap_or_default();
        wait::tell(with_reason(waiting, &pods), &mut told);
        if Instant::now() >= end {
            let (patience, system) = (humantime::format_duration(args.timeout), &cluster.system);
            eprintln!("weft: the operator is not of the new version after {patience}: {told}; no Mesh was moved to it");
            eprintln!("weft: kubectl -n {system} describe pods -l weft.dev/component=operator says why");
            eprintln!("weft: kubectl -n {system} rollout undo deployment/{OPERATOR} goes back");
            return Ok(false);
        }
        tokio::time::sleep(wait::PERIOD).await;
    }
}

/// What is missing until a Deployment is rolled out.
fn behind(deployment: &Deployment) -> Option<String> {
    let rollout = Rollout::of(deployment);
    let Rollout { wanted, updated, all, available } = rollout;
    let paused = rollout::paused(deployment).map_or_else(String::new, |why| format!("; {why}"));
    (!rollout.done()).then(|| {
        format!("{OPERATOR} has {updated} of {wanted} pods of the new version, {available} of {all} are ready{paused}")
    })
}

/// Adds why a pod of the operator does not start, where one says so.
fn with_reason(waiting: String, pods: &[Pod]) -> String {
    match rollout::hindrances(pods).remove("operator") {
        Some(why) => format!("{waiting}; {}", why.words),
        None => waiting,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_keeps_the_operator_from_starting_is_told() {
        let lacks = json!({"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "no CPU"});
        let pod = json!({"metadata": {"name": "op", "labels": {"weft.dev/component": "operator"}},
            "status": {"conditions": [lacks]}});
        let pod: Pod = serde_json::from_value(pod).unwrap();
        assert_eq!(with_reason("x".into(), &[pod]), "x; pod op: Unschedulable (no CPU)");
        assert_eq!(with_reason("x".into(), &[Pod::default()]), "x");
    }

    #[test]
    fn old_pods_do_not_count() {
        let of = |generation: i64, updated: i32, all: i32, ready: i32| {
            let value = json!({"metadata": {"generation": generation}, "spec": {"replicas": 2, "selector": {}, "template": {}},
                "status": {"observedGeneration": 4, "updatedReplicas": updated, "replicas": all, "availableReplicas": ready}});
            behind(&serde_json::from_value(value).unwrap())
        };
        assert_eq!(of(4, 2, 2, 2), None);
        assert!(of(5, 2, 2, 2).unwrap().contains("0 of 2"), "the change was not seen yet");
        assert!(of(4, 1, 3, 3).is_some() && of(4, 2, 3, 3).is_some() && of(4, 2, 2, 1).is_some());
        let paused = json!({"metadata": {"name": OPERATOR, "namespace": "mesh"},
            "spec": {"replicas": 2, "paused": true, "selector": {}, "template": {}}});
        assert!(behind(&serde_json::from_value(paused).unwrap()).unwrap().contains("-n mesh rollout resume"));
    }
}
