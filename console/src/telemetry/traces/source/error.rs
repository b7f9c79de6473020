use axum::http::StatusCode;

use crate::{db::DbError, http::ApiError};

/// Why a place has no answer. The words name it; [`SourceError::remedy`] says what to do.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// This console's own store failed.
    #[error(transparent)]
    Db(#[from] DbError),
    /// The address cannot be used at all.
    #[error("{url} is no address of {what} ({why})")]
    Address {
        /// What was to be there.
        what: &'static str,
        /// As it was given.
        url: String,
        /// What is wrong with it.
        why: String,
    },
    /// The token cannot be read.
    #[error("the token for {what} cannot be read from {file} ({why})")]
    Token {
        /// Whom it is for.
        what: &'static str,
        /// Where it should be.
        file: String,
        /// What is wrong.
        why: String,
    },
    /// No connection, or it broke.
    #[error("{what} at {url} cannot be reached ({why})")]
    Unreachable {
        /// Who.
        what: &'static str,
        /// Where.
        url: String,
        /// The innermost cause.
        why: String,
    },
    /// No answer in time.
    #[error("{what} at {url} did not answer within {seconds} s")]
    Late {
        /// Who.
        what: &'static str,
        /// Where.
        url: String,
        /// How long it was waited for.
        seconds: u64,
    },
    /// It does not let this console in.
    #[error("{what} at {url} lets nobody in without a right token (it answered {status})")]
    Forbidden {
        /// Who.
        what: &'static str,
        /// Where.
        url: String,
        /// 401 or 403.
        status: u16,
    },
    /// It answered with an error of its own.
    #[error("{what} at {url} refused the search ({status}: {why})")]
    Refused {
        /// Who.
        what: &'static str,
        /// Where.
        url: String,
        /// Its status.
        status: u16,
        /// Its words.
        why: String,
    },
    /// The answer is longer than what is read.
    #[error("{what} at {url} answered with more than {mebibytes} MiB")]
    Long {
        /// Who.
        what: &'static str,
        /// Where.
        url: String,
        /// The bound.
        mebibytes: usize,
    },
    /// What answers is something else.
    #[error("what answers at {url} does not speak the API of {what} ({why})")]
    Shape {
        /// What was to be there.
        what: &'static str,
        /// Where.
        url: String,
        /// What is wrong with it.
        why: String,
    },
}

impl SourceError {
    /// What to do about it.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Db(_) => "Look at the console's log and at the space left for its data.",
            Self::Address { .. } => "Give an address such as http://jaeger-query:16686 with --trace-url.",
            Self::Token { .. } => "Write the token into that file, or name another one with --trace-token-file.",
            Self::Unreachable { .. } => "Start it, or correct --trace-url.",
            Self::Late { .. } => "Look at its load, or search a shorter time.",
            Self::Forbidden { .. } => "Give the console a token that it takes, in the file of --trace-token-file.",
            Self::Refused { .. } => "Search for less, or look at its log.",
            Self::Long { .. } => "Search a shorter time, or for something narrower.",
            Self::Shape { .. } => "Correct --trace-source and --trace-url: they must name one and the same program.",
        }
    }
}

impl From<SourceError> for ApiError {
    fn from(error: SourceError) -> Self {
        let remedy = error.remedy();
        let error = match error {
            SourceError::Db(error) => return error.into(),
            error => error,
        };
        let mut words = error.to_string();
        if words.starts_with("what ") || words.starts_with("the ") {
            words[..1].make_ascii_uppercase();
        }
        Self::new(StatusCode::BAD_GATEWAY, "traces-away", format!("{words}."), remedy)
    }
}
