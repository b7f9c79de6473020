//! `weft upgrade`: brings what `weft install` installed to another version, or puts one of another version beside it.

mod beside;
mod moves;
pub(crate) mod operator;
mod perform;
pub(crate) mod plan;
mod report;
mod restarts;
mod wish;

use std::{process::ExitCode, time::Duration};

use weft_runtime::StartupError;

use self::{plan::Plan, wish::Wish};
use crate::{
    cluster::{Cluster, ClusterArgs, block_on, meshes::Installation},
    output::{self, OutputArgs},
};

/// Bring the operator and its Meshes to another version, and say which workloads have to restart.
///
/// First our own CRD, the operator and its roles, then each Mesh; the version window is checked before anything is
/// written. Safe to repeat. With --revision the running control plane stays as it is and a second one of the new version
/// comes beside it; workloads then move when you tell them to. Exits with 1 when the step is refused or not ready in time.
#[derive(Clone, Debug, clap::Args)]
pub struct UpgradeArgs {
    #[command(flatten)]
    cluster: ClusterArgs,
    #[command(flatten)]
    output: OutputArgs,
    /// Change nothing, only tell.
    #[arg(long)]
    dry_run: bool,
    /// The version; by default this command's own, unless the operator is newer.
    #[arg(long, value_name = "VERSION")]
    to: Option<String>,
    /// Only this Mesh; the others keep their version. With --revision, the one whose settings are taken over.
    #[arg(long, value_name = "NAME")]
    mesh: Option<String>,
    /// Leave the running control plane alone and install a second one of this revision beside it.
    #[arg(long, value_name = "REVISION", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    revision: Option<String>,
    /// Whether to wait until everything runs in the new version.
    #[arg(
        long,
        value_name = "BOOL",
        default_value_t = true,
        default_missing_value = "true",
        num_args = 0..=1,
        action = clap::ArgAction::Set
    )]
    wait: bool,
    /// How long to wait, for the operator and then for each Mesh.
    #[arg(long, default_value = "5m", value_parser = humantime::parse_duration, value_name = "DURATION")]
    timeout: Duration,
}

/// Runs `weft upgrade`.
pub fn run(args: UpgradeArgs) -> anyhow::Result<ExitCode> {
    block_on(async {
        let cluster = args.cluster.connect().await?;
        let wish = Wish {
            to: args.to.clone(),
            mesh: args.mesh.clone(),
            revision: args.revision.clone(),
            dry_run: args.dry_run,
        };
        let mut plan = look(&cluster, &wish).await?;
        if plan.refused() || args.dry_run {
            output::print(args.output.output, &plan)?;
            return Ok(if plan.refused() { ExitCode::FAILURE } else { ExitCode::SUCCESS });
        }
        let done = perform::perform(&cluster, &plan, &args).await?;
        // Anew: who restarted meanwhile has the new proxy already.
        plan = look(&cluster, &wish).await?;
        plan.changed = Some(done.changed);
        output::print(args.output.output, &plan)?;
        Ok(if done.ready { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    })
}

async fn look(cluster: &Cluster, wish: &Wish) -> anyhow::Result<Plan> {
    let meshes = cluster.meshes().await?.unwrap_or_default();
    if meshes.is_empty() {
        return Err(impossible("there is no Mesh", "install first, with weft install").into());
    }
    wish.chosen(&meshes)?;
    let pods = cluster.pods().await?;
    let operator = operator::find(cluster).await?;
    let mut plan = Plan::new(&meshes, &pods, operator.as_ref(), wish, &cluster.system);
    if let Some(revision) = wish.revision.as_ref().filter(|_| !plan.refused()) {
        let namespaces = moves::namespaces(cluster).await?;
        // Whatever it is called: it may have been there before.
        let new = plan.meshes.iter().find(|step| step.revision == *revision);
        let new = new.map(|step| step.mesh.clone()).unwrap_or_default();
        let held = meshes.iter().find(|mesh| mesh.name == new).map_or(&[][..], |mesh| &mesh.spec.tags);
        plan.moves = moves::Moves::of(base(&meshes, wish), (&new, held), revision, &namespaces, &pods);
    }
    Ok(plan)
}

/// The Mesh that a second control plane is made after.
fn base<'m>(meshes: &'m [Installation], wish: &Wish) -> Option<&'m Installation> {
    meshes.iter().find(|mesh| wish.is_base(mesh, meshes))
}

fn impossible(why: impl ToString, remedy: impl Into<String>) -> StartupError {
    StartupError::new("cannot upgrade", why, remedy)
}
