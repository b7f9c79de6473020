//! `weft console`: what each page shows, for terminals and programs.

mod ask;
mod pages;
mod past;
mod place;
mod session;
mod text;
mod views;

use std::process::ExitCode;

use serde_json::json;

use self::{past::Past, place::PlaceArgs, views::ViewCommand};
use crate::{
    cluster::block_on,
    output::{self, Format, OutputArgs},
};

/// Show what a page of the console shows.
///
/// The console is the one at --console, or that of the cluster, reached by a port-forward. There the kubeconfig's bearer
/// token says who asks, unless another is given with --token-file or in the variable WEFT_CONSOLE_TOKEN.
#[derive(Clone, Debug, clap::Args)]
pub struct ConsoleArgs {
    #[command(flatten)]
    place: PlaceArgs,
    #[command(flatten)]
    output: OutputArgs,
    /// Only this namespace; repeat it for several.
    #[arg(short = 'n', long = "namespace", global = true, value_name = "NAMESPACE")]
    namespaces: Vec<String>,
    #[command(subcommand)]
    command: ViewCommand,
}

/// Asks the console and prints.
pub fn run(args: ConsoleArgs) -> anyhow::Result<ExitCode> {
    block_on(async {
        if let ViewCommand::Login { link } = &args.command {
            let signed = session::sign_in(link).await?;
            let console = &signed.console;
            let text = match args.output.output {
                Format::Json => serde_json::to_string_pretty(&json!({ "console": console, "file": signed.file }))?,
                Format::Text => format!("Signed in. weft console graph --console {console} asks with this session."),
            };
            output::write(&format!("{text}\n"))?;
            return Ok(ExitCode::SUCCESS);
        }
        let ask = args.command.ask(&args.namespaces)?;
        let mut place = args.place.open().await?;
        let answer = match &args.command {
            ViewCommand::Config { name: Some(name), .. } => pages::object(&mut place, &ask, name).await?,
            ViewCommand::Canaries { history: true, route, page, .. } => {
                past::past(&mut place, &ask, *route, Past::History(page.limit)).await?
            }
            ViewCommand::Canaries { course: true, route, window, .. } => {
                let window_s = window.map(|window| window.as_secs());
                past::past(&mut place, &ask, *route, Past::Course(window_s)).await?
            }
            _ => pages::whole(&mut place, &ask).await?,
        };
        let text = match args.output.output {
            Format::Json => serde_json::to_string_pretty(&answer.value)?,
            Format::Text => text::of(&answer, &place.name())?,
        };
        output::write(&format!("{}\n", text.trim_end()))?;
        Ok(ExitCode::SUCCESS)
    })
}
