//! `weft status`: what is installed, whether it works, and what the proxies cost.

mod cost;
mod quantity;
mod report;
mod usage;

use std::process::ExitCode;

use crate::{
    cluster::{ClusterArgs, block_on, pods},
    output::{self, OutputArgs},
    upgrade::operator::{self, Idle},
};

pub use self::report::Status;

/// Show what is installed and whether it works.
#[derive(Clone, Debug, clap::Args)]
pub struct StatusArgs {
    #[command(flatten)]
    cluster: ClusterArgs,
    #[command(flatten)]
    output: OutputArgs,
    /// Memory and CPU that the proxies request and use, by namespace.
    #[arg(long)]
    cost: bool,
}

/// Asks the cluster and prints. Exits with 1 when an installation is not ready.
pub fn run(args: StatusArgs) -> anyhow::Result<ExitCode> {
    block_on(async {
        let cluster = args.cluster.connect().await?;
        let status = gather(&cluster, args.cost).await?;
        output::print(args.output.output, &status)?;
        Ok(if status.ready() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    })
}

/// Everything that the answer is made of.
pub async fn gather(cluster: &crate::cluster::Cluster, cost: bool) -> anyhow::Result<Status> {
    let meshes = cluster.meshes().await?;
    let control_planes = cluster.component("control-plane").await?;
    let operator = operator::find(cluster).await?;
    let pods = cluster.pods().await?;
    let idle = Idle::of(operator.as_ref(), &cluster.system);
    let mut status = Status::new(cluster, meshes.as_deref(), &control_planes, &pods, idle);
    if cost {
        let usage = usage::ask(cluster, &pods).await;
        status.cost = Some(cost::Cost::of(pods::proxied(&pods), usage));
    }
    Ok(status)
}
