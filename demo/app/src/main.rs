//! The demo's application and load generator: plain HTTP programs that know nothing of the mesh. What they call, they
//! call by service name through their egress address, as any application behind a sidecar does.

mod call;
mod serve;
mod spans;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use weft_runtime::{Shutdown, log::LogArgs, startup};

#[derive(Parser)]
#[command(name = "weft-demo-app", version, about = "The application of Weft's demo")]
struct Args {
    #[command(subcommand)]
    role: Role,
    #[command(flatten)]
    log: LogArgs,
}

#[derive(Subcommand)]
enum Role {
    /// Answers requests after calling what it depends on.
    Serve(serve::ServeArgs),
    /// Sends requests at a steady rate.
    Call(call::CallArgs),
}

fn main() -> ExitCode {
    let args = Args::parse();
    weft_runtime::log::init(&args.log);
    startup::exit("weft-demo-app", run(args.role))
}

fn run(role: Role) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let shutdown = Shutdown::new();
        shutdown.on_signals()?;
        match role {
            Role::Serve(args) => serve::run(args, shutdown).await,
            Role::Call(args) => call::run(args, shutdown).await,
        }
    })
}
