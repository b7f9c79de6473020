//! `weft-proxy`.

use std::process::ExitCode;

use clap::Parser;
use weft_proxy::{flags::Flags, program};
use weft_runtime::{StartupError, log, startup};

fn main() -> ExitCode {
    let flags = Flags::parse();
    log::init(&flags.log);
    // One thread for everything but connections: those have workers of their own.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(2).build();
    let result = match runtime {
        Ok(runtime) => runtime.block_on(program::run(flags)),
        Err(error) => Err(StartupError::new("cannot start the runtime", error, "raise the limit of open files").into()),
    };
    startup::exit("weft-proxy", result)
}
