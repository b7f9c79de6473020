//! `weft install` and `weft uninstall`.

pub mod apply;
mod ending;
mod guard;
mod namespace;
mod plan;
mod remove;
mod report;
pub mod wait;

use std::{path::PathBuf, process::ExitCode, time::Duration};

use weft_install::inject::mesh_warnings;

use crate::{
    cluster::{ClusterArgs, block_on, revision_name},
    inject::{self, Output},
    output::{self, Format, OutputArgs},
};
use plan::Plan;

/// Install the operator and a Mesh, and wait until it is ready.
///
/// What is there already is brought up to date, unless Helm or a GitOps tool keeps it or it is of a newer version. Exits with
/// 1 when the Mesh is not ready in time or is being deleted, and says what it waits for; with 2 when what is wanted cannot be
/// installed. Where the namespace of the installation is still being removed, it waits for that first.
#[derive(Clone, Debug, clap::Args)]
pub struct InstallArgs {
    #[command(flatten)]
    cluster: ClusterArgs,
    /// File with the Mesh; flags go before what it says.
    #[arg(short = 'f', long = "filename", value_name = "FILE|-")]
    filename: Option<PathBuf>,
    /// What is installed: minimal, default, demo or remote.
    #[arg(long, value_name = "PROFILE")]
    profile: Option<String>,
    /// A field of the Mesh's spec, such as components.ingressGateway.replicas=3; may be given several times.
    #[arg(long = "set", value_name = "FIELD=VALUE")]
    set: Vec<String>,
    /// Name of this control plane beside others.
    #[arg(long, value_name = "REVISION", value_parser = revision_name)]
    revision: Option<String>,
    /// Name of the Mesh; by default the one in the file, or weft, or weft-REVISION.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Print the manifests and change nothing; no cluster is asked. kubectl apply takes the Mesh among them only once its kind is
    /// served: in a new cluster it has to be run twice.
    #[arg(long)]
    dry_run: bool,
    /// With --dry-run, print what the operator will make of the Mesh as well.
    #[arg(long, requires = "dry_run")]
    expand: bool,
    /// With --dry-run, how manifests are written, yaml or json; without, json tells what was done.
    #[arg(short = 'o', long, value_enum, default_value_t)]
    output: Output,
    /// How long to wait until the Mesh is ready; 0s does not wait.
    #[arg(long, default_value = "5m", value_parser = humantime::parse_duration, value_name = "DURATION")]
    timeout: Duration,
}

/// Remove a Mesh and the operator, with all that they made.
///
/// Waits while pods with proxies run, because without the mesh's authority their certificates would run out. CRDs of
/// Istio's kinds stay, with everybody's objects, and so does the namespace when it holds something that is not Weft's. An
/// operator of Helm or a GitOps tool is removed there.
#[derive(Clone, Debug, clap::Args)]
pub struct UninstallArgs {
    #[command(flatten)]
    cluster: ClusterArgs,
    #[command(flatten)]
    output: OutputArgs,
    /// Name of the Mesh to remove; by default all of them and then the operator.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Do not wait for pods with proxies.
    #[arg(long)]
    force: bool,
    /// Remove the namespace of the installation with all that others keep in it.
    #[arg(long)]
    delete_namespace: bool,
    /// Print what would be removed and change nothing.
    #[arg(long)]
    dry_run: bool,
    /// How long to wait until everything is gone.
    #[arg(long, default_value = "5m", value_parser = humantime::parse_duration, value_name = "DURATION")]
    timeout: Duration,
}

/// Runs `weft install`.
pub fn run(args: InstallArgs) -> anyhow::Result<ExitCode> {
    args.cluster.no_namespace("install")?;
    let plan = Plan::new(&args)?;
    mesh_warnings(&plan.spec().mesh_config).iter().for_each(|words| eprintln!("warning: {words}"));
    if args.dry_run {
        inject::write(&plan.manifests(args.expand)?, args.output)?;
        eprintln!(
            "note: where the kind Mesh is new, kubectl apply -f takes these in two steps: apply, kubectl wait \
             --for=condition=established crd/meshes.weft.dev, and apply again"
        );
        return Ok(ExitCode::SUCCESS);
    }
    block_on(async {
        let cluster = args.cluster.connect().await?;
        ending::before_install(&cluster, args.timeout).await?;
        guard::check(&cluster, &plan).await?;
        // The operator comes all the same: without one, nobody would remove that Mesh.
        let leaving = wait::leaves(&cluster, plan.mesh_name()).await?;
        let changed = apply::apply(&cluster, &plan, leaving).await?;
        let code = match args.timeout.is_zero() && !leaving {
            true => ExitCode::SUCCESS,
            false => wait::ready(&cluster, plan.mesh_name(), "", args.timeout).await?,
        };
        if args.output == Output::Json {
            let mesh = plan.mesh_name().to_owned();
            let ready = !args.timeout.is_zero() && code == ExitCode::SUCCESS;
            output::print(Format::Json, &report::Installed { mesh, ready, changed })?;
        }
        Ok(code)
    })
}

/// Runs `weft uninstall`.
pub fn uninstall(args: UninstallArgs) -> anyhow::Result<ExitCode> {
    args.cluster.no_namespace("uninstall")?;
    block_on(async {
        let cluster = args.cluster.connect().await?;
        remove::remove(&cluster, &args).await
    })
}
