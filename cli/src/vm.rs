//! `weft vm`: machines outside of the cluster.

mod bootstrap;
mod group;
mod mesh;
mod report;

use std::{
    net::IpAddr,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use clap::{Args, Subcommand, ValueEnum};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use weft_model::SpiffeId;
use weft_operator::ca::{
    ClusterTokens,
    tokens::{CreateError, NewToken},
};
use weft_runtime::StartupError;

use self::{bootstrap::Place, report::Joined};
use crate::{
    cluster::{Cluster, ClusterArgs, block_on, explain},
    output::{self, OutputArgs},
};

/// Arguments of `weft vm`.
#[derive(Clone, Debug, Args)]
pub struct VmArgs {
    #[command(subcommand)]
    command: VmCommand,
}

#[derive(Clone, Debug, Subcommand)]
enum VmCommand {
    /// Let a machine join the mesh as one of a WorkloadGroup: makes its WorkloadEntry, a join token, and a directory with
    /// all that weft-proxy needs there.
    Join(JoinArgs),
}

#[derive(Clone, Debug, Args)]
struct JoinArgs {
    /// The WorkloadGroup.
    group: String,
    /// The machine's address, at which pods reach it.
    #[arg(long, value_name = "IP")]
    address: IpAddr,
    /// Name of the WorkloadEntry; by default the group's name and the address.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// The directory that is written; by default one here, called as the WorkloadEntry.
    #[arg(long, short = 'f', value_name = "DIR")]
    output_dir: Option<PathBuf>,
    /// Write over the files of another machine that are in the directory.
    #[arg(long)]
    force: bool,
    /// Where that directory will lie on the machine.
    #[arg(long, value_name = "DIR", default_value = "/etc/weft")]
    machine_dir: PathBuf,
    /// Where the machine reaches the control plane; by default what its Service says, when that leads out of the cluster.
    #[arg(long, value_name = "HOST:PORT")]
    control_plane: Option<String>,
    /// Revision or tag of the control plane; by default what the namespace's label `istio.io/rev` says.
    #[arg(long, value_name = "REVISION")]
    revision: Option<String>,
    /// How long the token is good, such as `90s`, `10m` or `24h`.
    #[arg(long, default_value = "1h", value_parser = humantime::parse_duration)]
    ttl: Duration,
    /// How many first certificates the token obtains.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    uses: u32,
    /// How connections get to the proxy.
    #[arg(long, value_enum, default_value_t)]
    capture: Capture,
    #[command(flatten)]
    cluster: ClusterArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// How connections get to a machine's proxy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Capture {
    /// The kernel redirects them: `weft-proxy capture` runs as root before the proxy.
    #[default]
    Redirect,
    /// Applications dial the proxy, as a Sidecar object with `captureMode: NONE` says.
    None,
}

/// Runs `weft vm`.
pub fn run(args: VmArgs) -> anyhow::Result<ExitCode> {
    let VmCommand::Join(args) = args.command;
    block_on(async {
        let cluster = args.cluster.connect().await?;
        let joined = join(&cluster, &args).await?;
        output::print(args.output.output, &joined)?;
        Ok(ExitCode::SUCCESS)
    })
}

/// Looks at everything first. Then comes the token, which runs out by itself when the rest fails, then the WorkloadEntry, by
/// which pods call the machine, and last the directory.
async fn join(cluster: &Cluster, args: &JoinArgs) -> anyhow::Result<Joined> {
    reachable(args.address)?;
    bootstrap::plain(&args.machine_dir)?;
    let name = args.name.clone().unwrap_or_else(|| entry_name(&args.group, args.address));
    let directory = args.output_dir.as_deref().unwrap_or(Path::new(&name));
    let place = Place::prepare(directory, (!args.force).then_some((cluster.namespace.as_str(), name.as_str())))?;
    let group = group::find(cluster, &args.group).await?;
    let mesh = mesh::find(cluster, args.revision.as_deref(), args.control_plane.as_deref()).await?;

    let identity = SpiffeId::new(&mesh.config.trust_domain, &cluster.namespace, group.service_account());
    let wish = NewToken {
        namespace: cluster.namespace.clone(),
        service_account: group.service_account().to_owned(),
        ttl: args.ttl,
        uses: args.uses,
    };
    let tokens = ClusterTokens::new(cluster.client.clone(), &cluster.system);
    let made = tokens.create(&wish, &mesh.root_hash, OffsetDateTime::now_utc()).await;
    let (token, record) = made.map_err(|error| no_token(&cluster.system, error))?;
    let change = group.register(cluster, &name, &group.entry(&name, args.address)).await?;

    let machine = bootstrap::Machine {
        namespace: &cluster.namespace,
        name: &name,
        address: args.address,
        service_account: group.service_account(),
        capture: args.capture,
        directory: &args.machine_dir,
    };
    let files = bootstrap::files(&machine, &mesh, &token.reveal());
    Ok(Joined {
        workload_entry: format!("{}/{name}", cluster.namespace),
        change,
        group: args.group.clone(),
        address: args.address,
        identity: identity.to_string(),
        control_plane: mesh.address.clone(),
        token_id: record.id,
        token_uses: record.uses_left,
        token_expires_at: record.expires_at.format(&Rfc3339)?,
        directory: place.path().to_owned(),
        machine_directory: args.machine_dir.clone(),
        files: place.fill(&files)?,
        notes: group.notes(args.capture),
    })
}

/// As Istio calls those that register themselves, without dots.
fn entry_name(group: &str, address: IpAddr) -> String {
    format!("{group}-{}", address.to_string().replace([':', '.'], "-"))
}

/// Pods must reach it there.
fn reachable(address: IpAddr) -> Result<(), StartupError> {
    if !(address.is_unspecified() || address.is_loopback() || address.is_multicast()) {
        return Ok(());
    }
    Err(StartupError::new(
        format!("cannot use --address {address}"),
        "pods cannot reach the machine there",
        "name the address of the machine's own network interface",
    ))
}

fn no_token(system: &str, error: CreateError) -> StartupError {
    match error {
        CreateError::Cluster(error) => explain(&format!("keep the join token's record in namespace {system}"), &error),
        error => StartupError::new("cannot make a join token", error, "see `weft vm join --help`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_called_by_group_and_address() {
        assert_eq!(entry_name("db", "10.0.0.5".parse().unwrap()), "db-10-0-0-5");
        assert_eq!(entry_name("db", "fd00::5".parse().unwrap()), "db-fd00--5");
    }

    #[test]
    fn an_address_that_is_nobodys_is_refused() {
        for address in ["127.0.0.1", "0.0.0.0", "::", "::1", "224.0.0.1"] {
            let error = reachable(address.parse().unwrap()).unwrap_err().to_string();
            assert!(error.contains(address) && error.contains("--address"), "{error}");
        }
        assert!(reachable("192.168.1.7".parse().unwrap()).is_ok());
    }
}
