//! `weft status`: what is installed, whether it works, and what the proxies cost.

mod cost;
mod quantity;
mod report;
mod usage;

use std::process::ExitCode;

use weft_runtime::StartupError;

use crate::{
    cluster::{ClusterArgs, block_on, pods},
    output::{self, OutputArgs},
    upgrade::operator,
};

use self::report::Seen;
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

/// Everything that the answer is made of, as far as it may be read: what is not is named in the answer.
///
/// # Errors
/// When nothing at all could be read.
pub async fn gather(cluster: &crate::cluster::Cluster, cost: bool) -> anyhow::Result<Status> {
    let (meshes, control_planes, operator, pods) =
        tokio::join!(cluster.meshes(), cluster.component("control-plane"), operator::idle(cluster), cluster.pods(),);
    let mut unread = Vec::new();
    let seen = Seen {
        meshes: known(meshes, &mut unread),
        control_planes: known(control_planes, &mut unread),
        idle: known(operator, &mut unread).flatten(),
        pods: known(pods, &mut unread),
    };
    if unread.len() == Seen::READS {
        return Err(placed(unread.swap_remove(0), &cluster.server));
    }
    let mut status = Status::new(&cluster.server, &cluster.system, &seen);
    status.unread = unread.iter().map(ToString::to_string).collect();
    if let Some(pods) = seen.pods.as_ref().filter(|_| cost) {
        let usage = usage::ask(cluster, pods).await;
        status.cost = Some(cost::Cost::of(pods::proxied(pods), usage));
    }
    Ok(status)
}

/// An error with the API server that it is of: where nothing at all could be read, it is the first thing to look at.
fn placed(error: anyhow::Error, server: &str) -> anyhow::Error {
    match error.downcast::<StartupError>() {
        Ok(told) => StartupError { what: format!("{} of {server}", told.what), ..told }.into(),
        Err(error) => error,
    }
}

/// What was read; an error is kept for the answer.
fn known<T>(read: anyhow::Result<T>, unread: &mut Vec<anyhow::Error>) -> Option<T> {
    read.map_err(|error| unread.push(error)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_is_not_reached_is_named() {
        let error = StartupError::new("cannot list meshes", "Connection refused", "check that the cluster runs");
        let told = placed(error.into(), "https://127.0.0.1:6443").to_string();
        assert!(told.starts_with("cannot list meshes of https://127.0.0.1:6443: Connection refused ("), "{told}");
        assert_eq!(placed(anyhow::anyhow!("odd"), "x").to_string(), "odd");
    }
}
