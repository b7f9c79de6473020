use std::{path::Path, pin::Pin, time::Duration};

use openidconnect::{AsyncHttpClient, HttpRequest, HttpResponse};
use reqwest::redirect;

use super::ProviderError;

/// How long the provider may take to answer.
const DEADLINE: Duration = Duration::from_secs(10);
/// The largest answer that is read: key sets and tokens are a few kilobytes.
const MAX_ANSWER: usize = 1024 * 1024;

/// Calls to the provider. Redirects are not followed: a provider that is one does not answer with them, and one that is
/// none must not send the console elsewhere.
pub(super) struct Http(reqwest::Client);

/// Why a call has no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum HttpError {
    #[error("it did not answer within {} s", DEADLINE.as_secs())]
    Late,
    #[error(transparent)]
    Call(#[from] reqwest::Error),
    #[error("its answer is longer than {MAX_ANSWER} bytes")]
    Long,
    #[error("its answer is none: {0}")]
    Shape(#[from] openidconnect::http::Error),
}

impl Http {
    /// Trusts the system's roots, and those in `ca_file`.
    pub(super) fn new(ca_file: Option<&Path>) -> Result<Self, ProviderError> {
        let mut builder = reqwest::Client::builder()
            .redirect(redirect::Policy::none())
            .connect_timeout(DEADLINE)
            .timeout(DEADLINE)
            .pool_idle_timeout(Duration::from_secs(20));
        if let Some(file) = ca_file {
            let flag = |why: String| ProviderError::Flag(format!("--oidc-ca-file {}: {why}", file.display()));
            let pem = std::fs::read(file).map_err(|error| flag(error.to_string()))?;
            let roots = reqwest::Certificate::from_pem_bundle(&pem).map_err(|error| flag(error.to_string()))?;
            if roots.is_empty() {
                return Err(flag("it holds no certificate".to_owned()));
            }
            builder = builder.tls_certs_merge(roots);
        }
        let client = builder.build().map_err(|error| ProviderError::Flag(format!("TLS cannot be used: {error}")))?;
        Ok(Self(client))
    }

    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let response = self.0.execute(request.try_into()?).await;
        let mut response = response.map_err(|error| if error.is_timeout() { HttpError::Late } else { error.into() })?;
        let mut whole = openidconnect::http::Response::builder().status(response.status());
        if let Some(headers) = whole.headers_mut() {
            headers.clone_from(response.headers());
        }
        let mut body = Vec::new();
        while let Some(part) = response.chunk().await? {
            if body.len() + part.len() > MAX_ANSWER {
                return Err(HttpError::Long);
            }
            body.extend_from_slice(&part);
        }
        Ok(whole.body(body)?)
    }
}

impl<'c> AsyncHttpClient<'c> for Http {
    type Error = HttpError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.send(request))
    }
}
