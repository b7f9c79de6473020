//! Prometheus' HTTP API with a deadline on every query and a bound on how many run at once.

mod args;
mod error;
mod grid;
mod rows;
mod sample;

use std::{sync::Arc, time::Duration};

use prometheus_http_query::{
    Client,
    reqwest::{
        self, StatusCode,
        header::{HeaderName, HeaderValue},
    },
};
use tokio::sync::Semaphore;

pub use self::{
    args::PrometheusArgs,
    error::QueryError,
    grid::{Grid, MIN_RATE_S, MIN_STEP_S, POINTS},
    rows::Row,
    sample::{Labels, Point, Series, Track},
};
use super::access::{Access, AccessError, Flags, Given};

const FLAGS: Flags = Flags {
    url: "--prometheus",
    token_file: "--prometheus-token-file",
    user: "--prometheus-user",
    tenant: "--prometheus-tenant",
    ca_file: "--prometheus-ca-file",
};

/// Queries that run side by side; Prometheus' own default limit is 20.
const CONCURRENCY: usize = 8;
/// How long one query may take, its wait for a free place included.
const DEADLINE: Duration = Duration::from_secs(4);
/// How long a question may take that only makes another one cheaper.
const HASTE: Duration = Duration::from_millis(500);
/// How long a query may take that nobody waits for.
const PATIENCE: Duration = Duration::from_secs(15);
/// Largest answer that is read, in bytes: some 200,000 rows.
const MAX_ANSWER: usize = 128 * 1024 * 1024;

/// A client of one Prometheus server. Clones share the bound on concurrent queries.
#[derive(Clone)]
pub struct Prometheus {
    client: Client,
    http: reqwest::Client,
    access: Access,
    url: Arc<str>,
    places: Arc<Semaphore>,
    deadline: Duration,
}

impl Prometheus {
    /// A client of the server that `args` name, if they name one. Nothing is asked yet.
    pub fn open(args: &PrometheusArgs) -> Result<Option<Self>, QueryError> {
        let Some(url) = args.prometheus.as_deref() else { return Ok(None) };
        let given = Given {
            url,
            token_file: args.prometheus_token_file.as_deref(),
            user: args.prometheus_user.as_deref(),
            tenant: args.prometheus_tenant.as_deref(),
            ca_file: args.prometheus_ca_file.as_deref(),
        };
        Self::with(&given, DEADLINE).map(Some)
    }

    /// A client of the server at `url` (`http://host:port`, a path prefix may follow), which asks nobody who he is.
    pub fn new(url: &str) -> Result<Self, QueryError> {
        Self::with_deadline(url, DEADLINE)
    }

    /// The same with another deadline for each query.
    pub fn with_deadline(url: &str, deadline: Duration) -> Result<Self, QueryError> {
        Self::with(&Given { url, ..Given::default() }, deadline)
    }

    fn with(given: &Given<'_>, deadline: Duration) -> Result<Self, QueryError> {
        let address = |why: String| QueryError::Address { url: given.url.to_owned(), why };
        let (access, builder) = Access::open(&FLAGS, given).map_err(|error| match error {
            AccessError::Address(why) => address(why),
            AccessError::Flag { flag, why } => QueryError::Flag { flag, why },
        })?;
        let builder = builder.connect_timeout(deadline.min(Duration::from_secs(2)));
        let http = builder.build().map_err(|error| address(error.to_string()))?;
        let client = Client::from(http.clone(), given.url).map_err(|error| address(error.to_string()))?;
        Ok(Self {
            client,
            http,
            access,
            url: given.url.trim_end_matches('/').into(),
            places: Arc::new(Semaphore::new(CONCURRENCY)),
            deadline,
        })
    }

    /// The same client for queries that nobody waits for: they get more time.
    #[must_use]
    pub fn patient(&self) -> Self {
        Self { deadline: self.deadline.max(PATIENCE), ..self.clone() }
    }

    /// How long one query may take.
    pub fn deadline(&self) -> Duration {
        self.deadline
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

    /// Evaluates `promql` at `at` (seconds since the epoch) and gives each row to `add`, for answers that are too large to
    /// be kept as they are. Their values may be NaN or infinite.
    pub async fn fold<T: Send + 'static>(
        &self,
        promql: &str,
        at: f64,
        state: T,
        add: fn(&mut T, &Row<'_>, f64),
    ) -> Result<T, QueryError> {
        let form: String = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("query", promql)
            .append_pair("time", &format!("{at:.3}"))
            .finish();
        let request = self
            .http
            .post(format!("{}/api/v1/query", self.url))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form);
        let shape = || QueryError::Shape { url: self.url.to_string() };
        let read = async {
            let mut rows = rows::Rows::new(state, add);
            self.read(request, |piece| rows.take(piece).ok_or_else(shape)).await?;
            rows.finish().ok_or_else(shape)
        };
        self.limited(read).await
    }

    /// Values of `label` among the series of any of `selectors` between two moments, in seconds since the epoch.
    /// Prometheus answers from its index without reading samples, and may count series that ended a while before.
    pub async fn label_values(
        &self,
        label: &str,
        selectors: &[&str],
        from: f64,
        to: f64,
    ) -> Result<Vec<String>, QueryError> {
        #[derive(serde::Deserialize)]
        struct Answer {
            data: Vec<String>,
        }
        let query = matching(selectors, from, to);
        let request = self.http.get(format!("{}/api/v1/label/{label}/values?{query}", self.url));
        let hasty = Self { deadline: self.deadline.min(HASTE), ..self.clone() };
        let mut body = Vec::new();
        let read = self.read(request, |piece| {
            body.extend_from_slice(piece);
            Ok(())
        });
        hasty.limited(read).await?;
        let answer: Result<Answer, _> = serde_json::from_slice(&body);
        answer.map(|answer| answer.data).map_err(|_| QueryError::Shape { url: self.url.to_string() })
    }

    /// What the next request shows of who asks.
    fn proofs(&self) -> Result<Vec<(HeaderName, HeaderValue)>, QueryError> {
        self.access.headers().map_err(|error| QueryError::Token { file: error.file, why: error.why })
    }

    /// Asks, and gives each piece of the answer to `take` as it comes.
    async fn read(
        &self,
        mut request: reqwest::RequestBuilder,
        mut take: impl FnMut(&[u8]) -> Result<(), QueryError>,
    ) -> Result<(), QueryError> {
        for (name, value) in self.proofs()? {
            request = request.header(name, value);
        }
        let shape = || QueryError::Shape { url: self.url.to_string() };
        let failed = |error: &reqwest::Error| QueryError::from_transport(&self.url, error);
        let mut answer = request.send().await.map_err(|error| failed(&error))?;
        let status = answer.status();
        let (mut size, mut problem) = (0, Vec::new());
        while let Some(piece) = answer.chunk().await.map_err(|error| failed(&error))? {
            size += piece.len();
            if size > MAX_ANSWER {
                let why = format!("its answer is larger than {} MiB", MAX_ANSWER / 1024 / 1024);
                return Err(QueryError::Refused { url: self.url.to_string(), why, overloaded: true });
            }
            match status.is_success() {
                true => take(&piece)?,
                false => problem.extend_from_slice(&piece),
            }
            // A large answer takes longer to read than a task may hold up others.
            tokio::task::consume_budget().await;
        }
        if status.is_success() {
            return Ok(());
        }
        if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            return Err(QueryError::Forbidden { url: self.url.to_string(), status: status.as_u16() });
        }
        Err(QueryError::from_body(&self.url, &problem).unwrap_or_else(shape))
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
        let mut query = self.client.query_range(promql, from, to, step.max(1.0));
        for (name, value) in self.proofs()? {
            query = query.header(name, value);
        }
        let answer = self.bounded(query.post()).await?;
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
        for (name, value) in self.proofs()? {
            query = query.header(name, value);
        }
        Ok(self.bounded(query.post()).await?.into_inner().0)
    }

    async fn bounded<T>(
        &self,
        query: impl Future<Output = Result<T, prometheus_http_query::Error>>,
    ) -> Result<T, QueryError> {
        self.limited(async { query.await.map_err(|error| QueryError::from_client(&self.url, &error)) }).await
    }

    async fn limited<T>(&self, query: impl Future<Output = Result<T, QueryError>>) -> Result<T, QueryError> {
        let run = async {
            let _place = self.places.acquire().await;
            query.await
        };
        match tokio::time::timeout(self.deadline, run).await {
            Ok(answer) => answer,
            Err(_) => Err(QueryError::Late { url: self.url.to_string(), deadline: self.deadline }),
        }
    }
}

/// The parameters of a question about series; what makes them may not be held while an answer is waited for.
fn matching(selectors: &[&str], from: f64, to: f64) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(selectors.iter().map(|selector| ("match[]", selector)));
    query.append_pair("start", &format!("{from:.3}")).append_pair("end", &format!("{to:.3}"));
    query.finish()
}

impl std::fmt::Debug for Prometheus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Prometheus").field("url", &self.url).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
