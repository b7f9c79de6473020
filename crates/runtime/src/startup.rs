//! Errors that keep a program from starting: one line with the remedy, exit code 2.

use std::process::ExitCode;

/// Why a program cannot start.
#[derive(Debug, thiserror::Error)]
#[error("{what}: {why} ({remedy})")]
pub struct StartupError {
    /// What was tried, such as `cannot listen on 127.0.0.1:20001`.
    pub what: String,
    /// Why it failed.
    pub why: String,
    /// What to do about it.
    pub remedy: String,
}

impl StartupError {
    /// Builds one from its three parts.
    pub fn new(what: impl Into<String>, why: impl ToString, remedy: impl Into<String>) -> Self {
        Self { what: what.into(), why: why.to_string(), remedy: remedy.into() }
    }

    /// The error of a listener that could not be bound; `flag` is the option that moves it.
    pub fn bind(address: impl std::fmt::Display, error: &std::io::Error, flag: &str) -> Self {
        let remedy = match error.kind() {
            std::io::ErrorKind::AddrInUse => format!("stop what listens there, or choose another address with {flag}"),
            std::io::ErrorKind::PermissionDenied => format!("choose a port above 1023 with {flag}"),
            _ => format!("choose another address with {flag}"),
        };
        Self::new(format!("cannot listen on {address}"), error, remedy)
    }
}

/// Prints a failed start or run as one line on standard error. Startup errors exit with 2, anything else with 1.
pub fn exit(program: &str, result: anyhow::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{program}: {error:#}");
            ExitCode::from(if error.is::<StartupError>() { 2 } else { 1 })
        }
    }
}
