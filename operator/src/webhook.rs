//! The webhooks that the API server calls: injection of proxies into pods, and checks of configuration objects. Stateless;
//! any replica answers.

mod inject;
mod review;
mod room;
mod server;
mod settings;
mod validate;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::post,
};
use tokio::time::timeout;

pub use review::{Review, Verdict};
pub use server::serve;
pub use settings::{SettingsWatch, follow as follow_settings};

use self::room::Seat;
use crate::metrics::{AdmissionLabels, Metrics};

/// Largest review that is read; the API server's own limit for an object is 1.5 MiB, and an update carries two.
const MAX_REVIEW: usize = 4 * 1024 * 1024;
/// Time to receive and answer a review; the API server gives up after 10 s.
const ANSWER: Duration = Duration::from_secs(8);

/// Time to receive a review once there is room for it: the API server sends it whole.
const RECEIVE: Duration = Duration::from_secs(3);

/// What the webhooks answer from.
#[derive(Clone)]
pub struct Webhooks {
    settings: SettingsWatch,
    metrics: Metrics,
}

impl Webhooks {
    /// Answers from the settings of injection.
    pub fn new(settings: SettingsWatch, metrics: Metrics) -> Self {
        Self { settings, metrics }
    }

    /// The routes.
    pub fn router(self) -> Router {
        Router::new()
            .route("/inject", post(inject))
            .route("/validate", post(validate))
            // Istio's path names the revision or tag that selected the pod; the settings are the same.
            .route("/inject/{*selected}", post(inject))
            .with_state(Arc::new(self))
    }
}

async fn inject(State(webhooks): State<Arc<Webhooks>>, request: Request) -> Response {
    let hooks = Arc::clone(&webhooks);
    answer(&webhooks.metrics, "inject", request, async move |review: Review| inject::decide(&review, &hooks.settings))
        .await
}

async fn validate(State(webhooks): State<Arc<Webhooks>>, request: Request) -> Response {
    answer(&webhooks.metrics, "validate", request, async |review: Review| validate::decide(&review)).await
}

async fn answer(
    metrics: &Metrics,
    webhook: &'static str,
    request: Request,
    decide: impl AsyncFnOnce(Review) -> Verdict,
) -> Response {
    let start = Instant::now();
    let seat = request.extensions().get::<Arc<Seat>>().cloned();
    let answered = timeout(ANSWER, async {
        let length = length(request.headers())?;
        let taken = match &seat {
            Some(seat) => Some(seat.take(length).await),
            None => None,
        };
        let limit = taken.as_ref().map_or(MAX_REVIEW, |taken| taken.limit);
        let review = timeout(RECEIVE, read(request.into_body(), limit));
        let late = |_| (StatusCode::REQUEST_TIMEOUT, "the review did not arrive in time\n".to_owned());
        let review = review.await.map_err(late)??;
        let uid = review.uid.clone();
        Ok::<_, (StatusCode, String)>((uid, decide(review).await))
    });
    let (result, response) = match answered.await {
        Ok(Ok((uid, verdict))) => {
            let body = verdict.answer(&uid).to_string();
            (verdict.word(), ([(header::CONTENT_TYPE, "application/json")], body).into_response())
        }
        Ok(Err(refusal)) => ("invalid", refusal.into_response()),
        Err(_) => ("timeout", (StatusCode::GATEWAY_TIMEOUT, "the review took too long\n").into_response()),
    };
    metrics.admissions.get_or_create(&AdmissionLabels { webhook, result }).inc();
    metrics.admission.observe(start.elapsed().as_secs_f64());
    response
}

/// The length that the sender tells, if it does.
fn length(headers: &HeaderMap) -> Result<Option<usize>, (StatusCode, String)> {
    let told: Option<usize> = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    match told {
        Some(length) if length > MAX_REVIEW => {
            Err((StatusCode::PAYLOAD_TOO_LARGE, format!("a review has at most {MAX_REVIEW} bytes\n")))
        }
        told => Ok(told),
    }
}

async fn read(body: Body, limit: usize) -> Result<Review, (StatusCode, String)> {
    let bytes = to_bytes(body, limit)
        .await
        .map_err(|error| (StatusCode::PAYLOAD_TOO_LARGE, format!("cannot read the review: {error}\n")))?;
    Review::read(&bytes).map_err(|error| (StatusCode::BAD_REQUEST, format!("{error}\n")))
}

#[cfg(test)]
mod tests;
