//! The `weft` command.

mod ca;
mod demo;
mod lint;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// A service mesh that explains itself.
#[derive(Parser)]
#[command(name = "weft", version, about)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run a whole mesh on this machine: operator, proxies, an application, load, Prometheus and the console.
    Demo(demo::DemoArgs),
    /// Check configuration before it is applied.
    Lint(lint::LintArgs),
    /// Manage the standalone certificate authority and its join tokens.
    Ca(ca::CaArgs),
}

fn main() -> ExitCode {
    let result = match Args::parse().command {
        Command::Demo(args) => demo::run(args),
        Command::Lint(args) => lint::run(args),
        Command::Ca(args) => ca::run(args),
    };
    match result {
        Ok(code) => code,
        Err(error) => weft_runtime::startup::exit("weft", Err(error)),
    }
}
