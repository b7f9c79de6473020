use std::{error::Error as _, time::Duration};

use prometheus_http_query::{Error, error::PrometheusErrorType, reqwest};

/// Why a query has no answer. The words name the server and the remedy; they are shown on the page as they are.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// The address cannot be used at all.
    #[error("{url} is not an address of Prometheus ({why}); give one such as http://127.0.0.1:9090 with --prometheus")]
    Address {
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
    /// The token cannot be read.
    #[error(
        "The token for Prometheus cannot be read from {file} ({why}); write it there, or correct --prometheus-token-file"
    )]
    Token {
        /// Where it should be.
        file: String,
        /// What is wrong.
        why: String,
    },
    /// It does not let the console in.
    #[error(
        "Prometheus at {url} lets nobody in without a right token (it answered {status}); give the console one that it \
         takes with --prometheus-token-file"
    )]
    Forbidden {
        /// The server.
        url: String,
        /// 401 or 403.
        status: u16,
    },
    /// No console was told where Prometheus is.
    #[error("No Prometheus is configured; start the console with --prometheus http://HOST:9090")]
    NotConfigured,
    /// No connection, or it broke.
    #[error("Prometheus at {url} cannot be reached ({why}); start it, or correct --prometheus")]
    Unreachable {
        /// The server.
        url: String,
        /// The innermost cause.
        why: String,
    },
    /// No answer in time.
    #[error("Prometheus at {url} did not answer within {} s; look at its load, or choose a shorter time window", .deadline.as_secs_f32())]
    Late {
        /// The server.
        url: String,
        /// How long it was waited for.
        deadline: Duration,
    },
    /// The server answered with an error of its own.
    #[error("Prometheus at {url} refused a query ({why}); {}", remedy(*.overloaded))]
    Refused {
        /// The server.
        url: String,
        /// Its words.
        why: String,
        /// Whether it is a matter of size or load rather than of the query.
        overloaded: bool,
    },
    /// What answered does not speak Prometheus' API.
    #[error("What answers at {url} is not Prometheus' HTTP API; correct --prometheus")]
    Shape {
        /// The server.
        url: String,
    },
}

fn remedy(overloaded: bool) -> &'static str {
    if overloaded {
        "choose a shorter time window, or raise its query limits"
    } else {
        "its version may be too old; 2.40 or newer is needed"
    }
}

impl QueryError {
    pub(super) fn from_client(url: &str, error: &Error) -> Self {
        let url = url.to_owned();
        match error {
            Error::Prometheus(e) => Self::Refused {
                url,
                why: e.message().chars().take(300).collect(),
                overloaded: matches!(
                    e.error_type(),
                    PrometheusErrorType::Timeout
                        | PrometheusErrorType::Canceled
                        | PrometheusErrorType::Execution
                        | PrometheusErrorType::Unavailable
                ),
            },
            Error::Client(e) => match e.inner() {
                Some(inner) => Self::from_transport(&url, inner),
                None => Self::Shape { url },
            },
            Error::ParseUrl(e) => {
                Self::Address { why: e.source().map_or_else(|| e.to_string(), ToString::to_string), url }
            }
            _ => Self::Shape { url },
        }
    }

    pub(super) fn from_transport(url: &str, error: &reqwest::Error) -> Self {
        let url = url.to_owned();
        if error.is_timeout() {
            return Self::Late { url, deadline: super::DEADLINE };
        }
        if let Some(status) = error.status().map(|status| status.as_u16())
            && matches!(status, 401 | 403)
        {
            return Self::Forbidden { url, status };
        }
        if error.is_decode() || error.is_status() {
            return Self::Shape { url };
        }
        // The outer messages repeat the URL; the innermost one says what happened.
        let mut cause: &dyn std::error::Error = error;
        while let Some(next) = cause.source() {
            cause = next;
        }
        Self::Unreachable { url, why: cause.to_string() }
    }

    /// Reads Prometheus' own description of an error; `None` when it is something else.
    pub(super) fn from_body(url: &str, body: &[u8]) -> Option<Self> {
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Problem {
            error_type: String,
            error: String,
        }
        let problem: Problem = serde_json::from_slice(body).ok()?;
        Some(Self::Refused {
            url: url.to_owned(),
            why: problem.error.chars().take(300).collect(),
            overloaded: matches!(problem.error_type.as_str(), "timeout" | "canceled" | "execution" | "unavailable"),
        })
    }
}
