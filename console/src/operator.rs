//! What the operator's admin port says: which content has reached every proxy.

use std::{sync::Arc, time::Duration};

use prometheus_http_query::reqwest;
use weft_model::sync::ObjectAck;

/// How long the operator may take to answer.
const DEADLINE: Duration = Duration::from_secs(2);
/// The largest answer that is read.
const MAX_ANSWER: usize = 16 * 1024 * 1024;

/// Why the operator has no answer. The words name it and the remedy; they are shown on the page as they are.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OperatorError {
    /// No console was told where the operator is.
    #[error("No operator is configured; start the console with --operator-admin http://HOST:15014")]
    NotConfigured,
    /// The address cannot be used at all.
    #[error(
        "{url} is not an address of the operator ({why}); give one such as http://127.0.0.1:15014 with --operator-admin"
    )]
    Address {
        /// As it was given.
        url: String,
        /// What is wrong with it.
        why: String,
    },
    /// No connection, or no answer in time.
    #[error("The operator at {url} cannot be reached ({why}); start it, or correct --operator-admin")]
    Unreachable {
        /// Its address.
        url: String,
        /// The innermost cause.
        why: String,
    },
    /// What answers is something else.
    #[error("What answers at {url} is not the operator's admin port ({why}); correct --operator-admin")]
    Shape {
        /// Its address.
        url: String,
        /// What it answered.
        why: String,
    },
}

/// A client of the operator's admin port.
#[derive(Clone, Debug)]
pub struct Operator {
    http: reqwest::Client,
    url: Arc<str>,
}

impl Operator {
    /// A client of the operator whose admin port is at `url`. Nothing is asked yet.
    pub fn new(url: &str) -> Result<Self, OperatorError> {
        let address = |why: String| OperatorError::Address { url: url.to_owned(), why };
        let parsed = url::Url::parse(url).map_err(|error| address(error.to_string()))?;
        if parsed.scheme() != "http" || parsed.host().is_none() {
            return Err(address("it must begin with http://".into()));
        }
        let client = reqwest::Client::builder().no_proxy().connect_timeout(DEADLINE).timeout(DEADLINE).build();
        let http = client.map_err(|error| address(error.to_string()))?;
        Ok(Self { http, url: url.trim_end_matches('/').into() })
    }

    /// When each tracked object's content had reached every proxy (`GET /debug/acks`).
    pub async fn acks(&self) -> Result<Vec<ObjectAck>, OperatorError> {
        let url = self.url.to_string();
        let unreachable = |error: reqwest::Error| {
            let mut cause: &dyn std::error::Error = &error;
            while let Some(next) = cause.source() {
                cause = next;
            }
            let why = if error.is_timeout() { "no answer in time".to_owned() } else { cause.to_string() };
            OperatorError::Unreachable { url: url.clone(), why }
        };
        let mut response = self.http.get(format!("{url}/debug/acks")).send().await.map_err(unreachable)?;
        let shape = |why: String| OperatorError::Shape { url: url.clone(), why };
        if !response.status().is_success() {
            return Err(shape(format!("status {}", response.status().as_u16())));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
            if body.len() + chunk.len() > MAX_ANSWER {
                return Err(shape("the answer is too long".into()));
            }
            body.extend_from_slice(&chunk);
        }
        serde_json::from_slice(&body).map_err(|error| shape(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_addresses_are_refused() {
        for bad in ["", "127.0.0.1:15014", "https://127.0.0.1:15014", "ftp://x"] {
            assert!(matches!(Operator::new(bad), Err(OperatorError::Address { .. })), "{bad}");
        }
    }

    #[tokio::test]
    async fn an_operator_that_is_away_is_said_to_be() {
        let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let error = Operator::new(&format!("http://{free}/")).unwrap().acks().await.unwrap_err();
        assert!(matches!(error, OperatorError::Unreachable { .. }), "{error}");
    }
}
