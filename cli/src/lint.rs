//! `weft lint`: checks configuration before it is applied.

mod report;

use std::{
    io::{self, IsTerminal, Read, Write},
    path::PathBuf,
    process::ExitCode,
    sync::Arc,
};

use weft_api::Change;
use weft_lint::Options;
use weft_mesh::{Settings, Store};
use weft_model::{Diagnostic, Severity};
use weft_source::{Input, ReadError, read_paths};

/// Check configuration before it is applied.
///
/// Reads YAML and JSON manifests, finds what would not work as written, and says where and what to do about it. Exits
/// with 0 when nothing is as bad as --fail-on says, with 1 when something is, and with 2 when an input cannot be read.
#[derive(Clone, Debug, clap::Args)]
pub struct LintArgs {
    /// Files, directories (with all *.yaml, *.yml and *.json below them), or - for standard input.
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Objects may exist that are not among the inputs, so one that is missing is no finding.
    #[arg(long)]
    pub assume_partial: bool,
    /// Namespace of mesh-wide policies and of the ConfigMap `istio`.
    #[arg(long, default_value = "istio-system", value_name = "NAMESPACE")]
    pub root_namespace: String,
    /// How findings are written.
    #[arg(long, value_enum, default_value_t)]
    pub output: Output,
    /// The least severity that makes the command fail.
    #[arg(long, value_enum, default_value_t, value_name = "SEVERITY")]
    pub fail_on: FailOn,
}

/// How findings are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Output {
    /// For people.
    #[default]
    Text,
    /// One JSON object.
    Json,
}

/// What makes the command fail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum FailOn {
    /// An error.
    #[default]
    Error,
    /// A warning or an error.
    Warning,
    /// Any finding.
    Info,
    /// Nothing.
    Never,
}

impl FailOn {
    fn covers(self, severity: Severity) -> bool {
        match self {
            Self::Error => severity >= Severity::Error,
            Self::Warning => severity >= Severity::Warning,
            Self::Info => true,
            Self::Never => false,
        }
    }
}

/// What was looked at and found.
#[derive(Debug)]
struct Findings {
    diagnostics: Vec<Diagnostic>,
    files: usize,
    objects: usize,
}

/// Runs the command.
pub fn run(args: LintArgs) -> anyhow::Result<ExitCode> {
    let stdout = io::stdout();
    let color = stdout.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let findings = match look(&args, io::stdin().lock()) {
        Ok(findings) => findings,
        Err(error) => {
            eprintln!("weft lint: {error}");
            return Ok(ExitCode::from(2));
        }
    };
    let mut out = io::BufWriter::new(stdout.lock());
    let written = match args.output {
        Output::Text => report::text(&mut out, &findings, color),
        Output::Json => report::json(&mut out, &findings),
    };
    match written.and_then(|()| out.flush()) {
        // Whoever reads has seen enough (`| head`); what was found stays true.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => return Err(error.into()),
        _ => {}
    }
    let failed = findings.diagnostics.iter().any(|diagnostic| args.fail_on.covers(diagnostic.severity));
    Ok(ExitCode::from(u8::from(failed)))
}

/// Reads the inputs and collects every finding, in the order of files and lines.
fn look(args: &LintArgs, stdin: impl Read) -> Result<Findings, ReadError> {
    let inputs: Vec<Input> = args
        .paths
        .iter()
        .map(|path| if path.as_os_str() == "-" { Input::Stdin } else { Input::Path(path.clone()) })
        .collect();
    let estate = read_paths(&inputs, stdin)?;
    let mut store = Store::new(Settings { root_namespace: args.root_namespace.clone(), ..Settings::default() });
    store.apply(estate.objects().map(|object| Change::Put(Arc::clone(object))).collect());
    let mut found = weft_lint::analyze(&store.snapshot(), &Options { assume_partial: args.assume_partial });
    estate.index.locate_all(&mut found);
    let mut diagnostics = estate.diagnostics;
    diagnostics.append(&mut found);
    // Stable: findings of one place stay in the order of their making.
    diagnostics.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
    Ok(Findings { diagnostics, files: estate.files, objects: estate.index.len() })
}

#[cfg(test)]
mod tests;
