//! What can go wrong between us and the API server, as people are told of it.

use std::time::Duration;

use tokio::time::Instant;
use weft_api::code;
use weft_model::{Diagnostic, Severity};

use super::watched::Watched;

/// For how long a kind must have been out of reach before it is a finding: watches end and servers roll all the time.
pub const UNAVAILABLE_AFTER: Duration = Duration::from_secs(5);

/// Why a list or watch ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) class: Class,
    pub(super) message: String,
    /// How long the server wants to be left alone.
    pub(super) retry_after: Option<Duration>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// 401 or 403: we may not.
    Forbidden,
    /// 404: no such kind, or not yet.
    Missing,
    /// 410: what we last saw is too long ago to go on from.
    Gone,
    /// 422, or 500 when the etcd behind it is too old for it: it does not stream lists.
    NoStream,
    /// Anything else: it is away, busy or broken.
    Unavailable,
}

impl Failure {
    pub(super) fn unavailable(message: impl Into<String>) -> Self {
        Self { class: Class::Unavailable, message: message.into(), retry_after: None }
    }

    pub(super) fn of_status(status: &kube::core::Status) -> Self {
        let class = match status.code {
            401 | 403 => Class::Forbidden,
            404 => Class::Missing,
            410 => Class::Gone,
            422 => Class::NoStream,
            // "a watch stream was requested by the client but the required storage feature RequestWatchProgress is disabled"
            500 if status.message.contains("required storage feature") => Class::NoStream,
            _ if status.reason == "Expired" => Class::Gone,
            _ => Class::Unavailable,
        };
        let asked = status.details.as_ref().map_or(0, |details| details.retry_after_seconds);
        let message =
            if status.message.is_empty() { format!("status {}", status.code) } else { status.message.clone() };
        Self { class, message, retry_after: (asked > 0).then(|| Duration::from_secs(asked.into())) }
    }
}

impl From<kube::Error> for Failure {
    fn from(error: kube::Error) -> Self {
        match &error {
            kube::Error::Api(status) => Self::of_status(status),
            // The innermost cause is the one that says something: "Connection refused" rather than "service error".
            other => {
                let mut innermost: &dyn std::error::Error = other;
                while let Some(source) = innermost.source() {
                    innermost = source;
                }
                Self::unavailable(innermost.to_string())
            }
        }
    }
}

/// A failure that lasts.
#[derive(Clone, Debug)]
pub(super) struct Trouble {
    pub(super) failure: Failure,
    pub(super) since: Instant,
}

impl Trouble {
    /// The finding that it is by now, if it is one.
    pub(super) fn diagnostic(&self, watched: &Watched, listed: bool) -> Option<Diagnostic> {
        let title = watched.title();
        let kept = match listed {
            true => "what was read last stays in force",
            false => "nothing of them is in force yet",
        };
        let (code, severity, message, suggestion) = match self.failure.class {
            Class::Forbidden => {
                let severity = if watched.required() { Severity::Error } else { Severity::Warning };
                let message = format!("the API server does not let us read {title} ({}); {kept}", self.failure.message);
                let suggestion = format!("bind {} to our service account", watched.rule());
                (code::FORBIDDEN, severity, message, Some(suggestion))
            }
            Class::Gone => return None,
            _ if self.since.elapsed() < UNAVAILABLE_AFTER => return None,
            Class::Missing | Class::NoStream | Class::Unavailable => {
                let message = format!("cannot read {title} ({}); {kept}", self.failure.message);
                let suggestion = "look at the API server; nothing needs to be done here once it answers";
                (code::UNAVAILABLE, Severity::Warning, message, Some(suggestion.to_owned()))
            }
        };
        Some(Diagnostic {
            code: code.to_owned(),
            aliases: Vec::new(),
            severity,
            message,
            object: None,
            field: String::new(),
            file: None,
            line: None,
            column: None,
            suggestion,
        })
    }
}
