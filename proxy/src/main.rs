//! `weft-proxy`.

use std::{ffi::OsString, future::Future, process::ExitCode};

use clap::Parser;
use weft_proxy::{capture, flags::Flags, program, wait};
use weft_runtime::{StartupError, log, startup};

fn main() -> ExitCode {
    let mut args: Vec<OsString> = std::env::args_os().collect();
    // The flags of the proxy itself can all come from the environment, and those variables stand in init containers and
    // hooks too, so subcommands have parsers of their own.
    let command = args.get(1).and_then(|arg| arg.to_str()).filter(|arg| matches!(*arg, "capture" | "wait"));
    match command.map(str::to_owned).as_deref() {
        Some("capture") => {
            args.remove(1);
            let flags = capture::Flags::parse_from(args);
            log::init(&flags.log);
            startup::exit("weft-proxy capture", capture::run(&flags))
        }
        Some(_) => {
            args.remove(1);
            let flags = wait::Flags::parse_from(args);
            log::init(&flags.log);
            startup::exit("weft-proxy wait", block_on(wait::run(flags)))
        }
        None => {
            let flags = Flags::parse_from(args);
            log::init(&flags.log);
            startup::exit("weft-proxy", block_on(program::run(flags)))
        }
    }
}

/// One thread for everything but connections: those have workers of their own.
fn block_on(program: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(2).build();
    let runtime = runtime
        .map_err(|error| StartupError::new("cannot start the runtime", error, "raise the limit of open files"))?;
    runtime.block_on(program)
}
