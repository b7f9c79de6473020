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
    /// A flag cannot be used.
    #[error("{flag} cannot be used ({why})")]
    Flag {
        /// Which.
        flag: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// The search cannot be said in its language.
    #[error("{what} cannot be asked for this ({why})")]
    Unasked {
        /// Who.
        what: &'static str,
        /// What cannot be said.
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
    #[error("what answers at {url} does not speak the API of {what} ({why}){}", looks_like(.instead.as_ref()))]
    Shape {
        /// What was to be there.
        what: &'static str,
        /// Where.
        url: String,
        /// What is wrong with it.
        why: String,
        /// What it looks like.
        instead: Option<&'static str>,
    },
}

fn looks_like(instead: Option<&&'static str>) -> String {
    instead.map(|product| format!("; it looks like {product}")).unwrap_or_default()
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
            Self::Flag { .. } => "Correct or leave out that flag.",
            Self::Unasked { .. } => "Look for less, or by other tags.",
            Self::Refused { status: 300..=399, .. } => {
                "It sends people elsewhere, to sign in perhaps: name its own address with --trace-url, behind the sign-in."
            }
            Self::Refused { status: 429, .. } => {
                "It has more to do than it may: wait a moment, search a shorter time, or raise its limits."
            }
            Self::Refused { status: 500.., .. } => {
                "It may be starting, or short of memory: look at its log, or search a shorter time."
            }
            Self::Refused { .. } => "Search a shorter time or for less; if it stays, look at its log.",
            Self::Long { .. } => "Search a shorter time, or for something narrower.",
            Self::Shape { instead: Some("Jaeger"), .. } => {
                "Did you mean --trace-source jaeger? If not, correct --trace-url."
            }
            Self::Shape { instead: Some("Zipkin"), .. } => {
                "Did you mean --trace-source zipkin? If not, correct --trace-url."
            }
            Self::Shape { instead: Some("Tempo"), .. } => {
                "Did you mean --trace-source tempo? If not, correct --trace-url."
            }
            Self::Shape { instead: Some("Grafana"), .. } => {
                "Grafana shows traces and holds none: name the address of the store behind it with --trace-url."
            }
            Self::Shape { .. } => "Correct --trace-source and --trace-url: they must name one and the same program.",
        }
    }
}

impl From<SourceError> for ApiError {
    fn from(error: SourceError) -> Self {
        let remedy = error.remedy();
        let error = match error {
            SourceError::Db(error) => return error.into(),
            error @ SourceError::Unasked { .. } => return Self::bad_request(format!("{error}."), remedy),
            error => error,
        };
        let mut words = error.to_string();
        if words.starts_with("what ") || words.starts_with("the ") {
            words[..1].make_ascii_uppercase();
        }
        Self::new(StatusCode::BAD_GATEWAY, "traces-away", format!("{words}."), remedy)
    }
}
