//! `weft-console`.

use std::process::ExitCode;

use clap::Parser;
use weft_console::{Args, Console, args::Task, http::probe};
use weft_runtime::{Shutdown, log, startup};

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    match args.task {
        Some(Task::Openapi) => {
            print!("{}", weft_console::http::openapi());
            return ExitCode::SUCCESS;
        }
        Some(Task::Ready) => return startup::exit("weft-console", probe::ready(args.listen)),
        None => {}
    }
    log::init(&args.log);
    startup::exit("weft-console", run(args).await)
}

async fn run(args: Args) -> anyhow::Result<()> {
    let shutdown = Shutdown::new();
    shutdown.on_signals()?;
    Console::start(args, shutdown).await?.run().await
}
