//! `weft check`: whether a cluster can run Weft, and whether the installed one works. Each failure comes with a hint.

mod access;
mod credentials;
mod install;
mod mesh;
mod orphans;
mod report;
mod webhooks;

use std::process::ExitCode;

use crate::{
    cluster::{Cluster, ClusterArgs, block_on},
    output::{self, OutputArgs},
    upgrade::operator,
};

pub use self::report::{Checks, Finding, Outcome};

/// Check whether the cluster can run Weft and whether the installed one works.
///
/// Where nothing of Weft is there, it is --pre that is checked, and said so.
#[derive(Clone, Debug, clap::Args)]
pub struct CheckArgs {
    #[command(flatten)]
    cluster: ClusterArgs,
    #[command(flatten)]
    output: OutputArgs,
    /// Only what must hold before Weft is installed.
    #[arg(long)]
    pre: bool,
}

/// Checks and prints. Exits with 1 when something failed.
pub fn run(args: CheckArgs) -> anyhow::Result<ExitCode> {
    block_on(async {
        let cluster = args.cluster.connect().await?;
        let checks = gather(&cluster, args.pre).await;
        output::print(args.output.output, &checks)?;
        Ok(if checks.failed() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    })
}

/// Every check, in the order in which people would look.
pub async fn gather(cluster: &Cluster, pre: bool) -> Checks {
    let mut findings = vec![access::api_server(cluster).await];
    if findings[0].outcome == Outcome::Failed {
        return Checks { findings };
    }
    let meshes = cluster.meshes().await;
    // Nothing when that cannot be seen: it is looked at as far as it goes without.
    let installed = meshes.as_ref().ok().map(|found| found.as_ref().is_some_and(|meshes| !meshes.is_empty()));
    if pre || installed == Some(false) {
        findings.extend(access::rights(cluster).await);
    }
    // Who has not installed anything yet asks whether it can be done.
    let nothing = !pre && matches!(meshes, Ok(None)) && matches!(operator::find(cluster).await, Ok(None));
    if nothing {
        findings.push(install::nothing(&cluster.system));
    }
    if !pre && !nothing {
        findings.extend(install::kinds(cluster).await);
        let idle = operator::idle(cluster).await;
        findings.push(if installed == Some(false) { install::alone(&idle) } else { install::operator(&idle) });
        let idle = matches!(idle, Ok(Some(_)));
        findings.extend(mesh::meshes(&meshes, idle, &cluster.system));
        let meshes = meshes.ok().flatten().unwrap_or_default();
        if installed == Some(true) {
            findings.extend(install::control_planes(cluster, &meshes, idle).await);
            findings.extend(webhooks::webhooks(cluster, &meshes, idle).await);
            findings.extend(mesh::namespaces(cluster, &meshes).await);
            findings.extend(credentials::credentials(cluster).await);
        }
        if installed != Some(false) {
            findings.extend(mesh::proxies(cluster, &meshes).await);
        }
    }
    if installed == Some(false) && !pre {
        findings.extend(orphans::orphans(cluster).await);
    }
    Checks { findings }
}
