//! `weft-operator`: the control plane.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tikv_jemallocator::Jemalloc;
use weft_operator::{Operator, Options, SourceKind, kubernetes, leave, reconcile};
use weft_runtime::{Shutdown, log, startup};

/// Settings are in `.cargo/config.toml`.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

/// Weft's control plane: configuration and certificates for every proxy, and what installs it on a cluster.
#[derive(Parser)]
#[command(name = "weft-operator", version, about, args_conflicts_with_subcommands = true)]
struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    options: Options,
    #[command(flatten)]
    log: log::LogArgs,
}

#[derive(Subcommand)]
enum Command {
    /// Serves proxies: configuration and certificates. The same as no subcommand.
    Serve {
        #[command(flatten)]
        options: Box<Options>,
        #[command(flatten)]
        log: log::LogArgs,
    },
    /// Keeps a cluster as its Mesh objects say.
    Reconcile {
        #[command(flatten)]
        options: reconcile::ReconcileOptions,
        #[command(flatten)]
        log: log::LogArgs,
    },
    /// Removes a Mesh before the operator is removed, or says why the operator has to stay.
    Leave {
        #[command(flatten)]
        options: leave::LeaveOptions,
        #[command(flatten)]
        log: log::LogArgs,
    },
}

fn main() -> ExitCode {
    bound_arenas();
    raise_open_files();
    let args = Args::parse();
    // One provider for everything; a second installation of the same one does no harm.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let result = match args.command {
        Some(Command::Reconcile { options, log }) => {
            log::init(&log);
            run(|shutdown| reconcile::run(options, shutdown))
        }
        Some(Command::Leave { options, log }) => {
            log::init(&log);
            run(|shutdown| leave::run(options, shutdown))
        }
        Some(Command::Serve { options, log }) => {
            log::init(&log);
            run(|shutdown| serve(*options, shutdown))
        }
        None => {
            log::init(&args.log);
            run(|shutdown| serve(args.options, shutdown))
        }
    };
    startup::exit("weft-operator", result)
}

/// Translations run on many threads for a moment each, and every arena of glibc's keeps what was freed in it: with eight
/// of them a sixth of the memory is that.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[allow(unsafe_code)]
fn bound_arenas() {
    // SAFETY: mallopt takes two integers, and no other thread runs yet.
    unsafe { libc::mallopt(libc::M_ARENA_MAX, 2) };
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn bound_arenas() {}

/// Every proxy is a connection, and so is every Secret that is followed; container runtimes leave 1,024 open files where nobody
/// asks for more.
#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
fn raise_open_files() {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: both calls take a pointer to a whole `rlimit` that outlives them, and no other thread runs yet.
    unsafe {
        if libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) == 0 {
            limit.rlim_cur = limit.rlim_max;
            libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit);
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn raise_open_files() {}

async fn serve(options: Options, shutdown: Shutdown) -> anyhow::Result<()> {
    match options.source {
        SourceKind::Directory => Operator::bind(options).await?.serve(shutdown).await,
        SourceKind::Kubernetes => kubernetes::serve(options, shutdown).await,
    }
}

fn run<F: Future<Output = anyhow::Result<()>>>(program: impl FnOnce(Shutdown) -> F) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().thread_name("weft-operator").build()?;
    let result = runtime.block_on(async {
        let shutdown = Shutdown::new();
        shutdown.on_signals()?;
        program(shutdown).await
    });
    // A translation or a write that still runs on a thread of its own is not waited for.
    runtime.shutdown_background();
    result
}
