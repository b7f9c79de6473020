//! Logging to standard error.

use tracing_subscriber::{EnvFilter, fmt};

/// How log lines are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Flags that every program takes.
#[derive(Clone, Debug, clap::Args)]
pub struct LogArgs {
    /// How log lines are written to standard error.
    #[arg(long, env = "WEFT_LOG_FORMAT", value_enum, default_value_t)]
    pub log_format: LogFormat,
    /// What is logged, such as `info` or `weft_proxy=debug,info`.
    #[arg(long = "log", env = "WEFT_LOG", default_value = "info")]
    pub filter: String,
}

/// Installs the process-wide subscriber. A second call has no effect. A filter that does not parse falls back to `info`
/// and says so.
pub fn init(args: &LogArgs) {
    let (filter, problem) = match EnvFilter::try_new(&args.filter) {
        Ok(filter) => (filter, None),
        Err(error) => (EnvFilter::new("info"), Some(error)),
    };
    let builder = fmt().with_writer(std::io::stderr).with_env_filter(filter).with_target(true);
    let installed = match args.log_format {
        LogFormat::Text => builder.with_ansi(false).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    if let (Ok(()), Some(error)) = (installed, problem) {
        tracing::warn!(filter = args.filter, %error, "log filter not understood, using info");
    }
}
