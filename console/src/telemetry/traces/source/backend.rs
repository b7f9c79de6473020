use std::{path::PathBuf, sync::Arc, time::Duration};

use prometheus_http_query::reqwest;
use reqwest::{StatusCode, redirect};
use serde::de::DeserializeOwned;
use tokio::sync::Semaphore;
use weft_model::trace::Span;

use super::{Found, Points, SourceError, SourceKind, jaeger, matching, span, zipkin};
use crate::db::{Cursor, TraceFilter, TracePoint};

/// How long one request may take.
const DEADLINE: Duration = Duration::from_secs(10);
/// Largest answer that is read.
const MAX_ANSWER: usize = 32 * 1024 * 1024;
/// Requests under way at once.
const CONCURRENCY: usize = 4;
/// Traces asked for a page at most: what does not pass the filter after all is left out of them.
const MAX_ASKED: usize = 500;
/// Traces counted for a heat map; each comes with all of its spans.
const MAX_COUNTED: usize = 300;
/// Characters of an error that are repeated.
const MAX_WORDS: usize = 200;

/// A store of traces behind HTTP. Clones share the bound on concurrent requests.
#[derive(Clone, Debug)]
pub struct Backend {
    kind: Kind,
    http: reqwest::Client,
    url: Arc<str>,
    token_file: Option<PathBuf>,
    places: Arc<Semaphore>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Jaeger,
    Zipkin,
}

/// One trace as it was read.
pub(super) struct Whole {
    pub trace_id: String,
    pub spans: Vec<Span>,
}

/// What a search gave.
#[derive(Default)]
pub(super) struct Answer {
    pub traces: Vec<Whole>,
    /// Whether as many came as were asked for, so that there may be more.
    pub full: bool,
    /// What was not searched.
    pub note: Option<String>,
}

impl Backend {
    /// A client of the store of `kind` at `url`; `None` when traces are held here. Nothing is asked yet.
    pub fn new(kind: SourceKind, url: Option<&str>, token_file: Option<PathBuf>) -> Result<Option<Self>, SourceError> {
        let kind = match kind {
            SourceKind::Embedded => return Ok(None),
            SourceKind::Jaeger => Kind::Jaeger,
            SourceKind::Zipkin => Kind::Zipkin,
        };
        let given = url.unwrap_or_default();
        let address =
            |why: &str| SourceError::Address { what: kind.name(), url: given.to_owned(), why: why.to_owned() };
        if given.is_empty() {
            return Err(address("--trace-url is missing"));
        }
        let parsed = url::Url::parse(given).map_err(|error| address(&error.to_string()))?;
        if !matches!(parsed.scheme(), "http" | "https") || parsed.host().is_none() {
            return Err(address("it must begin with http:// or https://"));
        }
        let builder = reqwest::Client::builder()
            .redirect(redirect::Policy::none())
            .connect_timeout(DEADLINE.min(Duration::from_secs(3)))
            .timeout(DEADLINE);
        // Spoken to without TLS, it needs no roots; an image need not have them.
        let builder = if parsed.scheme() == "http" { builder.tls_certs_only(Vec::new()).no_proxy() } else { builder };
        let http = builder.build().map_err(|error| address(&error.to_string()))?;
        let url = given.trim_end_matches('/').into();
        Ok(Some(Self { kind, http, url, token_file, places: Arc::new(Semaphore::new(CONCURRENCY)) }))
    }

    pub(super) fn name(&self) -> &'static str {
        self.kind.name()
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    pub(super) async fn list(&self, filter: &TraceFilter) -> Result<Found, SourceError> {
        let asked = (filter.limit * 2).min(MAX_ASKED);
        let answer = self.search(filter, asked).await?;
        let mut traces: Vec<_> = answer.traces.iter().filter_map(|whole| matching::row(whole, filter)).collect();
        traces.sort_by(|a, b| (b.start_us, &b.trace_id).cmp(&(a.start_us, &a.trace_id)));
        let more = traces.len() > filter.limit || answer.full;
        traces.truncate(filter.limit);
        // Where all that came was passed over, the next page begins below the oldest of it.
        let oldest = || {
            let starts = answer.traces.iter().flat_map(|whole| whole.spans.iter().map(|span| span.start_us).min());
            starts.min().map(|start_us| Cursor { start_us, trace_id: "0".to_owned() })
        };
        let last = traces.last().map(|row| Cursor { start_us: row.start_us, trace_id: row.trace_id.clone() });
        let next = if more { last.or_else(oldest) } else { None };
        Ok(Found { traces, next, note: answer.note })
    }

    pub(super) async fn points(&self, filter: &TraceFilter) -> Result<Points, SourceError> {
        let filter = TraceFilter { before: None, ..filter.clone() };
        let answer = self.search(&filter, MAX_COUNTED).await?;
        let rows = answer.traces.iter().filter_map(|whole| matching::row(whole, &filter));
        let mut points: Vec<_> = rows
            .map(|row| TracePoint { start_us: row.start_us, duration_us: row.duration_us, error: row.error })
            .collect();
        points.sort_by_key(|point| std::cmp::Reverse(point.start_us));
        Ok(Points { points, cut: answer.full })
    }

    async fn search(&self, filter: &TraceFilter, limit: usize) -> Result<Answer, SourceError> {
        match self.kind {
            Kind::Jaeger => jaeger::search(self, filter, limit).await,
            Kind::Zipkin => zipkin::search(self, filter, limit).await,
        }
    }

    pub(super) async fn spans(&self, trace_id: &str) -> Result<Vec<Span>, SourceError> {
        match self.kind {
            Kind::Jaeger => jaeger::spans(self, trace_id).await,
            Kind::Zipkin => zipkin::spans(self, trace_id).await,
        }
    }

    pub(super) async fn workloads(&self) -> Result<Vec<String>, SourceError> {
        let mut workloads: Vec<_> = self.services().await?.iter().map(|name| span::workload_of(name)).collect();
        workloads.sort_unstable();
        workloads.dedup();
        Ok(workloads)
    }

    pub(super) async fn services(&self) -> Result<Vec<String>, SourceError> {
        match self.kind {
            Kind::Jaeger => jaeger::services(self).await,
            Kind::Zipkin => zipkin::services(self).await,
        }
    }

    pub(super) async fn operations(&self, workload: &str) -> Result<Vec<String>, SourceError> {
        let Some(service) = span::service_of(workload, &self.services().await?) else { return Ok(Vec::new()) };
        let mut names = match self.kind {
            Kind::Jaeger => jaeger::operations(self, &service).await?,
            Kind::Zipkin => zipkin::operations(self, &service).await?,
        };
        names.sort_unstable();
        Ok(names)
    }

    /// Asks for `path` with `query`; `None` when it says that there is no such thing.
    pub(super) async fn get<T: DeserializeOwned + Send + 'static>(
        &self,
        path: &str,
        query: &[(&str, String)],
    ) -> Result<Option<T>, SourceError> {
        let (what, url) = (self.kind.name(), self.url.to_string());
        let pairs: String = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
        let separator = if pairs.is_empty() { "" } else { "?" };
        let mut request = self.http.get(format!("{url}{path}{separator}{pairs}")).header("accept", "application/json");
        if let Some(token) = self.token()? {
            request = request.bearer_auth(token);
        }
        let failed = |error: reqwest::Error| self.failed(&error);
        let _place = self.places.acquire().await;
        let mut answer = request.send().await.map_err(failed)?;
        let status = answer.status();
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > MAX_ANSWER {
                return Err(SourceError::Long { what, url, mebibytes: MAX_ANSWER / 1024 / 1024 });
            }
            body.extend_from_slice(&chunk);
        }
        match status {
            StatusCode::NOT_FOUND => Ok(None),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                Err(SourceError::Forbidden { what, url, status: status.as_u16() })
            }
            status if !status.is_success() => {
                let why = String::from_utf8_lossy(&body).chars().take(MAX_WORDS).collect();
                Err(SourceError::Refused { what, url, status: status.as_u16(), why })
            }
            // Tens of megabytes take longer to read than a task may hold up others.
            _ => match tokio::task::spawn_blocking(move || serde_json::from_slice(&body)).await {
                Ok(Ok(read)) => Ok(Some(read)),
                Ok(Err(error)) => Err(SourceError::Shape { what, url, why: error.to_string() }),
                Err(error) => Err(SourceError::Shape { what, url, why: error.to_string() }),
            },
        }
    }

    fn token(&self) -> Result<Option<String>, SourceError> {
        let Some(file) = &self.token_file else { return Ok(None) };
        let token = |why: String| SourceError::Token { what: self.kind.name(), file: file.display().to_string(), why };
        let text = std::fs::read_to_string(file).map_err(|error| token(error.to_string()))?;
        let text = text.trim();
        if text.is_empty() { Err(token("it is empty".to_owned())) } else { Ok(Some(text.to_owned())) }
    }

    fn failed(&self, error: &reqwest::Error) -> SourceError {
        let (what, url) = (self.kind.name(), self.url.to_string());
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

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Jaeger => "Jaeger",
            Self::Zipkin => "Zipkin",
        }
    }
}
