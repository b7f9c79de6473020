//! Logging to standard error.

use std::sync::OnceLock;

use tracing_subscriber::{EnvFilter, fmt};

/// Replaces the filter of the subscriber that [`init`] installed.
type Reload = Box<dyn Fn(EnvFilter) -> Result<(), FilterError> + Send + Sync>;

static RELOAD: OnceLock<Reload> = OnceLock::new();

/// Why the filter was not changed.
#[derive(Debug, thiserror::Error)]
pub enum FilterError {
    /// Not a filter.
    #[error("not a log filter: {0}")]
    Syntax(#[from] tracing_subscriber::filter::ParseError),
    /// Logging was never set up, or has ended.
    #[error("logging is not set up")]
    NotInstalled,
}

/// Changes what is logged while the program runs; takes what `--log` takes.
pub fn set_filter(filter: &str) -> Result<(), FilterError> {
    RELOAD.get().ok_or(FilterError::NotInstalled)?(EnvFilter::try_new(filter)?)
}

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
    let (installed, reload): (_, Reload) = match args.log_format {
        LogFormat::Text => {
            let builder = builder.with_ansi(false).with_filter_reloading();
            let handle = builder.reload_handle();
            (builder.try_init(), Box::new(move |filter| handle.reload(filter).map_err(|_| FilterError::NotInstalled)))
        }
        LogFormat::Json => {
            let builder = builder.json().flatten_event(true).with_filter_reloading();
            let handle = builder.reload_handle();
            (builder.try_init(), Box::new(move |filter| handle.reload(filter).map_err(|_| FilterError::NotInstalled)))
        }
    };
    if installed.is_ok() {
        // A second call installs nothing, so the cell is still empty here.
        let _ = RELOAD.set(reload);
    }
    if let (Ok(()), Some(error)) = (installed, problem) {
        tracing::warn!(filter = args.filter, %error, "log filter not understood, using info");
    }
}
