//! `weft completion`: what a shell needs to complete the command's words.

use std::process::ExitCode;

use clap_complete::{Shell, generate};

use crate::output;

/// Print a script that completes this command's words in a shell.
///
/// For bash: source <(weft completion bash)
#[derive(Clone, Debug, clap::Args)]
pub struct CompletionArgs {
    /// The shell.
    #[arg(value_enum)]
    shell: Shell,
}

/// Prints the script for `command`.
pub fn run(args: &CompletionArgs, mut command: clap::Command) -> anyhow::Result<ExitCode> {
    let mut script = Vec::new();
    generate(args.shell, &mut command, "weft", &mut script);
    output::write(&String::from_utf8_lossy(&script))?;
    Ok(ExitCode::SUCCESS)
}
