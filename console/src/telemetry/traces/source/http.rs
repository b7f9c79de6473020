//! Asking a store over HTTP.

use std::{sync::Arc, time::Duration};

use prometheus_http_query::reqwest::{
    self, Response, StatusCode,
    header::{ACCEPT, CONTENT_TYPE},
    redirect,
};
use serde::de::DeserializeOwned;
use tokio::sync::Semaphore;

use super::{SourceError, TraceArgs};
use crate::telemetry::access::{Access, AccessError, Flags, Given, TokenError};

const FLAGS: Flags = Flags {
    url: "--trace-url",
    token_file: "--trace-token-file",
    user: "--trace-user",
    tenant: "--trace-tenant",
    ca_file: "--trace-ca-file",
};

/// How long one request may take.
const DEADLINE: Duration = Duration::from_secs(10);
/// Largest answer that is read.
const MAX_ANSWER: usize = 32 * 1024 * 1024;
/// Requests under way at once.
const CONCURRENCY: usize = 4;
/// Characters of an error that are repeated.
const MAX_WORDS: usize = 200;
/// What most answers are.
const JSON: &str = "application/json";

/// A store behind HTTP. Clones share the bound on concurrent requests.
#[derive(Clone, Debug)]
pub(super) struct Http {
    what: &'static str,
    client: reqwest::Client,
    url: Arc<str>,
    access: Access,
    places: Arc<Semaphore>,
}

/// An answer as it came.
pub(super) struct Body {
    /// Its media type without parameters, in lower case.
    pub media: String,
    pub bytes: Vec<u8>,
}

impl Http {
    /// A client of `what` as `args` say. Nothing is asked yet.
    pub(super) fn new(what: &'static str, args: &TraceArgs) -> Result<Self, SourceError> {
        let given = args.trace_url.as_deref().unwrap_or_default();
        let address = |why: &str| SourceError::Address { what, url: given.to_owned(), why: why.to_owned() };
        if given.is_empty() {
            return Err(address("--trace-url is missing"));
        }
        let reached = Given {
            url: given,
            token_file: args.trace_token_file.as_deref(),
            user: args.trace_user.as_deref(),
            tenant: args.trace_tenant.as_deref(),
            ca_file: args.trace_ca_file.as_deref(),
        };
        let (access, builder) = Access::open(&FLAGS, &reached).map_err(|error| match error {
            AccessError::Address(why) => address(&why),
            AccessError::Flag { flag, why } => SourceError::Flag { flag, why },
        })?;
        let builder = builder
            .redirect(redirect::Policy::none())
            .connect_timeout(DEADLINE.min(Duration::from_secs(3)))
            .timeout(DEADLINE);
        Ok(Self {
            what,
            client: builder.build().map_err(|error| address(&error.to_string()))?,
            url: given.trim_end_matches('/').into(),
            access,
            places: Arc::new(Semaphore::new(CONCURRENCY)),
        })
    }

    /// Asks for JSON at `path` with `query`; `None` when it says that there is no such thing.
    pub(super) async fn get<T: DeserializeOwned + Send + 'static>(
        &self,
        path: &str,
        query: &[(&str, String)],
    ) -> Result<Option<T>, SourceError> {
        let Some(body) = self.fetch(path, query, JSON).await? else { return Ok(None) };
        if body.media == "text/html" {
            return Err(self.odd("it answered with a page for people"));
        }
        self.read(move || serde_json::from_slice(&body.bytes).map_err(|error| error.to_string())).await.map(Some)
    }

    /// Asks for what `accept` says at `path` with `query`; `None` when it says that there is no such thing.
    pub(super) async fn fetch(
        &self,
        path: &str,
        query: &[(&str, String)],
        accept: &str,
    ) -> Result<Option<Body>, SourceError> {
        let pairs: String = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
        let separator = if pairs.is_empty() { "" } else { "?" };
        let mut request = self.client.get(format!("{}{path}{separator}{pairs}", self.url)).header(ACCEPT, accept);
        let token = |error: TokenError| SourceError::Token { what: self.what, file: error.file, why: error.why };
        for (name, value) in self.access.headers().map_err(token)? {
            request = request.header(name, value);
        }
        let failed = |error: reqwest::Error| self.failed(&error);
        let _place = self.places.acquire().await;
        let mut answer = request.send().await.map_err(failed)?;
        let (status, media) = (answer.status(), media(&answer));
        let mut bytes = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(failed)? {
            if bytes.len() + chunk.len() > MAX_ANSWER {
                let mebibytes = MAX_ANSWER / 1024 / 1024;
                return Err(SourceError::Long { what: self.what, url: self.url.to_string(), mebibytes });
            }
            bytes.extend_from_slice(&chunk);
        }
        let (what, url) = (self.what, self.url.to_string());
        match status {
            StatusCode::NOT_FOUND => Ok(None),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                Err(SourceError::Forbidden { what, url, status: status.as_u16() })
            }
            status if !status.is_success() => {
                let why = if media == "text/html" { "an HTML page".into() } else { words(&bytes) };
                Err(SourceError::Refused { what, url, status: status.as_u16(), why })
            }
            _ => Ok(Some(Body { media, bytes })),
        }
    }

    /// Reads what came: tens of megabytes take longer than a task may hold up others.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce() -> Result<T, String> + Send + 'static,
    ) -> Result<T, SourceError> {
        match tokio::task::spawn_blocking(read).await {
            Ok(read) => read.map_err(|why| self.odd(&why)),
            Err(error) => Err(self.odd(&error.to_string())),
        }
    }

    /// The error for an answer that is not of this API.
    pub(super) fn odd(&self, why: &str) -> SourceError {
        SourceError::Shape { what: self.what, url: self.url.to_string(), why: why.to_owned(), instead: None }
    }

    fn failed(&self, error: &reqwest::Error) -> SourceError {
        let (what, url) = (self.what, self.url.to_string());
        if error.is_timeout() {
            return SourceError::Late { what, url, seconds: DEADLINE.as_secs() };
        }
        // The outer messages repeat the URL; the innermost one says what happened.
        let mut cause: &dyn std::error::Error = error;
        while let Some(next) = cause.source() {
            cause = next;
        }
        SourceError::Unreachable { what, url, why: cause.to_string() }
    }
}

fn media(answer: &Response) -> String {
    let named = answer.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    named.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// The first words of an error, on one line.
fn words(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(4 * MAX_WORDS)]);
    let line: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    line.chars().filter(|c| !c.is_control()).take(MAX_WORDS).collect()
}
