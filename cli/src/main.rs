//! The `weft` command, also usable as `kubectl weft`.

mod bug_report;
mod ca;
mod check;
mod cluster;
mod completion;
mod console;
mod demo;
mod inject;
mod install;
mod lint;
mod output;
mod proxy_config;
mod proxy_status;
mod status;
mod upgrade;
mod vm;
mod words;

use std::{ffi::OsStr, path::Path, process::ExitCode};

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

/// A service mesh for Kubernetes that explains itself.
///
/// Commands that speak to a cluster take kubectl's flags (--kubeconfig, --context, -n) and find the cluster as kubectl does.
#[derive(Parser)]
#[command(name = "weft", version, about, after_help = FIRST_STEPS)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

const FIRST_STEPS: &str = "\
First steps:
  weft check                 can this cluster run Weft?
  weft install               the operator and a Mesh, on the cluster of the current context
  weft status                what is installed, and does it work?
  weft demo                  without a cluster: a whole mesh on this machine";

#[derive(Subcommand)]
enum Command {
    /// Run a whole mesh on this machine: operator, proxies, an application, load, Prometheus and the console.
    Demo(demo::DemoArgs),
    /// Check configuration before it is applied.
    Lint(lint::LintArgs),
    /// Manage the standalone certificate authority and its join tokens.
    Ca(ca::CaArgs),
    /// Install the operator and a Mesh, and wait until it is ready.
    Install(install::InstallArgs),
    /// Remove a Mesh and the operator, with all that they made.
    Uninstall(install::UninstallArgs),
    /// Add proxies to manifests, without a cluster.
    Inject(inject::InjectArgs),
    /// Show what is installed and whether it works; exits with 1 when it does not.
    Status(status::StatusArgs),
    /// Show whether every proxy has the newest configuration.
    #[command(visible_alias = "ps")]
    ProxyStatus(proxy_status::ProxyStatusArgs),
    /// Show the configuration that is in force in a proxy.
    #[command(visible_alias = "pc")]
    ProxyConfig(proxy_config::ProxyConfigArgs),
    /// Check whether the cluster can run Weft and whether the installed one works.
    Check(check::CheckArgs),
    /// Collect what is needed to find out what is wrong, without any secret.
    BugReport(bug_report::BugReportArgs),
    /// Bring what is installed to another version, and say which workloads have to restart.
    Upgrade(upgrade::UpgradeArgs),
    /// Show what a page of the console shows: graph, canaries, configuration, traces and more.
    Console(console::ConsoleArgs),
    /// Let machines outside of the cluster join the mesh.
    Vm(vm::VmArgs),
    /// Print a script that completes this command's words in a shell.
    Completion(completion::CompletionArgs),
}

fn main() -> ExitCode {
    let called = std::env::args_os().next().unwrap_or_default();
    let mut definition = command(&called);
    let line = words::ordered(std::env::args_os().collect());
    let matches = definition.try_get_matches_from_mut(line);
    let args = matches.and_then(|matches| Args::from_arg_matches(&matches)).unwrap_or_else(|error| error.exit());
    let result = match args.command {
        Command::Demo(args) => demo::run(args),
        Command::Lint(args) => lint::run(args),
        Command::Ca(args) => ca::run(args),
        Command::Install(args) => install::run(args),
        Command::Uninstall(args) => install::uninstall(args),
        Command::Inject(args) => inject::run(args),
        Command::Status(args) => status::run(args),
        Command::ProxyStatus(args) => proxy_status::run(args),
        Command::ProxyConfig(args) => proxy_config::run(args),
        Command::Check(args) => check::run(args),
        Command::BugReport(args) => bug_report::run(args),
        Command::Upgrade(args) => upgrade::run(args),
        Command::Console(args) => console::run(args),
        Command::Vm(args) => vm::run(args),
        Command::Completion(args) => completion::run(&args, Args::command()),
    };
    match result {
        Ok(code) => code,
        Err(error) => weft_runtime::startup::exit("weft", Err(error)),
    }
}

/// The command under the name that it was called by: kubectl runs `kubectl weft` as the program `kubectl-weft`.
fn command(called: &OsStr) -> clap::Command {
    let plugin = Path::new(called).file_stem().is_some_and(|name| name == "kubectl-weft");
    let command = Args::command();
    if plugin { command.bin_name("kubectl weft") } else { command }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_holds() {
        Args::command().debug_assert();
    }

    #[test]
    fn as_a_plugin_it_says_how_it_was_called() {
        let usage = |called: &str| command(OsStr::new(called)).render_usage().to_string();
        assert!(usage("/usr/local/bin/kubectl-weft").contains("kubectl weft <COMMAND>"), "{}", usage("kubectl-weft"));
        assert!(usage("weft").contains("Usage: weft <COMMAND>"));
    }

    #[test]
    fn every_cluster_command_takes_kubectls_flags() {
        for name in ["status", "proxy-status", "check", "bug-report", "upgrade", "install", "uninstall"] {
            let line = ["weft", name, "--kubeconfig", "f", "--context", "c", "-n", "shop", "-o", "json"];
            assert!(Args::try_parse_from(line).is_ok(), "{name}");
        }
        assert!(Args::try_parse_from(["weft", "proxy-config", "routes", "web-1.shop", "-o", "json"]).is_ok());
        assert!(Args::try_parse_from(["weft", "proxy-config", "routes"]).is_err());
        let console = ["weft", "console", "-n", "shop", "graph", "--kubeconfig", "f", "--context", "c", "-o", "json"];
        assert!(Args::try_parse_from(console).is_ok());
        let join = ["weft", "vm", "join", "db", "--address", "10.0.0.5", "--context", "c", "-n", "vms", "-o", "json"];
        assert!(Args::try_parse_from(join).is_ok());
    }
}
