//! `weft-operator`: the control plane.

use std::process::ExitCode;

use clap::Parser;
use weft_operator::{Operator, Options};
use weft_runtime::{Shutdown, log, startup};

/// Weft's control plane: configuration and certificates for every proxy.
#[derive(Parser)]
#[command(name = "weft-operator", version, about)]
struct Args {
    #[command(flatten)]
    options: Options,
    #[command(flatten)]
    log: log::LogArgs,
}

fn main() -> ExitCode {
    let args = Args::parse();
    log::init(&args.log);
    startup::exit("weft-operator", run(args.options))
}

fn run(options: Options) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().thread_name("weft-operator").build()?;
    let result = runtime.block_on(async {
        let shutdown = Shutdown::new();
        shutdown.on_signals()?;
        Operator::bind(options).await?.serve(shutdown).await
    });
    // A translation or a write that still runs on a thread of its own is not waited for.
    runtime.shutdown_background();
    result
}
