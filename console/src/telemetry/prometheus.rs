//! Prometheus' HTTP API with a deadline on every query and a bound on how many run at once.

mod error;
mod sample;

use std::{sync::Arc, time::Duration};

use prometheus_http_query::{Client, reqwest};
use tokio::sync::Semaphore;

pub use self::{
    error::QueryError,
    sample::{Labels, Point, Series, Track},
};

/// Queries that run side by side; Prometheus' own default limit is 20.
const CONCURRENCY: usize = 8;
/// How long one query may take, its wait for a free place included.
const DEADLINE: Duration = Duration::from_secs(4);

/// A client of one Prometheus server. Clones share the bound on concurrent queries.
#[derive(Clone)]
pub struct Prometheus {
    client: Client,
    url: Arc<str>,
    places: Arc<Semaphore>,
    deadline: Duration,
}

impl Prometheus {
    /// A client of the server at `url` (`http://host:port`, a path prefix may follow). Nothing is asked yet.
    pub fn new(url: &str) -> Result<Self, QueryError> {
        Self::with_deadline(url, DEADLINE)
    }

    /// The same with another deadline for each query.
    pub fn with_deadline(url: &str, deadline: Duration) -> Result<Self, QueryError> {
        let http = reqwest::Client::builder()
            .no_proxy()
            .connect_timeout(deadline.min(Duration::from_secs(2)))
            .timeout(deadline)
            .build()
            .map_err(|error| QueryError::Address { url: url.to_owned(), why: error.to_string() })?;
        let client = Client::from(http, url)
            .map_err(|error| QueryError::Address { url: url.to_owned(), why: error.to_string() })?;
        Ok(Self {
            client,
            url: url.trim_end_matches('/').into(),
            places: Arc::new(Semaphore::new(CONCURRENCY)),
            deadline,
        })
    }

    /// The server's address without a trailing slash.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Evaluates `promql` at `at` (seconds since the epoch; the server's present time if `None`). Series whose value is
    /// not a number are left out: Prometheus answers NaN where there is nothing to divide by.
    pub async fn instant(&self, promql: &str, at: Option<f64>) -> Result<Vec<Series>, QueryError> {
        let data = self.evaluate(promql, at).await?;
        sample::vector(data).ok_or_else(|| QueryError::Shape { url: self.url.to_string() })
    }

    /// Evaluates a range selector such as `x[60s]` and gives the raw samples, as they were scraped, oldest first.
    pub async fn samples(&self, promql: &str, at: f64) -> Result<Vec<Track>, QueryError> {
        let data = self.evaluate(promql, Some(at)).await?;
        sample::matrix(data).ok_or_else(|| QueryError::Shape { url: self.url.to_string() })
    }

    /// Evaluates `promql` at each `step` seconds from `from` to `to` (seconds since the epoch).
    pub async fn range(&self, promql: &str, from: f64, to: f64, step: f64) -> Result<Vec<Track>, QueryError> {
        // The builder takes whole seconds; rounding outward loses nothing.
        #[allow(clippy::cast_possible_truncation)]
        let (from, to) = (from.floor() as i64, to.ceil() as i64);
        let answer = self.bounded(self.client.query_range(promql, from, to, step.max(1.0)).post()).await?;
        sample::matrix(answer.into_inner().0).ok_or_else(|| QueryError::Shape { url: self.url.to_string() })
    }

    async fn evaluate(
        &self,
        promql: &str,
        at: Option<f64>,
    ) -> Result<prometheus_http_query::response::Data, QueryError> {
        let mut query = self.client.query(promql);
        if let Some(at) = at {
            query = query.query("time", format!("{at:.3}"));
        }
        Ok(self.bounded(query.post()).await?.into_inner().0)
    }

    async fn bounded<T>(
        &self,
        query: impl Future<Output = Result<T, prometheus_http_query::Error>>,
    ) -> Result<T, QueryError> {
        let run = async {
            let _place = self.places.acquire().await;
            query.await
        };
        match tokio::time::timeout(self.deadline, run).await {
            Ok(answer) => answer.map_err(|error| QueryError::from_client(&self.url, &error)),
            Err(_) => Err(QueryError::Late { url: self.url.to_string(), deadline: self.deadline }),
        }
    }
}

impl std::fmt::Debug for Prometheus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Prometheus").field("url", &self.url).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
