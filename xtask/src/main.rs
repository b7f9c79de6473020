//! Development tasks that need more than a shell line: `cargo xtask frontend` builds the page, `cargo xtask layers`
//! checks that crates depend only on what ARCHITECTURE.md lets them, and that the page's tests run.

mod bench;
mod crds;
mod frontend;
mod image;
mod layers;
mod workspace;

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "xtask", about = "Development tasks of Weft")]
struct Args {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Builds the console's page into static files, compressed and named by content.
    Frontend {
        /// Where the files go; `frontend/dist` by default.
        #[arg(long)]
        out: Option<PathBuf>,
    },
    /// Checks the dependencies between crates against the table in ARCHITECTURE.md, and that the page's tests run.
    Layers,
    /// Makes container images of the programs that are built.
    Image(image::ImageArgs),
    /// Writes the generated files of `charts/weft`: our CRDs and the operator's objects.
    Crds,
    /// Measures our proxy beside HAProxy and Envoy and prints the ratios.
    Bench(bench::BenchArgs),
}

fn main() -> ExitCode {
    let result = match Args::parse().task {
        Task::Frontend { out } => frontend::build(out),
        Task::Layers => layers::check(),
        Task::Image(args) => image::build(&args),
        Task::Crds => crds::write(),
        Task::Bench(args) => bench::run(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
